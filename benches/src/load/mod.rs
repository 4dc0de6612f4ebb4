//! The clients. `wrk` and `h2load` where a closed loop is enough; our own where latency, handshakes or idle connections count.

mod connections;
mod h2load;
mod idle;
mod open_loop;
mod origin;
mod tls;
mod wrk;

pub(crate) use idle::Idle;
pub(crate) use open_loop::Latencies;
pub(crate) use origin::Origin;

use crate::row::{self, Load, Row};
use std::{net::SocketAddr, time::Duration};

/// Connections of the closed loops and of the open one.
pub(crate) const CONNECTIONS: usize = 64;

/// A browser's request, but for `Host`: with it, eight fields.
pub(crate) const FIELDS: [(&str, &str); 7] = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Referer", "https://bench.example/products"),
    ("Cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
    ("Cache-Control", "max-age=0"),
];

/// What clients are to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) row: &'a Row,
    /// Where the peer listens for it.
    pub(crate) address: SocketAddr,
    /// For how long.
    pub(crate) time: Duration,
    /// Requests in a second, for the open loop.
    pub(crate) rate: f64,
}

/// What clients got.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Requests that were answered as they should be.
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// Where an open loop measured them.
    pub(crate) latencies: Option<Latencies>,
}

impl Order<'_> {
    fn host(&self) -> String {
        row::host(self.row)
    }

    fn path(&self, size: &str) -> String {
        row::path(self.row, size)
    }

    /// A request over HTTP/1.1, whole.
    fn request(&self, more: &str) -> Vec<u8> {
        let mut text = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", self.path("1k"), self.host());
        for (name, value) in FIELDS {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.extend([more, "\r\n"]);
        text.into_bytes()
    }
}

/// Does what a row says, but for idle connections; says what went wrong where answers are missing or wrong.
pub(crate) fn run(order: &Order<'_>, origin: Option<&mut Origin>) -> Result<Outcome, String> {
    let outcome = match order.row.load {
        Load::Requests { tls, size } => wrk::run(order, tls, size),
        Load::Streams { kind } => h2load::streams(order, kind),
        Load::Uploads => h2load::uploads(order),
        Load::Connections { tls } => connections::run(order, tls),
        Load::OpenLoop => match origin {
            Some(origin) => open_loop::run(order, origin),
            None => Err("needs its own server".to_owned()),
        },
        Load::Idle { .. } => Err("is measured by its connections".to_owned()),
    }?;
    if outcome.requests == 0 { Err("no request was answered".to_owned()) } else { Ok(outcome) }
}

/// Runs a program of the load and gives what it printed.
fn tool(name: &str, arguments: &[String]) -> Result<String, String> {
    let output = std::process::Command::new(name).args(arguments).output().map_err(|error| {
        format!("{name}: {error}; it is in the Debian packages that benches/README.md names")
    })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!(
            "{name} ended with {}: {}",
            output.status,
            error.lines().next().unwrap_or(&text)
        ));
    }
    Ok(text)
}
