//! What the model says to a unit before it joins the others: one that it refuses would keep all of them from being served.
//!
//! Each family looks at its own parts first, and says what is wrong with which field. This is the net below: what comes
//! through there costs one host, never all of them.

use crate::{
    assemble::assemble,
    output::Output,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Store,
};
use sluice_crds::ObjectName;
use sluice_model::{NoFiles, Severity, spec::Config, validate};

/// Takes a unit out that the model refuses, and tells those that it is made of.
pub(crate) fn judge(settings: &Settings, store: &Store, members: &[ObjectName], output: &mut Output) {
    let (alone, _) = assemble(settings, std::iter::once(&*output), &Config::default());
    let Err(found) = validate("unit", alone, &NoFiles) else { return };
    let Some(error) = found.iter().find(|found| found.severity == Severity::Error) else { return };
    let hosts: Vec<String> = output.hosts.iter().map(|(_, host)| format!("`{}`", host.name)).collect();
    let message = format!(
        "what comes of it cannot be served ({}), so {} is left out; change what stands there",
        error.message,
        if hosts.is_empty() { "it".to_owned() } else { hosts.join(", ") }
    );
    let held = members.iter().filter_map(|name| store.held(name));
    let reports = held.map(|held| Report::new(held, Level::Error, Reason::Invalid, message.clone()));
    let reports = output.reports.drain(..).chain(reports).collect();
    *output = Output { reports, ..Output::default() };
}
