//! HTTP/1 heads, read and written field by field.

use criterion::{Criterion, Throughput};
use sluice_http1::{Asked, Limits, Method, Parse, RequestHead, ResponseHead, encode};
use std::hint::black_box;

/// A browser's request with eight fields.
pub(crate) const REQUEST: &[u8] = b"GET /service-0/cart?lang=en HTTP/1.1\r\nHost: shop-0.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br\r\nReferer: https://shop-0.example.com/products\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nCache-Control: max-age=0\r\n\r\n";

/// A server's answer.
pub(crate) const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nserver: upstream\r\ndate: Sat, 21 Nov 2026 08:00:00 GMT\r\n\
    content-type: text/plain\r\ncache-control: no-store\r\netag: \"1024\"\r\ncontent-length: 1024\r\n\r\n";

pub(crate) fn benches(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("codec");
    let mut request = RequestHead::new();
    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("read a request", |bencher| {
        bencher.iter(|| {
            request.clear();
            request
                .parse(black_box(REQUEST), &limits)
                .is_ok_and(|parse| matches!(parse, Parse::Complete { .. }))
        });
    });
    let mut out = Vec::with_capacity(4096);
    group.bench_function("write a request", |bencher| {
        let view = request.view(REQUEST);
        bencher.iter(|| {
            out.clear();
            encode::request_line(&mut out, view.method_str().as_bytes(), &[view.target().as_bytes()]);
            for field in view.fields().iter() {
                encode::field(&mut out, field.name, field.value);
            }
            encode::end_of_head(&mut out);
            out.len()
        });
    });
    let mut response = ResponseHead::new();
    let asked = Asked { method: Method::Get, upgrade: false };
    group.throughput(Throughput::Bytes(RESPONSE.len() as u64));
    group.bench_function("read a response", |bencher| {
        bencher.iter(|| response.parse(black_box(RESPONSE), &limits, asked).is_ok());
    });
    group.finish();
}
