//! What each object says on its own, kept until it changes.

use super::{destination_rule, service_entry, sidecar, virtual_service};
use crate::{
    reads::View,
    report::{Level, Report},
    settings::Settings,
    store::{Held, Of},
};
use sluice_crds::{
    Known, ObjectName,
    istio::{DestinationRule, ServiceEntry, Sidecar, VirtualService},
};
use std::collections::{HashMap, HashSet};

/// What each object says on its own.
#[derive(Debug, Default)]
pub(crate) struct Examined(HashMap<ObjectName, (Held, Vec<Report>)>);

impl Examined {
    /// Looks at all objects that are new or changed; gives the VirtualServices that can be served.
    pub(super) fn look<'s>(
        &mut self,
        view: &View<'s>,
        settings: &Settings,
        reports: &mut Vec<Report>,
    ) -> Vec<Of<'s, VirtualService>> {
        let mut there = HashSet::new();
        let mut served = Vec::new();
        for object in view.all::<VirtualService>() {
            there.insert(object.name());
            let found = self.of(object, |object| virtual_service::examine(object, settings));
            reports.extend(found.iter().cloned());
            if found.iter().all(|report| report.severity != Level::Error) {
                served.push(object);
            }
        }
        for object in view.all::<DestinationRule>() {
            there.insert(object.name());
            reports.extend(
                self.of(object, |object| destination_rule::examine(object, settings)).iter().cloned(),
            );
        }
        for object in view.all::<ServiceEntry>() {
            there.insert(object.name());
            reports
                .extend(self.of(object, |object| service_entry::examine(object, settings)).iter().cloned());
        }
        for object in view.all::<Sidecar>() {
            there.insert(object.name());
            reports.extend(self.of(object, |object| sidecar::examine(object, settings)).iter().cloned());
        }
        self.0.retain(|name, _| there.contains(name));
        served
    }

    fn of<'s, K: Known>(
        &mut self,
        object: Of<'s, K>,
        examine: impl FnOnce(Of<'s, K>) -> Vec<Report>,
    ) -> &[Report] {
        let name = object.name();
        let current = self.0.get(&name).is_some_and(|(held, _)| held.is_same(object.held()));
        if !current {
            self.0.insert(name.clone(), (object.held().clone(), examine(object)));
        }
        self.0.get(&name).map_or(&[], |(_, reports)| reports)
    }
}
