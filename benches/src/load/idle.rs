//! Connections that have had one request each and then rest.

use super::{Order, tls};
use crate::row::host;
use rustls::pki_types::ServerName;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, LocalOptions, LocalRuntime},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// How long a connection may take to get its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// As long as the answer of a kilobyte is, with its head, at most.
const ANSWER: usize = 4096;

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Open connections that rest; dropping it closes them.
pub(crate) struct Idle {
    runtime: LocalRuntime,
    streams: Vec<Box<dyn Stream>>,
}

impl Idle {
    /// None yet.
    pub(crate) fn new() -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        Ok(Self { runtime: runtime.map_err(|error| error.to_string())?, streams: Vec::new() })
    }

    /// Opens connections until there are so many.
    pub(crate) fn grow(&mut self, order: &Order<'_>, tls: bool, count: usize) -> Result<(), String> {
        let connector = if tls { Some(TlsConnector::from(tls::client(false)?)) } else { None };
        let request = order.request("");
        let Self { runtime, streams } = self;
        while streams.len() < count {
            let opening = async {
                timeout(PATIENCE, open(order, connector.as_ref(), &request))
                    .await
                    .unwrap_or_else(|_| Err(io::Error::other("no answer in 10 s")))
            };
            let stream = runtime
                .block_on(opening)
                .map_err(|error| format!("connection {}: {error}", streams.len() + 1))?;
            streams.push(stream);
        }
        Ok(())
    }
}

async fn open(order: &Order<'_>, tls: Option<&TlsConnector>, request: &[u8]) -> io::Result<Box<dyn Stream>> {
    let tcp = TcpStream::connect(order.address).await?;
    let mut stream: Box<dyn Stream> = match tls {
        None => Box::new(tcp),
        Some(tls) => {
            let name = ServerName::try_from(host(order.row)).map_err(io::Error::other)?;
            Box::new(tls.connect(name, tcp).await?)
        }
    };
    stream.write_all(request).await?;
    let mut answer = Vec::with_capacity(ANSWER);
    loop {
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n")
            && answer.len() >= end + 4 + 1024
        {
            break;
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::Error::other("closed before its answer was complete"));
        }
    }
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(stream)
    } else {
        Err(io::Error::other("another answer than 200"))
    }
}
