//! ServiceEntries: what is wrong with one, and what of it is not in effect.

use super::{names, notes::Notes, virtual_service::exports};
use crate::{
    report::{Level, Reason, Report},
    settings::{Role, Settings},
    store::Of,
};
use sluice_crds::istio::{Resolution, ServiceEntry, ServicePort, rows};
use sluice_model::value::Cidr;
use std::{collections::HashSet, net::IpAddr};

/// What is to be said of a ServiceEntry on its own; it is not used where an error is among it.
pub(super) fn examine(object: Of<'_, ServiceEntry>, settings: &Settings) -> Vec<Report> {
    let mut notes = Notes::about(object.held());
    let content = &object.object().content;
    check(content, &mut notes);
    match content.resolution {
        Resolution::None if settings.role.knows_destinations() => {}
        Resolution::None => {
            let message = "destinations that name it have no endpoints here: the address that a client asked for is known only where connections are captured; write `resolution: DNS` or STATIC";
            notes.say(Level::Warning, Reason::NotInEffect, "spec.resolution", message);
        }
        Resolution::DynamicDns => {
            let message = "not in effect yet: names below a wildcard are not looked up; list them as `hosts`";
            notes.say(Level::Warning, Reason::NotInEffect, "spec.resolution", message);
        }
        Resolution::DnsRoundRobin => {
            let message = "all addresses of the name are used in turn";
            notes.say(Level::Info, Reason::NoEffect, "spec.resolution", message);
        }
        Resolution::Static | Resolution::Dns => {}
    }
    if content.workload_selector.is_some() && !settings.whole_pods {
        let message = "selects no addresses: of the Pods of a cluster only names and labels are read; list the addresses as `endpoints`, \
                       or send to a Service that selects these Pods";
        notes.say(Level::Warning, Reason::NotInEffect, "spec.workloadSelector", message);
    }
    // To a sidecar, an address is a name like others; a network is not.
    let named = settings.role != Role::Gateway
        && content.addresses.iter().all(|address| address.parse::<IpAddr>().is_ok());
    let judged = rows::judge(content).into_iter();
    for (path, verdict, _) in judged.filter(|(path, ..)| !named || path.to_string() != "spec.addresses") {
        let refused = "destinations that name it answer 503";
        let found = Report::of_verdict(object.held(), verdict, refused, settings.allow_unprotected);
        notes.reports.extend(found.map(|report| report.at(path.to_string())));
    }
    notes.reports
}

/// Whether it can be used.
pub(super) fn is_sound(object: Of<'_, ServiceEntry>) -> bool {
    let mut notes = Notes::about(object.held());
    check(&object.object().content, &mut notes);
    notes.is_sound()
}

fn check(content: &ServiceEntry, notes: &mut Notes<'_>) {
    if content.hosts.is_empty() {
        notes.invalid("spec.hosts", "a ServiceEntry needs a host");
    }
    let wildcards_ok = matches!(content.resolution, Resolution::None | Resolution::DynamicDns)
        || content.resolution == Resolution::Static
        || !content.endpoints.is_empty();
    for (index, host) in content.hosts.iter().enumerate() {
        let at = format!("spec.hosts[{index}]");
        if host == "*" || !names::is_host(host) {
            notes.invalid(&at, format!("`{host}` is not a host: write a name or `*.name`"));
        } else if host.starts_with('*') && !wildcards_ok {
            notes.invalid(&at, "a wildcard cannot be looked up; list `endpoints`, or names");
        }
    }
    let mut numbers = HashSet::new();
    let mut port_names = HashSet::new();
    for (index, port) in content.ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        if port.number == 0 {
            notes.invalid(&format!("{at}.number"), "nobody listens at port 0");
        } else if !numbers.insert(port.number) {
            notes.invalid(&format!("{at}.number"), format!("{} is listed twice", port.number));
        }
        if port.name.is_empty() {
            notes.invalid(&format!("{at}.name"), "a port needs a name");
        } else if !port_names.insert(&port.name) {
            notes.invalid(&format!("{at}.name"), format!("`{}` names two ports", port.name));
        }
    }
    for (index, address) in content.addresses.iter().enumerate() {
        let at = format!("spec.addresses[{index}]");
        if address.parse::<IpAddr>().is_ok() {
            continue;
        }
        if address.parse::<Cidr>().is_err() {
            notes.invalid(&at, format!("`{address}` is neither an address nor a network"));
        } else if !matches!(content.resolution, Resolution::None | Resolution::Static) {
            notes.invalid(&at, "a network needs `resolution: NONE` or STATIC; write addresses");
        }
    }
    let bytes = |port: &ServicePort| {
        matches!(&*port.protocol.to_ascii_uppercase(), "TCP" | "MONGO" | "MYSQL" | "REDIS")
    };
    if let Some(port) = content.ports.iter().position(bytes)
        && content.hosts.len() > 1
        && content.resolution != Resolution::None
    {
        let message =
            "connections do not say which of several `hosts` they are for; write one entry for each";
        notes.invalid(&format!("spec.ports[{port}].protocol"), message);
    }
    if content.resolution == Resolution::DnsRoundRobin && content.endpoints.len() > 1 {
        notes.invalid("spec.endpoints", "`resolution: DNS_ROUND_ROBIN` has one at most; write DNS");
    }
    if content.workload_selector.is_some() && !content.endpoints.is_empty() {
        notes.invalid("spec.endpoints", "only one of `endpoints` and `workloadSelector` can be set");
    }
    if content.resolution == Resolution::None && !content.endpoints.is_empty() {
        notes.invalid("spec.endpoints", "`resolution: NONE` has none; write STATIC or DNS");
    }
    for (index, endpoint) in content.endpoints.iter().enumerate() {
        let at = format!("spec.endpoints[{index}].address");
        let is_address = endpoint.address.parse::<IpAddr>().is_ok();
        if endpoint.address.starts_with("unix://") {
            notes.invalid(&at, "Unix sockets are not supported; write an address");
        } else if content.resolution == Resolution::Static && !is_address {
            notes.invalid(
                &at,
                format!("`{}` is not an address, as `resolution: STATIC` has it", endpoint.address),
            );
        } else if !is_address && !names::is_host(&endpoint.address) {
            notes.invalid(&at, format!("`{}` is neither an address nor a name", endpoint.address));
        }
    }
    exports(&content.export_to, notes);
}
