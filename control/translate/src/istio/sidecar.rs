//! Sidecars: which services a pod asks for, and what becomes of requests for others.

use super::{gateway, names, notes::Notes, port::within};
use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::{
    Need, ObjectName, Verdict,
    istio::{IstioEgressListener, OutboundTrafficMode, Sidecar, rows},
};
use std::collections::HashSet;

/// What the Sidecar of a pod says, or what holds where there is none: everything is asked for.
#[derive(Debug)]
pub(super) struct Scope {
    listeners: Vec<Egress>,
    /// What becomes of requests for hosts that are not known.
    pub(super) unknown: OutboundTrafficMode,
    /// The one that says so.
    pub(super) sidecar: Option<ObjectName>,
}

/// What is asked for at a port, or at all ports that have no entry of their own.
#[derive(Debug)]
struct Egress {
    port: Option<u16>,
    /// Nothing but HTTP has listeners.
    opaque: bool,
    hosts: Vec<Import>,
}

/// Services that are asked for, or are not.
#[derive(Debug)]
struct Import {
    excluded: bool,
    /// Of which namespace; `None` for all.
    namespace: Option<String>,
    host: String,
}

impl Scope {
    /// That of the pod.
    pub(super) fn of(view: &View<'_>, settings: &Settings, reports: &mut Vec<Report>) -> Self {
        let unknown = settings.mesh.outbound.unwrap_or(OutboundTrafficMode::AllowAny);
        let Some(sidecar) = holding(view, settings, reports) else {
            return Self { listeners: vec![Egress::everything()], unknown, sidecar: None };
        };
        let content = &sidecar.object().content;
        let mut listeners: Vec<Egress> =
            content.egress.iter().map(|listener| Egress::of(listener, settings)).collect();
        if listeners.is_empty() {
            listeners.push(Egress::everything());
        }
        let unknown = content.outbound_traffic_policy.as_ref().map_or(unknown, |policy| policy.mode);
        Self { listeners, unknown, sidecar: Some(sidecar.name()) }
    }

    /// Whether the pod asks for this host of a namespace at a port.
    pub(super) fn imports(&self, port: u16, namespace: &str, host: &str) -> bool {
        self.at(port).is_some_and(|egress| {
            egress.says(|import| import.covers_namespace(namespace) && names::covers(&import.host, host))
        })
    }

    /// Whether rules of a namespace count at a port: where one of the hosts that they are for may be asked for there.
    pub(super) fn imports_rules(&self, port: u16, namespace: &str, hosts: &[String]) -> bool {
        self.at(port).is_some_and(|egress| {
            hosts.iter().any(|host| {
                egress.says(|import| {
                    import.covers_namespace(namespace)
                        && if import.excluded {
                            names::covers(&import.host, host)
                        } else {
                            names::narrower(&import.host, host).is_some()
                        }
                })
            })
        })
    }

    fn at(&self, port: u16) -> Option<&Egress> {
        let own = self.listeners.iter().find(|egress| egress.port == Some(port));
        own.or_else(|| self.listeners.iter().find(|egress| egress.port.is_none()))
            .filter(|egress| !egress.opaque)
    }
}

impl Egress {
    fn everything() -> Self {
        let all = Import { excluded: false, namespace: None, host: "*".to_owned() };
        Self { port: None, opaque: false, hosts: vec![all] }
    }

    fn of(listener: &IstioEgressListener, settings: &Settings) -> Self {
        let imports =
            listener.hosts.iter().filter_map(|written| Import::of(written, &settings.pod_namespace));
        Self {
            port: listener.port.as_ref().map(|port| port.number),
            opaque: is_opaque(listener),
            hosts: imports.collect(),
        }
    }

    fn says(&self, concerns: impl Fn(&Import) -> bool) -> bool {
        let concerned =
            |excluded| self.hosts.iter().any(|import| import.excluded == excluded && concerns(import));
        concerned(false) && !concerned(true)
    }
}

impl Import {
    /// `namespace/host`; `None` where it is nothing (`~/*`). `.` is the pod's namespace, also in what holds for the whole mesh.
    fn of(written: &str, own: &str) -> Option<Self> {
        let (namespace, host) = written.split_once('/')?;
        let (excluded, namespace) = match namespace.strip_prefix('~') {
            Some("") => return None,
            Some(excluded) => (true, excluded),
            None => (false, namespace),
        };
        let namespace = match namespace {
            "*" => None,
            "." => Some(own.to_owned()),
            name => Some(name.to_owned()),
        };
        let host = host.to_ascii_lowercase();
        Some(Self { excluded, namespace, host: host.strip_suffix('.').unwrap_or(&host).to_owned() })
    }

    fn covers_namespace(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|own| own == namespace)
    }
}

/// The Sidecar that holds for the pod: one that selects it, else the one of its namespace, else the one of the root
/// namespace; of several the oldest.
fn holding<'s>(view: &View<'s>, settings: &Settings, reports: &mut Vec<Report>) -> Option<Of<'s, Sidecar>> {
    let sound = |namespace: &str| {
        let mut all = view.within::<Sidecar>(namespace);
        all.retain(|sidecar| is_sound(*sidecar));
        all.sort_by_key(|sidecar| {
            gateway::age(sidecar.age(), sidecar.object().metadata.name.as_deref(), sidecar.namespace())
        });
        all
    };
    let labels = |sidecar: &Of<'s, Sidecar>| sidecar.object().content.workload_selector.as_ref();
    let selects = |sidecar: &Of<'s, Sidecar>| {
        labels(sidecar)
            .is_some_and(|wanted| !wanted.labels.is_empty() && within(&wanted.labels, &settings.labels))
    };
    let for_all = |sidecar: &Of<'s, Sidecar>| labels(sidecar).is_none_or(|wanted| wanted.labels.is_empty());
    let own = sound(&settings.pod_namespace);
    let mut level: Vec<_> = own.iter().copied().filter(selects).collect();
    if level.is_empty() {
        level = own.into_iter().filter(for_all).collect();
    }
    if level.is_empty() && settings.root_namespace != settings.pod_namespace {
        level = sound(&settings.root_namespace).into_iter().filter(for_all).collect();
    }
    let (first, others) = level.split_first()?;
    for other in others {
        let message = format!(
            "{} is older and holds for the same pods, so this one does not; keep one of them, or give this one labels of its own",
            first.name()
        );
        reports.push(
            Report::new(other.held(), Level::Warning, Reason::Conflict, message).at("spec.workloadSelector"),
        );
    }
    Some(*first)
}

/// What is to be said of a Sidecar on its own; it is not used where an error is among it.
pub(super) fn examine(object: Of<'_, Sidecar>, settings: &Settings) -> Vec<Report> {
    let mut notes = Notes::about(object.held());
    let content = &object.object().content;
    check(content, &mut notes);
    for (index, listener) in content.egress.iter().enumerate() {
        if is_opaque(listener) {
            let message = format!("{}; services are not reached at this port", Verdict::NotYet(Need::Layer4));
            notes.odd(Reason::NotInEffect, &format!("spec.egress[{index}].port.protocol"), message);
        }
    }
    for (path, verdict, _) in rows::judge(content) {
        let found = Report::of_verdict(object.held(), verdict, "it is refused", settings.allow_unprotected);
        notes.reports.extend(found.map(|report| report.at(path.to_string())));
    }
    notes.reports
}

fn is_sound(object: Of<'_, Sidecar>) -> bool {
    let mut notes = Notes::about(object.held());
    check(&object.object().content, &mut notes);
    notes.is_sound()
}

fn is_opaque(listener: &IstioEgressListener) -> bool {
    let protocol = listener.port.as_ref().map_or("", |port| &port.protocol).to_ascii_uppercase();
    !matches!(&*protocol, "" | "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" | "HTTP_PROXY")
}

fn check(content: &Sidecar, notes: &mut Notes<'_>) {
    if content.egress.is_empty()
        && content.ingress.is_empty()
        && content.outbound_traffic_policy.is_none()
        && content.inbound_connection_pool.is_none()
    {
        notes.invalid("spec", "says nothing; write `egress`, `ingress` or `outboundTrafficPolicy`");
    }
    let mut ports = HashSet::new();
    for (index, listener) in content.egress.iter().enumerate() {
        let at = format!("spec.egress[{index}]");
        match &listener.port {
            None if index + 1 < content.egress.len() => {
                notes.invalid(&at, "without `port` it is for all other ports, so it has to be the last one");
            }
            None => {}
            Some(port) if port.number == 0 && !listener.bind.starts_with("unix://") => {
                notes.invalid(&format!("{at}.port.number"), "nobody asks for port 0");
            }
            Some(port) if !ports.insert(port.number) => {
                notes.invalid(&format!("{at}.port.number"), format!("{} is listed twice", port.number));
            }
            Some(_) => {}
        }
        if listener.hosts.is_empty() {
            notes.invalid(
                &format!("{at}.hosts"),
                "write a host; `./*` is the own namespace, `~/*` is nothing",
            );
        }
        for (position, host) in listener.hosts.iter().enumerate() {
            if !is_import(host) {
                let message = format!(
                    "`{host}` is not a host: write `namespace/name`, where `*` and `.` are all namespaces and the own one, and the name is a whole name, `*.name` or `*`"
                );
                notes.invalid(&format!("{at}.hosts[{position}]"), message);
            }
        }
    }
}

fn is_import(text: &str) -> bool {
    let Some((namespace, host)) = text.split_once('/') else { return false };
    let namespace = namespace.strip_prefix('~').unwrap_or(namespace);
    let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let names_one = matches!(namespace, "*" | ".") || namespace.bytes().all(label);
    names_one && (text.starts_with('~') || !namespace.is_empty()) && names::is_host(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(listeners: &[(Option<u16>, &[&str])]) -> Scope {
        let egress = |(port, hosts): &(Option<u16>, &[&str])| Egress {
            port: *port,
            opaque: false,
            hosts: hosts.iter().filter_map(|host| Import::of(host, "shop")).collect(),
        };
        Scope {
            listeners: listeners.iter().map(egress).collect(),
            unknown: OutboundTrafficMode::AllowAny,
            sidecar: None,
        }
    }

    #[test]
    fn a_pod_asks_for_the_namespaces_and_names_that_are_listed() {
        let host = |name: &str| format!("{name}.svc.cluster.local");
        for (hosts, namespace, name, asked) in [
            (&["./*"][..], "shop", "web.shop", true),
            (&["./*"], "team", "web.team", false),
            (&["*/*"], "team", "web.team", true),
            (&["~/*"], "shop", "web.shop", false),
            (&["team/web.team.svc.cluster.local"], "team", "web.team", true),
            (&["team/web.team.svc.cluster.local"], "team", "api.team", false),
            (&["*/*.team.svc.cluster.local"], "team", "api.team", true),
            (&["*/*", "~team/*"], "team", "api.team", false),
            (&["~team/api.team.svc.cluster.local", "*/*"], "team", "api.team", false),
            (&["~team/api.team.svc.cluster.local", "*/*"], "team", "web.team", true),
        ] {
            assert_eq!(
                scope(&[(None, hosts)]).imports(80, namespace, &host(name)),
                asked,
                "{hosts:?} {namespace} {name}"
            );
        }
    }

    #[test]
    fn a_port_with_an_entry_of_its_own_is_not_among_the_others() {
        let both = scope(&[(Some(80), &["./*"]), (None, &["team/*"])]);
        assert!(both.imports(80, "shop", "web") && !both.imports(80, "team", "web"));
        assert!(both.imports(81, "team", "web") && !both.imports(81, "shop", "web"));
        assert!(!scope(&[(Some(80), &["./*"])]).imports(81, "shop", "web"), "no entry is for other ports");
    }

    #[test]
    fn hosts_of_an_entry_have_a_namespace_and_a_name() {
        for good in ["./*", "*/*", "~/*", "~team/*", "team/*.x.com", "team/web.team.svc.cluster.local"] {
            assert!(is_import(good), "{good}");
        }
        for bad in ["*", "/*", "web", "a/b/c", "T/*", "./", "~", "./*x.com"] {
            assert!(!is_import(bad), "{bad}");
        }
    }
}
