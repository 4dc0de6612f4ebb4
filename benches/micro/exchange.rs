//! A whole exchange in virtual time: decide, edit and write both heads, report.

use crate::{
    codec::{REQUEST, RESPONSE},
    configuration::snapshot,
};
use criterion::Criterion;
use sluice_core::{
    exchange::{Action, Connection, Context, Event, Exchange, ShardState},
    head::{BlockFields, BlockSink, NoFields},
    hygiene::{Body, RequestFacts, ResponseFacts, Target, Version},
};
use sluice_http1::{Asked, Limits, Method, RequestHead, ResponseHead};
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

pub(crate) fn benches(criterion: &mut Criterion) {
    let snapshot = snapshot(1, 1, 2);
    let listener = Arc::clone(snapshot.listener("web").unwrap());
    let (peer, local) = ("127.0.0.1:5000".parse().unwrap(), "127.0.0.1:80".parse().unwrap());
    let connection = Connection::new(1, peer, local, false, None, None);
    let mut shard = ShardState::new(1, "bench".into());
    let (mut request, mut response) = (RequestHead::new(), ResponseHead::new());
    request.parse(REQUEST, &Limits::default()).unwrap();
    response.parse(RESPONSE, &Limits::default(), Asked { method: Method::Get, upgrade: false }).unwrap();
    let (request, response) = (request.view(REQUEST), response.view(RESPONSE));
    let (request_fields, response_fields) = (BlockFields(request.fields()), BlockFields(response.fields()));
    let facts = RequestFacts {
        version: Version::Http11,
        method: request.method_str(),
        target: Target::Line(request.target()),
        body: Body::None,
    };
    let answer = ResponseFacts { version: Version::Http11, status: 200, body: Body::Length(1024) };
    let now = Instant::now();
    let mut exchange = Exchange::new(now);
    let mut out = Vec::with_capacity(4096);
    criterion.bench_function("exchange", |bencher| {
        bencher.iter(|| {
            exchange.reset(now);
            out.clear();
            let mut context = Context {
                snapshot: &snapshot,
                listener: &listener,
                connection: &connection,
                request: &request_fields,
                response: &NoFields,
                shard: &mut shard,
            };
            let wall = SystemTime::UNIX_EPOCH;
            assert_eq!(exchange.on(now, Event::RequestHead { facts, wall }, &mut context), Action::Connect);
            let connected = Event::Connected { reused: true, version: Version::Http11 };
            assert_eq!(exchange.on(now, connected, &mut context), Action::Send);
            exchange.write_request_fields(&context, &mut BlockSink(&mut out));
            context.response = &response_fields;
            let head = Event::ResponseHead { facts: answer, held: true };
            assert_eq!(exchange.on(now, head, &mut context), Action::RelayHead);
            exchange.write_response_fields(
                &context,
                "Sat, 21 Nov 2026 08:00:00 GMT",
                &mut BlockSink(&mut out),
            );
            out.len()
        });
    });
}
