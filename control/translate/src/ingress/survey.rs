//! Ingresses and the paths of hosts as they are compared, for whoever wants to know them without serving them.

use super::{
    annotations::Annotations,
    canary, directory,
    host::locations,
    location::{Location, Scene},
    paths::Matching,
    select::{self, Piece},
    virtual_host::slashed,
};
use crate::{
    output::Output,
    plan::{Members, UnitKey},
    reads::View,
    settings::Settings,
    store::Of,
};
use sluice_crds::core::Ingress;
use std::collections::HashSet;

/// All Ingresses that are ours, and the hosts that they make.
#[derive(Debug)]
pub(crate) struct Survey<'s> {
    /// By namespace and name; also those that are left out because of a mistake.
    pub(crate) ours: Vec<Ours<'s>>,
    /// By name.
    pub(crate) hosts: Vec<SurveyedHost<'s>>,
}

/// An Ingress that is ours.
#[derive(Debug)]
pub(crate) struct Ours<'s> {
    pub(crate) ingress: Of<'s, Ingress>,
    pub(crate) canary: bool,
    /// `*` stands for the rules that name none.
    pub(crate) hosts: Vec<String>,
}

/// A host.
#[derive(Debug)]
pub(crate) struct SurveyedHost<'s> {
    pub(crate) name: String,
    /// In the order in which they are compared.
    pub(crate) paths: Vec<SurveyedPath<'s>>,
}

/// A path of a host and the Ingress that has it.
#[derive(Debug)]
pub(crate) struct SurveyedPath<'s> {
    pub(crate) ingress: Of<'s, Ingress>,
    /// Where it stands in the Ingress.
    pub(crate) field: String,
    pub(crate) path: &'s str,
    /// Whether a rule has it, rather than it being what no rule takes.
    pub(crate) written: bool,
    /// The annotation because of which all paths of the host are regular expressions.
    pub(crate) regex_because: Option<&'static str>,
    /// Whether clients are sent here who leave out the slash at its end.
    pub(crate) slashed: bool,
    /// `namespace/name:port`, the port as it is written; `None` for the default backend of the gateway.
    pub(crate) service: Option<String>,
    /// The oldest of its canaries.
    pub(crate) canary: Option<Box<Self>>,
}

/// Looks at all Ingresses. `settings` are the effective ones.
pub(crate) fn survey<'s>(view: &View<'s>, settings: &Settings) -> Survey<'s> {
    let ours = view
        .all::<Ingress>()
        .filter(|ingress| select::personality(view, &settings.classes, *ingress).is_some());
    let ours = ours.map(|ingress| {
        let canary = canary::is_canary(&Annotations::read(ingress, settings).0);
        let hosts = select::hosts(&ingress.content, canary).iter().map(ToString::to_string).collect();
        Ours { ingress, canary, hosts }
    });
    let plan = directory::plan(view, settings);
    let hosts = plan.units.iter().filter_map(|unit| {
        let (UnitKey::Ingress(Piece::Host(host)), Members::Ingress(site)) = unit else { return None };
        let mut output = Output::default();
        let mut locations =
            locations(&mut Scene { view, settings, host, output: &mut output, detours: Vec::new() }, site);
        locations.sort_by_cached_key(Location::order);
        let slashed: HashSet<String> = slashed(locations.iter()).map(Location::route_name).collect();
        let paths = locations
            .iter()
            .map(|location| SurveyedPath::of(location, slashed.contains(&location.route_name())))
            .collect();
        Some(SurveyedHost { name: host.to_string(), paths })
    });
    Survey { ours: ours.collect(), hosts: hosts.collect() }
}

impl<'s> SurveyedPath<'s> {
    fn of(location: &Location<'s>, slashed: bool) -> Self {
        let port = |port: &sluice_crds::core::ServiceBackendPort| match port.number {
            0 => port.name.clone(),
            number => number.to_string(),
        };
        let asks = location.matching == Matching::Expression && location.asks_for_regex();
        let flag = location.annotations.flag("use-regex") == Some(true);
        Self {
            ingress: location.ingress,
            field: location.field.clone(),
            path: location.path,
            written: location.field.starts_with("spec.rules"),
            regex_because: asks.then_some(if flag { "use-regex" } else { "rewrite-target" }),
            slashed,
            service: location.service().map(|service| {
                let port = service.port.as_ref().map(port).unwrap_or_default();
                format!("{}/{}:{port}", location.ingress.namespace(), service.name)
            }),
            canary: location.canaries.first().map(|canary| Box::new(Self::of(canary, false))),
        }
    }
}
