//! Route tables and virtual hosts.

use super::{
    At, Context,
    before::{Before, forms},
    names, references, route, shadow,
};
use crate::{
    convert::brief,
    kept::places,
    spec::{self, NormalizePath, RouteTable, VirtualHost},
    value::HostPattern,
};
use std::{collections::HashMap, sync::Arc};

pub(super) fn check<'a>(cx: &mut Context<'a>, config: &'a spec::Config, root: At<'_>) {
    let all = root.key("route_tables");
    names::unique(cx, all, "route table", config.route_tables.iter().map(|table| &*table.name));
    let forms = forms(config);
    for (index, table) in config.route_tables.iter().enumerate() {
        let form = forms.get(&*table.name).copied().unwrap_or(NormalizePath::None);
        one(cx, table, form, all.index(index));
    }
}

fn one<'a>(cx: &mut Context<'a>, table: &'a Arc<RouteTable>, form: NormalizePath, at: At<'_>) {
    let all = at.key("virtual_hosts");
    let names_hold = cx.before.as_ref().is_some_and(|before| before.names_hold);
    let before = cx.before.as_ref().and_then(|before: &Before<'_>| before.table(&table.name, form));
    if before.is_some_and(|before| Arc::ptr_eq(before, table)) {
        if !names_hold {
            for (index, host) in table.virtual_hosts.iter().enumerate() {
                references::check(cx, host, all.index(index).key("routes"));
            }
        }
        return;
    }
    let before = before.map(|before| &*before.virtual_hosts).unwrap_or_default();
    let kept = places(&table.virtual_hosts, before);
    if table.virtual_hosts.is_empty() && cx.sound.whole {
        cx.warning(at, "the table has no virtual hosts, so every request gets 404");
    }
    // Where each host has the names of the one that stood there, they are as distinct as they were.
    let are_new = !are_named_alike(&table.virtual_hosts, before);
    if are_new {
        names::unique(cx, all, "virtual host", table.virtual_hosts.iter().map(|host| &*host.name));
    }
    let mut owners: HashMap<&HostPattern, usize> = HashMap::new();
    for (index, host) in table.virtual_hosts.iter().enumerate() {
        let at = all.index(index);
        let patterns = at.key("hosts");
        if host.hosts.is_empty() {
            cx.error(patterns, "a virtual host needs a host").suggest("write `[\"*\"]` for all hosts");
        }
        for (position, pattern) in host.hosts.iter().enumerate().filter(|_| are_new) {
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
        if kept[index].is_none() || !names_hold {
            references::check(cx, host, at.key("routes"));
        }
        if kept[index].is_none() {
            virtual_host(cx, host, form, at);
        }
    }
}

fn are_named_alike(now: &[Arc<VirtualHost>], before: &[Arc<VirtualHost>]) -> bool {
    let alike = |(now, before): (&Arc<VirtualHost>, &Arc<VirtualHost>)| {
        Arc::ptr_eq(now, before) || (now.name == before.name && now.hosts == before.hosts)
    };
    now.len() == before.len() && now.iter().zip(before).all(alike)
}

fn virtual_host(cx: &mut Context<'_>, host: &VirtualHost, form: NormalizePath, at: At<'_>) {
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
