//! Listeners.

use super::{
    At, Context,
    before::Before,
    names::{self, Kind},
    original_destination, scope, text,
};
use crate::{
    convert::brief,
    spec::{self, Listener, ListenerLimits, Protocol},
};
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
};

pub(super) fn check<'a>(cx: &mut Context<'a>, config: &'a spec::Config, root: At<'_>) {
    let all = root.key("listeners");
    names::unique(cx, all, "listener", config.listeners.iter().map(|listener| &*listener.name));
    if config.listeners.is_empty() && cx.sound.whole {
        cx.warning(root, "there is no listener, so nothing is served");
    }
    addresses(cx, config, all);
    original_destination::ports(cx, config, all);
    for (index, listener) in config.listeners.iter().enumerate() {
        let known = |before: &Before<'_>| before.names_hold && before.kept.listeners[index].is_some();
        if !cx.before.as_ref().is_some_and(known) {
            one(cx, listener, all.index(index));
        }
    }
}

fn one<'a>(cx: &mut Context<'a>, listener: &'a Listener, at: At<'_>) {
    names::refer(cx, at.key("route_table"), Kind::RouteTable, &listener.route_table);
    protocols(cx, listener, at);
    tls(cx, listener, at);
    original_destination::check(cx, listener, at);
    if let Some(server) = &listener.headers.server {
        let at = at.key("headers");
        text::header_value(cx, at.key("server"), server);
        if server.is_empty() {
            cx.warning(at.key("server"), "an empty `server` field")
                .suggest("leave the key out to keep the upstream's");
        }
    }
    limits(cx, listener, at.key("limits"));
    if listener.public_port == Some(0) {
        cx.error(at.key("public_port"), "nobody listens on port 0");
    }
    if !listener.forwarded.append && listener.forwarded.fields.is_nginx() {
        let at = at.key("forwarded");
        cx.warning(at.key("append"), "has no effect beside the fields of ingress-nginx");
    }
    for (index, trusted) in listener.forwarded.trusted.iter().enumerate() {
        // Who adds nothing vouches for nothing.
        if trusted.length() == 0 && listener.forwarded.append {
            let at = at.key("forwarded");
            let message = "everybody is trusted, so any client can claim any address";
            cx.warning(at.key("trusted").index(index), message)
                .suggest("list the proxies in front of Sluice");
        }
    }
}

fn protocols(cx: &mut Context<'_>, listener: &Listener, at: At<'_>) {
    let list = at.key("protocols");
    if listener.protocols.is_empty() {
        cx.error(list, "no protocol is spoken").suggest("write `[http1, http2]`, or leave the key out");
    }
    let mut seen = HashSet::new();
    for (index, protocol) in listener.protocols.iter().enumerate() {
        if !seen.insert(protocol) {
            cx.warning(list.index(index), "the protocol is listed twice");
        }
    }
    if listener.require_http11
        && !listener.protocols.is_empty()
        && !listener.protocols.contains(&Protocol::Http1)
    {
        cx.warning(at.key("require_http11"), "has no effect: HTTP/1 is not among the protocols");
    }
}

fn tls<'a>(cx: &mut Context<'a>, listener: &'a Listener, at: At<'_>) {
    let Some(tls) = &listener.tls else {
        if listener.address.port() == 443 {
            cx.warning(at.key("address"), "port 443 is for TLS, but the listener has no `tls`");
        }
        return;
    };
    let at = at.key("tls");
    if !tls.scopes.is_empty() {
        scope::check(cx, tls, at);
    }
    if tls.scopes.is_empty() || !tls.certificates.is_empty() {
        certificates(cx, &tls.certificates, at.key("certificates"));
    }
}

/// What a TLS server can prove to be.
pub(super) fn certificates<'a>(cx: &mut Context<'a>, secrets: &'a [String], at: At<'_>) {
    if secrets.is_empty() {
        cx.error(at, "TLS needs a certificate").suggest("name a secret of kind `tls`");
    }
    let mut seen = HashSet::new();
    for (index, name) in secrets.iter().enumerate() {
        names::refer(cx, at.index(index), Kind::Secret("tls"), name);
        if !seen.insert(name) {
            cx.warning(at.index(index), format!("secret `{}` is listed twice", brief(name)));
        }
    }
}

fn limits(cx: &mut Context<'_>, listener: &Listener, at: At<'_>) {
    const SMALLEST_HEAD: u64 = ListenerLimits::SMALLEST_HEAD.get();
    const LARGEST_HEAD: u64 = ListenerLimits::LARGEST_HEAD.get();
    let limits = &listener.limits;
    if limits.head.get() < SMALLEST_HEAD {
        let message = format!("`{}` refuses every request; {SMALLEST_HEAD}B is the least", limits.head);
        cx.error(at.key("head"), message);
    } else if limits.head.get() > LARGEST_HEAD {
        cx.error(at.key("head"), format!("`{}` is more than a head may have, 16MiB", limits.head));
    }
    if limits.target.get() == 0 {
        cx.error(at.key("target"), "`0B` refuses every request");
    } else if limits.target > limits.head && limits.target != ListenerLimits::default().target {
        let message = format!("has no effect above `head`, which is {}", limits.head);
        cx.warning(at.key("target"), message);
    }
    if limits.header_count == 0 || limits.header_count > 1000 {
        cx.error(at.key("header_count"), "must be from 1 to 1000");
    }
    if limits.concurrent_streams == 0 || limits.concurrent_streams > 10_000 {
        cx.error(at.key("concurrent_streams"), "must be from 1 to 10000");
    }
    if limits.connections == Some(0) {
        cx.error(at.key("connections"), "`0` refuses every connection")
            .suggest("leave the key out for no limit");
    }
}

/// No two sockets may want the same connections. Port 0 is never the same.
fn addresses(cx: &mut Context<'_>, config: &spec::Config, all: At<'_>) {
    let mut by_port: HashMap<u16, Vec<(SocketAddr, String, bool)>> = HashMap::new();
    by_port.entry(config.admin.address.port()).or_default().push((
        config.admin.address,
        "the admin endpoint".to_owned(),
        false,
    ));
    for (index, listener) in config.listeners.iter().enumerate() {
        let address = listener.address;
        if address.port() == 0 {
            continue;
        }
        let at = all.index(index);
        let at = at.key("address");
        let taken = by_port.entry(address.port()).or_default();
        if let Some((other, owner, tls)) = taken.iter().find(|(other, ..)| overlap(*other, address)) {
            let message = if *other == address {
                format!("{owner} has `{address}` already")
            } else {
                format!("`{address}` overlaps with `{other}`, which {owner} has already")
            };
            let tls = *tls && listener.tls.is_some();
            let finding = cx.error(at, message);
            if tls {
                finding.suggest("one listener serves any number of names: add to its `tls.certificates`");
            }
        }
        taken.push((address, format!("listener `{}`", brief(&listener.name)), listener.tls.is_some()));
    }
}

/// The unspecified address includes all others of its family; that of IPv6 takes IPv4 connections too.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let includes =
        |all: SocketAddr, one: SocketAddr| all.ip().is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    one.ip() == other.ip() || includes(one, other) || includes(other, one)
}
