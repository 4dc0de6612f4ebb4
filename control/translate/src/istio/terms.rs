//! On which terms a host is asked, under each of its names.
//!
//! A Service of type ExternalName is another name for a Service, or for a host outside. The DestinationRules of all these
//! names count: subsets and policies are those of what it stands for, as with Istio, and those for the other names where there
//! are none; but connections are secured as the strictest of all says.

use super::{
    destination_rule::{self, Rules},
    registry::{self, Name},
    traffic_policy::{Policy, Security},
};
use crate::{
    reads::View,
    settings::Settings,
    store::{Held, Of},
};
use sluice_crds::istio::{ServiceEntry, Subset};
use sluice_model::spec::ServerVerification;

/// What holds for a host under each of its names: first for what it stands for, its own name is the last one.
#[derive(Debug)]
pub(super) struct Terms<'s>(Vec<(Name<'s>, Rules<'s>)>);

/// Whether servers of an entry would have to prove to be somebody.
pub(super) fn asks_for_more(entry: Of<'_, ServiceEntry>, settings: &Settings) -> bool {
    !entry.object().content.subject_alt_names.is_empty() && !settings.allow_unprotected
}

impl<'s> Terms<'s> {
    pub(super) fn of(view: &View<'s>, settings: &Settings, host: &str) -> Self {
        let names = registry::names_of(view, settings, host).into_iter().rev();
        let with_rules = names.map(|name| {
            let rules = destination_rule::find(view, settings, &name.host, &name.namespace);
            (name, rules)
        });
        Self(with_rules.collect())
    }

    /// The subset of this name.
    pub(super) fn subset(&self, name: &str) -> Option<&'s Subset> {
        self.0.iter().find_map(|(_, rules)| rules.subset(name))
    }

    /// The objects that say any of it.
    pub(super) fn written(&self) -> Vec<&'s Held> {
        self.0.iter().flat_map(|(_, rules)| &rules.written).copied().collect()
    }

    /// Everything but how connections are secured, for a subset or the whole service at one of its ports.
    pub(super) fn policy(&self, subset: &str, port: u16) -> Policy<'s> {
        let first = self.0.iter().map(|(_, rules)| rules).find(|rules| !rules.written.is_empty());
        first.map(|rules| rules.policy(subset, port)).unwrap_or_default()
    }

    /// Whether a ServiceEntry asks for more of the servers than can be verified.
    pub(super) fn ask_for_more(&self, settings: &Settings) -> bool {
        self.0.iter().filter_map(|(name, _)| name.entry).any(|entry| asks_for_more(entry, settings))
    }

    /// How connections are secured, and the objects that say so.
    pub(super) fn security(
        &self,
        view: &View<'_>,
        settings: &Settings,
        subset: &str,
        port: u16,
    ) -> (Security, &[&'s Held]) {
        let mut strictest: (Security, &[&'s Held]) = (Security::Plain, &[]);
        for (name, rules) in &self.0 {
            let asked = rules.policy(subset, port).security(view, settings, &name.host);
            if strictness(&asked) > strictness(&strictest.0) {
                strictest = (asked, &rules.written);
            }
        }
        strictest
    }
}

fn strictness(security: &Security) -> u8 {
    match security {
        Security::Plain => 0,
        Security::Tls(tls, _) if tls.verify == ServerVerification::Insecure => 1,
        Security::Tls(..) => 2,
        Security::Refused(_) => 3,
    }
}
