//! The work: what is asked for, over what, and what has to be configured for it.

use std::fmt::Write as _;

/// One kind of work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// How the command line names it.
    pub(crate) name: &'static str,
    /// What is done, for readers of the report.
    pub(crate) what: &'static str,
    pub(crate) load: Load,
    /// Virtual hosts of the configuration; one of them is asked for.
    pub(crate) hosts: usize,
    /// Paths of each host; one of them is asked for.
    pub(crate) paths: usize,
    /// Data threads (workers) of the peer.
    pub(crate) threads: usize,
    /// What the upstream speaks.
    pub(crate) upstream: Protocol,
    /// Part of the short run.
    pub(crate) short: bool,
}

/// What is spoken with the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// What the clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// HTTP/1.1 keep-alive, 64 connections, as fast as it goes.
    Requests { tls: bool, size: &'static str },
    /// HTTP/2 over TLS, 8 connections with 8 streams each, as fast as it goes.
    Streams { kind: Streams },
    /// Uploads of a megabyte over HTTP/1.1, 16 connections.
    Uploads,
    /// A connection for each request, 16 at once.
    Connections { tls: Handshake },
    /// Connections that have had one request each and then rest.
    Idle { tls: bool, count: usize },
    /// A fixed rate, whatever the peer does.
    OpenLoop,
}

/// What is asked for on HTTP/2 streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    Get,
    Grpc,
}

/// How a new connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    None,
    Full,
    Resumed,
}

impl Load {
    /// Whether clients come over TLS.
    pub(crate) const fn tls(self) -> bool {
        match self {
            Self::Requests { tls, .. } | Self::Idle { tls, .. } => tls,
            Self::Connections { tls } => !matches!(tls, Handshake::None),
            Self::Streams { .. } => true,
            Self::Uploads | Self::OpenLoop => false,
        }
    }
}

const fn row(name: &'static str, what: &'static str, load: Load) -> Row {
    Row { name, what, load, hosts: 1, paths: 1, threads: 1, upstream: Protocol::Http1, short: false }
}

const fn get(tls: bool, size: &'static str) -> Load {
    Load::Requests { tls, size }
}

const SMALL: Load = get(false, "1k");
const H2: Load = Load::Streams { kind: Streams::Get };

/// Every row, in the order of the report.
pub(crate) const ROWS: [Row; 22] = [
    Row { short: true, ..row("h1-1k", "HTTP/1.1, 64 connections, answers of 1 KiB", SMALL) },
    row("h1-64k", "HTTP/1.1, 64 connections, answers of 64 KiB", get(false, "64k")),
    row("h1-1m", "HTTP/1.1, 64 connections, answers of 1 MiB", get(false, "1m")),
    Row { short: true, ..row("tls-1k", "HTTP/1.1 over TLS 1.3, answers of 1 KiB", get(true, "1k")) },
    row("tls-64k", "HTTP/1.1 over TLS 1.3, answers of 64 KiB", get(true, "64k")),
    row("tls-1m", "HTTP/1.1 over TLS 1.3, answers of 1 MiB", get(true, "1m")),
    Row { short: true, ..row("h2-h1", "HTTP/2 over TLS, upstream HTTP/1.1, answers of 1 KiB", H2) },
    Row {
        upstream: Protocol::Http2,
        ..row("h2-h2", "HTTP/2 over TLS, upstream HTTP/2, answers of 1 KiB", H2)
    },
    Row {
        upstream: Protocol::Http2,
        ..row("grpc", "gRPC unary, messages of 64 bytes", Load::Streams { kind: Streams::Grpc })
    },
    row("upload-1m", "HTTP/1.1, 16 connections, uploads of 1 MiB", Load::Uploads),
    row("new", "a new TCP connection for each request", Load::Connections { tls: Handshake::None }),
    Row {
        short: true,
        ..row(
            "new-tls",
            "a new TLS 1.3 connection for each request",
            Load::Connections { tls: Handshake::Full },
        )
    },
    row("new-tls-resumed", "the same, resumed", Load::Connections { tls: Handshake::Resumed }),
    row("idle", "10,000 idle keep-alive connections", Load::Idle { tls: false, count: 10_000 }),
    row("idle-tls", "10,000 idle keep-alive connections over TLS", Load::Idle { tls: true, count: 10_000 }),
    Row { short: true, ..row("latency", "HTTP/1.1, 1 KiB, fixed rate, 64 connections", Load::OpenLoop) },
    Row { hosts: 1_000, ..row("hosts-1000", "the first row with 1,000 hosts", SMALL) },
    Row { hosts: 50_000, ..row("hosts-50000", "the first row with 50,000 hosts", SMALL) },
    Row { paths: 10_000, ..row("paths-10000", "the first row with 10,000 paths of a host", SMALL) },
    Row { threads: 2, ..row("threads-2", "the first row with 2 shards or workers", SMALL) },
    Row { threads: 4, ..row("threads-4", "the first row with 4 shards or workers", SMALL) },
    Row { threads: 4, ..row("tls-threads-4", "TLS, 1 KiB, with 4 shards or workers", get(true, "1k")) },
];

/// The host that requests of a row ask for.
pub(crate) fn host(row: &Row) -> String {
    host_number(row, row.hosts / 2)
}

/// The name of a row's host.
pub(crate) fn host_number(row: &Row, number: usize) -> String {
    match row.hosts {
        1 => crate::certificate::HOST.to_owned(),
        _ => format!("shop-{number}.{}", crate::certificate::HOST),
    }
}

/// The path prefix of a host; requests end in what the upstream is to answer.
pub(crate) fn path_number(row: &Row, number: usize) -> String {
    match row.paths {
        1 => "/".to_owned(),
        _ => format!("/service-{number}/"),
    }
}

/// The path that requests of a row ask for.
pub(crate) fn path(row: &Row, size: &str) -> String {
    format!("{}{size}", path_number(row, row.paths / 2))
}

/// All of them, for `list`.
pub(crate) fn list() -> String {
    let mut text = "Rows (* in the short run):".to_owned();
    for row in &ROWS {
        let _ = write!(text, "\n  {:<16} {} {}", row.name, if row.short { "*" } else { " " }, row.what);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_asks_for_a_host_and_a_path_that_are_configured() {
        for row in &ROWS {
            assert!((0..row.hosts).any(|number| host_number(row, number) == host(row)), "{}", row.name);
            assert!((0..row.paths).any(|number| path(row, "1k").starts_with(&path_number(row, number))));
        }
    }

    #[test]
    fn names_are_unique() {
        for (place, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..place].iter().all(|other| other.name != row.name), "{}", row.name);
        }
    }
}
