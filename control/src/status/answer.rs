//! What each object is told: the one place that decides it, for `GET /status` and for what is written to a cluster.

use super::address::Address;
use serde_json::{Value, json};
use sluice_crds::{AnyObject, Kind, Object, ObjectName, core, istio};
use sluice_translate::{Held, Level, Report};
use std::collections::{BTreeMap, BTreeSet};

/// The type of our condition. Conditions of other types belong to others.
pub(super) const ACCEPTED: &str = "Accepted";

/// What is known when answers are given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'f> {
    /// Every object that is held.
    pub(crate) objects: &'f BTreeMap<ObjectName, Held>,
    /// Everything that is to be said, in three parts.
    pub(crate) reports: [&'f [Report]; 3],
    /// The Ingresses that are served.
    pub(crate) ingresses: &'f BTreeSet<ObjectName>,
    /// Where they are served.
    pub(crate) addresses: &'f [Address],
}

/// What an object is told.
#[derive(Debug, Clone)]
pub(crate) struct Answer<'f> {
    pub(crate) held: &'f Held,
    pub(crate) name: &'f ObjectName,
    pub(crate) status: Status,
    /// Each is an Event.
    pub(crate) reports: Vec<&'f Report>,
}

/// What stands in an object's status because of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// `loadBalancer.ingress` of an Ingress; empty where it is not served.
    Addresses(Vec<Address>),
    /// The condition [`ACCEPTED`] of an Istio kind.
    Condition(Condition),
    /// Its kind is told nothing but Events.
    Silent,
}

/// Whether an object is served as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) holds: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// The generation of the object that this is about, which only servers count.
    pub(crate) generation: Option<i64>,
}

/// How the status of an object is written, and what stands there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'o> {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    /// Where `version` is not served.
    pub(super) other_versions: &'static [&'static str],
    pub(super) plural: &'static str,
    pub(super) standing: Standing<'o>,
}

/// What stands in the status of an object now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing<'o> {
    Ingress(&'o core::IngressStatus),
    Istio(&'o istio::Status),
}

// === impl Facts ===

impl<'f> Facts<'f> {
    /// An answer for every object of a kind that asks for something, and for those of which something is to be said; by
    /// kind, namespace and name.
    pub(crate) fn answers(self) -> impl Iterator<Item = Answer<'f>> {
        let mut said: BTreeMap<&ObjectName, Vec<&Report>> = BTreeMap::new();
        for report in self.reports.into_iter().flatten() {
            said.entry(&report.object).or_default().push(report);
        }
        self.objects.iter().filter_map(move |(name, held)| {
            let reports = said.remove(name).unwrap_or_default();
            let status = self.status(name, held, &reports);
            (status != Status::Silent || !reports.is_empty()).then_some(Answer {
                held,
                name,
                status,
                reports,
            })
        })
    }

    fn status(&self, name: &ObjectName, held: &Held, reports: &[&Report]) -> Status {
        match Place::of(held.object()).map(|place| place.standing) {
            Some(Standing::Ingress(_)) if self.ingresses.contains(name) => {
                Status::Addresses(self.addresses.to_vec())
            }
            Some(Standing::Ingress(_)) => Status::Addresses(Vec::new()),
            Some(Standing::Istio(_)) => Status::Condition(Condition::of(held, reports)),
            None => Status::Silent,
        }
    }
}

// === impl Answer ===

impl Answer<'_> {
    /// As `GET /status` has it.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "kind": self.name.kind,
            "namespace": self.name.namespace,
            "name": self.name.name,
            "status": self.status.shown(),
            "events": self.reports.iter().map(|report| shown_event(report)).collect::<Vec<_>>(),
        })
    }
}

/// What is said in an Event, as pages have it.
pub(crate) fn shown_event(report: &Report) -> Value {
    json!({ "type": event_type(report), "reason": report.reason.as_str(), "message": message(report) })
}

/// `Warning`, or `Normal` for what merely has no effect.
pub(super) fn event_type(report: &Report) -> &'static str {
    if report.severity == Level::Info { "Normal" } else { "Warning" }
}

/// `spec.http[0].timeout: ... (shop.yaml:3)`.
pub(super) fn message(report: &Report) -> String {
    let field = if report.field.is_empty() { String::new() } else { format!("{}: ", report.field) };
    let place = report.place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line));
    format!("{field}{}{}", report.message, place.unwrap_or_default())
}

// === impl Status ===

impl Status {
    /// Our part of the field `status`.
    fn shown(&self) -> Value {
        match self {
            Self::Addresses(addresses) => {
                let addresses: Vec<Value> = addresses.iter().map(Address::written).collect();
                json!({ "loadBalancer": { "ingress": addresses } })
            }
            Self::Condition(condition) => json!({ "conditions": [condition.written()] }),
            Self::Silent => json!({}),
        }
    }
}

// === impl Condition ===

impl Condition {
    fn of(held: &Held, reports: &[&Report]) -> Self {
        let generation = held.object().metadata().generation;
        let (holds, reason, message) = match reports.iter().find(|report| report.severity == Level::Error) {
            Some(report) => (false, report.reason.as_str(), message(report)),
            None => (true, ACCEPTED, String::new()),
        };
        Self { holds, reason, message, generation }
    }

    /// As it is written, without the time of its last change.
    pub(super) fn written(&self) -> Value {
        let mut condition = json!({
            "type": ACCEPTED,
            "status": self.status(),
            "reason": self.reason,
            "message": self.message,
        });
        if let Some(generation) = self.generation {
            condition["observedGeneration"] = json!(generation);
        }
        condition
    }

    fn status(&self) -> &'static str {
        if self.holds { "True" } else { "False" }
    }

    /// Whether this is what stands there.
    pub(super) fn stands(&self, condition: &istio::Condition) -> bool {
        condition.status == self.status()
            && condition.reason == self.reason
            && condition.message == self.message
            && self.generation.is_none_or(|generation| condition.observed_generation == generation)
    }
}

// === impl Place ===

impl<'o> Place<'o> {
    /// `None` for kinds that have no status that is ours to write.
    pub(super) fn of(object: &'o AnyObject) -> Option<Self> {
        fn istio<K: Kind<Status = istio::Status>>(object: &Object<K>) -> Place<'_> {
            Place::new::<K>(Standing::Istio(&object.status))
        }
        Some(match object {
            AnyObject::Ingress(object) => Self::new::<core::Ingress>(Standing::Ingress(&object.status)),
            AnyObject::AuthorizationPolicy(object) => istio(object),
            AnyObject::DestinationRule(object) => istio(object),
            AnyObject::Gateway(object) => istio(object),
            AnyObject::PeerAuthentication(object) => istio(object),
            AnyObject::RequestAuthentication(object) => istio(object),
            AnyObject::ServiceEntry(object) => istio(object),
            AnyObject::Sidecar(object) => istio(object),
            AnyObject::VirtualService(object) => istio(object),
            _ => return None,
        })
    }

    fn new<K: Kind>(standing: Standing<'o>) -> Self {
        Self {
            group: K::GROUP,
            version: K::VERSION,
            other_versions: K::OTHER_VERSIONS,
            plural: K::PLURAL,
            standing,
        }
    }
}
