//! An HTTP/1.1 client.

use crate::{Reply, Request, TlsClient, Wire};
use std::net::SocketAddr;

/// A connection over which requests go one after the other.
#[derive(Debug)]
pub struct Http1(Wire);

impl Http1 {
    /// Connects in plaintext.
    pub async fn connect(address: SocketAddr) -> Self {
        Self(Wire::connect(address).await)
    }

    /// Connects in plaintext; `None` where the connection is refused.
    pub async fn connect_if_open(address: SocketAddr) -> Option<Self> {
        Wire::connect_if_open(address).await.map(Self)
    }

    /// Connects over TLS.
    pub async fn connect_tls(address: SocketAddr, tls: &TlsClient) -> Self {
        Self(Wire::connect_tls(address, tls).await)
    }

    /// Sends a request and takes its answer.
    pub async fn send(&mut self, request: &Request) -> Reply {
        // A proxy may answer and close before it has read everything: what it says counts.
        let _ = self.0.try_send(request.http1()).await;
        self.0.reply_to(&request.method).await
    }

    /// Sends a GET and takes its answer.
    pub async fn get(&mut self, target: &str) -> Reply {
        self.send(&Request::get(target)).await
    }

    /// The connection itself.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.0
    }

    /// The connection itself, for good: after an upgrade, say.
    pub fn into_wire(self) -> Wire {
        self.0
    }
}
