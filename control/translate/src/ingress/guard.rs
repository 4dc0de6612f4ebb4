//! Settings of a whole host that protect it and cannot be had: in ingress-nginx they hold for the paths of every Ingress that
//! has a part in the host, so all of these are refused, not those of the Ingress alone that asks.

use super::{
    location::{Location, Scene},
    select::Member,
};
use crate::{
    report::{Level, Reason, Report},
    store::Of,
};
use sluice_crds::core::Ingress;

/// A setting that an Ingress has for a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard<'s> {
    owner: Of<'s, Ingress>,
    /// The annotation, without its prefix.
    annotation: &'static str,
    guards: Guards,
}

/// Which locations of a host a setting is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guards {
    /// All.
    All,
    /// Those whose servers are spoken to with TLS.
    TlsToServers,
}

impl Guards {
    fn of(annotation: &str) -> Self {
        if annotation == SERVER_SNIPPET { Self::All } else { Self::TlsToServers }
    }
}

/// Lines of nginx's configuration for all locations of a server.
const SERVER_SNIPPET: &str = "server-snippet";
/// What the others begin with.
const TLS_TO_SERVERS: &str = "proxy-ssl-";

/// Whether an annotation is a setting of hosts that [`Guard`] knows. Those of handshakes refuse them.
pub(super) fn is_of_hosts(annotation: &str) -> bool {
    annotation == SERVER_SNIPPET || annotation.starts_with(TLS_TO_SERVERS)
}

/// Those of a host, of which ingress-nginx takes what the first Ingress says that says anything.
pub(super) fn guards<'s>(scene: &Scene<'_, 's>, members: &[Member]) -> Vec<Guard<'s>> {
    let mains = || members.iter().filter(|member| !member.is_canary());
    let guard = |member: &Member, annotation: &'static str| {
        let owner = scene.view.get::<Ingress>(&member.name.namespace, &member.name.name)?;
        Some(Guard { owner, annotation, guards: Guards::of(annotation) })
    };
    let refused = |member: &Member, wanted: Guards| {
        let mut refused = member.annotations.refused_for_hosts.iter().copied();
        refused.find(|annotation| Guards::of(annotation) == wanted)
    };
    let snippet = mains().find(|member| member.annotations.text(SERVER_SNIPPET).is_some());
    let snippet = snippet.and_then(|member| guard(member, refused(member, Guards::All)?));
    let mut tls = mains().filter_map(|member| Some((member, refused(member, Guards::TlsToServers)?)));
    let tls = tls.next().and_then(|(member, annotation)| guard(member, annotation));
    snippet.into_iter().chain(tls).collect()
}

/// Whether what no location takes is refused too.
pub(super) fn close_everything(guards: &[Guard<'_>]) -> bool {
    guards.iter().any(|guard| guard.guards == Guards::All)
}

/// Refuses the locations that a guard is about, and tells those whose they are.
pub(super) fn close(scene: &mut Scene<'_, '_>, guards: &[Guard<'_>], locations: &mut [Location<'_>]) {
    for location in locations.iter_mut().filter(|location| location.annotations.denied.is_none()) {
        let is_about = |guard: &&Guard<'_>| guard.guards == Guards::All || location.speaks_tls();
        let Some(guard) = guards.iter().find(is_about) else { continue };
        let (owner, host) = (guard.owner.name(), scene.host);
        location.closed_by = Some(owner.clone());
        let message = format!(
            "{owner} has `{}` for host `{host}`, which is a setting of all its paths, and it is not in effect; \
             the paths of this Ingress there answer 503 too until it is removed",
            guard.annotation
        );
        let report = Report::new(location.ingress.held(), Level::Error, Reason::FailsClosed, message);
        scene.output.reports.push(report);
    }
}

impl Location<'_> {
    /// Whether some clients' requests reach its servers over TLS.
    fn speaks_tls(&self) -> bool {
        matches!(self.annotations.text("backend-protocol"), Some("HTTPS" | "GRPCS" | "AUTO_HTTP"))
    }
}

#[cfg(test)]
mod tests {
    use crate::tests;
    use sluice_model::spec::Action;
    use std::fmt::Write;

    /// Ingresses of one host, each with a path of its name; the first is the oldest.
    fn host(ingresses: &[(&str, &[(&str, &str)])]) -> String {
        let mut text = String::new();
        for (name, annotations) in ingresses {
            let _ = write!(
                text,
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  namespace: shop\n  annotations:\n"
            );
            for (key, value) in *annotations {
                let _ = writeln!(text, "    nginx.ingress.kubernetes.io/{key}: '{value}'");
            }
            let _ = write!(
                text,
                "spec:\n  rules:\n  - host: a.example\n    http:\n      paths:\n      - {{ path: /{name}, pathType: Prefix, \
                 backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}\n---\n"
            );
        }
        text + "apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: shop }\nspec: { clusterIP: 10.0.0.1, ports: \
                [{ port: 80 }] }\n"
    }

    /// The routes of the host that forward, and what is said of its Ingress `open`.
    fn served(text: &str, location_only: bool) -> (Vec<String>, Vec<String>) {
        let mut settings = tests::settings();
        settings.ingress.allow_snippet_annotations = true;
        settings.ingress.service_upstream = true;
        settings.ingress.proxy_ssl_location_only = location_only;
        let translation = tests::translate_with(settings, text);
        let routes = translation.config.route_tables[0].virtual_hosts[0].routes.iter();
        let open = routes.filter(|route| matches!(route.action, Action::Forward(_)));
        let said = translation.reports.iter().filter(|report| report.object.name == "open");
        (open.map(|route| route.name.clone()).collect(), said.map(ToString::to_string).collect())
    }

    #[test]
    fn a_server_snippet_that_protects_closes_the_paths_of_every_ingress_of_the_host() {
        let guarded: &[(&str, &str)] = &[("server-snippet", "allow 10.0.0.0/8; deny all;")];
        for order in [[("guarded", guarded), ("open", &[])], [("open", &[]), ("guarded", guarded)]] {
            let (open, said) = served(&host(&order), false);
            assert_eq!(open, [] as [String; 0]);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].contains("Ingress shop/guarded has `server-snippet` for host `a.example`"));
        }
    }

    #[test]
    fn the_server_snippet_of_a_younger_ingress_closes_its_own_paths_alone() {
        let text = host(&[
            ("open", &[("server-snippet", "more_set_headers \"A: b\";")]),
            ("guarded", &[("server-snippet", "deny all;")]),
        ]);
        assert_eq!(served(&text, false).0, ["prefix /open"]);
    }

    #[test]
    fn tls_to_servers_that_is_not_in_effect_closes_all_paths_whose_servers_are_spoken_to_with_tls() {
        let verified: &[(&str, &str)] = &[("proxy-ssl-secret", "ca"), ("proxy-ssl-verify", "on")];
        let https: &[(&str, &str)] = &[("backend-protocol", "HTTPS")];
        let text = host(&[("open", https), ("plain", &[]), ("verified", verified)]);
        let (open, said) = served(&text, false);
        assert_eq!(open, ["prefix /plain"]);
        assert!(said.len() == 1 && said[0].contains("Ingress shop/verified has `proxy-ssl-"), "{said:?}");
        let (open, said) = served(&text, true);
        assert_eq!(open, ["prefix /plain", "prefix /open"]);
        assert_eq!(said, [] as [String; 0]);
    }
}
