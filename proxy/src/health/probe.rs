//! One question to an endpoint.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::TokioIo;
use sluice_core::snapshot::Endpoint;
use sluice_model::spec::{ClusterProtocol, GrpcProbe, HealthCheck, HttpProbe, Probe};
use sluice_tls::{Protocol, TlsContext};
use std::{fmt, future::Future, net::SocketAddr, pin::pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::spawn_local,
};

/// What is looked at of a body.
const BODY: usize = 64 * 1024;

/// Who is asked.
pub(super) struct Target {
    pub(super) cluster: Arc<str>,
    pub(super) spec: Arc<sluice_model::Cluster>,
    pub(super) endpoint: Endpoint,
}

/// Why an endpoint is not well, for people.
#[derive(Debug)]
pub(super) struct Unwell(String);

/// Runs what hyper's HTTP/2 needs on the thread that asks.
#[derive(Clone)]
struct Here;

impl Unwell {
    pub(super) const fn new(why: String) -> Self {
        Self(why)
    }

    fn because(what: &str, error: impl fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}

impl fmt::Display for Unwell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}

/// Asks once. Takes as long as the endpoint lets it.
pub(super) async fn probe(target: &Target, check: &HealthCheck, tls: &TlsContext) -> Result<(), Unwell> {
    let port = check.port.unwrap_or_else(|| target.endpoint.address.port());
    let address = SocketAddr::new(target.endpoint.address.ip(), port);
    let tcp = TcpStream::connect(address).await.map_err(|error| Unwell::because("no connection", error))?;
    if matches!(check.probe, Probe::Tcp) {
        return Ok(());
    }
    if target.spec.tls.is_none() {
        return ask(target, check, tcp, target.spec.protocol == ClusterProtocol::Http2).await;
    }
    let nameless = || Unwell::new("the endpoint has no name that a certificate can prove".to_owned());
    let (client, name) = tls.client(&target.cluster).ok_or_else(nameless)?;
    let name = match name {
        Some(name) => name.clone(),
        None => target.endpoint.host.parse().map_err(|_| nameless())?,
    };
    let (stream, session) = client
        .connect(&name, tcp)
        .await
        .map_err(|error| Unwell::new(format!("no connection: {}", error.failure.as_str())))?;
    ask(target, check, stream, session.protocol == Some(Protocol::Http2)).await
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    target: &Target,
    check: &HealthCheck,
    stream: S,
    http2: bool,
) -> Result<(), Unwell> {
    match &check.probe {
        Probe::Tcp => Ok(()),
        Probe::Http(http) => {
            let host = http.host.as_deref().unwrap_or(&target.endpoint.authority);
            let request = get(target, http, host, http2)?;
            with_answer(stream, request, http2, async |answer| judge_http(http, answer).await).await
        }
        Probe::Grpc(_) if !http2 => Err(Unwell::new("the endpoint does not speak HTTP/2".to_owned())),
        Probe::Grpc(grpc) => {
            with_answer(stream, call(target, grpc)?, http2, async |answer| judge_grpc(answer).await).await
        }
    }
}

fn get(target: &Target, probe: &HttpProbe, host: &str, http2: bool) -> Result<Request<Full<Bytes>>, Unwell> {
    let request = Request::get(if http2 { uri(target, host, &probe.path) } else { probe.path.clone() });
    let request = if http2 { request } else { request.header(header::HOST, host) };
    let request = request.header(header::USER_AGENT, "sluice-health-check").body(Full::default());
    request.map_err(|error| Unwell::because("no request can be made", error))
}

/// `grpc.health.v1.Health/Check`, with its message written by hand: one field, the service.
fn call(target: &Target, probe: &GrpcProbe) -> Result<Request<Full<Bytes>>, Unwell> {
    let mut message = BytesMut::new();
    if !probe.service.is_empty() {
        message.put_u8(0x0a);
        varint(&mut message, probe.service.len());
        message.put_slice(probe.service.as_bytes());
    }
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.len() as u32);
    body.put_slice(&message);
    Request::post(uri(target, &target.endpoint.authority, "/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "sluice-health-check")
        .body(Full::new(body.freeze()))
        .map_err(|error| Unwell::because("no call can be made", error))
}

fn varint(out: &mut BytesMut, mut number: usize) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

fn uri(target: &Target, authority: &str, path: &str) -> String {
    let scheme = if target.spec.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{authority}{path}")
}

/// Sends a request, and judges its answer while the connection is there.
async fn with_answer<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
    http2: bool,
    judge: impl AsyncFnOnce(Response<Incoming>) -> Result<(), Unwell>,
) -> Result<(), Unwell> {
    let broken = |error: hyper::Error| Unwell::because("no answer", error);
    if http2 {
        let (mut sender, connection) = http2::handshake(Here, TokioIo::new(stream)).await.map_err(broken)?;
        let judged = async { judge(sender.send_request(request).await.map_err(broken)?).await };
        beside(connection, judged).await
    } else {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let judged = async { judge(sender.send_request(request).await.map_err(broken)?).await };
        beside(connection, judged).await
    }
}

/// Runs a connection as long as its answer is judged, and not longer.
async fn beside<T>(connection: impl Future, judged: impl Future<Output = T>) -> T {
    let (mut connection, mut judged) = (pin!(connection), pin!(judged));
    let mut over = false;
    loop {
        tokio::select! {
            biased;
            judgement = &mut judged => return judgement,
            // What it has brought is still to be judged.
            _ = &mut connection, if !over => over = true,
        }
    }
}

async fn judge_http(probe: &HttpProbe, answer: Response<Incoming>) -> Result<(), Unwell> {
    let status = answer.status().as_u16();
    let good = match &*probe.statuses {
        [] => (200..400).contains(&status),
        statuses => statuses.iter().any(|good| good.get() == status),
    };
    if !good {
        return Err(Unwell::new(format!("status {status}")));
    }
    let Some(wanted) = &probe.body else { return Ok(()) };
    let mut body = answer.into_body();
    let mut seen = Vec::new();
    while seen.len() < BODY
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|error| Unwell::because("half an answer", error))?;
        if let Ok(data) = frame.into_data() {
            seen.extend_from_slice(&data[..data.len().min(BODY - seen.len())]);
        }
    }
    let holds =
        wanted.len() <= seen.len() && seen.windows(wanted.len().max(1)).any(|part| part == wanted.as_bytes());
    if holds { Ok(()) } else { Err(Unwell::new(format!("no `{wanted}` in the body"))) }
}

async fn judge_grpc(answer: Response<Incoming>) -> Result<(), Unwell> {
    if answer.status() != StatusCode::OK {
        return Err(Unwell::new(format!("status {}", answer.status().as_u16())));
    }
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, BODY).collect().await;
    let body = body.map_err(|error| Unwell::because("half an answer", error))?;
    let status = |fields: &HeaderMap<HeaderValue>| fields.get("grpc-status").cloned();
    let status = body.trailers().and_then(status).or_else(|| status(&head.headers));
    if let Some(status) = status.filter(|status| status != "0") {
        return Err(Unwell::new(format!("gRPC status {}", String::from_utf8_lossy(status.as_bytes()))));
    }
    // A message that says SERVING: field 1 is 1.
    match body.to_bytes().get(5..) {
        Some([0x08, 0x01, ..]) => Ok(()),
        _ => Err(Unwell::new("it is not serving".to_owned())),
    }
}
