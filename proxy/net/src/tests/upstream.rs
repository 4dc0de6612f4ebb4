//! Connections to endpoints: kept, doubted, tried again.

use super::world::{Options, generation, run};
use std::time::Duration;

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const HELLO: &str = "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_refused_connection_is_503() {
    run(&Options::default(), async |mut world| {
        world.close_endpoint();
        let mut client = world.sends(GET).await;
        assert_eq!(client.status().await, 503);
        let line = world.reported(1).await;
        assert!(line.flags.contains("UF"), "{line:?}");
        assert_eq!(world.log.count("ConnectFailed"), 1);
    });
}

#[test]
fn a_refused_connection_is_tried_elsewhere() {
    run(&Options::default(), async |world| {
        let refusing = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let config = format!(
            "listeners: [{{ name: web, address: '127.0.0.1:0', route_table: main }}]
route_tables: [{{ name: main, virtual_hosts: [{{ name: all, hosts: ['*'], routes: [
  {{ name: two, action: {{ forward: {{ destinations: [{{ cluster: two }}] }} }} }}] }}] }}]
clusters: [{{ name: two, endpoints: [{{ address: '{}' }}, {{ address: '{refusing}' }}] }}]
",
            world.endpoint_address()
        );
        let next = world.shard.with_snapshot(|old| generation(&config, Some(old)));
        world.shard.publish(next);
        let mut endpoint = None;
        for count in 1..=4 {
            let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
            if endpoint.is_none() {
                endpoint = Some(world.endpoint().await);
            }
            let endpoint = endpoint.as_mut().unwrap();
            endpoint.head().await;
            endpoint.send(EMPTY).await;
            assert_eq!(client.status().await, 200);
            world.reported(count).await;
        }
        assert!(world.log.count("ConnectFailed") > 0);
    });
}

#[test]
fn endless_interim_answers_end() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 102 Processing\r\n\r\n".repeat(1000)).await;
        endpoint.closed().await;
        while client.status().await == 102 {}
        assert_eq!(world.reported(1).await.flags, "UPE");
    });
}

#[test]
fn a_connection_that_the_endpoint_closed_is_never_used_again() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        drop(endpoint);
        // The reactor sees its FIN no later than this.
        client.send(HELLO).await;
        client.head().await;
        client.expect("hello").await;
        client.send(POST).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.expect("hi").await;
        endpoint.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        assert_eq!(world.reported(3).await.attempts, 1);
    });
}

#[test]
fn a_request_that_met_a_dying_connection_is_sent_again_whole() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        client.send("PUT /again HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody").await;
        assert!(endpoint.head().await.starts_with("PUT /again "));
        endpoint.reset();
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.starts_with("PUT /again "));
        endpoint.expect("body").await;
        endpoint.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        let line = world.reported(2).await;
        assert_eq!((line.attempts, line.received), (2, 4));
        assert_eq!(world.log.count("Retried"), 1);
    });
}

#[test]
fn what_may_not_be_sent_twice_is_not() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(POST).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.expect("hi").await;
        drop(endpoint);
        assert_eq!(client.status().await, 503);
        let line = world.reported(1).await;
        assert_eq!((line.attempts, &*line.flags), (1, "UC"));
    });
}

#[test]
fn nothing_is_sent_again_once_a_byte_of_an_answer_came() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        client.send(GET).await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 2").await;
        drop(endpoint);
        assert_eq!(client.status().await, 503);
        let line = world.reported(2).await;
        assert_eq!((line.attempts, &*line.flags), (1, "UC"));
    });
}

#[test]
fn what_may_not_be_sent_twice_rides_no_connection_that_was_idle_for_long() {
    let options = Options { cluster: ", keep_alive: { unsafe_reuse_within: 30ms }", ..Options::default() };
    run(&options, async |world| {
        let mut client = world.sends(GET).await;
        let mut first = world.endpoint().await;
        first.head().await;
        first.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        tokio::time::sleep(Duration::from_millis(60)).await;
        client.send(POST).await;
        let mut second = world.endpoint().await;
        second.head().await;
        second.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        client.send(GET).await;
        second.expect("hi").await;
        second.head().await;
    });
}

#[test]
fn bytes_that_nobody_asked_for_end_the_connection() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(format!("{EMPTY}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged")).await;
        assert_eq!(client.status().await, 200);
        endpoint.closed().await;
        client.send(GET).await;
        world.endpoint().await.head().await;
    });
}

#[test]
fn bytes_that_come_while_a_connection_is_idle_end_it() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        endpoint.send("HTTP/1.1 200 OK\r\n").await;
        client.send(HELLO).await;
        client.head().await;
        client.expect("hello").await;
        client.send(GET).await;
        world.endpoint().await.head().await;
    });
}

#[test]
fn an_answer_that_is_none_is_502() {
    run(&Options::default(), async |world| {
        for (count, answer) in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\nserver: x\n\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ]
        .into_iter()
        .enumerate()
        {
            let mut client = world.sends(GET).await;
            let mut endpoint = world.endpoint().await;
            endpoint.head().await;
            endpoint.send(answer).await;
            assert_eq!(client.status().await, 502, "{answer:?}");
            endpoint.closed().await;
            let line = world.reported(count + 1).await;
            assert_eq!((line.status, &*line.flags), (502, "UPE"), "{answer:?}");
        }
    });
}

#[test]
fn a_broken_body_cuts_the_client() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\nZZ\r\n").await;
        assert_eq!(client.status().await, 200);
        client.closed().await;
        assert_eq!(world.reported(1).await.flags, "UPE");
    });
}

#[test]
fn an_endpoint_that_answers_and_leaves_in_the_middle_of_the_request_is_heard() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 30000000\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint
            .send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
            .await;
        endpoint.finish().await;
        assert_eq!(client.status().await, 413);
        client.expect("no").await;
    });
}

#[test]
fn idle_connections_are_swept() {
    let options = Options { cluster: ", keep_alive: { idle_timeout: 50ms }", ..Options::default() };
    run(&options, async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        endpoint.closed().await;
        assert_eq!(world.log.count("UpstreamClosed"), 1);
    });
}

#[test]
fn clusters_may_keep_no_connection() {
    run(&Options { cluster: ", keep_alive: { max_idle: 0 }", ..Options::default() }, async |world| {
        let mut client = world.sends(GET).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(EMPTY).await;
        assert_eq!(client.status().await, 200);
        endpoint.closed().await;
    });
}
