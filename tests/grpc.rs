//! gRPC: a client and a server of the `tonic` crate, with a proxy between them.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use futures_util::{Stream, StreamExt, future::BoxFuture, stream};
use http::uri::PathAndQuery;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sluice_dsl::{Certificate, Http2, Nobody, Recipe, Request as Http, Sluice, sluice, within};
use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::{JoinHandle, JoinSet},
};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    client::Grpc,
    server::{ClientStreamingService, ServerStreamingService, StreamingService, UnaryService},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
struct Line {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint32, tag = "2")]
    number: u32,
}

fn line(text: impl Into<String>, number: u32) -> Line {
    Line { text: text.into(), number }
}

fn codec() -> ProstCodec<Line, Line> {
    ProstCodec::default()
}

// === The server ===

/// `/shop.Shop/Ask`, `Collect`, `Repeat` and `Chat`: one method of each kind.
struct Shop {
    address: SocketAddr,
    /// Calls that were given up before they were answered.
    given_up: Arc<Semaphore>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Calls {
    given_up: Arc<Semaphore>,
}

/// Tells when a call is dropped before its answer.
struct Unfinished(Arc<Semaphore>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

type Lines = Pin<Box<dyn Stream<Item = Result<Line, Status>> + Send>>;

impl UnaryService<Line> for Calls {
    type Response = Line;
    type Future = BoxFuture<'static, Result<Response<Line>, Status>>;

    fn call(&mut self, request: Request<Line>) -> Self::Future {
        let given_up = self.given_up.clone();
        Box::pin(async move {
            let asked = request.get_ref();
            match asked.text.as_str() {
                "fail" => {
                    let mut status = Status::not_found("no such thing: 100 % sure, naïvely");
                    status.metadata_mut().insert("x-shelf", "7".parse().expect("a value"));
                    Err(status)
                }
                "never" => {
                    let _unfinished = Unfinished(given_up);
                    std::future::pending().await
                }
                _ => {
                    let deadline = request.metadata().get("grpc-timeout").is_some();
                    let asked_by = request.metadata().get("x-asked-by").cloned();
                    let mut response =
                        Response::new(line(format!("you said {}", asked.text), u32::from(deadline)));
                    if let Some(by) = asked_by {
                        response.metadata_mut().insert("x-for", by);
                    }
                    Ok(response)
                }
            }
        })
    }
}

impl ClientStreamingService<Line> for Calls {
    type Response = Line;
    type Future = BoxFuture<'static, Result<Response<Line>, Status>>;

    fn call(&mut self, request: Request<Streaming<Line>>) -> Self::Future {
        Box::pin(async move {
            let mut lines = request.into_inner();
            let mut all = line("", 0);
            while let Some(next) = lines.message().await? {
                all.text += &next.text;
                all.number += next.number;
            }
            Ok(Response::new(all))
        })
    }
}

impl ServerStreamingService<Line> for Calls {
    type Response = Line;
    type ResponseStream = Lines;
    type Future = BoxFuture<'static, Result<Response<Lines>, Status>>;

    fn call(&mut self, request: Request<Line>) -> Self::Future {
        let asked = request.into_inner();
        let fails = asked.text == "fail";
        let lines = (0..asked.number).map(move |number| Ok(line(asked.text.clone(), number)));
        let end = fails.then(|| Err(Status::aborted("in the middle")));
        Box::pin(async move { Ok(Response::new(Box::pin(stream::iter(lines.chain(end))) as Lines)) })
    }
}

impl StreamingService<Line> for Calls {
    type Response = Line;
    type ResponseStream = Lines;
    type Future = BoxFuture<'static, Result<Response<Lines>, Status>>;

    fn call(&mut self, request: Request<Streaming<Line>>) -> Self::Future {
        let lines = request.into_inner().map(|next| next.map(|next| line(next.text, next.number * 2)));
        Box::pin(async move { Ok(Response::new(Box::pin(lines) as Lines)) })
    }
}

impl Shop {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let given_up = Arc::new(Semaphore::new(0));
        let calls = Calls { given_up: given_up.clone() };
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let calls = calls.clone();
                let serve = service_fn(move |request| {
                    let calls = calls.clone();
                    async move { Ok::<_, Infallible>(calls.serve(request).await) }
                });
                let builder = http2::Builder::new(TokioExecutor::new());
                connections.spawn(async move { builder.serve_connection(TokioIo::new(socket), serve).await });
            }
        });
        Self { address, given_up, task }
    }

    /// Waits until so many calls have been given up.
    async fn gave_up(&self, calls: u32) {
        let permits = within("a call that is given up", self.given_up.acquire_many(calls)).await;
        permits.expect("an open semaphore").forget();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Calls {
    async fn serve(self, request: http::Request<Incoming>) -> http::Response<Body> {
        let mut grpc = tonic::server::Grpc::new(codec());
        match request.uri().path() {
            "/shop.Shop/Ask" => grpc.unary(self, request).await,
            "/shop.Shop/Collect" => grpc.client_streaming(self, request).await,
            "/shop.Shop/Repeat" => grpc.server_streaming(self, request).await,
            "/shop.Shop/Chat" => grpc.streaming(self, request).await,
            _ => Status::unimplemented("no such method").into_http(),
        }
    }
}

// === The client ===

struct Client(Grpc<Channel>);

impl Client {
    async fn of(address: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        Self(Grpc::new(within("connecting", endpoint.connect()).await.expect("the proxy listens")))
    }

    async fn ask(&mut self, request: Request<Line>) -> Result<Response<Line>, Status> {
        self.0.ready().await.expect("an open connection");
        within("an answer", self.0.unary(request, method("Ask"), codec())).await
    }
}

fn method(name: &str) -> PathAndQuery {
    format!("/shop.Shop/{name}").parse().expect("a path")
}

fn recipe(upstream: &impl ToString) -> Recipe {
    sluice!().cluster_with("shop", upstream, "protocol: http2").forwarding_to("shop")
}

async fn in_front_of(shop: &Shop) -> Sluice {
    recipe(&shop.address).start().await
}

// === Calls ===

#[tokio::test]
async fn unary_calls_carry_messages_and_metadata_both_ways() {
    let shop = Shop::open().await;
    let proxy = in_front_of(&shop).await;
    let mut client = Client::of(proxy.address()).await;
    let mut request = Request::new(line("hello", 0));
    request.metadata_mut().insert("x-asked-by", "a test".parse().expect("a value"));
    let answer = client.ask(request).await.expect("an answer");
    assert_eq!(answer.metadata().get("x-for").expect("metadata"), "a test");
    assert_eq!(answer.into_inner(), line("you said hello", 0));
    let entry = proxy.logged_path("/shop.Shop/Ask").await;
    assert_eq!((&entry["status"], &entry["grpc_status"]), (&200.into(), &0.into()), "{entry}");

    let large = "x".repeat(3_000_000);
    let answer = client.ask(Request::new(line(large.clone(), 0))).await.expect("an answer").into_inner();
    assert!(answer.text == format!("you said {large}"), "{} bytes", answer.text.len());
}

#[tokio::test]
async fn streams_pass_in_each_direction_and_in_both() {
    let shop = Shop::open().await;
    let proxy = in_front_of(&shop).await;
    let mut client = Client::of(proxy.address()).await;

    client.0.ready().await.expect("an open connection");
    let lines = stream::iter((1..=1000).map(|number| line("a", number)));
    let all =
        within("the sum", client.0.client_streaming(Request::new(lines), method("Collect"), codec())).await;
    assert_eq!(all.expect("an answer").into_inner(), line("a".repeat(1000), 500_500));

    client.0.ready().await.expect("an open connection");
    let repeated =
        client.0.server_streaming(Request::new(line("again", 1000)), method("Repeat"), codec()).await;
    let lines: Vec<_> =
        within("the lines", repeated.expect("an answer").into_inner().collect::<Vec<_>>()).await;
    assert_eq!(lines.len(), 1000);
    assert_eq!(lines[999].as_ref().expect("a line"), &line("again", 999));

    // Each message is answered before the next one is sent: nothing on the way waits for more.
    client.0.ready().await.expect("an open connection");
    let (say, lines) = mpsc::unbounded_channel();
    let lines = stream::unfold(lines, async |mut lines| lines.recv().await.map(|next| (next, lines)));
    let chat = client.0.streaming(Request::new(Box::pin(lines)), method("Chat"), codec());
    say.send(line("first", 0)).expect("a listener");
    let mut answers = within("the head", chat).await.expect("an answer").into_inner();
    assert_eq!(answers.message().await.expect("a message"), Some(line("first", 0)));
    for number in 1..50 {
        say.send(line("next", number)).expect("a listener");
        let answer = within("the answer to a message", answers.message()).await.expect("a message");
        assert_eq!(answer, Some(line("next", number * 2)));
    }
    drop(say);
    assert_eq!(within("the end", answers.message()).await.expect("an ordinary end"), None);
    let trailers = answers.trailers().await.expect("trailers");
    assert!(trailers.is_some(), "the status comes behind the messages");
}

#[tokio::test]
async fn an_error_keeps_its_status_message_and_metadata() {
    let shop = Shop::open().await;
    let proxy = in_front_of(&shop).await;
    let mut client = Client::of(proxy.address()).await;
    let status = client.ask(Request::new(line("fail", 0))).await.expect_err("no answer");
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such thing: 100 % sure, naïvely"));
    assert_eq!(status.metadata().get("x-shelf").expect("metadata"), "7");
    let entry = proxy.logged_path("/shop.Shop/Ask").await;
    assert_eq!((&entry["status"], &entry["grpc_status"]), (&200.into(), &5.into()), "{entry}");

    client.0.ready().await.expect("an open connection");
    let repeated = client.0.server_streaming(Request::new(line("fail", 3)), method("Repeat"), codec()).await;
    let lines: Vec<_> =
        within("the lines", repeated.expect("an answer").into_inner().collect::<Vec<_>>()).await;
    assert_eq!(lines.len(), 4);
    let status = lines[3].as_ref().expect_err("an error in trailers");
    assert_eq!((status.code(), status.message()), (Code::Aborted, "in the middle"));
    let entry = proxy.logged_path("/shop.Shop/Repeat").await;
    assert_eq!(entry["grpc_status"], 10, "{entry}");
}

#[tokio::test]
async fn grpc_passes_over_tls() {
    let certificate = Certificate::of(&["shop.test"]);
    let shop = Shop::open().await;
    let inner = recipe(&shop.address)
        .certificate("shop", &certificate)
        .listener("tls: { certificates: [shop] }")
        .start()
        .await;
    let outer = sluice!()
        .certificate("shop", &certificate)
        .cluster_with(
            "inner",
            &inner.address(),
            "protocol: http2\ntls: { server_name: shop.test, verify: { ca: shop-ca } }",
        )
        .forwarding_to("inner")
        .start()
        .await;
    let answer = Client::of(outer.address()).await.ask(Request::new(line("hello", 0))).await;
    assert_eq!(answer.expect("an answer").into_inner(), line("you said hello", 0));
}

// === Time, and what goes wrong ===

#[tokio::test]
async fn a_deadline_reaches_the_server_and_its_end_cancels_the_call_there() {
    let shop = Shop::open().await;
    let proxy = in_front_of(&shop).await;
    let mut client = Client::of(proxy.address()).await;
    let mut request = Request::new(line("hello", 0));
    request.set_timeout(Duration::from_secs(60));
    assert_eq!(client.ask(request).await.expect("an answer").into_inner().number, 1);

    let mut request = Request::new(line("never", 0));
    request.set_timeout(Duration::from_millis(100));
    let status = client.ask(request).await.expect_err("no answer");
    assert!(matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded), "{status}");
    shop.gave_up(1).await;
    let entry = proxy.logged("the cancelled call", |entry| entry["response_flags"] == "DC").await;
    assert_eq!(entry["path"], "/shop.Shop/Ask");
}

#[tokio::test]
async fn a_routes_time_limit_is_deadline_exceeded() {
    let shop = Shop::open().await;
    let proxy = recipe(&shop.address)
        .routes(
            "- { name: all, action: { forward: { destinations: [{ cluster: shop }] } }, timeouts: { request: 100ms } }",
        )
        .start()
        .await;
    let status = Client::of(proxy.address()).await.ask(Request::new(line("never", 0))).await;
    assert_eq!(status.expect_err("no answer").code(), Code::DeadlineExceeded);
    shop.gave_up(1).await;
}

#[tokio::test]
async fn what_the_proxy_says_itself_is_a_grpc_status_with_http_200() {
    let nobody = Nobody::new();
    let proxy = recipe(&nobody)
        .routes(
            "
- name: fault
  match: [{ path: { exact: /shop.Shop/Fault } }]
  action: { forward: { destinations: [{ cluster: shop }] } }
  filters: [{ fault: { abort: { status: { grpc: 8 }, percent: 100 } } }]
- { name: shop, match: [{ path: { prefix: /shop.Shop } }], action: { forward: { destinations: [{ cluster: shop }] } } }",
        )
        .start()
        .await;
    let mut client = Client::of(proxy.address()).await;
    for (name, code) in [("Ask", Code::Unavailable), ("Fault", Code::ResourceExhausted)] {
        client.0.ready().await.expect("an open connection");
        let answer = client.0.unary::<Line, Line, _>(Request::new(line("", 0)), method(name), codec());
        let status = within("an answer", answer).await.expect_err("no answer");
        assert_eq!(status.code(), code, "{name}: {status}");
    }
    client.0.ready().await.expect("an open connection");
    let elsewhere = PathAndQuery::from_static("/other.Service/Call");
    let answer = client.0.unary::<Line, Line, _>(Request::new(line("", 0)), elsewhere, codec());
    let status = within("an answer", answer).await.expect_err("no answer");
    assert_eq!(status.code(), Code::Unimplemented, "no route: {status}");

    let plain = Http2::connect(proxy.address()).await;
    for (path, grpc_status) in
        [("/shop.Shop/Ask", "14"), ("/shop.Shop/Fault", "8"), ("/other.Service/Call", "12")]
    {
        let call = Http::post(path, "").field("content-type", "application/grpc").field("te", "trailers");
        let (reply, _) = plain.open(&call, true).await.expect("a stream");
        let reply = within("an answer", reply).await.expect("an answer");
        let field = |name: &str| reply.headers().get(name).map(|value| value.to_str().expect("text"));
        assert_eq!((reply.status().as_u16(), field("grpc-status")), (200, Some(grpc_status)), "{path}");
        assert_eq!(field("content-type"), Some("application/grpc"), "{path}");
        // Clients look for a status in the head only where nothing follows it.
        assert!(reply.body().is_end_stream(), "{path}: trailers only");
    }
    let entry = proxy.logged_path("/shop.Shop/Ask").await;
    assert_eq!((&entry["status"], &entry["grpc_status"]), (&200.into(), &14.into()), "{entry}");
    assert_eq!(proxy.get("/shop.Shop/Ask").await.status, 503, "whoever speaks no gRPC gets the HTTP status");
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_is_an_error_and_not_an_end() {
    let shop = Shop::open().await;
    let proxy = in_front_of(&shop).await;
    let mut client = Client::of(proxy.address()).await;
    client.0.ready().await.expect("an open connection");
    let (say, lines) = mpsc::unbounded_channel();
    let lines = stream::unfold(lines, async |mut lines| lines.recv().await.map(|next| (next, lines)));
    let chat = client.0.streaming(Request::new(Box::pin(lines)), method("Chat"), codec());
    say.send(line("first", 1)).expect("a listener");
    let mut answers = within("the head", chat).await.expect("an answer").into_inner();
    assert_eq!(answers.message().await.expect("a message"), Some(line("first", 2)));
    drop(shop);
    let end = within("the end", answers.message()).await;
    assert!(end.is_err(), "{end:?}");
    let status = client.ask(Request::new(line("hello", 0))).await.expect_err("no answer");
    assert_eq!(status.code(), Code::Unavailable);
}
