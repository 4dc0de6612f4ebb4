//! Upstreams that answer, and remember what they saw.

use crate::{
    Answer, Certificate, Fields, Seen, Wire,
    http2::{map, send_all},
    intake::Intake,
    message::End,
    patience::eventually,
    wire::Stream,
};
use bytes::Bytes;
use h2::{Reason, server::SendResponse};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

/// An upstream that answers each request and remembers it. Gone when dropped, connections included.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// How an [`Origin`] is to be; see [`Origin::speaking`].
#[derive(Debug, Clone)]
pub struct OriginRecipe {
    speaks: Speaks,
    address: SocketAddr,
    certificate: Option<Certificate>,
    digests: bool,
}

/// What an [`Origin`] speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS by prior knowledge.
    Http2,
}

struct Shared {
    handler: Box<dyn Fn(&Seen) -> Answer + Send + Sync>,
    digests: bool,
    requests: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: AtomicUsize,
}

// === impl Origin ===

impl Origin {
    /// HTTP/1.1; answers everything with 200 and this text.
    pub async fn saying(text: &str) -> Self {
        let text = text.to_owned();
        Self::http1(move |_| Answer::ok(text.clone())).await
    }

    /// HTTP/1.1; answers as it is told.
    pub async fn http1(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::speaking(Speaks::Http1).start(handler).await
    }

    /// HTTP/2 by prior knowledge; answers as it is told.
    pub async fn http2(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::speaking(Speaks::Http2).start(handler).await
    }

    /// Begins the description of an origin with TLS or an address of its own.
    pub fn speaking(speaks: Speaks) -> OriginRecipe {
        OriginRecipe {
            speaks,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            certificate: None,
            digests: false,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Waits until it has seen so many requests, and returns them all.
    pub async fn saw(&self, count: usize) -> Vec<Seen> {
        eventually(format!("{count} requests at {}", self.address), || self.requests().len() >= count).await;
        self.requests()
    }

    /// How many connections it has accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Stops listening and cuts every connection. Another can be started at its address.
    pub async fn stop(mut self) -> SocketAddr {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.address
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address.fmt(out)
    }
}

// === impl OriginRecipe ===

impl OriginRecipe {
    /// Listens here: where another origin was stopped, say.
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Speaks TLS with this certificate.
    pub fn tls(mut self, certificate: &Certificate) -> Self {
        self.certificate = Some(certificate.clone());
        self
    }

    /// Keeps no body, only the length and the digest of each.
    pub fn digesting(mut self) -> Self {
        self.digests = true;
        self
    }

    /// Starts it.
    pub async fn start(self, handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Origin {
        let listener = TcpListener::bind(self.address)
            .await
            .unwrap_or_else(|error| panic!("an origin cannot listen on {}: {error}", self.address));
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            digests: self.digests,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let alpn = match self.speaks {
            Speaks::Http1 => "http/1.1",
            Speaks::Http2 => "h2",
        };
        let tls = self.certificate.map(|certificate| certificate.acceptor(&[alpn]));
        let task = tokio::spawn(accept(listener, shared.clone(), self.speaks, tls));
        Origin { address, shared, task }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, speaks: Speaks, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let open = Open::new(shared.clone());
        let tls = tls.clone();
        connections.spawn(async move {
            let Some(stream) = wrap(stream, tls).await else { return };
            match speaks {
                Speaks::Http1 => http1(stream, &open.0, number).await,
                Speaks::Http2 => http2(stream, open.0.clone(), number).await,
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn wrap(stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Stream> {
    match tls {
        None => Some(Stream::Plain(stream)),
        Some(tls) => tls.accept(stream).await.ok().map(|stream| Stream::Tls(Box::new(stream))),
    }
}

async fn http1(stream: Stream, shared: &Shared, number: usize) {
    let mut wire = Wire::new(stream);
    while let Some(mut seen) = wire.request_into(shared.intake()).await {
        seen.connection = number;
        let answer = shared.answer(&seen);
        sleep(answer.delay).await;
        if let End::Reset(_) = answer.end {
            return wire.reset();
        }
        if wire.try_send(answer.http1(&seen)).await.is_err() || answer.end == End::Close {
            return;
        }
        if answer.end == End::Cut {
            return wire.reset();
        }
    }
}

async fn http2(stream: Stream, shared: Arc<Shared>, number: usize) {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 22).enable_connect_protocol();
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut streams = JoinSet::new();
    let (goodbye, mut goodbyes) = tokio::sync::mpsc::unbounded_channel::<()>();
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    streams.spawn(http2_stream(request, respond, shared.clone(), number, goodbye.clone()));
                }
                _ => return,
            },
            Some(()) = goodbyes.recv() => connection.graceful_shutdown(),
        }
    }
}

async fn http2_stream(
    request: http::Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    number: usize,
    goodbye: tokio::sync::mpsc::UnboundedSender<()>,
) {
    let (head, mut stream) = request.into_parts();
    let expects = head.headers.get("expect").is_some_and(|expect| expect == "100-continue");
    if expects && respond.send_informational(interim(100, &Fields::default())).is_err() {
        return;
    }
    let mut intake = shared.intake();
    while let Some(data) = stream.data().await {
        let Ok(data) = data else { return };
        let _ = stream.flow_control().release_capacity(data.len());
        intake.take(&data);
    }
    let Ok(trailers) = stream.trailers().await else { return };
    let (digest, Intake { body, length, .. }) = (intake.digest(), intake);
    let seen = Seen {
        method: head.method.to_string(),
        target: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        host: head.uri.authority().map_or_else(String::new, ToString::to_string),
        version: "HTTP/2".to_owned(),
        scheme: head.uri.scheme_str().unwrap_or_default().to_owned(),
        fields: Fields::of(&head.headers),
        body,
        length,
        digest,
        trailers: trailers.map_or_else(Fields::default, |map| Fields::of(&map)),
        connection: number,
    };
    let answer = shared.answer(&seen);
    sleep(answer.delay).await;
    if let End::Reset(code) = answer.end {
        return respond.send_reset(Reason::from(code));
    }
    for head in &answer.interim {
        let _ = respond.send_informational(interim(head.status, &head.fields));
    }
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(answer.status).expect("a status");
    *response.headers_mut() = map(&answer.fields);
    let whole = answer.end != End::Cut;
    let is_head = head.method == http::Method::HEAD;
    if is_head {
        response.headers_mut().entry("content-length").or_insert(answer.body.len().into());
    }
    let nothing = is_head || (answer.body.is_empty() && answer.trailers.is_empty() && whole);
    let Ok(mut out) = respond.send_response(response, nothing) else { return };
    if !nothing {
        send_all(&mut out, &answer.body, answer.trailers.is_empty() && whole && !answer.body.is_empty())
            .await;
        if !whole {
            out.send_reset(Reason::INTERNAL_ERROR);
        } else if !answer.trailers.is_empty() {
            let _ = out.send_trailers(map(&answer.trailers));
        }
    }
    if answer.end == End::Close {
        let _ = goodbye.send(());
    }
}

fn interim(status: u16, fields: &Fields) -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    *response.headers_mut() = map(fields);
    response
}

// === impl Shared ===

impl Shared {
    fn intake(&self) -> Intake {
        Intake::new(!self.digests)
    }

    fn answer(&self, seen: &Seen) -> Answer {
        self.requests.lock().unwrap().push(seen.clone());
        (self.handler)(seen)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shared")
            .field("requests", &self.requests.lock().unwrap().len())
            .finish_non_exhaustive()
    }
}

/// Counts an open connection.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
