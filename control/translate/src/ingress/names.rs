//! Names that a host has beside its own: aliases, and its counterpart with or without `www.`.

use super::{
    Host,
    select::{Member, Site},
};
use crate::{
    certificates::Certificate,
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
};
use sluice_crds::{
    annotations::{Lookup, Value, look_up},
    core::Ingress,
    object::Object,
};
use sluice_model::value::HostPattern;
use std::collections::{BTreeMap, HashMap};

/// Names that a host has beside its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct OtherNames {
    pub(super) aliases: Vec<HostPattern>,
    /// With or without `www.`, which sends clients to it.
    pub(super) counterpart: Option<Host>,
}

/// Whether those that have a part in a host ask for other names.
pub(super) fn are_asked_for(members: &[Member]) -> bool {
    mains(members).any(|member| has_aliases(member) || wants_counterpart(member))
}

fn has_aliases(member: &Member) -> bool {
    !member.annotations.list("server-alias").is_empty()
}

fn wants_counterpart(member: &Member) -> bool {
    member.annotations.flag("from-to-www-redirect") == Some(true)
}

/// Gives each host that asks, in the order of hosts, its other names, and says which it does not get. A real host of a name
/// goes before all others, and then the first host.
pub(super) fn grant<'h>(
    view: &View<'_>,
    settings: &Settings,
    asking: impl Iterator<Item = (&'h Host, &'h [Member])> + Clone,
    hosts: impl Iterator<Item = &'h Host>,
) -> (BTreeMap<Host, OtherNames>, Vec<Report>) {
    let mut granted: BTreeMap<Host, OtherNames> = BTreeMap::new();
    let mut reports = Vec::new();
    let mut say = |member: &Member, name: &str, level, reason, message: String| {
        if let Some(ingress) = view.among_all::<Ingress>(&member.name.namespace, &member.name.name) {
            let field = format!("metadata.annotations[{}/{name}]", settings.annotations_prefix);
            reports.push(Report::new(ingress.held(), level, reason, message).at(field));
        }
    };
    let mut taken: HashMap<HostPattern, &Host> = HashMap::new();
    let real: HashMap<HostPattern, &Host> = hosts.filter_map(|host| Some((host.pattern()?, host))).collect();
    for (host, members) in asking.clone() {
        let mut claims = mains(members).filter(|member| has_aliases(member));
        let Some(first) = claims.next() else { continue };
        for member in claims {
            let message =
                format!("{} has aliases for host `{host}` already; the older one counts", first.name);
            say(member, "server-alias", Level::Warning, Reason::Conflict, message);
        }
        for alias in first.annotations.list("server-alias") {
            let Some(pattern) = alias_pattern(alias) else {
                let message = format!("`{alias}` is not a host name; it is ignored");
                say(first, "server-alias", Level::Warning, Reason::Invalid, message);
                continue;
            };
            match real.get(&pattern).or_else(|| taken.get(&pattern)) {
                Some(owner) if *owner == host => {}
                Some(owner) => {
                    let message =
                        format!("`{alias}` belongs to host `{owner}` already, so it is no alias of `{host}`");
                    say(first, "server-alias", Level::Warning, Reason::Conflict, message);
                }
                None => {
                    taken.insert(pattern.clone(), host);
                    granted.entry(host.clone()).or_default().aliases.push(pattern);
                }
            }
        }
    }
    for (host, members) in asking {
        let Some(member) = mains(members).find(|member| wants_counterpart(member)) else { continue };
        let counterpart = match host.0.strip_prefix("www.") {
            Some(bare) => Host::of(bare),
            None => Host::of(&format!("www.{host}")),
        };
        let short = |host: &Host| host.0.split('.').all(|label| label.len() <= 63);
        let pattern = counterpart
            .pattern()
            .filter(|_| short(host))
            .filter(|_| !host.is_catch_all() && !host.is_wildcard());
        match pattern {
            None => {
                let message = format!("host `{host}` has no counterpart with or without `www.`");
                say(member, "from-to-www-redirect", Level::Warning, Reason::NoEffect, message);
            }
            Some(pattern) if real.contains_key(&pattern) || taken.contains_key(&pattern) => {
                let message = format!("host `{counterpart}` is served already, so nothing is redirected");
                say(member, "from-to-www-redirect", Level::Info, Reason::NoEffect, message);
            }
            Some(pattern) => {
                taken.insert(pattern, host);
                granted.entry(host.clone()).or_default().counterpart = Some(counterpart);
            }
        }
    }
    (granted, reports)
}

/// Where clients with TLS cannot be sent to the host without seeing a certificate that is not for what they asked for.
pub(super) fn uncertified_counterpart(
    view: &View<'_>,
    settings: &Settings,
    host: &Host,
    site: &Site,
    certificate: &Certificate,
) -> Option<Report> {
    let counterpart = site.counterpart.as_ref().filter(|other| !certificate.covers(&other.0))?;
    let member = mains(&site.members).find(|member| wants_counterpart(member))?;
    let ingress = view.get::<Ingress>(&member.name.namespace, &member.name.name)?;
    let message = format!(
        "the certificate of host `{host}` is not for `{counterpart}`, so clients with TLS are refused or warned there before \
         they are redirected; get one for both names"
    );
    let field = format!("metadata.annotations[{}/from-to-www-redirect]", settings.annotations_prefix);
    Some(Report::new(ingress.held(), Level::Warning, Reason::NoEffect, message).at(field))
}

/// A name that an Ingress wants for its hosts beside their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// As it is written.
    pub written: String,
    /// What it stands for.
    pub pattern: HostPattern,
}

/// The aliases that an Ingress has in the annotation `server-alias`, whether it gets them or not; without those that are
/// no names. `prefix` stands before annotations, without the slash.
pub fn aliases(ingress: &Object<Ingress>, prefix: &str) -> Vec<Alias> {
    let Lookup::Known(row) = look_up("server-alias") else { return Vec::new() };
    let text = ingress.annotation(&format!("{prefix}/{}", row.name)).unwrap_or_default();
    let Ok(Value::List(list)) = row.parse(text) else { return Vec::new() };
    let aliases =
        list.into_iter().filter_map(|written| Some(Alias { pattern: alias_pattern(&written)?, written }));
    aliases.collect()
}

fn mains(members: &[Member]) -> impl Iterator<Item = &Member> {
    members.iter().filter(|member| !member.is_canary())
}

/// As nginx reads names of servers: `*.name` is any number of labels, and an expression is searched.
fn alias_pattern(alias: &str) -> Option<HostPattern> {
    let text = match alias.strip_prefix('~') {
        Some(expression) => format!("~.*(?:{expression}).*"),
        None => alias.to_ascii_lowercase(),
    };
    text.parse().ok()
}
