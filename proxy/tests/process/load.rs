//! Reloads under load lose nothing.

use crate::scene::{LONG, Scene, answering, ask, eventually};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// One connection, request after request; the number of answers.
fn keep_asking(address: SocketAddr, stop: &AtomicBool, answers: &AtomicU64) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 1024];
        // Every body is `version N.` and nothing else of the answer has a full stop behind a digit.
        while !answer.ends_with(b".") {
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0, "cut after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..length]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

fn connect_again_and_again(address: SocketAddr, stop: &AtomicBool, answers: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        let answer = ask(address, "GET", "/", "a", "");
        assert_eq!(answer.status, 200);
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn reloads_lose_no_request_and_no_connection() {
    for accept in ["reuseport", "handoff"] {
        let version = |number: usize| {
            let other = if number.is_multiple_of(2) {
                "- { name: other, address: '127.0.0.1:0', route_table: main }\n"
            } else {
                ""
            };
            let yaml = answering("web", &format!("version {number}."));
            let yaml = yaml.replace("route_tables:", &format!("{other}route_tables:"));
            format!("runtime: {{ accept: {accept} }}\n{yaml}")
        };
        let scene = Scene::start(&version(0));
        let address = scene.proxy().listener_address("web").unwrap();
        let (stop, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let clients: Vec<_> = [keep_asking, keep_asking, connect_again_and_again, connect_again_and_again]
            .into_iter()
            .map(|client| {
                let (stop, answers) = (stop.clone(), answers.clone());
                thread::spawn(move || client(address, &stop, &answers))
            })
            .collect();
        for number in 1..=20 {
            scene.rewrite(&version(number));
            let body = format!("version {number}.");
            eventually("the next version", || ask(address, "GET", "/", "a", "").body == body);
        }
        eventually("some load", || answers.load(Ordering::Relaxed) > 200);
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    }
}
