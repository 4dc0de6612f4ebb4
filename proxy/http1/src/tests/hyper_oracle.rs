//! hyper reads the same bytes, and every difference has a name.
//!
//! What we accept, hyper must accept with the same method, target, fields, body and trailers; what hyper refuses, we
//! must refuse. Where we refuse and hyper accepts, the reason must be in the lists below.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Request, Response, Uri, client, server};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::LocalSet;

use super::corpus::{files, mutants};
use crate::fuzz::{Ending, Line, Message, Side, read};
use crate::{Asked, BodyLimits, Error, Framing, Limits, Method};

/// Why we refuse messages that hyper accepts: each lets two readers see different messages, or is a bound.
const STRICTER: &[Error] = &[
    // hyper skips any number of blank lines before a message.
    Error::LeadingBlank,
    // LF alone ends a line.
    Error::BareLf,
    // Of the two, Transfer-Encoding wins.
    Error::ConflictingFraming,
    // Only the last coding has to be `chunked`; the others are left to the application.
    Error::TransferEncoding,
    Error::UnsupportedTransferEncoding,
    // Repeated ones are taken if they are equal.
    Error::RepeatedContentLength,
    // CONNECT, 1xx and 204 may declare a body, which is not read.
    Error::UnexpectedBody,
    // White space may follow a chunk size.
    Error::ChunkSize,
    // Any byte but CR and LF may stand in a chunk extension.
    Error::ChunkExtension,
];

/// The same for requests alone.
const STRICTER_REQUESTS: &[Error] = &[
    // Methods may have any length.
    Error::MethodTooLong,
];

/// The same for responses alone.
const STRICTER_RESPONSES: &[Error] = &[
    // A protocol may be switched without having been asked.
    Error::UnexpectedUpgrade,
    // Framing fields are not looked at where there is no body.
    Error::ContentLength,
    Error::TransferEncodingInHttp10,
];

/// What hyper made of a message.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    line: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
}

/// Fields in an order that does not depend on how a map keeps different names.
fn sorted(pairs: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    pairs
}

fn of_map(map: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    sorted(map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())))
}

fn of_pairs(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    sorted(
        pairs.iter().map(|(name, value)| (String::from_utf8_lossy(name).to_ascii_lowercase(), value.clone())),
    )
}

/// Runs hyper to the end of what it can do with the bytes, on this thread alone.
fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    LocalSet::new().block_on(&runtime, work)
}

async fn collect(body: Incoming) -> Option<(Vec<u8>, Vec<(String, Vec<u8>)>)> {
    let collected = body.collect().await.ok()?;
    let trailers = collected.trailers().map(of_map).unwrap_or_default();
    Some((collected.to_bytes().to_vec(), trailers))
}

/// The first request as hyper's server reads it; `None` if it refuses its head or its body.
fn hyper_request(bytes: &[u8]) -> Option<Seen> {
    let seen = Rc::new(RefCell::new(None));
    run(async {
        let (mut ours, theirs) = tokio::io::duplex(1 << 20);
        ours.write_all(bytes).await.unwrap();
        ours.shutdown().await.unwrap();
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            let seen = Rc::clone(&seen);
            async move {
                let line = format!("{} {}", request.method(), request.uri());
                let fields = of_map(request.headers());
                if let Some((body, trailers)) = collect(request.into_body()).await {
                    seen.borrow_mut().get_or_insert(Seen { line, fields, body, trailers });
                }
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }
        });
        let connection = server::conn::http1::Builder::new()
            .half_close(true)
            .keep_alive(false)
            .serve_connection(TokioIo::new(theirs), service);
        let _ = connection.await;
        drop(ours);
    });
    seen.take()
}

/// The first final response as hyper's client reads it; `None` if it refuses its head or its body.
fn hyper_response(method: &str, bytes: &[u8]) -> Option<Seen> {
    run(async {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (mut sender, connection) =
            client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(theirs)).await.ok()?;
        tokio::task::spawn_local(async move {
            let _ = connection.with_upgrades().await;
        });
        let request = Request::builder().method(method).uri("/").body(Empty::new()).unwrap();
        let answer = tokio::task::spawn_local(async move {
            let response = sender.send_request(request).await.ok()?;
            let line = response.status().as_u16().to_string();
            let fields = of_map(response.headers());
            let (body, trailers) = collect(response.into_body()).await?;
            Some(Seen { line, fields, body, trailers })
        });
        answer_after_request(ours, bytes).await;
        answer.await.unwrap()
    })
}

/// Waits for the request before answering it: hyper treats bytes that come unasked as a mistake.
async fn answer_after_request(mut ours: DuplexStream, bytes: &[u8]) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert!(ours.read_buf(&mut request).await.unwrap() > 0);
    }
    let _ = ours.write_all(bytes).await;
    let _ = ours.shutdown().await;
    // The other half stays open until hyper has closed its own.
    while ours.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
}

/// hyper judges targets by the grammar of URIs, which is the hygiene table's work for us, and cuts fragments off.
fn comparable(target: &str) -> Option<String> {
    let uri: Uri = target.parse().ok()?;
    Some(uri.to_string())
}

fn check_request(bytes: &[u8]) {
    let (messages, ending) = read(Side::Client, [bytes], &Limits::default(), BodyLimits::default());
    let shown = bytes.escape_ascii().to_string();
    let theirs = hyper_request(bytes);
    let Some(ours) = messages.first() else {
        if let Some(theirs) = theirs {
            let Ending::Refused(error) = ending else { panic!("{ending:?} but {theirs:?}: {shown}") };
            assert!(
                [STRICTER, STRICTER_REQUESTS].concat().contains(&error),
                "{error:?} but {theirs:?}: {shown}"
            );
        }
        return;
    };
    let Line::Request { method, target, .. } = &ours.line else { panic!("a request") };
    let Some(target) = comparable(target) else { return };
    if ours.framing == Framing::Tunnel {
        // hyper hands the connection over instead of reading a body.
        return assert!(theirs.is_some_and(|theirs| theirs.line == format!("{method} {target}")), "{shown}");
    }
    let ours = seen(format!("{method} {target}"), ours);
    assert_eq!(theirs, Some(ours), "{shown}");
}

fn check_response(method: Method, name: &str, bytes: &[u8]) {
    let asked = Asked { method, upgrade: false };
    let (messages, ending) = read(Side::Upstream(asked), [bytes], &Limits::default(), BodyLimits::default());
    let shown = format!("{name}: {}", bytes.escape_ascii());
    let theirs = hyper_response(name, bytes);
    let is_final = |message: &&Message| matches!(message.line, Line::Response { status: 200.., .. });
    let Some(ours) = messages.iter().find(is_final) else {
        if let Some(theirs) = theirs {
            let Ending::Refused(error) = ending else { panic!("{ending:?} but {theirs:?}: {shown}") };
            assert!(
                [STRICTER, STRICTER_RESPONSES].concat().contains(&error),
                "{error:?} but {theirs:?}: {shown}"
            );
        }
        return;
    };
    let Line::Response { status, .. } = &ours.line else { panic!("a response") };
    if ours.framing == Framing::Tunnel {
        return assert!(theirs.is_some_and(|theirs| theirs.line == status.to_string()), "{shown}");
    }
    let ours = seen(status.to_string(), ours);
    assert_eq!(theirs, Some(ours), "{shown}");
}

fn seen(line: String, message: &Message) -> Seen {
    let trailers = of_pairs(&message.trailers);
    Seen { line, fields: of_pairs(&message.fields), body: message.body.clone(), trailers }
}

const METHODS: [(Method, &str); 3] =
    [(Method::Get, "GET"), (Method::Head, "HEAD"), (Method::Connect, "CONNECT")];

#[test]
fn agrees_over_the_corpus() {
    for (_, bytes) in files("requests") {
        check_request(&bytes);
    }
    for (_, bytes) in files("chunked") {
        check_request(&chunked(&bytes));
    }
    for (_, bytes) in files("responses") {
        for (method, name) in METHODS {
            check_response(method, name, &bytes);
        }
    }
}

fn chunked(body: &[u8]) -> Vec<u8> {
    [b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_on_mutated_requests(bytes in mutants("requests")) {
        check_request(&bytes);
    }

    #[test]
    fn agrees_on_mutated_chunks(bytes in mutants("chunked")) {
        check_request(&chunked(&bytes));
    }

    #[test]
    fn agrees_on_mutated_responses(method in 0..METHODS.len(), bytes in mutants("responses")) {
        let (method, name) = METHODS[method];
        check_response(method, name, &bytes);
    }
}

/// Each name in the list is there for a message that hyper really accepts.
#[test]
fn differences_are_real() {
    let long = format!("{} / HTTP/1.1\r\n\r\n", "M".repeat(65));
    for (error, bytes) in [
        (Error::LeadingBlank, "\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        (Error::BareLf, "GET / HTTP/1.1\n\n"),
        (
            Error::ConflictingFraming,
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            Error::TransferEncoding,
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            Error::UnsupportedTransferEncoding,
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
        (Error::RepeatedContentLength, "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
        (Error::UnexpectedBody, "CONNECT h:1 HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
        (Error::MethodTooLong, &long),
        (Error::ChunkSize, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n"),
        (
            Error::ChunkExtension,
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;\x01\r\nx\r\n0\r\n\r\n",
        ),
    ] {
        let (_, ending) = read(Side::Client, [bytes.as_bytes()], &Limits::default(), BodyLimits::default());
        assert_eq!(ending, Ending::Refused(error), "{bytes:?}");
        assert!(hyper_request(bytes.as_bytes()).is_some(), "{error:?}: hyper refuses it too: {bytes:?}");
    }
    for (error, method, name, bytes) in [
        (Error::UnexpectedUpgrade, Method::Get, "GET", "HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n"),
        (Error::ContentLength, Method::Head, "HEAD", "HTTP/1.1 200 x\r\nContent-Length: y\r\n\r\n"),
        (
            Error::TransferEncodingInHttp10,
            Method::Head,
            "HEAD",
            "HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
    ] {
        let side = Side::Upstream(method.into());
        let (_, ending) = read(side, [bytes.as_bytes()], &Limits::default(), BodyLimits::default());
        assert_eq!(ending, Ending::Refused(error), "{bytes:?}");
        assert!(
            hyper_response(name, bytes.as_bytes()).is_some(),
            "{error:?}: hyper refuses it too: {bytes:?}"
        );
    }
}
