//! Route tables and virtual hosts.

use super::{At, Context, names, route, shadow};
use crate::{
    convert::brief,
    spec::{self, NormalizePath, RouteTable, VirtualHost},
    value::HostPattern,
};
use std::collections::HashMap;

pub(super) fn check<'a>(cx: &mut Context<'a>, config: &'a spec::Config, root: At<'_>) {
    let all = root.key("route_tables");
    names::unique(cx, all, "route table", config.route_tables.iter().map(|table| &*table.name));
    // The form that every listener in front of a table brings paths to, at least.
    let mut forms: HashMap<&str, NormalizePath> = HashMap::new();
    for listener in &config.listeners {
        let scoped = listener.scopes().iter().filter_map(|scope| scope.route_table.as_deref());
        let destined = listener.original_destination.iter().flat_map(|settings| {
            let addresses = settings.addresses.iter().map(|entry| &*entry.route_table);
            addresses.chain(settings.other_ports.as_deref())
        });
        for table in scoped.chain(destined).chain([&*listener.route_table]) {
            let form = forms.entry(table).or_insert(listener.path.normalize);
            *form = listener.path.normalize.min(*form);
        }
    }
    for (index, table) in config.route_tables.iter().enumerate() {
        let form = forms.get(&*table.name).copied().unwrap_or(NormalizePath::None);
        one(cx, table, form, all.index(index));
    }
}

fn one<'a>(cx: &mut Context<'a>, table: &'a RouteTable, form: NormalizePath, at: At<'_>) {
    let all = at.key("virtual_hosts");
    if table.virtual_hosts.is_empty() && cx.sound.whole {
        cx.warning(at, "the table has no virtual hosts, so every request gets 404");
    }
    names::unique(cx, all, "virtual host", table.virtual_hosts.iter().map(|host| &*host.name));
    let mut owners: HashMap<&HostPattern, usize> = HashMap::new();
    for (index, host) in table.virtual_hosts.iter().enumerate() {
        let at = all.index(index);
        let patterns = at.key("hosts");
        if host.hosts.is_empty() {
            cx.error(patterns, "a virtual host needs a host").suggest("write `[\"*\"]` for all hosts");
        }
        for (position, pattern) in host.hosts.iter().enumerate() {
            let at = patterns.index(position);
            match owners.get(pattern) {
                None => {
                    owners.insert(pattern, index);
                }
                Some(owner) if *owner == index => {
                    cx.warning(at, format!("`{}` is listed twice", brief(&pattern.to_string())));
                }
                Some(owner) => {
                    let owner = &table.virtual_hosts[*owner].name;
                    let pattern = pattern.to_string();
                    cx.error(
                        at,
                        format!("`{}` belongs to virtual host `{}` already", brief(&pattern), brief(owner)),
                    );
                }
            }
        }
        virtual_host(cx, host, form, at);
    }
}

fn virtual_host<'a>(cx: &mut Context<'a>, host: &'a VirtualHost, form: NormalizePath, at: At<'_>) {
    let all = at.key("routes");
    if host.routes.is_empty() && cx.sound.whole {
        cx.warning(at, "the virtual host has no routes, so every request gets 404");
    }
    names::unique(cx, all, "route", host.routes.iter().map(|route| &*route.name));
    for (index, route) in host.routes.iter().enumerate() {
        route::check(cx, route, form, all.index(index));
    }
    shadow::check(cx, host, all);
}
