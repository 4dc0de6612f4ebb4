//! Exact bytes, in and out: one end of a connection whose other end is under test.

use crate::{
    Fields, Interim, Reply, Seen,
    certificate::TlsClient,
    intake::Intake,
    patience::{PATIENCE, within},
};
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};

/// One end of a connection. Used as a client ([`Wire::connect`]) and by [`crate::Script`] as a server.
///
/// ```ignore
/// let mut wire = Wire::connect(proxy.address()).await;
/// wire.send("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await;
/// wire.expect("HTTP/1.1 400 Bad Request\r\n").await;
/// wire.read_to_close().await;
/// ```
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    local: SocketAddr,
    /// Arrived, and not yet taken by an expectation.
    waiting: Vec<u8>,
}

/// Plaintext or TLS.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<dyn Duplex>),
}

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {
    /// Of the socket beneath.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

impl Duplex for TcpStream {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl Duplex for tokio_rustls::client::TlsStream<TcpStream> {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.get_ref().0.local_addr()
    }
}

impl Duplex for tokio_rustls::server::TlsStream<TcpStream> {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.get_ref().0.local_addr()
    }
}

// === impl Wire ===

impl Wire {
    /// Connects in plaintext.
    ///
    /// # Panics
    /// When nobody listens there, as everything here does when an expectation fails.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::new(Stream::connect(address).await)
    }

    /// Connects in plaintext; `None` where the connection is refused.
    ///
    /// # Panics
    /// When it fails in another way.
    pub async fn connect_if_open(address: SocketAddr) -> Option<Self> {
        match within(format!("connecting to {address}"), TcpStream::connect(address)).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                Some(Self::new(Stream::Plain(stream)))
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => None,
            Err(error) => panic!("cannot connect to {address}: {error}"),
        }
    }

    /// Connects over TLS.
    pub async fn connect_tls(address: SocketAddr, tls: &TlsClient) -> Self {
        Self::new(tls.connect(address).await.unwrap_or_else(|error| panic!("TLS with {address}: {error}")))
    }

    pub(crate) fn new(stream: Stream) -> Self {
        Self { local: stream.local_address(), stream, waiting: Vec::new() }
    }

    /// The address that the other side knows this end by; in the access log it is the `peer`.
    pub fn address(&self) -> SocketAddr {
        self.local
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.try_send(bytes).await {
            panic!("cannot send: {error}");
        }
    }

    /// Sends bytes to somebody who may have gone.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        within("sending bytes", async {
            self.stream.write_all(bytes.as_ref()).await?;
            self.stream.flush().await
        })
        .await
    }

    /// Expects that exactly these bytes come next.
    pub async fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let wanted = bytes.as_ref();
        let mut open = true;
        while open && self.waiting.len() < wanted.len() && wanted.starts_with(&self.waiting) {
            open = self.more(&format!("the bytes {}", show(wanted))).await;
        }
        assert!(
            self.waiting.starts_with(wanted),
            "expected {}\n     got {}{}",
            show(wanted),
            show(&self.waiting),
            if open { "" } else { " and the end" },
        );
        self.waiting.drain(..wanted.len());
    }

    /// Takes the bytes up to and including `mark`.
    pub async fn read_until(&mut self, mark: impl AsRef<[u8]>) -> Vec<u8> {
        let mark = mark.as_ref();
        loop {
            if let Some(at) = find(&self.waiting, mark) {
                return self.waiting.drain(..at + mark.len()).collect();
            }
            let open = self.more(&format!("the bytes {}", show(mark))).await;
            assert!(open, "the end came before {}: {}", show(mark), show(&self.waiting));
        }
    }

    /// Takes the head of a message, as text, with its empty line.
    pub async fn read_head(&mut self) -> String {
        String::from_utf8_lossy(&self.read_until("\r\n\r\n").await).into_owned()
    }

    /// Takes so many bytes; `None` where the end comes before them.
    pub async fn read_some(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.waiting.len() < count {
            if !self.more(&format!("{count} bytes")).await {
                return None;
            }
        }
        Some(self.waiting.drain(..count).collect())
    }

    /// Takes so many bytes.
    pub async fn read(&mut self, count: usize) -> Vec<u8> {
        match self.read_some(count).await {
            Some(bytes) => bytes,
            None => panic!("the end came before {count} bytes: {}", show(&self.waiting)),
        }
    }

    /// Takes everything until the other side closes or resets.
    pub async fn read_to_close(&mut self) -> Vec<u8> {
        while self.more("the end of the connection").await {}
        std::mem::take(&mut self.waiting)
    }

    /// Expects that the other side closes, or resets, and sends nothing before.
    pub async fn expect_close(&mut self) {
        let rest = self.read_to_close().await;
        assert!(rest.is_empty(), "expected the end, got {}", show(&rest));
    }

    /// Takes an HTTP/1 answer to a GET or anything else but HEAD and CONNECT, with the 1xx answers before it.
    pub async fn reply(&mut self) -> Reply {
        self.reply_to("GET").await
    }

    /// Takes an HTTP/1 answer to this method.
    pub async fn reply_to(&mut self, method: &str) -> Reply {
        let mut interim = Vec::new();
        loop {
            let head = self.read_head().await;
            let (line, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
            let mut words = line.splitn(3, ' ');
            let version = words.next().unwrap_or_default().to_owned();
            let status = words.next().and_then(|status| status.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
            let reason = words.next().unwrap_or_default().to_owned();
            let fields = Fields::parse(rest);
            if (100..200).contains(&status) && status != 101 {
                interim.push(Interim { status, fields });
                continue;
            }
            let bodiless = method == "HEAD"
                || (method == "CONNECT" && (200..300).contains(&status))
                || matches!(status, 101 | 204 | 304);
            let mut intake = Intake::new(true);
            let trailers =
                if bodiless { Fields::default() } else { self.body(&fields, true, &mut intake).await };
            let body = intake.body;
            return Reply { version, status, reason, fields, body, trailers, interim };
        }
    }

    /// Takes an HTTP/1 request with its body; `None` when the other side closes in place of one.
    pub async fn request(&mut self) -> Option<Seen> {
        self.request_into(Intake::new(true)).await
    }

    pub(crate) async fn request_into(&mut self, mut intake: Intake) -> Option<Seen> {
        // Idle connections may wait as long as the test lasts.
        while self.waiting.is_empty() {
            if !self.stream.read_buf(&mut self.waiting).await.is_ok_and(|count| count > 0) {
                return None;
            }
        }
        while find(&self.waiting, b"\r\n\r\n").is_none() {
            if !self.more("the rest of a request head").await {
                return None;
            }
        }
        let head = self.read_head().await;
        let (line, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
        let mut words = line.split(' ').map(ToOwned::to_owned);
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let fields = Fields::parse(rest);
        if fields.get("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
            self.try_send("HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
        }
        let trailers = self.body(&fields, false, &mut intake).await;
        let host = fields.get("host").unwrap_or_default().to_owned();
        let scheme = String::new();
        let (digest, Intake { body, length, .. }) = (intake.digest(), intake);
        Some(Seen {
            method,
            target,
            host,
            version,
            scheme,
            fields,
            body,
            length,
            digest,
            trailers,
            connection: 0,
        })
    }

    /// Takes a body, and returns the fields behind it.
    async fn body(&mut self, fields: &Fields, to_close: bool, intake: &mut Intake) -> Fields {
        if fields.has("transfer-encoding") {
            return self.chunks(intake).await;
        }
        if let Some(length) = fields.get("content-length") {
            let length = length.parse().unwrap_or_else(|_| panic!("not a content-length: {length}"));
            self.read_into(length, intake).await;
        } else if to_close {
            intake.take(&self.read_to_close().await);
        }
        Fields::default()
    }

    async fn read_into(&mut self, mut count: usize, intake: &mut Intake) {
        while count > 0 {
            if self.waiting.is_empty() {
                let open = self.more(&format!("{count} bytes of a body")).await;
                assert!(open, "the end came before {count} bytes of a body");
            }
            let piece = self.waiting.len().min(count);
            intake.take(&self.waiting[..piece]);
            self.waiting.drain(..piece);
            count -= piece;
        }
    }

    async fn chunks(&mut self, intake: &mut Intake) -> Fields {
        loop {
            let line = self.read_until("\r\n").await;
            let line = String::from_utf8_lossy(&line);
            let size = line.trim_end().split(';').next().unwrap_or_default();
            let size =
                usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("not a chunk size: {line:?}"));
            if size == 0 {
                break;
            }
            self.read_into(size, intake).await;
            self.expect("\r\n").await;
        }
        let mut trailers = String::new();
        loop {
            let line = self.read_until("\r\n").await;
            if line == b"\r\n" {
                return Fields::parse(&trailers);
            }
            trailers += &String::from_utf8_lossy(&line);
        }
    }

    /// Says that nothing more will be sent (FIN, or the TLS alert), and can still read.
    pub async fn finish(&mut self) {
        let _ = within("closing one side", self.stream.shutdown()).await;
    }

    /// Closes in the ordinary way.
    pub async fn close(mut self) {
        self.finish().await;
    }

    /// Breaks the connection off with RST.
    pub fn reset(self) {
        if let Stream::Plain(stream) = &self.stream {
            let _ = stream.set_zero_linger();
        }
    }

    /// Neither reads nor sends nor closes for the rest of the test. What arrives stays unread in the kernel, so that
    /// windows fill up.
    pub async fn stall(self) {
        std::future::pending::<()>().await;
    }

    /// Reads once; false at the end of the connection.
    async fn more(&mut self, what: &str) -> bool {
        // A reset is an end as well.
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.waiting)).await;
        let read =
            read.unwrap_or_else(|_| panic!("waited too long for {what}; so far {}", show(&self.waiting)));
        read.is_ok_and(|count| count > 0)
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

/// Bytes as a Rust string literal would have them, the middle left out when there are many.
pub(crate) fn show(bytes: &[u8]) -> String {
    if bytes.len() > 2_000 {
        let (start, end) = (&bytes[..1_000], &bytes[bytes.len() - 500..]);
        return format!(
            "\"{}\" ... \"{}\" ({} bytes)",
            start.escape_ascii(),
            end.escape_ascii(),
            bytes.len()
        );
    }
    format!("\"{}\"", bytes.escape_ascii())
}

// === impl Stream ===

impl Stream {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within(format!("connecting to {address}"), TcpStream::connect(address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        let _ = stream.set_nodelay(true);
        Self::Plain(stream)
    }

    fn local_address(&self) -> SocketAddr {
        let address = match self {
            Self::Plain(stream) => stream.local_address(),
            Self::Tls(stream) => stream.local_address(),
        };
        address.expect("a connected socket has an address")
    }

    fn pin(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pin().poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pin().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pin().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pin().poll_shutdown(cx)
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(stream) => stream.fmt(out),
            Self::Tls(_) => out.write_str("Tls"),
        }
    }
}
