//! Connections that were on their way to somewhere else, and say so in a PROXY header.

use super::world::{Options, Peer, World, run};
use crate::testing;
use std::net::SocketAddr;

/// Everything goes to where the connection was on its way to, but `/hello`, which is answered here.
const THROUGH: Options<'static> = Options {
    listener: ", original_destination: { trusted: [127.0.0.0/8], port: 7, other_ports: main }",
    route: "",
    cluster: ", original_destination: true",
};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn version_1(destination: SocketAddr) -> Vec<u8> {
    format!("PROXY TCP4 192.0.2.1 {} 1234 {}\r\n", destination.ip(), destination.port()).into()
}

fn version_2(destination: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(to) = destination else { panic!("{destination}") };
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01".to_vec();
    header.extend(to.ip().octets());
    header.extend([4, 210]);
    header.extend(to.port().to_be_bytes());
    header
}

/// The endpoint gets a request and answers it.
async fn passes(world: &World, client: &mut Peer) {
    let mut endpoint = world.endpoint().await;
    let head = endpoint.head().await;
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-forwarded-for: 192.0.2.1\r\n"), "the header names the client: {head}");
    endpoint.send("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    assert_eq!(client.status().await, 204);
}

#[test]
fn a_header_of_either_version_says_where_a_connection_was_on_its_way_to() {
    run(&THROUGH, async |world| {
        for header in [version_1(world.upstream()), version_2(world.upstream())] {
            let mut client = world.client().await;
            client.send([&header[..], GET.as_bytes()].concat()).await;
            passes(&world, &mut client).await;
            client.send(GET).await;
            passes(&world, &mut client).await;
        }
    });
}

#[test]
fn a_header_may_come_byte_by_byte() {
    run(&THROUGH, async |world| {
        for header in [version_1(world.upstream()), version_2(world.upstream())] {
            let mut client = world.client().await;
            client.stream.set_nodelay(true).unwrap();
            for byte in header {
                client.send([byte]).await;
                tokio::task::yield_now().await;
            }
            client.send(GET).await;
            passes(&world, &mut client).await;
        }
    });
}

#[test]
fn a_connection_of_the_senders_own_is_served_where_it_came_in() {
    run(&THROUGH, async |world| {
        let mut client = world.sends("PROXY UNKNOWN\r\nGET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.status().await, 200);
        client.expect("hello").await;
        client.send(GET).await;
        assert_eq!(client.status().await, 503);
        assert_eq!(world.reported(2).await.flags, "UH", "nobody knows where it was on its way to");
    });
}

#[test]
fn what_does_not_begin_with_a_header_is_closed_unanswered() {
    run(&THROUGH, async |world| {
        for (count, wrong) in [GET, "PROXY TCP4 192.0.2.1 127.0.0.1 1 0\r\n"].into_iter().enumerate() {
            let mut client = world.sends(wrong).await;
            client.closed().await;
            testing::until(|| world.log.count("HandshakeFailed") == count + 1).await;
        }
        assert_eq!(world.log.requests(), 0);
    });
}

#[test]
fn a_header_has_as_long_as_a_handshake() {
    let listener =
        ", original_destination: { trusted: [127.0.0.0/8], port: 7 }, timeouts: { handshake: 20ms }";
    run(&Options { listener, ..Options::default() }, async |world| {
        let mut client = world.sends("PROXY TCP4 192.0.2.1 ").await;
        client.closed().await;
        testing::until(|| world.log.count("HandshakeFailed") == 1).await;
    });
}

#[test]
fn only_trusted_peers_and_destinations_that_something_stands_for_are_served() {
    let untrusted = ", original_destination: { trusted: [192.0.2.0/24], port: 7 }";
    let alone = ", original_destination: { trusted: [127.0.0.0/8], port: 7 }";
    for (listener, port, served) in [(untrusted, 7, false), (alone, 8, false), (alone, 7, true)] {
        run(&Options { listener, ..Options::default() }, async |world| {
            let mut client = world.client().await;
            client.send(version_1(SocketAddr::from(([127, 0, 0, 9], port)))).await;
            if served {
                client.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
                assert_eq!(client.status().await, 200);
            } else {
                client.closed().await;
                testing::until(|| world.log.count("HandshakeFailed") == 1).await;
            }
        });
    }
}
