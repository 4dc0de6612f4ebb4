//! What one Ingress says on its own.

use super::{
    annotations::Annotations,
    canary, paths,
    select::{self, Host, Personality},
    verdict,
};
use crate::{
    report::{Level, Reason, Report},
    settings::Settings,
    store::{Held, Of},
};
use sluice_crds::core::Ingress;
use sluice_model::convert::brief;
use std::{collections::HashSet, sync::Arc};

/// What one Ingress says on its own, kept until it changes.
#[derive(Debug)]
pub(super) struct Reading {
    held: Held,
    personality: Personality,
    pub(super) annotations: Arc<Annotations>,
    /// The hosts that it has a part in; none where it is left out because of a mistake.
    pub(super) hosts: Box<[Host]>,
    pub(super) reports: Box<[Report]>,
}

impl Reading {
    pub(super) fn of(ingress: Of<'_, Ingress>, personality: Personality, settings: &Settings) -> Self {
        let (mut annotations, mut reports) = Annotations::read(ingress, settings);
        let mistakes = paths::mistakes(ingress, personality, &annotations, &settings.ingress);
        annotations.dropped |= !mistakes.is_empty();
        reports.extend(strange_hosts(ingress));
        if annotations.flag("canary") == Some(true) && !ingress.content.tls.is_empty() {
            let message = "the certificates of a canary are not shown; write them in the Ingress beside which it stands";
            reports
                .push(Report::new(ingress.held(), Level::Warning, Reason::NoEffect, message).at("spec.tls"));
        }
        reports.extend(mistakes);
        reports.extend(verdict::judge(ingress, &mut annotations, settings));
        let catches_all = ingress.content.default_backend.is_some() && settings.classes.disable_catch_all;
        if catches_all && !annotations.dropped {
            let message = "it has a default backend and `--disable-catch-all` is on, so it is not served; \
                           remove `spec.defaultBackend`";
            let report = Report::new(ingress.held(), Level::Error, Reason::NoEffect, message);
            reports.push(report.at("spec.defaultBackend"));
        }
        let is_served = !annotations.dropped && !catches_all;
        let canary = canary::is_canary(&annotations);
        let hosts = if is_served { select::hosts(&ingress.content, canary) } else { Vec::new() };
        Self {
            held: ingress.held().clone(),
            personality,
            annotations: Arc::new(annotations),
            hosts: hosts.into(),
            reports: reports.into(),
        }
    }

    /// Whether it is that of this very object, which behaves as it did.
    pub(super) fn is_of(&self, ingress: Of<'_, Ingress>, personality: Personality) -> bool {
        let held = ingress.held();
        self.personality == personality && self.held.age() == held.age() && self.held.is_same(held)
    }
}

/// Hosts that are none, which nothing is served for, and certificates for hosts that the Ingress does not have.
fn strange_hosts(ingress: Of<'_, Ingress>) -> Vec<Report> {
    let content = &ingress.object().content;
    let rules = content.rules.iter().enumerate().filter(|(_, rule)| Host::of(&rule.host).pattern().is_none());
    let rules = rules.map(|(index, rule)| {
        let message = format!(
            "`{}` is not a host, so this rule is not served; write a name, or `*.` and a name",
            brief(&rule.host)
        );
        Report::new(ingress.held(), Level::Error, Reason::Invalid, message)
            .at(format!("spec.rules[{index}].host"))
    });
    let own: HashSet<Host> = select::hosts(content, false).into_iter().collect();
    let tls = content.tls.iter().enumerate().flat_map(|(index, item)| {
        item.hosts.iter().enumerate().map(move |(position, host)| (index, position, host))
    });
    let tls = tls.filter(|(_, _, host)| !own.contains(&Host::of(host))).map(|(index, position, host)| {
        let message =
            format!("no rule of this Ingress has host `{}`, so its certificate is not shown", brief(host));
        Report::new(ingress.held(), Level::Warning, Reason::NoEffect, message)
            .at(format!("spec.tls[{index}].hosts[{position}]"))
    });
    rules.chain(tls).collect()
}
