//! A client that asks one application again and again, over one TLS connection.

use crate::apps::App;
use sluice_dsl::{Http1, PATIENCE, Request, TlsClient};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::time::Instant;

/// Between two questions. What a change takes to be seen is measured no finer than this.
const PACE: Duration = Duration::from_millis(1);

/// A connection to an application, through the gateway.
#[derive(Debug)]
pub struct Probe {
    connection: Http1,
    request: Request,
}

/// What an origin says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which endpoint answered.
    pub endpoint: IpAddr,
    /// Which route led there; see [`App::step`].
    pub step: usize,
}

impl Probe {
    /// Shakes hands for the application's host, whose certificate must be shown.
    pub async fn connect(address: SocketAddr, app: &App) -> Self {
        let host = app.host();
        let certificate = app.certificate.as_ref().expect("an application with a certificate");
        let client = TlsClient::trusting(certificate, &host, &["http/1.1"]);
        let connection = Http1::connect_tls(address, &client).await;
        Self { connection, request: Request::get("/").host(&host) }
    }

    /// Asks once.
    pub async fn ask(&mut self) -> Seen {
        let reply = self.connection.send(&self.request).await;
        let text = reply.text();
        let parse = || {
            let (endpoint, host) = text.split_once(' ')?;
            let step = host.strip_prefix("step-")?.strip_suffix(".test")?;
            Some(Seen { endpoint: endpoint.parse().ok()?, step: step.parse().ok()? })
        };
        parse().unwrap_or_else(|| panic!("not what an origin says: {} {text}", reply.status))
    }

    /// Asks until the answer is as wanted, and says when that was.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(Seen) -> bool) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        let mut pace = tokio::time::interval(PACE);
        loop {
            pace.tick().await;
            let seen = self.ask().await;
            let now = Instant::now();
            if wanted(seen) {
                return now;
            }
            assert!(now < deadline, "it never came true: {what}; seen last: {seen:?}");
        }
    }
}
