//! Names of servers that are not served although they asked for more than a certificate of the gateway's own.
//!
//! Were such a name nobody's, it would fall to a server for wider names, at which clients prove nothing. So handshakes for it
//! are refused instead, unless another server has the very name.

use super::{Taken, Traffic, split_host};
use crate::{
    istio::{names, port},
    output::TableKey,
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Held,
};
use sluice_crds::{
    Known, ObjectName,
    istio::{Gateway, Server, ServerTlsMode, rows},
};
use sluice_model::value::HostPattern;

/// Names at a port whose handshakes are refused.
#[derive(Debug)]
pub(in crate::istio) struct Shut {
    pub(in crate::istio) gateway: ObjectName,
    /// Where they are; nobody has a host there.
    pub(in crate::istio) table: TableKey,
    pub(in crate::istio) names: Vec<HostPattern>,
}

/// A server that is not served.
#[derive(Debug)]
pub(super) struct Broken<'s> {
    pub(super) gateway: &'s Held,
    pub(super) server: &'s Server,
    /// Its place in the Gateway.
    pub(super) index: usize,
}

impl<'s> Broken<'s> {
    /// All servers of a Gateway.
    pub(super) fn all(gateway: &'s Held) -> impl Iterator<Item = Self> {
        let servers = Gateway::of(gateway.object()).into_iter().flat_map(|object| &object.content.servers);
        servers.enumerate().map(move |(index, server)| Self { gateway, server, index })
    }

    /// Whether it asks for more than a certificate of the gateway's own, or may do so.
    fn asks_for_more(&self) -> bool {
        let protocol = self.server.port.as_ref().map_or("", |port| &port.protocol).to_ascii_uppercase();
        let http = matches!(&*protocol, "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB");
        let about_clients =
            [ServerTlsMode::Mutual, ServerTlsMode::OptionalMutual, ServerTlsMode::IstioMutual];
        let of_clients = self.server.tls.as_ref().is_some_and(|tls| about_clients.contains(&tls.mode));
        let tcp = matches!(&*protocol, "TCP" | "MONGO");
        if http || tcp && !of_clients || !matches!(&*protocol, "HTTPS" | "TLS") && self.server.tls.is_none() {
            return false;
        }
        let simple = self.server.tls.as_ref().is_some_and(|tls| tls.mode == ServerTlsMode::Simple);
        let alone = Gateway { servers: vec![self.server.clone()], ..Gateway::default() };
        let judged = rows::judge(&alone);
        let place = format!("spec.servers[{}]", self.index);
        let problems = Gateway::of(self.gateway.object()).into_iter().flat_map(|object| &object.problems);
        let unclear = problems.map(|problem| problem.path.to_string()).any(|path| {
            let field = path.strip_prefix(&place);
            field.is_some_and(|field| field.is_empty() || field.starts_with(".tls"))
        });
        !simple || unclear || judged.iter().any(|(_, verdict, _)| verdict.fails_closed())
    }
}

/// The names of servers that are not served and that no other server has. `taken` is what all others have.
pub(super) fn shut(
    view: &View<'_>,
    settings: &Settings,
    taken: &mut Taken<'_>,
    reports: &mut Vec<Report>,
) -> Vec<Shut> {
    let mut found = Vec::new();
    for broken in std::mem::take(&mut taken.broken) {
        let number = broken.server.port.as_ref().map_or(0, |port| port.number);
        if number == 0 || settings.allow_unprotected || !broken.asks_for_more() {
            continue;
        }
        let number = settings.listener_port(port::of_pod(view, settings, number));
        if taken.ports.get(&number).is_some_and(|(traffic, _)| *traffic == Traffic::Plain) {
            continue;
        }
        let hosts = broken.server.hosts.iter().map(|host| split_host(host).1);
        let names: Vec<HostPattern> = hosts
            .filter(|host| names::is_host(host))
            .filter_map(|host| host.parse().ok())
            .filter(HostPattern::is_server_name)
            .filter(|name| taken.tls_hosts.insert((number, name.to_string())))
            .collect();
        if names.is_empty() {
            continue;
        }
        let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = format!(
            "until that is mended, handshakes for {list} fail: another server would not ask clients for what this one does"
        );
        let at = format!("spec.servers[{}].hosts", broken.index);
        reports.push(Report::new(broken.gateway, Level::Error, Reason::FailsClosed, message).at(at));
        let gateway = broken.gateway.object().name();
        let server = format!("refused {}/{}/#{}", gateway.namespace, gateway.name, broken.index);
        found.push(Shut { gateway, table: TableKey { port: number, server: Some(server.into()) }, names });
    }
    found
}
