//! Parsing and writing allocate nothing once the indices and buffers have seen a message of the usual size.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test, helpers included")]

use allocation_counter::measure;
use sluice_http1::{
    Asked, BodyDecoder, BodyLimits, Framing, Limits, Parse, RequestHead, ResponseHead, State, encode,
};

const REQUEST: &[u8] = b"POST /products/42?lang=en HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\n\
    Accept: text/html,application/xhtml+xml\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Cookie: session_id=0123456789abcdef; theme=dark\r\n\
    Connection: keep-alive\r\n\
    Expect: 100-continue\r\n\
    Transfer-Encoding: chunked\r\n\r\n\
    5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nx-sum: 11\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Sat, 21 Nov 2026 08:00:00 GMT\r\n\
    Server: upstream\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 5\r\n\r\nhello";

struct Connection {
    request: RequestHead,
    response: ResponseHead,
    body: BodyDecoder,
    out: Vec<u8>,
}

impl Connection {
    /// One request in and on, one response in and on. `split` is where the request's first read ends.
    fn exchange(&mut self, split: usize) {
        self.out.clear();
        let limits = Limits::default();
        let _ = self.request.parse(&REQUEST[..split], &limits);
        let Ok(Parse::Complete { len }) = self.request.parse(REQUEST, &limits) else {
            panic!("a sound request")
        };
        let view = self.request.view(REQUEST);
        assert!(view.expect_continue() && view.keep_alive());
        encode::request_line(&mut self.out, view.method_str().as_bytes(), &[view.target().as_bytes()]);
        for field in view.fields().iter() {
            encode::try_field(&mut self.out, field.name, field.value).unwrap();
        }
        encode::end_of_head(&mut self.out);
        let asked = Asked { method: view.method(), upgrade: false };
        self.body.start(view.framing());
        self.relay(&REQUEST[len..]);

        let Ok(Parse::Complete { len }) = self.response.parse(RESPONSE, &limits, asked) else {
            panic!("a sound response")
        };
        let view = self.response.view(RESPONSE);
        encode::status_line(&mut self.out, view.status(), view.reason());
        for field in view.fields().iter() {
            encode::field(&mut self.out, field.name, field.value);
        }
        encode::content_length(&mut self.out, 5);
        encode::end_of_head(&mut self.out);
        self.body.start(view.framing());
        self.relay(&RESPONSE[len..]);
    }

    fn relay(&mut self, mut input: &[u8]) {
        loop {
            let step = self.body.decode(input).unwrap();
            let data = &input[step.data.clone()];
            if !data.is_empty() {
                encode::chunk_prefix(&mut self.out, data.len());
                self.out.extend_from_slice(data);
                encode::chunk_end(&mut self.out);
            }
            input = &input[step.consumed..];
            if step.state == State::End {
                break;
            }
        }
        let trailers = self.body.trailers().fields().iter().map(|field| (field.name, field.value));
        encode::last_chunk(&mut self.out, trailers);
    }
}

#[test]
fn a_reused_connection_does_not_allocate() {
    let mut connection = Connection {
        request: RequestHead::new(),
        response: ResponseHead::new(),
        body: BodyDecoder::new(Framing::None, BodyLimits::default()),
        out: Vec::new(),
    };
    let first = measure(|| connection.exchange(REQUEST.len()));
    assert!(first.count_total > 0, "the counter counts");
    let whole = measure(|| connection.exchange(REQUEST.len()));
    let split = measure(|| connection.exchange(100));
    assert_eq!((whole.count_total, split.count_total), (0, 0));
}
