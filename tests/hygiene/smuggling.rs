//! What proxies have been smuggled through with.

use crate::scene::{Scene, show};

/// A POST with these fields and this body.
macro_rules! post {
    ($fields:literal, $body:literal) => {
        concat!("POST /x HTTP/1.1\r\nHost: a.example\r\n", $fields, "\r\n", $body)
    };
}

/// What proxies have been smuggled through with: bytes, the status, the details in the log.
const SMUGGLING: &[(&str, u16, &str)] = &[
    // Two framings.
    (
        post!("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
        400,
        "http1.conflicting_framing",
    ),
    (
        post!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n"),
        400,
        "http1.conflicting_framing",
    ),
    (post!("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, "http1.repeated_content_length"),
    (post!("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400, "http1.repeated_content_length"),
    // Lengths that two readers read differently.
    (post!("Content-Length: 5, 5\r\n", "hello"), 400, "http1.content_length"),
    (post!("Content-Length: +5\r\n", "hello"), 400, "http1.content_length"),
    (post!("Content-Length: -5\r\n", ""), 400, "http1.content_length"),
    (post!("Content-Length: 0x5\r\n", "hello"), 400, "http1.content_length"),
    (post!("Content-Length: 5 5\r\n", "hello"), 400, "http1.content_length"),
    (post!("Content-Length: \r\n", ""), 400, "http1.content_length"),
    (post!("Content-Length: 18446744073709551616\r\n", ""), 400, "http1.content_length"),
    // Transfer codings that one reader sees and another does not.
    (
        post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        400,
        "http1.transfer_encoding",
    ),
    (
        post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
        400,
        "http1.transfer_encoding",
    ),
    (post!("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: , chunked\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), 400, "http1.field_value"),
    (post!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400, "http1.field_name"),
    (post!("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), 400, "http1.field_name"),
    (post!(" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "http1.obs_fold"),
    (post!("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "http1.obs_fold"),
    (post!("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400, "http1.obs_fold"),
    (post!("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "http1.bare_lf"),
    (post!("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "http1.bare_cr"),
    (post!("Transfer-Encoding: identity\r\n", ""), 501, "http1.unsupported_transfer_encoding"),
    (post!("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, "http1.unsupported_transfer_encoding"),
    (post!("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501, "http1.unsupported_transfer_encoding"),
    (
        "POST /x HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "http1.transfer_encoding_in_http10",
    ),
    (
        "CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\nContent-Length: 1\r\n\r\nx",
        400,
        "http1.unexpected_body",
    ),
    // Lines.
    ("GET /x HTTP/1.1\nHost: a.example\n\n", 400, "http1.bare_lf"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\n\n", 400, "http1.bare_lf"),
    ("GET /x HTTP/1.1\r\nHost: a.example\rX: y\r\n\r\n", 400, "http1.bare_cr"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\nX: a\0b\r\n\r\n", 400, "http1.field_value"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\nX\0: ab\r\n\r\n", 400, "http1.field_name"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\nX@: ab\r\n\r\n", 400, "http1.field_name"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\n: ab\r\n\r\n", 400, "http1.field_name"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\nno colon\r\n\r\n", 400, "http1.field_name"),
    ("\r\n\r\nGET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.leading_blank"),
    ("\nGET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.bare_lf"),
    // Request lines.
    ("GET /x\r\nHost: a.example\r\n\r\n", 400, "http1.target"),
    ("GET /x HTTP/1.1 \r\nHost: a.example\r\n\r\n", 400, "http1.version"),
    ("GET  /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.target"),
    ("GET /x  HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.version"),
    ("GET /x\tHTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.target"),
    ("GET /\x01 HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.target"),
    (" GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.method"),
    ("G(T /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.method"),
    ("GET /x http/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.version"),
    ("GET /x HTTP/1.10\r\nHost: a.example\r\n\r\n", 400, "http1.version"),
    ("GET /x HTTP/1.2\r\nHost: a.example\r\n\r\n", 505, "http1.unsupported_version"),
    ("GET /x HTTP/0.9\r\nHost: a.example\r\n\r\n", 505, "http1.unsupported_version"),
    ("GET /x HTTP/2.0\r\nHost: a.example\r\n\r\n", 505, "http1.unsupported_version"),
    ("GET /x HTTP/3.0\r\nHost: a.example\r\n\r\n", 505, "http1.unsupported_version"),
];

#[tokio::test]
async fn whoever_smuggles_is_refused_and_what_is_behind_never_served() {
    let scene = Scene::new().await;
    for (bytes, status, details) in SMUGGLING {
        let (entry, closed) = scene.refused("web", bytes, *status, details).await;
        assert!(closed, "{}", show(bytes));
        // What could be read of the request line is in the log.
        let line = bytes.strip_prefix("\r\n").unwrap_or(bytes);
        if line.starts_with("POST /x HTTP/1.") {
            assert_eq!((&entry["method"], &entry["path"]), (&"POST".into(), &"/x".into()), "{entry}");
        }
    }
    let refusals = scene.proxy.stat("sluice_refusals_total", &["rule=\"http1.transfer_encoding\""]).await;
    assert!((refusals - 8.0).abs() < 0.5, "each is counted by its rule: {refusals}");
}
