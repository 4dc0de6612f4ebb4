//! The server behind the proxy: the same answer to every request, on threads that nobody counts.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

/// An answer like those of the comparison's first row: 1 KiB.
fn answer() -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nserver: origin\r\ndate: Sat, 21 Nov 2026 08:00:00 GMT\r\ncontent-type: text/plain\r\n\
        cache-control: no-store\r\netag: \"1024\"\r\ncontent-length: 1024\r\n\r\n"
        .to_vec();
    answer.extend([b'x'; 1024]);
    answer
}

/// Starts it; it ends with the process.
pub(crate) fn start() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// One request after the other; none has a body.
fn serve(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let answer = answer();
    while head(&mut stream) {
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// Reads a request, which is a head and nothing else. `false` where the stream ends.
fn head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(count) => head.extend_from_slice(&buffer[..count]),
        }
    }
    true
}
