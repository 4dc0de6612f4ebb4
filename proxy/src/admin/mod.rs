//! The admin endpoint: what the process is and does, on the control thread. It never touches a shard's thread, so it
//! answers when the data path is overloaded.

mod explain;
mod extension;
mod guard;
mod pages;
mod reserve;

pub use extension::{Extension, PageContent, Unbound};

use crate::state::State;
use bytes::Bytes;
use guard::Refused;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use reserve::Reserve;
use std::{convert::Infallible, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::spawn_local,
    time,
};

/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// For a request head to arrive.
const HEAD: Duration = Duration::from_secs(10);
/// For a connection, whatever happens on it.
const CONNECTION: Duration = Duration::from_mins(2);
/// Bytes of a request head.
const HEAD_BYTES: usize = 16 * 1024;
/// Bytes of a request body; no request needs one.
const BODY_BYTES: usize = 16 * 1024;
/// Between two attempts to accept, while descriptors are short.
const PAUSE: Duration = Duration::from_millis(20);

/// Who asks at a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Somebody who may see and change everything.
    Operator,
    /// Whoever can reach it: a kubelet, Prometheus. Sees whether the process is well, and its numbers.
    Anybody {
        /// Another name of `/healthz`.
        healthz: Option<Arc<str>>,
    },
}

/// Serves until the runtime ends.
pub(crate) async fn serve(socket: TcpListener, state: Arc<State>, audience: Audience) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let reserve = Rc::new(Reserve::new());
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !reserve.release() {
                    tracing::warn!(%error, "an admin connection cannot be accepted");
                    time::sleep(PAUSE).await;
                }
                continue;
            }
        };
        let (state, reserve, audience) = (state.clone(), reserve.clone(), audience.clone());
        spawn_local(async move {
            let _ = time::timeout(CONNECTION, connection(stream, &state, &audience)).await;
            drop(place);
            reserve.refill();
        });
    }
}

async fn connection(stream: TcpStream, state: &Arc<State>, audience: &Audience) {
    let service = service_fn(move |request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(state, request, audience).await)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an admin connection broke");
    }
}

async fn answer(
    state: &Arc<State>,
    request: Request<Incoming>,
    audience: &Audience,
) -> Response<Full<Bytes>> {
    let (mut head, body) = request.into_parts();
    let head_only = head.method == Method::HEAD;
    let checked = match audience {
        Audience::Operator => guard::check(&head, &state.published().config.admin().allowed_hosts),
        Audience::Anybody { healthz } => {
            if healthz.as_deref() == Some(head.uri.path()) {
                head.uri = Uri::from_static("/healthz");
            }
            guard::check_anybody(&head)
        }
    };
    let mut response = match checked {
        Err(refused) => refusal(&refused),
        Ok(()) => {
            // What is not read would be taken for the next request.
            match time::timeout(HEAD, Limited::new(body, BODY_BYTES).collect()).await {
                Ok(Ok(_)) => pages::page(state, &head).await,
                Ok(Err(_)) => refusal(&Refused {
                    status: StatusCode::PAYLOAD_TOO_LARGE,
                    why: "send no body",
                    allow: None,
                }),
                Err(_) => refusal(&Refused {
                    status: StatusCode::REQUEST_TIMEOUT,
                    why: "the body is late",
                    allow: None,
                }),
            }
        }
    };
    if head_only {
        *response.body_mut() = Full::default();
    }
    response
}

fn refusal(refused: &Refused) -> Response<Full<Bytes>> {
    let mut response = pages::text(refused.status, format!("{}\n", refused.why));
    if let Some(allow) = refused.allow {
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allow));
    }
    if refused.status == StatusCode::PAYLOAD_TOO_LARGE {
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}
