//! The three echo servers behind the quickstart's gateway.

use super::Place;
use crate::{
    echo::{EchoServer, Identity, Observer, runtime},
    failure::Failure,
    output,
};
use sluice_model::{Config, value::EndpointAddress};
use std::{fs, net::SocketAddr, sync::Arc, thread};
use tokio::sync::oneshot;

/// The three echo servers, on a thread of their own; they end when this value is dropped.
#[derive(Debug)]
pub(super) struct Servers {
    running: Vec<(Role, SocketAddr)>,
    _stop: oneshot::Sender<()>,
}

/// What a server stands for: the cluster that its service becomes, and how it introduces itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    cluster: &'static str,
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// Its answers reach nobody, so it says what it saw.
    speaks: bool,
}

const ROLES: [Role; 3] = [
    Role { cluster: "shop/shop-v1:80", name: "shop", version: "v1", speaks: false },
    Role { cluster: "shop/shop-v2:80", name: "shop", version: "v2", speaks: false },
    Role { cluster: "outbound|80||audit.shop.svc.cluster.local", name: "audit", version: "v1", speaks: true },
];

impl Servers {
    /// Starts them where the configuration's clusters expect them. In a copy, a taken port is replaced by a free one,
    /// in the file as well.
    pub(super) fn start(config: &Config, place: &Place) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let servers = ROLES
            .iter()
            .map(|role| {
                runtime
                    .block_on(bind(*role, wanted(config, role.cluster)?, place))
                    .map(|server| (*role, server))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let running = servers.iter().map(|(role, server)| (*role, server.address())).collect();

        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            for (_, server) in servers {
                runtime.spawn(server.serve());
            }
            // Ends with an error when the sender is dropped, which is the signal.
            let _ = runtime.block_on(stopped);
        };
        thread::Builder::new()
            .name("echo".to_owned())
            .spawn(serve)
            .map_err(|error| Failure::system(format!("cannot start a thread: {error}")))?;
        Ok(Self { running, _stop: stop })
    }

    /// Who listens where.
    pub(super) fn running(&self) -> &[(Role, SocketAddr)] {
        &self.running
    }
}

/// Where the configuration expects a server.
fn wanted(config: &Config, cluster: &str) -> Result<SocketAddr, Failure> {
    let address =
        config.cluster(cluster).and_then(|cluster| cluster.endpoints.first()).map(|first| &first.address);
    match address {
        Some(EndpointAddress::Socket(address)) if address.ip().is_loopback() => Ok(*address),
        _ => Err(Failure::configuration(format!(
            "the quickstart serves `{cluster}` itself: its service needs one endpoint with a loopback address"
        ))),
    }
}

async fn bind(role: Role, address: SocketAddr, place: &Place) -> Result<EchoServer, Failure> {
    let identity = || Identity { name: role.name.to_owned(), version: role.version.to_owned() };
    let observer = || role.speaks.then(|| -> Observer { Arc::new(output::note) });
    match EchoServer::bind(address, identity(), observer()).await {
        Err(_) if place.is_copy() => {
            let server = EchoServer::bind(SocketAddr::new(address.ip(), 0), identity(), observer()).await?;
            move_endpoint(place, address, server.address())?;
            Ok(server)
        }
        Err(failure) => {
            Err(failure.with_advice("; `sluice quickstart --copy` takes free ports for its servers"))
        }
        bound => bound,
    }
}

fn move_endpoint(place: &Place, from: SocketAddr, to: SocketAddr) -> Result<(), Failure> {
    let edit = || {
        let text = fs::read_to_string(place.servers())?;
        let port = |address: SocketAddr| format!("port: {} ", address.port());
        fs::write(place.servers(), text.replace(&port(from), &port(to)))
    };
    edit().map_err(|error: std::io::Error| {
        Failure::system(format!("cannot edit {}: {error}", place.servers().display()))
    })
}
