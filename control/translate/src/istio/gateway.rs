//! Gateways: which of them are ours, and the servers that they have in the end.
//!
//! The Gateways of one gateway are one: from the oldest to the youngest, each server joins those of its port, unless an older
//! one has the port for another kind of traffic, or one of its hosts for TLS.

mod check;
mod shut;

pub(super) use shut::Shut;

use super::{names, port};
use crate::{
    output::TableKey,
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::{Age, Of},
};
use shut::Broken;
use sluice_crds::{
    Known,
    istio::{Gateway, Server, ServerTlsMode, rows},
};
use std::collections::{BTreeMap, BTreeSet};

/// A server that is ours and in order.
#[derive(Debug, Clone)]
pub(super) struct Site<'s> {
    pub(super) gateway: Of<'s, Gateway>,
    /// Its place in the Gateway.
    pub(super) index: usize,
    pub(super) server: &'s Server,
    pub(super) traffic: Traffic,
    /// Where its hosts are.
    pub(super) table: TableKey,
}

/// All servers of this gateway.
#[derive(Debug)]
pub(super) struct Servers<'s> {
    pub(super) sites: Vec<Site<'s>>,
    /// Names that nobody may have.
    pub(super) shut: Vec<Shut>,
}

/// What comes to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Traffic {
    /// HTTP without TLS.
    Plain,
    /// HTTP in TLS that ends here.
    Secure,
    /// TLS that would have to be treated in a way that is not there: every handshake is refused.
    Refused,
    /// Connections of any kind, which have no listener.
    Connections,
}

/// The order in which objects of Istio were made: where that does not say, by name, then by namespace.
pub(super) fn age<'o>(age: Age, name: Option<&'o str>, namespace: &'o str) -> (i128, u64, &'o str, &'o str) {
    let order = if age.created == i128::MAX { age.order } else { 0 };
    (age.created, order, name.unwrap_or_default(), namespace)
}

/// The servers of this gateway, from the oldest Gateway to the youngest.
pub(super) fn servers<'s>(view: &View<'s>, settings: &Settings, reports: &mut Vec<Report>) -> Servers<'s> {
    let mut ours: Vec<Of<'s, Gateway>> =
        view.all::<Gateway>().filter(|gateway| is_ours(&gateway.object().content, settings)).collect();
    ours.sort_by_key(|gateway| {
        age(gateway.age(), gateway.object().metadata.name.as_deref(), gateway.namespace())
    });
    let mut taken = Taken::default();
    let mut sites = Vec::new();
    for gateway in ours {
        let mistakes = check::check(gateway);
        if !mistakes.is_empty() {
            reports.extend(mistakes);
            taken.broken.extend(Broken::all(gateway.held()));
            continue;
        }
        for (path, verdict, _) in rows::judge(&gateway.object().content) {
            let refused = "handshakes for the hosts of the server fail";
            let found = Report::of_verdict(gateway.held(), verdict, refused, settings.allow_unprotected);
            reports.extend(found.map(|report| report.at(path.to_string())));
        }
        for (index, server) in gateway.object().content.servers.iter().enumerate() {
            let redirects = server.tls.as_ref().is_some_and(|tls| tls.https_redirect);
            let site = Site {
                gateway,
                index,
                server,
                traffic: traffic(server),
                table: TableKey { port: 0, server: None },
            };
            if redirects && site.traffic != Traffic::Plain {
                let message =
                    "has no effect, as clients come with TLS already; set it at a server with protocol HTTP";
                let field = "tls.httpsRedirect";
                reports.push(site.report(Level::Info, Reason::NoEffect, field, message.to_owned()));
            }
            match taken.join(view, settings, site, reports) {
                Some(site) => sites.push(site),
                None => taken.broken.push(Broken { gateway: gateway.held(), server, index }),
            }
        }
    }
    // Those that could not even be read.
    let rejected = view.written::<Gateway>().filter(|held| {
        let gateway = Gateway::of(held.object());
        gateway.is_some_and(|gateway| gateway.is_rejected() && is_ours(&gateway.content, settings))
    });
    taken.broken.extend(rejected.flat_map(Broken::all));
    Servers { sites, shut: shut::shut(view, settings, &mut taken, reports) }
}

/// Whether a Gateway selects this gateway.
fn is_ours(gateway: &Gateway, settings: &Settings) -> bool {
    port::within(&gateway.selector, &settings.labels)
}

/// The Gateways that select other gateways, and the way out.
pub(super) fn unselected(view: &View<'_>, settings: &Settings) -> Vec<Report> {
    let list = |labels: &BTreeMap<String, String>| {
        let labels = labels.iter().map(|(key, value)| format!("{key}={value}"));
        labels.collect::<Vec<_>>().join(",")
    };
    let own = match &*list(&settings.labels) {
        "" => "this one has no labels".to_owned(),
        labels => format!("the labels of this one are `{labels}`"),
    };
    let others = view.all::<Gateway>().filter(|gateway| !is_ours(&gateway.object().content, settings));
    let reports = others.map(|gateway| {
        let wanted = list(&gateway.object().content.selector);
        let message = format!(
            "it selects gateways with `{wanted}` and {own}, so nothing of it is served here; start the gateway with `--labels {wanted}`, or change the selector"
        );
        Report::new(gateway.held(), Level::Info, Reason::Unreachable, message).at("spec.selector")
    });
    reports.collect()
}

/// What the servers so far have.
#[derive(Default)]
struct Taken<'s> {
    ports: BTreeMap<u16, (Traffic, String)>,
    tls_hosts: BTreeSet<(u16, String)>,
    /// Servers that are not served.
    broken: Vec<Broken<'s>>,
}

impl<'s> Taken<'s> {
    fn join(
        &mut self,
        view: &View<'s>,
        settings: &Settings,
        mut site: Site<'s>,
        reports: &mut Vec<Report>,
    ) -> Option<Site<'s>> {
        let mut say = |severity, reason, field: &str, message: String| {
            reports.push(site.report(severity, reason, field, message));
        };
        if site.traffic == Traffic::Connections {
            let message = format!(
                "not in effect yet: {} needs TCP and TLS pass-through; the port is not opened",
                site.server.port.as_ref().map_or("this", |port| &port.protocol)
            );
            say(Level::Error, Reason::NotInEffect, "port.protocol", message);
            return None;
        }
        if let Ok(bind) = site.server.bind.parse::<std::net::IpAddr>()
            && !bind.is_unspecified()
            && bind != settings.bind
        {
            let message = format!(
                "this gateway listens at {} for all servers, so the server is not opened; start it with `--bind {bind}`, or leave `bind` out",
                settings.bind
            );
            say(Level::Error, Reason::NotInEffect, "bind", message);
            return None;
        }
        let written = site.server.port.as_ref().map_or(0, |port| port.number);
        let number = settings.listener_port(port::of_pod(view, settings, written));
        let secure = site.traffic != Traffic::Plain;
        match self.ports.get(&number) {
            Some((other, owner)) if (*other != Traffic::Plain) != secure => {
                let message = format!(
                    "{owner} has the port {} TLS already; the older one serves it",
                    if secure { "without" } else { "with" }
                );
                say(Level::Error, Reason::Conflict, "port", message);
                return None;
            }
            _ => {}
        }
        if secure {
            let hosts: Vec<&str> = site.hosts().map(|(_, host)| host).collect();
            if let Some(host) =
                hosts.iter().find(|host| self.tls_hosts.contains(&(number, names::plain(host))))
            {
                let message = format!(
                    "`{host}` belongs to an older server with TLS at this port already, so this server is not served; give it hosts of its own"
                );
                say(Level::Error, Reason::Conflict, "hosts", message);
                return None;
            }
            self.tls_hosts.extend(hosts.into_iter().map(|host| (number, names::plain(host))));
        }
        let owner = site.gateway.name().to_string();
        self.ports.entry(number).or_insert((site.traffic, owner));
        site.table = TableKey { port: number, server: secure.then(|| site.scope_name().into()) };
        Some(site)
    }
}

/// What comes to a server. TLS that is not SIMPLE asks for more than is there.
fn traffic(server: &Server) -> Traffic {
    let protocol = server.port.as_ref().map_or("", |port| &port.protocol).to_ascii_uppercase();
    match (&*protocol, &server.tls) {
        ("HTTPS", Some(tls)) if tls.mode == ServerTlsMode::Simple => Traffic::Secure,
        ("HTTPS" | "TLS", _) => Traffic::Refused,
        ("TCP" | "MONGO", _) => Traffic::Connections,
        _ => Traffic::Plain,
    }
}

/// The namespaces and the name of `[namespace/]name`.
fn split_host(host: &str) -> (&str, &str) {
    host.split_once('/').unwrap_or(("*", host))
}

// === impl Site ===

impl<'s> Site<'s> {
    /// A server of a Gateway that is known to be ours and in order.
    pub(super) fn of(gateway: Of<'s, Gateway>, index: usize, table: TableKey) -> Option<Self> {
        let server = gateway.object().content.servers.get(index)?;
        Some(Self { gateway, index, server, traffic: traffic(server), table })
    }

    /// The hosts, each with the namespaces whose VirtualServices it takes.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (&'s str, &'s str)> + use<'s> {
        self.server.hosts.iter().map(|host| split_host(host))
    }

    /// The hosts that a VirtualService of this namespace can have here.
    pub(super) fn hosts_for(&self, namespace: &'s str) -> impl Iterator<Item = &'s str> + use<'s> {
        let own = self.gateway.namespace();
        self.hosts()
            .filter(move |(of, _)| match *of {
                "*" => true,
                "." => own == namespace,
                of => of == namespace,
            })
            .map(|(_, host)| host)
    }

    /// The port as the Gateway has it.
    pub(super) fn port(&self) -> u16 {
        self.server.port.as_ref().map_or(0, |port| port.number)
    }

    /// Whether it answers with a redirect to HTTPS.
    pub(super) fn redirects(&self) -> bool {
        self.traffic == Traffic::Plain && self.server.tls.as_ref().is_some_and(|tls| tls.https_redirect)
    }

    /// A name of its own at its port.
    fn scope_name(&self) -> String {
        let gateway = self.gateway.name();
        let (namespace, name) = (&gateway.namespace, &gateway.name);
        match self.server.port.as_ref().map(|port| port.name.as_str()) {
            Some(port) if !port.is_empty() => format!("{namespace}/{name}/{port}"),
            _ => format!("{namespace}/{name}/#{}", self.index),
        }
    }

    /// Something about a field of the server.
    pub(super) fn report(&self, severity: Level, reason: Reason, field: &str, message: String) -> Report {
        Report::new(self.gateway.held(), severity, reason, message)
            .at(format!("spec.servers[{}].{field}", self.index))
    }
}
