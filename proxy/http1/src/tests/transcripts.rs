//! Bytes in, outcome out. Every line is also run split at every position, and byte by byte.

#![allow(clippy::format_push_string, reason = "outcomes are put together once per test line")]

use crate::fuzz::{Ending, Line, Message, Side, read};
use crate::{Asked, BodyLimits, Expect, Framing, Limits, Method, Version, request_line};

/// Writes an outcome in one line: `GET /p 1.1 none keep`, `200 OK 1.1 length(3) keep body="abc"`, messages joined by
/// ` + `, and at the end how reading stopped if that was not between two messages.
fn render((messages, ending): &(Vec<Message>, Ending)) -> String {
    let mut parts: Vec<String> = messages.iter().map(message).collect();
    match ending {
        Ending::Clean => {}
        Ending::Partial => parts.push("partial".to_owned()),
        Ending::Preface => parts.push("preface".to_owned()),
        Ending::Refused(error) => parts.push(format!("{} {}", error.status(), error.details())),
    }
    parts.join(" + ")
}

fn message(message: &Message) -> String {
    let version = |version| if version == Version::Http11 { "1.1" } else { "1.0" };
    let mut text = match &message.line {
        Line::Request { method, target, version: spoken, .. } => {
            format!("{method} {target} {}", version(*spoken))
        }
        Line::Response { status, reason, version: spoken } => {
            format!("{status} {}{}", reason.escape_ascii(), version(*spoken).replace("1.", " 1."))
        }
    };
    text += &match message.framing {
        Framing::None => " none".to_owned(),
        Framing::Length(length) => format!(" length({length})"),
        Framing::Chunked => " chunked".to_owned(),
        Framing::Close => " close".to_owned(),
        Framing::Tunnel => " tunnel".to_owned(),
    };
    text += if message.keep_alive { " keep" } else { " drop" };
    if let Line::Request { expect, upgrade, .. } = &message.line {
        match expect {
            Expect::None => {}
            Expect::Continue => text += " continue",
            Expect::Other => text += " expectation",
        }
        if let Some(upgrade) = upgrade {
            text += &format!(" upgrade={}", upgrade.escape_ascii());
        }
    }
    if !message.body.is_empty() {
        text += &format!(" body={:?}", message.body.escape_ascii().to_string());
    }
    for (name, value) in &message.trailers {
        text += &format!(" {}={}", name.escape_ascii(), value.escape_ascii());
    }
    text
}

/// Runs one line of a table in every way of splitting it.
fn check(side: Side, bytes: &[u8], limits: &Limits, body: BodyLimits, expected: &str) {
    let shown = bytes.escape_ascii().to_string();
    let outcome = render(&read(side, [bytes], limits, body));
    assert_eq!(outcome, expected, "{shown}");
    assert_eq!(render(&read(side, bytes.chunks(1), limits, body)), expected, "byte by byte: {shown}");
    for cut in 0..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(render(&read(side, [head, tail], limits, body)), expected, "split at {cut}: {shown}");
    }
}

fn requests(table: &[(&str, &str)]) {
    for (bytes, expected) in table {
        check(Side::Client, bytes.as_bytes(), &Limits::default(), BodyLimits::default(), expected);
    }
}

fn raw_requests(table: &[(&[u8], &str)]) {
    for (bytes, expected) in table {
        check(Side::Client, bytes, &Limits::default(), BodyLimits::default(), expected);
    }
}

fn responses(asked: Asked, table: &[(&str, &str)]) {
    for (bytes, expected) in table {
        check(Side::Upstream(asked), bytes.as_bytes(), &Limits::default(), BodyLimits::default(), expected);
    }
}

#[test]
fn request_lines() {
    requests(&[
        ("GET / HTTP/1.1\r\n\r\n", "GET / 1.1 none keep"),
        ("GET / HTTP/1.0\r\n\r\n", "GET / 1.0 none drop"),
        ("get /a?b=c HTTP/1.1\r\n\r\n", "get /a?b=c 1.1 none keep"),
        ("M-SEARCH * HTTP/1.1\r\n\r\n", "M-SEARCH * 1.1 none keep"),
        ("GET http://h:1/p?q HTTP/1.1\r\n\r\n", "GET http://h:1/p?q 1.1 none keep"),
        ("GET /\u{fc}|{}\" HTTP/1.1\r\n\r\n", "GET /\u{fc}|{}\" 1.1 none keep"),
        ("GET / HTTP/1.1\r\n", "partial"),
        ("GET /", "partial"),
        ("", ""),
        // One empty line is skipped, more are not.
        ("\r\nGET / HTTP/1.1\r\n\r\n", "GET / 1.1 none keep"),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", "400 http1.leading_blank"),
        ("\r\n\nGET / HTTP/1.1\r\n\r\n", "400 http1.leading_blank"),
        ("\nGET / HTTP/1.1\r\n\r\n", "400 http1.bare_lf"),
        ("\rGET / HTTP/1.1\r\n\r\n", "400 http1.bare_cr"),
        (" GET / HTTP/1.1\r\n\r\n", "400 http1.method"),
        ("\r\n", "partial"),
        // Methods.
        ("G\u{e9}T / HTTP/1.1\r\n\r\n", "400 http1.method"),
        ("GE(T / HTTP/1.1\r\n\r\n", "400 http1.method"),
        ("GET\t/ HTTP/1.1\r\n\r\n", "400 http1.method"),
        ("GET\r\n\r\n", "400 http1.method"),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", "400 http1.method"),
        // Targets.
        ("GET  / HTTP/1.1\r\n\r\n", "400 http1.target"),
        ("GET /\t HTTP/1.1\r\n\r\n", "400 http1.target"),
        ("GET /a\x7f HTTP/1.1\r\n\r\n", "400 http1.target"),
        ("GET /a\0 HTTP/1.1\r\n\r\n", "400 http1.target"),
        // HTTP/0.9.
        ("GET /\r\n", "400 http1.target"),
        ("GET /\n", "400 http1.target"),
        ("GET / \r\n\r\n", "400 http1.version"),
        // Versions.
        ("GET /  HTTP/1.1\r\n\r\n", "400 http1.version"),
        ("GET /a b HTTP/1.1\r\n\r\n", "400 http1.version"),
        ("GET / HTTP/1.1 \r\n\r\n", "400 http1.version"),
        ("GET / http/1.1\r\n\r\n", "400 http1.version"),
        ("GET / HTTP/1.10\r\n\r\n", "400 http1.version"),
        ("GET / HTTP/1.x\r\n\r\n", "400 http1.version"),
        ("GET / HTTP/11\r\n\r\n", "400 http1.version"),
        ("GET / HTTP/+1.1\r\n\r\n", "400 http1.version"),
        ("GET / ICAP/1.0\r\n\r\n", "400 http1.version"),
        ("GET / HTTP/0.9\r\n\r\n", "505 http1.unsupported_version"),
        ("GET / HTTP/1.2\r\n\r\n", "505 http1.unsupported_version"),
        ("GET / HTTP/2.0\r\n\r\n", "505 http1.unsupported_version"),
        ("GET / HTTP/3.0\r\n\r\n", "505 http1.unsupported_version"),
        // The HTTP/2 preface.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "preface"),
        ("PRI * HTTP/2", "partial"),
        ("PRI * HTTP/2.0 \r\n\r\n", "505 http1.unsupported_version"),
        ("PRI / HTTP/2.0\r\n\r\n", "505 http1.unsupported_version"),
        ("PRI * HTTP/1.1\r\n\r\n", "PRI * 1.1 none keep"),
    ]);
    raw_requests(&[(b"GET /\xff HTTP/1.1\r\n\r\n", "400 http1.target")]);
    let method = "M".repeat(Limits::MAX_METHOD);
    requests(&[
        (&format!("{method} / HTTP/1.1\r\n\r\n"), &format!("{method} / 1.1 none keep")),
        (&format!("{method}M / HTTP/1.1\r\n\r\n"), "501 http1.method_too_long"),
    ]);
}

#[test]
fn request_lines_of_refused_heads() {
    for (block, method, target) in [
        ("GET /a HTTP/1.1\r\nbroken", "GET", "/a"),
        ("\r\nGET /a HTTP/9", "GET", "/a"),
        ("GET /half", "GET", ""),
        ("GET /a\x01b HTTP/1.1", "GET", ""),
        ("GET  HTTP/1.1", "GET", ""),
        ("GE", "", ""),
        ("G@T / HTTP/1.1", "", ""),
        (" / HTTP/1.1", "", ""),
        ("\x16\x03\x01", "", ""),
        ("", "", ""),
    ] {
        assert_eq!(request_line(block.as_bytes()), (method, target), "{block:?}");
    }
}

#[test]
fn line_ends_and_fields() {
    requests(&[
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\n\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\n\r\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\r\n\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\r\nA:\nB: c\r\n\r\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\r\nA: b \nB: c\r\n\r\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\rHost: a\r\n\r\n", "400 http1.bare_cr"),
        ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "400 http1.bare_cr"),
        ("GET / HTTP/1.1\r\nA: b\r\r\n\r\n", "400 http1.bare_cr"),
        ("GET / HTTP/1.1\r\nA: b\r\n\rX", "400 http1.bare_cr"),
        ("GET / HTTP/1.1\r\n A: b\r\n\r\n", "400 http1.obs_fold"),
        ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400 http1.obs_fold"),
        ("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", "400 http1.obs_fold"),
        ("GET / HTTP/1.1\r\nA : b\r\n\r\n", "400 http1.field_name"),
        ("GET / HTTP/1.1\r\nA\t: b\r\n\r\n", "400 http1.field_name"),
        ("GET / HTTP/1.1\r\n: b\r\n\r\n", "400 http1.field_name"),
        ("GET / HTTP/1.1\r\nA\r\n\r\n", "400 http1.field_name"),
        ("GET / HTTP/1.1\r\nA b: c\r\n\r\n", "400 http1.field_name"),
        ("GET / HTTP/1.1\r\nA(b): c\r\n\r\n", "400 http1.field_name"),
        ("GET / HTTP/1.1\r\n\u{e4}: c\r\n\r\n", "400 http1.field_name"),
        ("GET / HTTP/1.1\r\nA\0: c\r\n\r\n", "400 http1.field_name"),
        ("GET / HTTP/1.1\r\nA: b\0\r\n\r\n", "400 http1.field_value"),
        ("GET / HTTP/1.1\r\nA: \x01b\r\n\r\n", "400 http1.field_value"),
        ("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", "400 http1.field_value"),
        ("GET / HTTP/1.1\r\nA: b\x0bc\r\n\r\n", "400 http1.field_value"),
        // The first mistake is the one that counts.
        ("GET / HTTP/1.1\r\nA: b\nC : d\r\n\r\n", "400 http1.bare_lf"),
        ("GET / HTTP/1.1\r\nC : d\r\nA: b\n\r\n", "400 http1.field_name"),
        // Fine.
        ("GET / HTTP/1.1\r\nA:\r\nB: \t \r\nC:d\t e \t\r\n\r\n", "GET / 1.1 none keep"),
        ("GET / HTTP/1.1\r\nA: \u{e4}\r\n!#$%&'*+-.^_`|~09: x\r\n\r\n", "GET / 1.1 none keep"),
    ]);
    raw_requests(&[(b"GET / HTTP/1.1\r\nA: \x80\xff\r\n\r\n", "GET / 1.1 none keep")]);
}

#[test]
fn request_framing() {
    let post = |fields: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n");
    for (fields, expected) in [
        ("Content-Length: 0\r\n", "POST / 1.1 length(0) keep"),
        ("Content-Length: 00\r\n", "POST / 1.1 length(0) keep"),
        ("Content-Length:\r\n", "400 http1.content_length"),
        ("Content-Length: +1\r\n", "400 http1.content_length"),
        ("Content-Length: -1\r\n", "400 http1.content_length"),
        ("Content-Length: 1, 1\r\n", "400 http1.content_length"),
        ("Content-Length: 1,\r\n", "400 http1.content_length"),
        ("Content-Length: 1 1\r\n", "400 http1.content_length"),
        ("Content-Length: 0x1\r\n", "400 http1.content_length"),
        ("Content-Length: 1.0\r\n", "400 http1.content_length"),
        ("Content-Length: \u{661}\r\n", "400 http1.content_length"),
        ("Content-Length: 18446744073709551615\r\n", "400 http1.truncated"),
        ("Content-Length: 18446744073709551616\r\n", "400 http1.content_length"),
        ("Content-Length: 99999999999999999999999\r\n", "400 http1.content_length"),
        ("Content-Length: 1\r\nContent-Length: 1\r\n", "400 http1.repeated_content_length"),
        ("Content-Length: 1\r\ncontent-length: 2\r\n", "400 http1.repeated_content_length"),
        ("Content-Length: 1\r\n", "400 http1.truncated"),
        ("Transfer-Encoding: chunked\r\n", "400 http1.truncated"),
        ("Transfer-Encoding:\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: ,\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: chunked,\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: chunked, chunked\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: chunked, gzip\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: chunked, identity\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: chunked;q=1\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: \"chunked\"\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "400 http1.transfer_encoding"),
        ("Transfer-Encoding: xchunked\r\n", "501 http1.unsupported_transfer_encoding"),
        ("Transfer-Encoding: identity\r\n", "501 http1.unsupported_transfer_encoding"),
        ("Transfer-Encoding: gzip, chunked\r\n", "501 http1.unsupported_transfer_encoding"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "400 http1.conflicting_framing"),
        ("Content-Length: x\r\nTransfer-Encoding: y\r\n", "400 http1.conflicting_framing"),
        // Names that only look like it.
        ("Content_Length: 5\r\nContent-Length : 5\r\n", "400 http1.field_name"),
        ("Content_Length: 5\r\n", "POST / 1.1 none keep"),
        ("Connection: Content-Length\r\nContent-Length: 0\r\n", "POST / 1.1 length(0) keep"),
    ] {
        requests(&[(&post(fields), expected)]);
    }
    requests(&[
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400 http1.transfer_encoding_in_http10"),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "POST / 1.1 length(3) keep body=\"abc\""),
        ("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "POST / 1.0 length(3) drop body=\"abc\""),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "GET / 1.1 length(1) keep body=\"x\""),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", "POST / 1.1 chunked keep"),
        ("CONNECT h:1 HTTP/1.1\r\n\r\n\x16\x03", "CONNECT h:1 1.1 tunnel drop body=\"\\\\x16\\\\x03\""),
        ("CONNECT h:1 HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "400 http1.unexpected_body"),
        ("CONNECT h:1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "400 http1.unexpected_body"),
        ("connect h:1 HTTP/1.1\r\n\r\n", "connect h:1 1.1 none keep"),
    ]);
}

#[test]
fn chunks() {
    let chunked = |body: &str| format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for (body, expected) in [
        ("0\r\n\r\n", "POST / 1.1 chunked keep"),
        ("000\r\n\r\n", "POST / 1.1 chunked keep"),
        ("3\r\nabc\r\n0\r\n\r\n", "POST / 1.1 chunked keep body=\"abc\""),
        (
            "A\r\n0123456789\r\nb\r\n0123456789x\r\n0\r\n\r\n",
            "POST / 1.1 chunked keep body=\"01234567890123456789x\"",
        ),
        ("0000000000000001\r\na\r\n0\r\n\r\n", "POST / 1.1 chunked keep body=\"a\""),
        ("00000000000000001\r\na\r\n0\r\n\r\n", "400 http1.chunk_size"),
        ("ffffffffffffffff\r\nab", "400 http1.truncated"),
        ("fffffffffffffffff\r\nab", "400 http1.chunk_size"),
        ("\r\n", "400 http1.chunk_size"),
        ("+1\r\na\r\n", "400 http1.chunk_size"),
        (" 1\r\na\r\n", "400 http1.chunk_size"),
        ("1 \r\na\r\n", "400 http1.chunk_size"),
        ("1\t;x\r\na\r\n", "400 http1.chunk_size"),
        ("0x1\r\na\r\n", "400 http1.chunk_size"),
        ("g\r\n", "400 http1.chunk_size"),
        (";x\r\n", "400 http1.chunk_size"),
        ("1\na\r\n", "400 http1.bare_lf"),
        ("1\ra\r\n", "400 http1.bare_cr"),
        ("1;x\na\r\n", "400 http1.bare_lf"),
        ("1;x\ra\r\n", "400 http1.bare_cr"),
        ("1;\x01\r\na\r\n", "400 http1.chunk_extension"),
        ("1;a=\"b;c\" ;d\r\nx\r\n0;last\r\n\r\n", "POST / 1.1 chunked keep body=\"x\""),
        ("1\r\nab\r\n0\r\n\r\n", "400 http1.chunk_end"),
        ("1\r\na\n0\r\n\r\n", "400 http1.chunk_end"),
        ("1\r\na\r0\r\n\r\n", "400 http1.chunk_end"),
        ("2\r\na\r\n0\r\n\r\n", "400 http1.chunk_end"),
        ("0\r\n", "400 http1.truncated"),
        ("0\r\n\r", "400 http1.truncated"),
        ("0\r\n\n", "400 http1.bare_lf"),
        ("0\r\n\rx", "400 http1.bare_cr"),
        // Trailers.
        ("0\r\nA: b\r\nc:\td \r\n\r\n", "POST / 1.1 chunked keep A=b c=d"),
        ("0\r\nA: b\r\n", "400 http1.truncated"),
        ("0\r\nA: b\n\r\n", "400 http1.bare_lf"),
        ("0\r\nA: b\r\n\n", "400 http1.bare_lf"),
        ("0\r\nA: b\r\n c\r\n\r\n", "400 http1.obs_fold"),
        ("0\r\nA : b\r\n\r\n", "400 http1.field_name"),
        ("0\r\n: b\r\n\r\n", "400 http1.field_name"),
        ("0\r\nA: b\0\r\n\r\n", "400 http1.field_value"),
        ("0\r\nA: b\rc\r\n\r\n", "400 http1.bare_cr"),
        ("0\r\nA\r\n\r\n", "400 http1.field_name"),
        // The next message begins right behind.
        ("0\r\n\r\nGET / HTTP/1.1\r\n\r\n", "POST / 1.1 chunked keep + GET / 1.1 none keep"),
        ("0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n\r\n", "POST / 1.1 chunked keep A=b + GET / 1.1 none keep"),
    ] {
        requests(&[(&chunked(body), expected)]);
    }
}

#[test]
fn body_limits() {
    let limits = BodyLimits { extension: 5, extensions: 8, trailers: 12, trailer_fields: 2 };
    for (body, expected) in [
        ("1;abcd\r\nx\r\n0\r\n\r\n", "POST / 1.1 chunked keep body=\"x\""),
        ("1;abcde\r\nx\r\n0\r\n\r\n", "400 http1.chunk_extension_too_large"),
        ("1;abc\r\nx\r\n1;abc\r\nx\r\n0\r\n\r\n", "POST / 1.1 chunked keep body=\"xx\""),
        ("1;abc\r\nx\r\n1;abc\r\nx\r\n1;abc\r\nx\r\n0\r\n\r\n", "400 http1.chunk_extension_too_large"),
        (
            "6;abc\r\nxxxxxx\r\n6;abc\r\nxxxxxx\r\n6;abc\r\nxxxxxx\r\n0;abc\r\n\r\n",
            "POST / 1.1 chunked keep body=\"xxxxxxxxxxxxxxxxxx\"",
        ),
        ("0\r\na: 1\r\nb:\r\n\r\n", "POST / 1.1 chunked keep a=1 b="),
        ("0\r\na: 12\r\nb:\r\n\r\n", "431 http1.trailers_too_large"),
        ("0\r\na: 1\r\n\r\n", "POST / 1.1 chunked keep a=1"),
        ("0\r\na:23456\r\n\r\n", "POST / 1.1 chunked keep a=23456"),
        ("0\r\na:2345678\r\n\r\n", "431 http1.trailers_too_large"),
        ("0\r\nabcdefghijklmnopq", "431 http1.trailers_too_large"),
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        check(Side::Client, bytes.as_bytes(), &Limits::default(), limits, expected);
    }
    let limits = BodyLimits { trailer_fields: 2, ..BodyLimits::default() };
    let bytes = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na:\r\nb:\r\nc:\r\n\r\n";
    check(Side::Client, bytes, &Limits::default(), limits, "431 http1.trailers_too_large");
    let bytes = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na:\r\nb:\r\n\r\n";
    check(Side::Client, bytes, &Limits::default(), limits, "POST / 1.1 chunked keep a= b=");
}

#[test]
fn head_limits() {
    let limits = Limits { head: 80, target: 10, fields: 3 };
    let check = |bytes: &str, expected: &str| {
        check(Side::Client, bytes.as_bytes(), &limits, BodyLimits::default(), expected);
    };
    check("GET /12345678 HTTP/1.1\r\n", "partial");
    check("GET /123456789 HTTP/1.1\r\n\r\n", "GET /123456789 1.1 none keep");
    check("GET /1234567890 HTTP/1.1\r\n\r\n", "414 http1.target_too_long");
    check(&format!("GET /{}", "x".repeat(100)), "414 http1.target_too_long");
    check(&format!("GET /{}\0", "x".repeat(100)), "414 http1.target_too_long");
    check(&format!("GET /\0{}", "x".repeat(100)), "400 http1.target");
    check("GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\n\r\n", "GET / 1.1 none keep");
    check("GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n", "431 http1.too_many_fields");
    check("GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd\0:\r\n\r\n", "431 http1.too_many_fields");
    let fill = |len: usize| format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(len - 23));
    assert_eq!(fill(80).len(), 80);
    check(&fill(80), "GET / 1.1 none keep");
    check(&fill(81), "431 http1.head_too_large");
    check(&fill(200), "431 http1.head_too_large");
    check(&format!("\r\n{}", fill(78)), "GET / 1.1 none keep");
    check(&format!("\r\n{}", fill(79)), "431 http1.head_too_large");
    check(&fill(90).replace("x\r", "\0\r"), "431 http1.head_too_large");
    check(&fill(81).replace("a: ", "a:\0"), "400 http1.field_value");

    let many = Limits { fields: 400, ..Limits::default() };
    let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
    for (count, expected) in [
        (100, "GET / 1.1 none keep"),
        (101, "GET / 1.1 none keep"),
        (400, "GET / 1.1 none keep"),
        (401, "431 http1.too_many_fields"),
    ] {
        let outcome = read(Side::Client, [fields(count).as_bytes()], &many, BodyLimits::default());
        assert_eq!(render(&outcome), expected);
    }
    let name = "n".repeat(70_000);
    let wide = Limits { head: 1 << 20, ..Limits::default() };
    let bytes = format!("GET / HTTP/1.1\r\n{name}: x\r\n\r\n");
    let outcome = read(Side::Client, [bytes.as_bytes()], &wide, BodyLimits::default());
    assert_eq!(render(&outcome), "431 http1.head_too_large");
}

#[test]
fn persistence_upgrade_and_expectation() {
    let get = |version: &str, fields: &str| format!("GET / HTTP/{version}\r\n{fields}\r\n");
    for (version, fields, expected) in [
        ("1.1", "Connection: close\r\n", "GET / 1.1 none drop"),
        ("1.1", "Connection: Keep-Alive, CLOSE\r\n", "GET / 1.1 none drop"),
        ("1.1", "Connection: x\r\nConnection: ,close ,\r\n", "GET / 1.1 none drop"),
        ("1.1", "Connection: closed\r\n", "GET / 1.1 none keep"),
        ("1.0", "Connection: keep-alive\r\n", "GET / 1.0 none keep"),
        ("1.0", "Connection: keep-alive, close\r\n", "GET / 1.0 none drop"),
        ("1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n", "GET / 1.1 none keep upgrade=websocket"),
        ("1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n", "GET / 1.1 none keep upgrade=h2c"),
        ("1.1", "Upgrade: websocket\r\n", "GET / 1.1 none keep"),
        ("1.1", "Connection: upgrade\r\n", "GET / 1.1 none keep"),
        ("1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n", "GET / 1.0 none drop"),
        ("1.1", "Expect: 100-Continue\r\n", "GET / 1.1 none keep continue"),
        ("1.1", "Expect: 200-ok\r\n", "GET / 1.1 none keep expectation"),
        ("1.1", "Expect: 100-continue\r\nExpect: x\r\n", "GET / 1.1 none keep expectation"),
        ("1.0", "Expect: 100-continue\r\n", "GET / 1.0 none drop"),
    ] {
        requests(&[(&get(version, fields), expected)]);
    }
    requests(&[
        (
            "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nab\r\nGET /3 HTTP/1.0\r\n\r\n",
            "GET /1 1.1 none keep + POST /2 1.1 length(2) keep body=\"ab\" + GET /3 1.0 none drop",
        ),
        ("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\n\n", "GET /1 1.1 none keep + 400 http1.bare_lf"),
    ]);
}

#[test]
fn responses_to_get() {
    responses(
        Asked::default(),
        &[
            ("HTTP/1.1 200 OK\r\n\r\n", "200 OK 1.1 close drop"),
            ("HTTP/1.1 200 OK\r\n\r\nab", "200 OK 1.1 close drop body=\"ab\""),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "200 OK 1.0 length(0) drop"),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
                "200 OK 1.0 length(0) keep",
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                "200 OK 1.1 length(0) drop",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "200 OK 1.1 length(2) keep body=\"ab\""),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "400 http1.truncated"),
            ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200  1.1 length(0) keep"),
            ("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200  1.1 length(0) keep"),
            ("HTTP/1.1 200\r\n\r\n", "200  1.1 close drop"),
            (
                "HTTP/1.1 404 Nicht da \u{e4}\r\nContent-Length: 0\r\n\r\n",
                "404 Nicht da \\xc3\\xa4 1.1 length(0) keep",
            ),
            ("HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", "999 x 1.1 length(0) keep"),
            // Status lines.
            ("HTTP/1.1 099 x\r\n\r\n", "400 http1.status_line"),
            ("HTTP/1.1 20 x\r\n\r\n", "400 http1.status_line"),
            ("HTTP/1.1 2000 x\r\n\r\n", "400 http1.status_line"),
            ("HTTP/1.1  200 x\r\n\r\n", "400 http1.status_line"),
            ("HTTP/1.1 200\tx\r\n\r\n", "400 http1.status_line"),
            ("HTTP/1.1\r\n\r\n", "400 http1.status_line"),
            ("HTTP/1.1 200 a\x01\r\n\r\n", "400 http1.status_line"),
            ("HTTP/1.1 200 a\rb\r\n\r\n", "400 http1.bare_cr"),
            ("HTTP/1.1 200 a\n\r\n", "400 http1.bare_lf"),
            ("HTTP/1.1 200\n\r\n", "400 http1.bare_lf"),
            ("ICY 200 OK\r\n\r\n", "400 http1.status_line"),
            ("SSH-2.0-x\r\n", "400 http1.status_line"),
            ("HTTP/2.0 200 OK\r\n\r\n", "505 http1.unsupported_version"),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", "400 http1.leading_blank"),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "400 http1.obs_fold"),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "400 http1.field_name"),
            ("HTTP/1.1 200 OK\r\nA: b\n\r\n", "400 http1.bare_lf"),
            // Framing.
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "400 http1.repeated_content_length",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "400 http1.conflicting_framing",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                "501 http1.unsupported_transfer_encoding",
            ),
            (
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "400 http1.transfer_encoding_in_http10",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: y\r\n\r\n",
                "200 OK 1.1 chunked keep body=\"ab\" x=y",
            ),
            // Never a body.
            ("HTTP/1.1 204 x\r\n\r\nHTTP/1.1 304 y\r\n\r\n", "204 x 1.1 none keep + 304 y 1.1 none keep"),
            ("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", "204 x 1.1 none keep"),
            ("HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\n", "400 http1.unexpected_body"),
            ("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n", "400 http1.unexpected_body"),
            ("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", "304 x 1.1 none keep"),
            ("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n", "304 x 1.1 none keep"),
            ("HTTP/1.1 304 x\r\nContent-Length: x\r\n\r\n", "400 http1.content_length"),
            // Informational ones come before the answer.
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "100 Continue 1.1 none keep + 103 Early Hints 1.1 none keep + 200 OK 1.1 length(0) keep",
            ),
            ("HTTP/1.1 100 x\r\nContent-Length: 3\r\n\r\n", "400 http1.unexpected_body"),
            ("HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n", "400 http1.unexpected_upgrade"),
            ("HTTP/1.1 20", "partial"),
        ],
    );
}

#[test]
fn responses_to_other_requests() {
    responses(
        Method::Head.into(),
        &[
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK 1.1 none keep"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200 OK 1.1 none keep"),
            ("HTTP/1.1 200 OK\r\n\r\n", "200 OK 1.1 none keep"),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "400 http1.content_length"),
        ],
    );
    responses(
        Method::Connect.into(),
        &[
            ("HTTP/1.1 200 OK\r\n\r\nab", "200 OK 1.1 tunnel drop body=\"ab\""),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK 1.1 tunnel drop"),
            ("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nab", "403 No 1.1 length(2) keep body=\"ab\""),
            ("HTTP/1.1 403 No\r\n\r\nab", "403 No 1.1 close drop body=\"ab\""),
        ],
    );
    responses(
        Asked { method: Method::Get, upgrade: true },
        &[
            ("HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n\x01\n", "101 Go 1.1 tunnel drop body=\"\\\\x01\\\\n\""),
            ("HTTP/1.1 101 Go\r\nContent-Length: 1\r\n\r\n", "400 http1.unexpected_body"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 OK 1.1 length(0) keep"),
        ],
    );
}
