//! The verdict of the table on each annotation of an Ingress: what is said about it, and what is refused because of it.

use super::{annotations::Annotations, canary, guard, snippet};
use crate::{
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::{
    Verdict,
    annotations::{Annotation, Value, ValueKind},
    core::Ingress,
};
use sluice_model::convert::nearest;
use std::net::IpAddr;

const WITHOUT_CANARY: &str = "has no effect without `canary: \"true\"`: this Ingress serves its paths itself";

/// Judges what the annotations of an Ingress say: puts down what has to be refused, and says why.
pub(super) fn judge(
    ingress: Of<'_, Ingress>,
    annotations: &mut Annotations,
    settings: &Settings,
) -> Vec<Report> {
    let mut reports = own(ingress, annotations);
    let mut say = |name: &str, report: Report| {
        reports.push(report.at(format!("metadata.annotations[{}/{name}]", settings.annotations_prefix)));
    };
    if canary::is_canary(annotations) {
        for (row, _) in annotations.iter() {
            if let Some(report) = on_canary(ingress, row) {
                say(row.name, report);
            }
        }
        return reports;
    }
    if !settings.allow_unprotected
        && let Some(key) = settings.ingress.refused.first()
    {
        annotations.denied = Some(key);
    }
    let mut refusals = Vec::new();
    let mut refused_for_hosts = Vec::new();
    for (row, value) in annotations.iter() {
        if row.name.starts_with("canary-") {
            say(row.name, Report::new(ingress.held(), Level::Warning, Reason::NoEffect, WITHOUT_CANARY));
            continue;
        }
        if let Some(message) = forbidden(ingress, row, value, settings) {
            refusals.push(*row);
            let message = format!("{message}; its paths answer 503");
            say(row.name, Report::new(ingress.held(), Level::Error, Reason::NotGranted, message));
            continue;
        }
        if snippet::ROWS.contains(&row.name) {
            let refusal = snippet_refusal(row, value, settings);
            if let Some(snippet::Refusal { message, protects }) = refusal {
                let closed = protects && !settings.allow_unprotected;
                let of_hosts = guard::is_of_hosts(row.name);
                let (level, reason, instead) = match (protects, closed) {
                    (_, true) if of_hosts => (
                        Level::Error,
                        Reason::FailsClosed,
                        "it says who may come, so all paths of its hosts answer 503",
                    ),
                    (_, true) => {
                        (Level::Error, Reason::FailsClosed, "it says who may come, so its paths answer 503")
                    }
                    (true, false) => {
                        (Level::Warning, Reason::NotInEffect, "NOT PROTECTED: it is served all the same")
                    }
                    (false, _) => (Level::Warning, Reason::NotInEffect, "its paths are served without it"),
                };
                if closed {
                    refusals.push(*row);
                    refused_for_hosts.extend(of_hosts.then_some(row.name));
                }
                say(row.name, Report::new(ingress.held(), level, reason, format!("{message}; {instead}")));
            } else if let Value::Text(text) = value {
                for note in snippet::notes(row.name, text, settings) {
                    say(row.name, Report::new(ingress.held(), note.level, note.reason, note.message));
                }
            }
            continue;
        }
        if !asks(row, value, annotations) {
            continue;
        }
        let of_hosts = guard::is_of_hosts(row.name) && !settings.ingress.proxy_ssl_location_only;
        let refused = if of_handshakes(row) {
            "TLS handshakes for its hosts are refused and its paths answer 503"
        } else if of_hosts {
            "its paths answer 503, and so do all paths of its hosts whose servers are spoken to with TLS"
        } else {
            "its paths answer 503"
        };
        if row.verdict.fails_closed() && !settings.allow_unprotected {
            refusals.push(*row);
            refused_for_hosts.extend(of_hosts.then_some(row.name));
        }
        let unprotected = settings.allow_unprotected;
        if let Some(report) = Report::of_verdict(ingress.held(), row.verdict, refused, unprotected) {
            say(row.name, report);
        }
    }
    for row in refusals {
        annotations.denied.get_or_insert(row.name);
        annotations.handshakes_refused |= of_handshakes(row);
    }
    annotations.refused_for_hosts = refused_for_hosts;
    reports
}

fn snippet_refusal(row: &Annotation, value: &Value, settings: &Settings) -> Option<snippet::Refusal> {
    match value {
        Value::Text(text) => snippet::refusal(row.name, text, settings),
        _ => None,
    }
}

/// What protects a host from its handshakes on.
pub(super) fn of_handshakes(row: &Annotation) -> bool {
    row.verdict.fails_closed() && (row.name.starts_with("auth-tls-") || row.name == "ssl-passthrough")
}

/// A canary has a say in who gets it; for all else the annotations of the main Ingress hold.
fn on_canary(ingress: Of<'_, Ingress>, row: &Annotation) -> Option<Report> {
    if canary::HONOURED.contains(&row.name) {
        return match row.verdict {
            Verdict::InEffect => None,
            verdict => Report::of_verdict(ingress.held(), verdict, "", false),
        };
    }
    let message = "has no effect on a canary: the Ingress that it is the canary of decides; write it there";
    Some(Report::new(ingress.held(), Level::Warning, Reason::NoEffect, message))
}

/// Why an annotation must not be there at all.
fn forbidden(
    ingress: Of<'_, Ingress>,
    row: &Annotation,
    value: &Value,
    settings: &Settings,
) -> Option<String> {
    let rules = &settings.ingress;
    let key = format!("{}/{}", settings.annotations_prefix, row.name);
    let text = ingress.object().annotation(&key).unwrap_or_default();
    if let Some(word) = rules.annotation_value_word_blocklist.iter().find(|word| text.contains(word.as_str()))
    {
        return Some(format!("holds `{word}`, which annotation-value-word-blocklist forbids"));
    }
    let allowed = rules.annotations_risk_level;
    if row.risk > allowed && row.value != ValueKind::Snippet {
        return Some(format!(
            "is of risk {:?}, and annotations-risk-level allows {allowed:?} at most",
            row.risk
        ));
    }
    match value {
        Value::Object(Some(namespace), _)
            if namespace != ingress.namespace() && !rules.allow_cross_namespace_resources =>
        {
            Some(format!(
                "names an object of namespace `{namespace}`: copy it to `{}`, or set allow-cross-namespace-resources",
                ingress.namespace()
            ))
        }
        _ => None,
    }
}

/// Whether a value wants anything that does not go without saying.
fn asks(row: &Annotation, value: &Value, all: &Annotations) -> bool {
    if value.is_nothing() {
        return false;
    }
    if !row.verdict.fails_closed() {
        return true;
    }
    if lets_everybody_in(row, value) {
        return false;
    }
    if row.name.starts_with("auth-tls-") && all.text("auth-tls-verify-client") == Some("off") {
        return false;
    }
    row.default.and_then(|default| row.parse(default).ok()).as_ref() != Some(value)
}

/// The solvers of cert-manager say so, to get past a list that the ConfigMap may have.
fn lets_everybody_in(row: &Annotation, value: &Value) -> bool {
    let Value::Addresses(list) = value else { return false };
    let all =
        |family: fn(&IpAddr) -> bool| list.iter().any(|all| all.length() == 0 && family(&all.network()));
    row.name.ends_with("list-source-range")
        && !row.name.starts_with("deny")
        && all(IpAddr::is_ipv4)
        && all(IpAddr::is_ipv6)
}

/// Annotations under our own prefix that are not known, and those of canaries where there is none.
fn own(ingress: Of<'_, Ingress>, annotations: &Annotations) -> Vec<Report> {
    let all = ingress.object().metadata.annotations.iter().flatten();
    let own = all.filter_map(|(key, _)| Some((key, key.strip_prefix(canary::OWN_PREFIX)?)));
    let reports = own.filter_map(|(key, name)| {
        let report = if !canary::OWN.contains(&name) {
            Report::of_unknown(ingress.held(), name, nearest(name, canary::OWN))
        } else if !canary::is_canary(annotations) {
            Report::new(ingress.held(), Level::Warning, Reason::NoEffect, WITHOUT_CANARY)
        } else {
            return None;
        };
        Some(report.at(format!("metadata.annotations[{key}]")))
    });
    reports.collect()
}

#[cfg(test)]
mod tests {
    use crate::tests::translate;
    use std::fmt::Write;

    fn ingress(annotations: &[(&str, &str)]) -> String {
        let mut text =
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\n  annotations:\n"
                .to_owned();
        for (key, value) in annotations {
            let _ = writeln!(text, "    nginx.ingress.kubernetes.io/{key}: \"{value}\"");
        }
        text + "spec: { rules: [{ host: a.example }] }\n"
    }

    #[test]
    fn a_canary_that_serves_is_not_called_refused_and_its_own_annotations_need_one() {
        let said = |annotations: &[(&str, &str)], own: &str| -> Vec<String> {
            let text = ingress(annotations).replace("spec:", &format!("    {own}\nspec:"));
            let reports = translate(&text).reports;
            reports.iter().map(|report| format!("{} {}", report.severity, report.reason)).collect()
        };
        let canary = [("canary", "true"), ("auth-tls-secret", "A B"), ("whitelist-source-range", "nobody")];
        let told = said(&canary, "sluice.dev/canary-sticky: source-ip");
        assert_eq!(told, ["WARNING Unreachable", "WARNING NoEffect", "WARNING NoEffect"]);
        assert_eq!(said(&[("app-root", "/a")], "sluice.dev/canary-sticky: source-ip"), ["WARNING NoEffect"]);
    }

    #[test]
    fn a_secret_for_client_certificates_that_cannot_be_read_refuses_handshakes_too() {
        let refuses = |annotations: &[(&str, &str)]| {
            let listeners = translate(&ingress(annotations)).config.listeners;
            let scopes =
                listeners.iter().filter_map(|listener| listener.tls.as_ref()).flat_map(|tls| &tls.scopes);
            scopes.flat_map(|scope| &scope.server_names).any(|name| name.to_string() == "a.example")
        };
        assert!(refuses(&[("auth-tls-secret", "ca")]));
        assert!(refuses(&[("auth-tls-secret", "CA cert")]));
        assert!(!refuses(&[("auth-secret", "Not A Name")]));
        for (value, off) in [("off", true), (" off ", true), ("OFF", false), ("off\\t", false), ("0", false)]
        {
            let off_said = !refuses(&[("auth-tls-secret", "ca"), ("auth-tls-verify-client", value)]);
            assert_eq!(off_said, off, "{value:?}");
        }
    }

    #[test]
    fn of_two_lists_of_addresses_one_counts_and_the_other_is_told() {
        let said = |allow: &str, white: &str| -> Vec<String> {
            let lists = [("allowlist-source-range", allow), ("whitelist-source-range", white)];
            let reports = translate(&ingress(&lists)).reports;
            reports.iter().map(|report| format!("{} {}", report.reason, report.field)).collect()
        };
        let field =
            |name: &str| format!("metadata.annotations[nginx.ingress.kubernetes.io/{name}-source-range]");
        let both =
            [format!("FailsClosed {}", field("allowlist")), format!("NoEffect {}", field("whitelist"))];
        assert_eq!(said("10.0.0.0/8", "192.0.2.1"), both);
        assert_eq!(said("", "192.0.2.1"), [format!("FailsClosed {}", field("whitelist"))]);
        assert_eq!(said("0.0.0.0/0,::/0", "192.0.2.1"), [format!("NoEffect {}", field("whitelist"))]);
        assert_eq!(said(" ", "192.0.2.1")[0], format!("Invalid {}", field("allowlist")));
    }

    #[test]
    fn a_list_that_lets_everybody_in_protects_nothing() {
        let said = |list: &str| {
            let ingress = format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: solver\n  annotations:\n    \
                 nginx.ingress.kubernetes.io/whitelist-source-range: \"{list}\"\n\
                 spec: {{ rules: [{{ host: a.example }}] }}\n"
            );
            translate(&ingress).reports.iter().any(|report| report.reason.as_str() == "FailsClosed")
        };
        assert!(!said("0.0.0.0/0,::/0"));
        for list in ["0.0.0.0/0", "::/0", "10.0.0.0/8,::/0"] {
            assert!(said(list), "{list}");
        }
    }
}
