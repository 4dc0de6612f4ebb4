//! Nothing is allocated for a request over HTTP/1.1 that fits its buffers, once connections have seen one.

use crate::origin;
use allocation_counter::measure;
use sluice_core::snapshot::{NoChains, compile};
use sluice_net::{Blind, Generation, ListenerState, Shard, ShardOptions};
use sluice_tls::TlsContext;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::Notify,
};

const REQUEST: &[u8] = b"GET /products/1 HTTP/1.1\r\nHost: budget.example\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br\r\nReferer: https://budget.example/products\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nCache-Control: max-age=0\r\n\r\n";

const WARM_UP: usize = 100;
const REQUESTS: usize = 500;

#[test]
fn a_request_over_http1_allocates_nothing() {
    let accept = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let done = Arc::new(Notify::new());
    let orders = client(accept.local_addr().unwrap(), Arc::clone(&done));
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    let listener = ListenerState::new("web".into());
    let shard = runtime.block_on(async { shard(origin::start()) });
    let (stream, peer) = accept.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    runtime.block_on(async { shard.serve(stream, peer, &listener) });
    // Client and origin are other threads, whose allocations are not counted; this one does nothing but serve.
    let serve = |requests| {
        orders.send(requests).unwrap();
        runtime.block_on(done.notified());
    };
    serve(WARM_UP);
    let counted = measure(|| serve(REQUESTS));
    assert_eq!(counted.count_total, 0, "{} bytes in {REQUESTS} requests", counted.bytes_total);
}

/// A shard whose only route leads to the origin.
fn shard(origin: SocketAddr) -> Rc<Shard> {
    let text = format!(
        "listeners: [{{ name: web, address: '127.0.0.1:0', route_table: main }}]
route_tables: [{{ name: main, virtual_hosts: [{{ name: all, hosts: [budget.example], routes: [
  {{ name: all, match: [{{ path: {{ prefix: /products }} }}], action: {{ forward: {{ destinations: [{{ cluster: origin }}] }} }} }}] }}] }}]
clusters: [{{ name: origin, endpoints: [{{ address: '{origin}' }}] }}]
"
    );
    let loaded =
        sluice_model::load(&sluice_model::Source::new("budget.yaml", text), &sluice_model::NoFiles).unwrap();
    Shard::new(ShardOptions {
        generation: Generation {
            snapshot: Arc::new(compile(None, &loaded.config, &NoChains)),
            tls: Arc::new(TlsContext::build(&loaded.config, None).unwrap()),
        },
        observer: Rc::new(Blind),
        seed: 1,
        number: 0,
        mirror_buffer: 1 << 20,
        hostname: "budget".into(),
    })
}

/// A client with one connection: gets orders to send so many requests, and says when they are answered.
fn client(address: SocketAddr, done: Arc<Notify>) -> SyncSender<usize> {
    // With room for an order, so that giving it allocates nothing.
    let (orders, taken) = sync_channel(1);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let mut body = [0; 1024];
        for requests in taken {
            for _ in 0..requests {
                stream.write_all(REQUEST).unwrap();
                let head = head(&mut stream);
                assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
                stream.read_exact(&mut body).unwrap();
            }
            done.notify_one();
        }
    });
    orders
}

/// Reads to the end of a head, byte by byte, so that none of the body is taken.
fn head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    head
}
