//! An HTTP/2 client.

use crate::{
    Fields, Interim, Reply, Request, TlsClient,
    patience::{eventually, within},
    wire::Stream,
};
use bytes::Bytes;
use h2::{SendStream, client::ResponseFuture, ext::Protocol};
use std::{future::poll_fn, net::SocketAddr};
use tokio::task::JoinHandle;

/// A connection over which requests go side by side: [`Http2::send`] takes `&self`, so join several.
#[derive(Debug)]
pub struct Http2 {
    requests: h2::client::SendRequest<Bytes>,
    scheme: &'static str,
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Http2 {
    /// Connects in plaintext, by prior knowledge.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(Stream::connect(address).await, "http").await
    }

    /// Connects over TLS; the client should offer `h2`.
    pub async fn connect_tls(address: SocketAddr, tls: &TlsClient) -> Self {
        let stream = tls.connect(address).await.unwrap_or_else(|error| panic!("TLS with {address}: {error}"));
        Self::over(stream, "https").await
    }

    async fn over(stream: Stream, scheme: &'static str) -> Self {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 22);
        let (requests, connection) =
            within("the HTTP/2 preface", builder.handshake(stream)).await.expect("HTTP/2 should begin");
        Self { requests, scheme, connection: tokio::spawn(connection) }
    }

    /// Sends a request and takes its answer; an error is a reset, a GOAWAY or a broken connection.
    pub async fn send(&self, request: &Request) -> Result<Reply, h2::Error> {
        let (reply, mut body) =
            self.open(request, request.body.is_empty() && request.trailers.is_empty()).await?;
        let upload = async {
            if !request.body.is_empty() {
                send_all(&mut body, &request.body, request.trailers.is_empty()).await;
            }
            if !request.trailers.is_empty() {
                let _ = body.send_trailers(map(&request.trailers));
            }
        };
        within("an HTTP/2 exchange", async { tokio::join!(upload, take(reply)).1 }).await
    }

    /// Sends a GET and takes its answer.
    pub async fn get(&self, target: &str) -> Reply {
        self.send(&Request::get(target)).await.expect("an answer should come")
    }

    /// Begins a request whose body, trailers or reset the test sends itself; take the answer with [`Http2::take`].
    pub async fn open(
        &self,
        request: &Request,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut requests = within("room for a stream", self.requests.clone().ready()).await?;
        if request.protocol.is_some() {
            let enabled = || self.requests.is_extended_connect_protocol_enabled();
            eventually("the peer takes extended CONNECT", enabled).await;
        }
        requests.send_request(self.head(request), end)
    }

    /// Takes the whole answer of a request that [`Http2::open`] began.
    pub async fn take(reply: ResponseFuture) -> Result<Reply, h2::Error> {
        within("an HTTP/2 answer", take(reply)).await
    }

    /// Waits for the next 1xx answer of a request that [`Http2::open`] began; `None` when the final one comes instead.
    pub async fn interim(reply: &mut ResponseFuture) -> Result<Option<Interim>, h2::Error> {
        within("an interim answer", interim(reply)).await
    }

    /// Sends a piece of the body of a request that [`Http2::open`] began, as windows allow.
    pub async fn upload(body: &mut SendStream<Bytes>, piece: &[u8], end: bool) {
        within("an HTTP/2 upload", send_all(body, piece, end)).await;
    }

    /// Whether the connection has ended, and how: [`None`] while it lives.
    pub async fn ended(&mut self) -> Result<(), h2::Error> {
        within("the end of the connection", &mut self.connection)
            .await
            .expect("the connection task should not panic")
    }

    fn head(&self, request: &Request) -> http::Request<()> {
        let mut uri = http::Uri::builder();
        if request.method != "CONNECT" || request.protocol.is_some() {
            uri = uri.scheme(self.scheme).path_and_query(request.target.as_str());
        }
        if let Some(host) = &request.host {
            uri = uri.authority(host.as_str());
        }
        let mut head = http::Request::builder()
            .version(http::Version::HTTP_2)
            .method(request.method.as_str())
            .uri(uri.build().expect("the target should be a URI"));
        for (name, value) in request.fields.iter() {
            head = head.header(name, value);
        }
        if let Some(protocol) = &request.protocol {
            head = head.extension(Protocol::from(protocol.as_str()));
        }
        head.body(()).expect("the head should be well-formed")
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn interim(reply: &mut ResponseFuture) -> Result<Option<Interim>, h2::Error> {
    let interim = poll_fn(|cx| reply.poll_informational(cx)).await.transpose()?;
    Ok(interim.map(|head| Interim { status: head.status().as_u16(), fields: Fields::of(head.headers()) }))
}

async fn take(mut reply: ResponseFuture) -> Result<Reply, h2::Error> {
    let mut interims = Vec::new();
    while let Some(head) = interim(&mut reply).await? {
        interims.push(head);
    }
    let (head, mut stream) = reply.await?.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        let _ = stream.flow_control().release_capacity(data.len());
        body.extend_from_slice(&data);
    }
    let trailers = stream.trailers().await?.map_or_else(Fields::default, |map| Fields::of(&map));
    Ok(Reply {
        version: "HTTP/2".to_owned(),
        status: head.status.as_u16(),
        reason: String::new(),
        fields: Fields::of(&head.headers),
        body,
        trailers,
        interim: interims,
    })
}

/// Sends bytes as windows allow; stops when the stream is reset.
pub(crate) async fn send_all(stream: &mut SendStream<Bytes>, body: &[u8], end: bool) {
    let mut left = Bytes::copy_from_slice(body);
    while !left.is_empty() {
        stream.reserve_capacity(left.len());
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
        let piece = left.split_to(room.min(left.len()));
        if stream.send_data(piece, end && left.is_empty()).is_err() {
            return;
        }
    }
}

pub(crate) fn map(fields: &Fields) -> http::HeaderMap {
    let mut map = http::HeaderMap::new();
    for (name, value) in fields.iter() {
        let name: http::HeaderName = name.parse().expect("a field name");
        map.append(name, value.parse().expect("a field value"));
    }
    map
}
