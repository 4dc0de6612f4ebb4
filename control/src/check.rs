//! `sluice check`.

use crate::{
    failure::Failure,
    file::{self, Folder},
    output,
};
use clap::Args;
use sluice_model::{Diagnostics, Severity, Source};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Check a configuration and show everything that is wrong with it.
///
/// Every mistake is reported at once, with file, line, column, the place in the configuration, and what was probably
/// meant. Certificates and keys that the file names are read and checked too; nothing is opened or connected.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice check proxy.yaml
  generate-config | sluice check -

Exit codes: 0 usable (perhaps with warnings), 1 wrong or unreadable.")]
pub(crate) struct Check {
    /// The configuration; `-` reads standard input.
    file: PathBuf,
    /// One line for each diagnostic, without excerpts.
    #[arg(long)]
    short: bool,
    /// Count warnings as errors.
    #[arg(long)]
    strict: bool,
}

impl Check {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        check(&self.file, self.short, self.strict)
    }
}

/// Loads a configuration and shows what was found: diagnostics on standard output, a summary on standard error.
pub(crate) fn check(path: &Path, short: bool, strict: bool) -> Result<ExitCode, Failure> {
    let source = file::read(path)?;
    let (usable, found) = match sluice_model::load(&source, &Folder::of(path)) {
        Ok(loaded) => (true, loaded.warnings),
        Err(found) => (false, found),
    };
    show(&source, &found, short)?;
    output::note(&format!("{}: {}", source.name, summary(usable, &found)));
    let refused = !usable || (strict && found.count(Severity::Warning) > 0);
    Ok(ExitCode::from(u8::from(refused)))
}

/// Prints diagnostics, each with the lines it is about unless they shall be short.
pub(crate) fn show(source: &Source, found: &Diagnostics, short: bool) -> Result<(), Failure> {
    if found.is_empty() {
        Ok(())
    } else if short {
        output::print(&format!("{found}\n"))
    } else {
        output::print(&format!("{}\n", found.with_excerpts(source)))
    }
}

fn summary(usable: bool, found: &Diagnostics) -> String {
    let count = |severity: Severity| match found.count(severity) {
        0 => None,
        1 => Some(format!("1 {severity}")),
        number => Some(format!("{number} {severity}s")),
    };
    let counts: Vec<String> = [Severity::Error, Severity::Warning].into_iter().filter_map(count).collect();
    let verdict = if usable { "ok" } else { "not usable" };
    if counts.is_empty() { verdict.to_owned() } else { format!("{verdict}, {}", counts.join(", ")) }
}
