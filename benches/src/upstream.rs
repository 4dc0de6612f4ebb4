//! The servers behind every peer: HTTP/1.1 and HTTP/2 (without TLS), on threads of their own beside the load.
//!
//! The end of a path says what is answered: `1k`, `64k` or `1m` bytes. Answers are made once; bodies of requests are read
//! and forgotten. `application/grpc` gets a message of 64 bytes and `grpc-status: 0`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use std::{io, net::SocketAddr, thread};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

/// Most bytes of a request's head.
const HEAD: usize = 16 << 10;

/// As much of a body as is read at once.
const BODY: usize = 64 << 10;

/// HTTP/2 windows that never hold up an upload of a megabyte.
const WINDOW: u32 = 16 << 20;

/// The endings of paths and the sizes that they ask for; the first serves every other path.
const SIZES: [(&str, usize); 3] = [("1k", 1 << 10), ("64k", 64 << 10), ("1m", 1 << 20)];

/// Where the servers listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upstream {
    pub(crate) http1: SocketAddr,
    pub(crate) http2: SocketAddr,
}

impl Upstream {
    /// Starts both, on the cores of the calling thread; they end with the process.
    pub(crate) fn start() -> io::Result<Self> {
        Ok(Self { http1: serve("upstream-http1", http1)?, http2: serve("upstream-http2", http2)? })
    }
}

impl Upstream {
    /// The same with another server for HTTP/1.1.
    pub(crate) const fn replaced(self, http1: SocketAddr) -> Self {
        Self { http1, ..self }
    }
}

/// Answers, whole.
fn answers() -> [(&'static str, Bytes, Bytes); 3] {
    SIZES.map(|(ending, size)| {
        let body = Bytes::from(vec![b'x'; size]);
        let head = format!(
            "HTTP/1.1 200 OK\r\nserver: upstream\r\ndate: Sat, 21 Nov 2026 08:00:00 GMT\r\ncontent-type: text/plain\r\n\
             cache-control: no-store\r\netag: \"{size}\"\r\ncontent-length: {size}\r\n\r\n"
        );
        (ending, body.clone(), Bytes::from([head.as_bytes(), &body].concat()))
    })
}

/// The answer to a request over HTTP/1.1 that asks for no size, for servers elsewhere.
pub(crate) fn answer() -> Bytes {
    let [(_, _, whole), ..] = answers();
    whole
}

fn serve<F: Future<Output = ()> + 'static>(
    name: &str,
    connection: impl Fn(TcpStream) -> F + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = move || Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        runtime()?.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                spawn_local(connection(stream));
            }
            #[allow(unreachable_code, reason = "says what type an error of the loop has")]
            Ok::<(), io::Error>(())
        })
    })?;
    Ok(address)
}

async fn http1(stream: TcpStream) {
    // A peer that breaks off is its own affair: the load counts what it did not get.
    let _ = http1_requests(stream).await;
}

async fn http1_requests(mut stream: TcpStream) -> io::Result<()> {
    let answers = answers();
    let mut buffer = vec![0; HEAD + BODY];
    let mut filled = 0;
    loop {
        let (length, mut body, answer) = loop {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut fields);
            if let httparse::Status::Complete(length) =
                request.parse(&buffer[..filled]).map_err(io::Error::other)?
            {
                let body = body_length(&request)?;
                let path = request.path.unwrap_or_default();
                let place = SIZES.iter().position(|(ending, _)| path.ends_with(ending)).unwrap_or(0);
                break (length, body, &answers[place].2);
            }
            if filled >= HEAD {
                return Err(io::Error::other("a head without end"));
            }
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                count => filled += count,
            }
        };
        buffer.copy_within(length..filled, 0);
        filled -= length;
        while body > filled {
            body -= filled;
            filled = stream.read(&mut buffer).await?;
            if filled == 0 {
                return Ok(());
            }
        }
        buffer.copy_within(body..filled, 0);
        filled -= body;
        stream.write_all(answer).await?;
    }
}

/// The length of a request's body. All peers say it beforehand: so does the load, and nobody has a reason to change that.
fn body_length(request: &httparse::Request<'_, '_>) -> io::Result<usize> {
    for field in &*request.headers {
        if field.name.eq_ignore_ascii_case("content-length") {
            return std::str::from_utf8(field.value)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| io::Error::other("a length that is no number"));
        }
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(io::Error::other("a body whose length is not known beforehand"));
        }
    }
    Ok(0)
}

async fn http2(stream: TcpStream) {
    let _ = http2_requests(stream).await;
}

async fn http2_requests(stream: TcpStream) -> Result<(), h2::Error> {
    let answers = answers();
    let mut connection = h2::server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(1024)
        .handshake(stream)
        .await?;
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request?;
        let grpc = request.headers().get("content-type").is_some_and(|kind| kind == "application/grpc");
        let path = request.uri().path();
        let place = SIZES.iter().position(|(ending, _)| path.ends_with(ending)).unwrap_or(0);
        let answer = answers[place].1.clone();
        let mut body = request.into_body();
        spawn_local(async move {
            while let Some(Ok(data)) = body.data().await {
                let _ = body.flow_control().release_capacity(data.len());
            }
            // A stream that was reset is counted by the load.
            let _ = if grpc { answer_grpc(&mut respond) } else { answer_plain(&mut respond, answer) };
        });
    }
    Ok(())
}

fn answer_plain(respond: &mut h2::server::SendResponse<Bytes>, body: Bytes) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    let fields = response.headers_mut();
    fields.insert("server", HeaderValue::from_static("upstream"));
    fields.insert("date", HeaderValue::from_static("Sat, 21 Nov 2026 08:00:00 GMT"));
    fields.insert("content-type", HeaderValue::from_static("text/plain"));
    fields.insert("cache-control", HeaderValue::from_static("no-store"));
    fields.insert("content-length", HeaderValue::from(body.len()));
    respond.send_response(response, false)?.send_data(body, true)
}

fn answer_grpc(respond: &mut h2::server::SendResponse<Bytes>) -> Result<(), h2::Error> {
    const MESSAGE: [u8; 69] = {
        let mut message = [b'x'; 69];
        // Not compressed, and 64 bytes long.
        (message[0], message[1], message[2], message[3], message[4]) = (0, 0, 0, 0, 64);
        message
    };
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(Bytes::from_static(&MESSAGE), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}
