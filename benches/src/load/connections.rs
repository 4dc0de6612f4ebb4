//! A connection for each request: TCP alone, a full TLS handshake, or a resumed one.

use super::{Order, Outcome, tls};
use crate::row::{Handshake, host};
use rustls::{ClientConfig, HandshakeKind, pki_types::ServerName};
use std::{
    cell::Cell,
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, LocalOptions},
    task::spawn_local,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Clients at once.
const CLIENTS: usize = 16;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(order: &Order<'_>, handshake: Handshake) -> Result<Outcome, String> {
    // Each client has its own: tickets of TLS 1.3 are used once, and clients would take each other's.
    let config = || match handshake {
        Handshake::None => Ok(None),
        Handshake::Full => tls::client(false).map(Some),
        Handshake::Resumed => tls::client(true).map(Some),
    };
    let request: Arc<[u8]> = order.request("Connection: close\r\n").into();
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let (begun, requests) = (Instant::now(), Rc::new(Cell::new(0)));
        let mut clients = Vec::with_capacity(CLIENTS);
        for _ in 0..CLIENTS {
            let client = Client {
                address: order.address,
                name: host(order.row),
                config: config()?,
                request: Arc::clone(&request),
                resumes: handshake == Handshake::Resumed,
            };
            clients.push(spawn_local(client.go(begun + order.time, Rc::clone(&requests))));
        }
        for client in clients {
            client
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| format!("a new connection: {error}"))?;
        }
        Ok(Outcome { requests: requests.get(), seconds: begun.elapsed().as_secs_f64(), latencies: None })
    })
}

struct Client {
    address: std::net::SocketAddr,
    name: String,
    config: Option<Arc<ClientConfig>>,
    request: Arc<[u8]>,
    resumes: bool,
}

impl Client {
    async fn go(self, until: Instant, requests: Rc<Cell<u64>>) -> io::Result<()> {
        let mut first = true;
        while Instant::now() < until {
            timeout(PATIENCE, self.once(first))
                .await
                .map_err(|_| io::Error::other("no answer in 10 s"))??;
            requests.set(requests.get() + 1);
            first = false;
        }
        Ok(())
    }

    /// One connection with one request.
    async fn once(&self, first: bool) -> io::Result<()> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let Some(config) = &self.config else { return self.ask(tcp).await };
        let name = ServerName::try_from(self.name.clone()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        // The first has nothing to resume.
        if !first && resumed != self.resumes {
            return Err(io::Error::other(if resumed { "was resumed" } else { "was not resumed" }));
        }
        self.ask(stream).await
    }

    async fn ask(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        stream.write_all(&self.request).await?;
        let mut answer = Vec::with_capacity(2048);
        match stream.read_to_end(&mut answer).await {
            Ok(_) => {}
            // Some peers end TCP without ending TLS; the length of the answer is known.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        if answer.starts_with(b"HTTP/1.1 200") && answer.len() > 1024 {
            return Ok(());
        }
        Err(io::Error::other(format!("{} bytes that are not the answer", answer.len())))
    }
}
