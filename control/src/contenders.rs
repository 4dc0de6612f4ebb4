//! Objects that want the host of a request, and did not get all of it: what `explain` says besides the routes.

use sluice_crds::{Known, core::Ingress, istio::VirtualService};
use sluice_translate::{Held, Level, Reason, Report};
use std::{collections::BTreeSet, fmt::Write};

/// As many are shown.
const MOST: usize = 10;

/// Lines about the objects that name a host and of which something is not served, or never reached; empty where there are
/// none. `authority` is the host of a request, with or without a port.
pub(crate) fn text<'a>(
    objects: impl Iterator<Item = &'a Held>,
    reports: &[Report],
    authority: &str,
) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let concerned: BTreeSet<_> =
        objects.filter(|held| wants(held, &host)).map(|held| held.object().name()).collect();
    let lost = |report: &&Report| {
        let matters = match report.reason {
            Reason::Conflict | Reason::Unreachable | Reason::FailsClosed | Reason::NotFound => true,
            _ => report.severity == Level::Error,
        };
        // A report about a host names it in this way; one that names another is not about this one.
        let elsewhere =
            report.message.contains("host `") && !report.message.contains(&format!("host `{host}`"));
        matters && (!elsewhere || host_is_pattern(&report.message)) && concerned.contains(&report.object)
    };
    let mut lost: Vec<&Report> = reports.iter().filter(lost).collect();
    lost.sort();
    lost.dedup();
    if lost.is_empty() {
        return String::new();
    }
    let mut text = "\nobjects of this host that are not served as written\n".to_owned();
    for report in lost.iter().take(MOST) {
        let _ = writeln!(text, "  {}", report.without_severity());
    }
    if lost.len() > MOST {
        let _ = writeln!(text, "  and {} more; `sluice check` and /status have them all", lost.len() - MOST);
    }
    text
}

/// Whether the host that a report names stands for several.
fn host_is_pattern(message: &str) -> bool {
    message.contains("host `*")
}

/// Whether an object names a host, or a pattern for it.
fn wants(held: &Held, host: &str) -> bool {
    if let Some(ingress) = Ingress::of(held.object()) {
        let content = &ingress.content;
        let any = content.rules.is_empty() && content.default_backend.is_some();
        return any
            || content.rules.iter().any(|rule| rule.host.is_empty() || covers(&rule.host, host, true));
    }
    VirtualService::of(held.object())
        .is_some_and(|service| service.content.hosts.iter().any(|name| covers(name, host, false)))
}

/// `*.x` of an Ingress is one label before `x`, that of a VirtualService any number.
fn covers(pattern: &str, host: &str, one_label: bool) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix('*') {
        None => pattern == host,
        Some(suffix) => host
            .strip_suffix(suffix)
            .is_some_and(|label| !label.is_empty() && (!one_label || !label.contains('.'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_its_kind_says() {
        assert!(covers("Shop.Example", "shop.example", true));
        assert!(covers("*.example", "shop.example", true));
        assert!(!covers("*.example", "a.shop.example", true));
        assert!(covers("*.example", "a.shop.example", false));
        assert!(!covers("*.example", "example", false));
        assert!(covers("*", "example", false));
    }
}
