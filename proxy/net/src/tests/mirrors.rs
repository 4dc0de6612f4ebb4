//! Copies of requests: what they carry, and that nobody waits for them.

use super::{
    Peer,
    world::{Options, World, run},
};
use std::{
    net::TcpListener as Bound,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::spawn_local};

/// Runs a test with a route that is copied to a cluster whose endpoint listens, or not.
pub(super) fn mirrored(mirror: &str, cluster: &str, test: impl AsyncFnOnce(World, TcpListener)) {
    mirrored_with(&Options::default(), mirror, cluster, test);
}

/// The same, with settings of the listener, the route and the primary's cluster.
pub(super) fn mirrored_with(
    options: &Options<'_>,
    mirror: &str,
    cluster: &str,
    test: impl AsyncFnOnce(World, TcpListener),
) {
    let bound = Bound::bind(("127.0.0.1", 0)).unwrap();
    bound.set_nonblocking(true).unwrap();
    let address = bound.local_addr().unwrap();
    let options = Options {
        listener: options.listener,
        route: &format!(", mirrors: [{{ cluster: copy{mirror} }}]{}", options.route),
        cluster: &format!(
            "{} }}, {{ name: copy, endpoints: [{{ address: '{address}' }}]{cluster}",
            options.cluster
        ),
    };
    run(&options, async |world| test(world, TcpListener::from_std(bound).unwrap()).await);
}

pub(super) async fn next(listener: &TcpListener) -> Peer {
    Peer::new(listener.accept().await.unwrap().0)
}

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_copy_is_the_request_with_edits_and_without_what_a_copy_must_not_carry() {
    let edits = ", host: shadow.test, headers: { set: [{ name: x-copy, value: 'yes' }], remove: [x-secret] }";
    mirrored(edits, "", async |world, mirror| {
        let mut client = world
            .sends("POST /a?b HTTP/1.1\r\nHost: a.test\r\nX-Secret: 1\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
            .await;
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.contains("X-Secret: 1\r\n"));
        endpoint.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.send("hello").await;
        let mut copy = next(&mirror).await;
        let head = copy.head().await;
        assert!(head.starts_with("POST /a?b HTTP/1.1\r\nhost: shadow.test\r\n"), "{head}");
        assert!(head.contains("x-copy: yes\r\n") && head.contains("content-length: 5\r\n"), "{head}");
        assert!(!head.contains("X-Secret") && !head.contains("expect"), "{head}");
        copy.expect("hello").await;
        endpoint.expect("hello").await;
        // The copy's answer goes nowhere.
        copy.send("HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops").await;
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        assert_eq!(client.status().await, 200);
        client.expect("hi").await;
        crate::testing::until(|| world.log.count("MirrorSent") == 1).await;
        // Its connection is kept for the next one.
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(copy.head().await.starts_with("GET / HTTP/1.1\r\n"));
    });
}

#[test]
fn an_upgrade_is_not_copied() {
    mirrored("", "", async |world, _mirror| {
        let mut client = world
            .sends("GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            .await;
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.contains("upgrade: websocket\r\n"));
        endpoint.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(client.status().await, 403);
        world.reported(1).await;
        assert_eq!(world.log.count("PoolMiss"), 1, "only the request itself");
    });
}

#[test]
fn a_copy_outlives_the_answer_and_the_client() {
    mirrored("", "", async |world, mirror| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(OK).await;
        client.rest().await;
        assert_eq!(world.log.count("Mirror"), 0);
        let mut copy = next(&mirror).await;
        copy.head().await;
        copy.send(OK).await;
        crate::testing::until(|| world.log.count("MirrorSent") == 1).await;
    });
}

#[test]
fn a_body_that_the_client_does_not_finish_resets_the_copy() {
    mirrored("", "", async |world, mirror| {
        let client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.expect("half").await;
        let mut copy = next(&mirror).await;
        copy.head().await;
        copy.expect("half").await;
        drop(client);
        copy.closed().await;
        crate::testing::until(|| world.log.count("MirrorReset") == 1).await;
    });
}

#[test]
fn a_mirror_that_refuses_connections_is_counted_and_nothing_else() {
    mirrored("", "", async |world, mirror| {
        drop(mirror);
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(OK).await;
        assert_eq!(client.status().await, 200);
        crate::testing::until(|| world.log.count("MirrorReset") == 1).await;
    });
}

#[test]
fn a_retry_is_not_copied_again() {
    mirrored("", "", async |world, mirror| {
        let mut client = world.sends("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.expect("hi").await;
        endpoint.send(OK).await;
        assert_eq!(client.status().await, 200);
        let mut copy = next(&mirror).await;
        copy.head().await;
        copy.expect("hi").await;
        copy.send(OK).await;
        client.send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nho").await;
        endpoint.head().await;
        endpoint.expect("ho").await;
        drop(endpoint);
        let mut again = world.endpoint().await;
        again.head().await;
        again.expect("ho").await;
        again.send(OK).await;
        assert_eq!(client.status().await, 200);
        assert_eq!(world.reported(2).await.attempts, 2);
        copy.head().await;
        copy.expect("ho").await;
        copy.send(OK).await;
        crate::testing::until(|| world.log.count("MirrorSent") == 2).await;
        assert_eq!(world.log.count("MirrorReset"), 0);
    });
}

/// Sends a long body to the primary, which reads as fast as it can; says how long that took.
async fn upload(world: &World, length: usize) -> Duration {
    let mut client = world.client().await;
    let start = Instant::now();
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n")).await;
    let sending = spawn_local(async move {
        let piece = vec![b'x'; 256 * 1024];
        for _ in 0..length / piece.len() {
            client.send(&piece).await;
        }
        client
    });
    let mut endpoint = world.endpoint().await;
    endpoint.head().await;
    endpoint.skip(length).await;
    endpoint.send(OK).await;
    let mut client = sending.await.unwrap();
    assert_eq!(client.status().await, 200);
    start.elapsed()
}

#[test]
fn a_healthy_mirror_gets_a_long_body_whole() {
    const LENGTH: usize = 64 << 20;
    mirrored("", "", async |world, mirror| {
        let copied = spawn_local(async move {
            let mut copy = next(&mirror).await;
            copy.head().await;
            copy.skip(LENGTH).await;
            copy.send(OK).await;
            copy
        });
        upload(&world, LENGTH).await;
        copied.await.unwrap();
        crate::testing::until(|| world.log.count("MirrorSent") == 1).await;
        assert_eq!(world.shard.mirror_budget.held(), 0);
    });
}

#[test]
fn a_mirror_that_does_not_read_is_reset_and_costs_the_request_little() {
    const LENGTH: usize = 32 << 20;
    mirrored("", "", async |world, mirror| {
        let stuck = spawn_local(async move { next(&mirror).await });
        let took = upload(&world, LENGTH).await;
        assert_eq!(world.log.count("MirrorReset"), 1, "long before the end of the body");
        assert_eq!(world.shard.mirror_budget.held(), 0);
        assert!(took < Duration::from_secs(5), "{took:?}");
        drop(stuck);
    });
}

#[test]
fn copies_are_sent_over_http2_where_their_cluster_speaks_it() {
    mirrored("", ", protocol: http2", async |world, mirror| {
        let mut client = world.sends("POST /a HTTP/1.1\r\nhost: a.test\r\ncontent-length: 2\r\n\r\nhi").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        let mut connection = h2::server::handshake(next(&mirror).await.stream).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        spawn_local(async move { while let Some(Ok(_)) = connection.accept().await {} });
        assert_eq!(request.uri(), "http://a.test/a");
        let mut body = request.into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "hi");
        respond.send_response(http::Response::new(()), true).unwrap();
        endpoint.send(OK).await;
        assert_eq!(client.status().await, 200);
        crate::testing::until(|| world.log.count("MirrorSent") == 1).await;
    });
}
