//! The server itself.

use super::{answer::Answer, seen::Seen, wish::Wish};
use crate::failure::Failure;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    time::{sleep, timeout},
};

/// Who answers.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// Is told one line for each request.
pub(crate) type Observer = Arc<dyn Fn(&str) + Send + Sync>;

/// An echo server whose address is bound.
pub(crate) struct EchoServer {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    identity: Identity,
    observer: Option<Observer>,
}

const MAX_CONNECTIONS: usize = 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two pieces of a request body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// One thread is plenty for an echo.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system(format!("cannot start a runtime: {error}")))
}

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn stop_signal() -> Result<(), Failure> {
    let watch =
        |kind| signal(kind).map_err(|error| Failure::system(format!("cannot watch for signals: {error}")));
    let (mut interrupt, mut terminate) = (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

// === impl EchoServer ===

impl EchoServer {
    /// Takes the address.
    pub(crate) async fn bind(
        address: SocketAddr,
        identity: Identity,
        observer: Option<Observer>,
    ) -> Result<Self, Failure> {
        let failure = |error| {
            Failure::address(format!(
                "the echo server `{}` cannot listen on {address}: {error}",
                identity.name
            ))
        };
        let listener = TcpListener::bind(address).await.map_err(failure)?;
        let address = listener.local_addr().map_err(failure)?;
        Ok(Self { listener, address, shared: Arc::new(Shared { identity, observer }) })
    }

    /// The real port where 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who answers.
    pub(crate) fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self) {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Ok(permit) = Arc::clone(&connections).acquire_owned().await {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = serve_connection(Arc::clone(&self.shared), stream, peer);
                    tokio::spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                // Out of descriptors, or the peer was gone already: others may do better in a moment.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

async fn serve_connection(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| respond(Arc::clone(&shared), request, peer));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .keep_alive_interval(HEAD_TIMEOUT)
        .enable_connect_protocol();
    // How a connection ends is the client's affair.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Answer>, Infallible> {
    let (head, body) = request.into_parts();
    let wish = match Wish::of(&head) {
        Ok(wish) => wish,
        Err(reason) => return Ok(text(StatusCode::BAD_REQUEST, reason + "\n")),
    };
    let Some((body_bytes, trailers)) = drain(body).await else {
        return Ok(text(StatusCode::REQUEST_TIMEOUT, "the body did not arrive\n".to_owned()));
    };
    let seen = Seen { by: &shared.identity, head: &head, peer, body_bytes, trailers };
    if let Some(observer) = &shared.observer {
        let who = &shared.identity;
        observer(&format!(
            "{} {} saw {} with {body_bytes} bytes of body",
            who.name,
            who.version,
            seen.request_line()
        ));
    }
    sleep(wish.delay).await;
    let mut response = match wish.size {
        Some(left) => answer(wish.status, Answer::Filler { left }, "application/octet-stream"),
        None if wish.json => {
            answer(wish.status, Answer::Text(Bytes::from(format!("{:#}\n", seen.json()))), "application/json")
        }
        None => text(wish.status, seen.text()),
    };
    for (name, value) in
        [("x-echo-name", &shared.identity.name), ("x-echo-version", &shared.identity.version)]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Counts a body and forgets it.
async fn drain(mut body: Incoming) -> Option<(u64, Option<HeaderMap>)> {
    let (mut bytes, mut trailers) = (0, None);
    while let Some(frame) = timeout(BODY_TIMEOUT, body.frame()).await.ok()? {
        match frame.ok()?.into_data() {
            Ok(data) => bytes += data.len() as u64,
            Err(other) => trailers = other.into_trailers().ok().or(trailers),
        }
    }
    Some((bytes, trailers))
}

fn text(status: StatusCode, text: String) -> Response<Answer> {
    answer(status, Answer::Text(text.into()), "text/plain; charset=utf-8")
}

fn answer(status: StatusCode, body: Answer, content_type: &'static str) -> Response<Answer> {
    let bodiless =
        matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bodiless { Answer::Text(Bytes::new()) } else { body });
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
