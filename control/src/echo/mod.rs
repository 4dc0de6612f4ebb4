//! `sluice echo`: a small server that answers with what it saw.

mod answer;
mod seen;
mod server;
mod wish;

pub(crate) use server::{EchoServer, Identity, Observer, runtime};

use crate::{failure::Failure, output};
use clap::Args;
use std::{net::SocketAddr, process::ExitCode, sync::Arc};

/// Run a small server that answers with what it saw, for trying things out.
///
/// It speaks HTTP/1.1 and HTTP/2 without TLS (prior knowledge) on one port. The answer says who answered and what
/// arrived: request line, header fields, size of the body. Everything it does is bounded in bytes and time.
#[derive(Debug, Args)]
#[command(after_help = "\
What a request may ask for in its query (or in `x-echo-...` header fields):
  status=503      answer with this status, 200 to 599
  delay=100ms     wait before answering, at most 60s
  size=1MiB       answer with this many bytes, at most 1GiB
  format=json     answer as JSON; so does `accept: application/json`

Examples:
  sluice echo --name shop --version v2 --listen 127.0.0.1:8082
  curl '127.0.0.1:8082/cart?status=503&delay=100ms'
  curl -H 'accept: application/json' 127.0.0.1:8082/cart")]
pub(crate) struct Echo {
    /// Where it listens; port 0 takes a free one and says which.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Its name, first word of every answer.
    #[arg(long, default_value = "echo")]
    name: String,
    /// Its version, second word of every answer.
    #[arg(long, default_value = "v1")]
    version: String,
    /// Say each request on standard error.
    #[arg(long)]
    log: bool,
}

impl Echo {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let identity = Identity { name: self.name, version: self.version };
        let observer: Option<Observer> = self.log.then(|| -> Observer { Arc::new(output::note) });
        let runtime = runtime()?;
        runtime.block_on(async {
            let server = EchoServer::bind(self.listen, identity, observer).await?;
            let who = server.identity();
            output::note(&format!("{} {} on {}", who.name, who.version, server.address()));
            tokio::select! {
                () = server.serve() => {}
                stopped = server::stop_signal() => stopped?,
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
