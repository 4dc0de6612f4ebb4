//! What no request is, is answered, reported, and ends its connection.

use super::world::{Options, run};

#[test]
fn the_codecs_refusals_are_answered_and_reported() {
    let cases = [
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1\nhost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
    ];
    run(&Options::default(), async |world| {
        for (count, (request, status)) in cases.into_iter().enumerate() {
            let mut client = world.sends(request).await;
            let text = client.rest().await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?} gave {text:?}");
            assert!(text.contains("connection: close\r\n"), "{text}");
            let line = world.reported(count + 1).await;
            assert_eq!((line.status, &*line.flags), (status, "DPE"), "{request:?}");
        }
    });
}

#[test]
fn bounds_of_the_head_are_the_listeners() {
    let limits = ", limits: { head: 1KiB, target: 100B, header_count: 4 }";
    run(&Options { listener: limits, ..Options::default() }, async |world| {
        let long = "x".repeat(2000);
        for (request, status) in [
            (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", &long[..200]), 414),
            (format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"), 431),
            ("GET / HTTP/1.1\r\nhost: a\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n\r\n".to_owned(), 431),
        ] {
            let mut client = world.sends(&request).await;
            assert_eq!(client.status().await, status);
            client.closed().await;
        }
    });
}

#[test]
fn heads_larger_than_a_buffer_pass() {
    run(&Options::default(), async |world| {
        let long = "y".repeat(50_000);
        let mut client = world.sends(&format!("GET /hello HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n")).await;
        assert_eq!(client.status().await, 200);
        client.expect("").await;
    });
}

#[test]
fn the_answer_survives_what_the_client_sends_after_its_mistake() {
    run(&Options::default(), async |world| {
        let mut client = world.client().await;
        let mut garbage = b"NOT HTTP\r\n\r\n".to_vec();
        garbage.resize(100_000, b'x');
        client.send(&garbage).await;
        assert_eq!(client.status().await, 400);
        client.closed().await;
    });
}

#[test]
fn http10_is_refused_where_the_listener_says_so() {
    run(&Options { listener: ", require_http11: true", ..Options::default() }, async |world| {
        let mut client = world.sends("GET /hello HTTP/1.0\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.status().await, 426);
        client.closed().await;
    });
}

#[test]
fn the_http2_preface_is_refused_where_only_http1_is_spoken() {
    run(&Options { listener: ", protocols: [http1]", ..Options::default() }, async |world| {
        let mut client = world.sends("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert_eq!(client.status().await, 505);
    });
}

#[test]
fn a_request_for_the_whole_server_passes_as_it_is() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.starts_with("OPTIONS * HTTP/1.1\r\n"));
        endpoint.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(client.status().await, 204);
    });
}
