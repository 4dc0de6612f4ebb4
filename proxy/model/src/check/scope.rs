//! TLS scopes of a listener.

use super::{
    At, Context,
    listener::certificates,
    names::{self, Kind},
};
use crate::{
    convert::brief,
    spec::{ListenerTls, TlsScope},
    value::HostPattern,
};
use std::collections::{HashMap, hash_map::Entry};

pub(super) fn check<'a>(cx: &mut Context<'a>, tls: &'a ListenerTls, at: At<'_>) {
    if tls.certificates.is_empty() && tls.require_known_name {
        let message = "has no effect: without `certificates`, names of no scope are refused anyway";
        cx.warning(at.key("require_known_name"), message);
    }
    let all = at.key("scopes");
    names::unique(cx, all, "scope", tls.scopes.iter().map(|scope| &*scope.name));
    let mut owners = HashMap::new();
    for (index, scope) in tls.scopes.iter().enumerate() {
        let at = all.index(index);
        if scope.certificates.is_empty() {
            cx.warning(at, "the scope has no certificate, so every handshake for it is refused");
        } else {
            certificates(cx, &scope.certificates, at.key("certificates"));
        }
        if let Some(table) = &scope.route_table {
            names::refer(cx, at.key("route_table"), Kind::RouteTable, table);
        }
        server_names(cx, scope, &mut owners, at.key("server_names"));
    }
    if let Some(scope) = owners.get(&HostPattern::Any)
        && !tls.certificates.is_empty()
    {
        let message = format!("have no effect: scope `{}` takes every name that no other has", brief(scope));
        cx.warning(at.key("certificates"), message);
    }
}

/// Every pattern is one that a client can name, and belongs to one scope.
fn server_names<'a>(
    cx: &mut Context<'_>,
    scope: &'a TlsScope,
    owners: &mut HashMap<&'a HostPattern, &'a str>,
    at: At<'_>,
) {
    if scope.server_names.is_empty() {
        cx.error(at, "a scope needs a server name")
            .suggest("write `[\"*\"]` for all that no other scope has");
    }
    for (index, pattern) in scope.server_names.iter().enumerate() {
        let at = at.index(index);
        let shown = pattern.to_string();
        let shown = brief(&shown);
        if let HostPattern::Exact(_) = pattern
            && !pattern.is_server_name()
        {
            let message = format!("clients send no address as a server name, so `{shown}` is never picked");
            cx.error(at, message).suggest("leave addresses to the default scope, or to a scope for `*`");
            continue;
        }
        if !pattern.is_server_name() {
            cx.error(at, format!("`{shown}` cannot tell TLS scopes apart"))
                .suggest("write a name, `*.suffix`, `?.suffix` or `*`");
            continue;
        }
        match owners.entry(pattern) {
            Entry::Vacant(free) => {
                free.insert(&scope.name);
            }
            Entry::Occupied(taken) if *taken.get() == scope.name => {
                cx.warning(at, format!("`{shown}` is listed twice"));
            }
            Entry::Occupied(taken) => {
                let owner = brief(taken.get());
                let scope = brief(&scope.name);
                cx.error(at, format!("`{shown}` belongs to scope `{owner}` already, not to `{scope}`"));
            }
        }
    }
}
