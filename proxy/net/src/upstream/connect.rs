//! New connections to endpoints.

use super::Identity;
use crate::{Event, io::Stream, shard::Shard};
use sluice_core::exchange::ConnectFailure;
use sluice_model::spec::ClusterProtocol;
use sluice_tls::Protocol;
use std::{io, rc::Rc};
use tokio::net::TcpStream;

/// A connection that stands, TLS included.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
}

/// Connects. Never ends by itself when the peer stalls: the exchange's deadline bounds the time.
pub(crate) async fn connect(shard: Rc<Shard>, identity: Rc<Identity>) -> Result<Connected, ConnectFailure> {
    let failed = |reason, failure| {
        shard.observer.count(Event::ConnectFailed { cluster: &identity.cluster, reason });
        failure
    };
    let tcp = TcpStream::connect(identity.address)
        .await
        .map_err(|error| failed(reason(&error), ConnectFailure::Refused))?;
    // Without it a request in two writes would wait for the peer's delayed acknowledgement.
    let _: io::Result<()> = tcp.set_nodelay(true);
    let connected = match &identity.tls {
        None => Connected {
            stream: Stream::Plain(tcp),
            protocol: match identity.protocol {
                ClusterProtocol::Http2 => Protocol::Http2,
                ClusterProtocol::Http1 | ClusterProtocol::Auto => Protocol::Http1,
            },
        },
        Some(tls) => {
            let (stream, session) = tls
                .client
                .connect(&tls.name, tcp)
                .await
                .map_err(|error| failed(error.failure.as_str(), ConnectFailure::Tls))?;
            let protocol = session.protocol.unwrap_or(Protocol::Http1);
            Connected { stream: Stream::tls(stream), protocol }
        }
    };
    shard.observer.count(Event::UpstreamOpened { cluster: &identity.cluster });
    Ok(connected)
}

/// Fit for a label.
fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused",
        io::ErrorKind::TimedOut => "timed out",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable",
        io::ErrorKind::AddrNotAvailable => "no local port",
        _ => "other",
    }
}
