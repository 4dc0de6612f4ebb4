use crate::scene::{LONG, Scene, answering, ask, eventually, read};
use sluice_proxy::Exit;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

fn keep_alive(scene: &Scene) -> TcpStream {
    let mut stream = TcpStream::connect(scene.proxy().listener_address("web").unwrap()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut answer = [0; 4096];
    assert!(stream.read(&mut answer).unwrap() > 0);
    stream
}

#[test]
fn idle_connections_end_and_the_process_with_them() {
    let mut scene = Scene::start(&answering("web", "hello"));
    let mut idle = keep_alive(&scene);
    scene.proxy().shutdown();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert_eq!(scene.proxy.take().unwrap().wait(), Exit::Drained);
}

#[test]
fn a_request_under_way_is_answered() {
    let mut scene = Scene::start(&answering("web", "hello"));
    let mut stream = TcpStream::connect(scene.proxy().listener_address("web").unwrap()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nho").unwrap();
    eventually("the connection is known", || scene.json("/listeners")[0]["connections"] == 1);
    scene.proxy().shutdown();
    eventually("the listener is closed", || {
        TcpStream::connect(scene.proxy().listener_address("web").unwrap()).is_err()
    });
    stream.write_all(b"st: a\r\n\r\n").unwrap();
    let answer = read(&mut stream);
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(scene.proxy.take().unwrap().wait(), Exit::Drained);
}

#[test]
fn the_deadline_cuts_what_is_left() {
    let yaml = format!("runtime: {{ drain_timeout: 100ms }}\n{}", answering("web", "hello"));
    let mut scene = Scene::start(&yaml);
    let mut stream = TcpStream::connect(scene.proxy().listener_address("web").unwrap()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nho").unwrap();
    eventually("the connection is known", || scene.json("/listeners")[0]["connections"] == 1);
    scene.proxy().shutdown();
    assert_eq!(scene.proxy.take().unwrap().wait(), Exit::Cut(1));
}

#[test]
fn during_the_grace_connections_are_accepted_but_ready_says_no() {
    let yaml = format!("runtime: {{ drain_grace: 1h }}\n{}", answering("web", "hello"));
    let scene = Scene::start(&yaml);
    let answer = ask(scene.proxy().admin_address(), "POST", "/drain", "localhost", "content-length: 0\r\n");
    assert_eq!(answer.status, 202);
    eventually("not ready", || scene.admin("/ready").status == 503);
    assert!(scene.admin("/ready").body.contains("draining"));
    assert_eq!(scene.get("web", "/").status, 200);
}
