//! Connections that were on their way to somewhere else.

use super::{
    At, Context,
    names::{self, Kind},
};
use crate::{
    convert::brief,
    spec::{self, Listener},
};
use std::collections::{HashMap, HashSet};

pub(super) fn check<'a>(cx: &mut Context<'a>, listener: &'a Listener, at: At<'_>) {
    let Some(settings) = &listener.original_destination else { return };
    let at = at.key("original_destination");
    if listener.tls.is_some() {
        cx.error(at, "cannot stand beside `tls`").suggest("leave one of them out");
    }
    if settings.trusted.is_empty() {
        cx.error(at.key("trusted"), "nobody's header is believed, so every connection is closed")
            .suggest("list the addresses that connections are brought from");
    }
    if settings.port == 0 {
        cx.error(at.key("port"), "nobody is on the way to port 0");
    }
    let all = at.key("addresses");
    let mut seen = HashSet::new();
    for (index, entry) in settings.addresses.iter().enumerate() {
        let at = all.index(index);
        names::refer(cx, at.key("route_table"), Kind::RouteTable, &entry.route_table);
        if !seen.insert(entry.address.to_canonical()) {
            cx.error(at.key("address"), format!("`{}` is listed twice", entry.address));
        }
    }
    if let Some(table) = &settings.other_ports {
        names::refer(cx, at.key("other_ports"), Kind::RouteTable, table);
    }
}

/// A port has one listener that stands for it.
pub(super) fn ports(cx: &mut Context<'_>, config: &spec::Config, all: At<'_>) {
    let mut owners: HashMap<u16, &str> = HashMap::new();
    for (index, listener) in config.listeners.iter().enumerate() {
        let Some(settings) = &listener.original_destination else { continue };
        if let Some(owner) = owners.get(&settings.port) {
            let message = format!(
                "listener `{}` stands for destinations at port {} already",
                brief(owner),
                settings.port
            );
            let at = all.index(index);
            cx.error(at.key("original_destination").key("port"), message);
        } else {
            owners.insert(settings.port, &listener.name);
        }
    }
}
