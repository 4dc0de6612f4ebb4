//! A minimal pingora-proxy app: `sluice-benches-pingora LISTEN SERVER THREADS`. One server behind it, forwarded fields, no TLS.

use async_trait::async_trait;
use pingora_core::{
    Result,
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};
use pingora_http::RequestHeader;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};
use std::{env, net::SocketAddr, process::ExitCode};

struct App {
    server: SocketAddr,
}

#[async_trait]
impl ProxyHttp for App {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.server, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        (): &mut (),
    ) -> Result<()> {
        let client = session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip());
        if let Some(client) = client {
            request.insert_header("x-forwarded-for", client.to_string())?;
        }
        request.insert_header("x-forwarded-proto", "http")
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments == ["--version"] {
        println!("pingora-proxy {}", "0.9.1");
        return ExitCode::SUCCESS;
    }
    let [listen, server, threads] = &arguments[..] else {
        eprintln!("sluice-benches-pingora LISTEN SERVER THREADS");
        return ExitCode::from(2);
    };
    let (Ok(server), Ok(threads)) = (server.parse(), threads.parse()) else {
        eprintln!("sluice-benches-pingora: SERVER is an address with a port, THREADS a number");
        return ExitCode::from(2);
    };
    // Without work stealing, as it is cheapest; idle connections to the server are kept.
    let settings = ServerConf { threads, work_stealing: false, upstream_keepalive_pool_size: 256, ..ServerConf::default() };
    let mut process = Server::new_with_opt_and_conf(None, settings);
    process.bootstrap();
    let mut service = http_proxy_service(&process.configuration, App { server });
    service.add_tcp(listen);
    process.add_service(service);
    process.run_forever()
}
