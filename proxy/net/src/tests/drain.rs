//! The end of a shard, and changes of its configuration.

use super::world::{Options, generation, run};
use crate::testing::until;

#[test]
fn a_drain_finishes_requests_and_closes_idle_connections() {
    run(&Options::default(), async |world| {
        let mut idle = world.sends("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        idle.head().await;
        idle.expect("hello").await;
        let mut busy = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        assert_eq!(world.shard.connections(), 2);
        world.shard.drain();
        assert_eq!(idle.rest().await, "");
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        let text = busy.rest().await;
        assert!(text.contains("connection: close\r\n") && text.ends_with("hi"), "{text}");
        until(|| world.shard.connections() == 0).await;
    });
}

#[test]
fn a_request_that_has_arrived_is_served_by_a_drain() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.head().await;
        client.expect("hello").await;
        client.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        world.shard.drain();
        let text = client.rest().await;
        assert!(text.contains("connection: close\r\n") && text.ends_with("hello"), "{text}");
    });
}

#[test]
fn force_ends_everything() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        world.shard.force();
        client.closed().await;
        endpoint.closed().await;
        until(|| world.shard.connections() == 0).await;
        assert_eq!(world.reported(1).await.status, 0);
    });
}

#[test]
fn a_removed_listener_takes_its_idle_connections_along() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.head().await;
        client.expect("hello").await;
        world.listener.drain();
        world.shard.wake();
        assert_eq!(client.rest().await, "");
    });
}

#[test]
fn a_new_configuration_serves_the_next_request_of_a_connection() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        let config = "listeners: [{ name: web, address: '127.0.0.1:0', route_table: main }]
route_tables: [{ name: main, virtual_hosts: [{ name: all, hosts: ['*'], routes: [
  { name: hello, action: { respond: { status: 200, body: new } } }] }] }]
";
        let next = world.shard.with_snapshot(|old| generation(config, Some(old)));
        world.shard.publish(next);
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold").await;
        client.head().await;
        client.expect("old").await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.head().await;
        client.expect("new").await;
    });
}
