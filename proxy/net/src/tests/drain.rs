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
fn a_connection_in_use_hears_of_a_drain_with_its_next_answer() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.head().await;
        client.expect("hello").await;
        world.shard.drain();
        // Every task has seen the drain before the next request is sent.
        until({
            let mut turns = 0;
            move || {
                turns += 1;
                turns > 20
            }
        })
        .await;
        client.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let text = client.rest().await;
        assert!(text.contains("connection: close\r\n") && text.ends_with("hello"), "{text}");
    });
}

#[test]
fn pipelined_requests_that_have_arrived_are_all_answered_by_a_drain() {
    run(&Options::default(), async |world| {
        let get = "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
        world.shard.drain();
        let mut client = world.sends(&get.repeat(3)).await;
        let text = client.rest().await;
        assert_eq!(text.matches("hello").count(), 3, "{text}");
        assert_eq!(text.matches("connection: close\r\n").count(), 1, "{text}");
        let last = text.rfind("HTTP/1.1 200").unwrap();
        assert!(text[last..].contains("connection: close\r\n"), "{text}");
    });
}

#[test]
fn a_request_behind_the_last_answer_does_not_take_it_back() {
    run(&Options::default(), async |world| {
        let get = "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
        world.shard.drain();
        let mut client = world.sends(get).await;
        let text = client.head().await;
        assert!(text.contains("connection: close\r\n"), "{text}");
        // The client sends before it has read what it was told.
        client.send(get).await;
        client.send(get).await;
        assert_eq!(client.rest().await, "hello", "an end in order, and no reset");
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
