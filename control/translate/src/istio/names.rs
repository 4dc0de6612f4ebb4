//! Names: of hosts, of gateways, and who sees what.

use std::net::{IpAddr, Ipv6Addr};

/// How an object is seen from a namespace, in the order in which such objects count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// It is there for its own namespace, which is the one that looks.
    Private,
    /// It names the namespace that looks.
    Exported,
    /// Everybody sees it.
    Public,
}

/// How an object of the namespace `own` is seen from the namespace `by`; `None` where it is not (`exportTo`, and `default`
/// for objects that say nothing).
pub(super) fn seen_by(export_to: &[String], default: &[String], own: &str, by: &str) -> Option<Seen> {
    seen(if export_to.is_empty() { default } else { export_to }, own, by)
}

/// The same without a default: who says nothing is seen by everybody.
pub(super) fn seen<S: AsRef<str>>(export_to: &[S], own: &str, by: &str) -> Option<Seen> {
    let names = |wanted: &str| export_to.iter().any(|name| name.as_ref() == wanted);
    if export_to.is_empty() || names("*") {
        return Some(Seen::Public);
    }
    if own == by {
        return (names(".") || names(own)).then_some(Seen::Private);
    }
    names(by).then_some(Seen::Exported)
}

/// The whole name of a host, in lower case, as an object of `namespace` writes it: a name without a dot is that of a
/// service of the object's namespace.
pub(super) fn whole(host: &str, namespace: &str, domain: &str) -> String {
    let short = !host.is_empty() && !host.contains(['.', '*', ':']);
    if short { service(&host.to_ascii_lowercase(), namespace, domain) } else { plain(host) }
}

/// A whole name as it is compared: in lower case, without the dot at its end. An address is spelled in one way, without
/// brackets.
pub(super) fn plain(host: &str) -> String {
    if let Some(address) = address(host) {
        return address.to_string();
    }
    let host = host.to_ascii_lowercase();
    host.strip_suffix('.').unwrap_or(&host).to_owned()
}

/// The address that a host is; one of IPv6 may stand in brackets.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// The whole name of a service.
pub(super) fn service(name: &str, namespace: &str, domain: &str) -> String {
    format!("{name}.{namespace}.svc.{domain}")
}

/// Namespace and name of the service that a whole name stands for.
pub(super) fn split_service<'h>(host: &'h str, domain: &str) -> Option<(&'h str, &'h str)> {
    let (name, namespace) = host.strip_suffix(domain)?.strip_suffix(".svc.")?.split_once('.')?;
    (!namespace.contains('.')).then_some((namespace, name))
}

/// Whether a name, or everything that a wildcard stands for, is what a pattern stands for. A wildcard does not stand for
/// the name below which it is: `*.x.com` does not cover `x.com`.
pub(super) fn covers(pattern: &str, name: &str) -> bool {
    let Some(suffix) = pattern.strip_prefix('*') else { return pattern == name };
    match name.strip_prefix('*') {
        Some(below) => below.ends_with(suffix),
        None => name.len() > suffix.len() && name.ends_with(suffix),
    }
}

/// What two patterns both stand for: the narrower one.
pub(super) fn narrower<'h>(one: &'h str, other: &'h str) -> Option<&'h str> {
    if covers(one, other) { Some(other) } else { covers(other, one).then_some(one) }
}

/// Namespace and name of a Gateway as a VirtualService of `own` refers to it: `namespace/name`, `./name`, `name`, and
/// `name.namespace.svc...` of older days. `None` for `mesh`.
pub fn gateway<'r>(reference: &'r str, own: &'r str) -> Option<(&'r str, &'r str)> {
    if reference == "mesh" {
        return None;
    }
    Some(match (reference.split_once('/'), reference.split_once('.')) {
        (Some((".", name)), _) => (own, name),
        (Some((namespace, name)), _) => (namespace, name),
        (None, Some((name, rest))) => (rest.split('.').next().unwrap_or(rest), name),
        (None, None) => (own, reference),
    })
}

/// What is wrong with a name that users choose for a rule, a match or a port, and that ends in names of routes and tables.
pub(super) fn wrong_label(name: &str) -> Option<&'static str> {
    if name.len() > 253 {
        Some("a name has at most 253 bytes")
    } else {
        name.chars().any(char::is_control).then_some("a name has no control characters")
    }
}

/// Whether a text is the name of a subset: a label (RFC 1123).
pub(super) fn is_subset(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether a text is a host as VirtualServices and Gateways have it: a name, `*`, or a wildcard for the beginning of a name.
pub(super) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text == "*" || address(text).is_some() {
        return true;
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let first_ok = match first.strip_prefix('*') {
        Some("") => rest.is_some(),
        Some(end) => end.strip_prefix('-').is_some_and(label),
        None => label(first),
    };
    text.len() <= 253 && first_ok && rest.is_none_or(|rest| rest.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_without_a_dot_is_one_of_the_namespace() {
        for (written, name) in [
            ("Reviews", "reviews.shop.svc.cluster.local"),
            ("reviews.prod", "reviews.prod"),
            ("reviews.prod.svc.cluster.local.", "reviews.prod.svc.cluster.local"),
            ("*", "*"),
            ("::1", "::1"),
            ("[2001:DB8:0::1]", "2001:db8::1"),
        ] {
            assert_eq!(whole(written, "shop", "cluster.local"), name);
        }
        let split = |host| split_service(host, "cluster.local");
        assert_eq!(split("reviews.prod.svc.cluster.local"), Some(("prod", "reviews")));
        for none in
            ["reviews.prod", "a.b.c.svc.cluster.local", "reviews.prod.svc.example.com", "svc.cluster.local"]
        {
            assert_eq!(split(none), None, "{none}");
        }
    }

    #[test]
    fn of_two_hosts_the_narrower_one_counts() {
        for (one, other, both) in [
            ("*", "a.x.com", Some("a.x.com")),
            ("a.x.com", "*.x.com", Some("a.x.com")),
            ("*.x.com", "*.a.x.com", Some("*.a.x.com")),
            ("*.x.com", "*-a.x.com", Some("*-a.x.com")),
            ("*.x.com", "x.com", None),
            ("*.x.com", "*.y.com", None),
            ("a.x.com", "b.x.com", None),
        ] {
            assert_eq!(narrower(one, other), both);
            assert_eq!(narrower(other, one), both);
        }
    }

    #[test]
    fn a_gateway_has_a_name_of_its_own_or_of_another_namespace() {
        for (reference, found) in [
            ("web", Some(("shop", "web"))),
            ("./web", Some(("shop", "web"))),
            ("infra/web", Some(("infra", "web"))),
            ("web.infra", Some(("infra", "web"))),
            ("web.infra.svc.cluster.local", Some(("infra", "web"))),
            ("mesh", None),
        ] {
            assert_eq!(gateway(reference, "shop"), found);
        }
    }

    #[test]
    fn export_says_who_sees_an_object() {
        assert_eq!(seen::<&str>(&[], "a", "b"), Some(Seen::Public));
        assert_eq!(seen(&["*"], "a", "b"), Some(Seen::Public));
        assert_eq!(seen(&["."], "a", "a"), Some(Seen::Private));
        assert_eq!(seen(&["."], "a", "b"), None);
        assert_eq!(seen(&[".", "b"], "a", "b"), Some(Seen::Exported));
        assert_eq!(seen(&["a"], "a", "a"), Some(Seen::Private));
        assert_eq!(seen(&["b"], "a", "a"), None);
    }

    #[test]
    fn a_wildcard_stands_at_the_beginning() {
        for good in ["*", "*.x.com", "*-a.x.com", "a.x.com", "a", "10.0.0.1", "::1", "[::1]", "X.com."] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "",
            "*x.com",
            "a.*.com",
            "*.",
            "a..b",
            "-a.com",
            "*a",
            "a b",
            "a/b",
            "x.com:80",
            "[10.0.0.1]",
            "[::1]:80",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
