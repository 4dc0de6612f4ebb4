//! `sluice check`.

use crate::{
    failure::Failure,
    file::{self, Folder},
    manifests::{Input, Manifests},
    output,
    told::Served,
};
use clap::Args;
use sluice_model::{Diagnostics, Severity, Source};
use sluice_translate::Level;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Check a configuration or Kubernetes manifests and show everything that is wrong with them.
///
/// Every mistake is reported at once, with file, line, column, the place in the configuration, and what was probably
/// meant. Certificates and keys that the file names are read and checked too; nothing is opened or connected.
///
/// A folder is one of Kubernetes manifests, as `sluice gateway --manifests` serves it; a file or standard input may be
/// such a manifest too. Each line is about one object, `SEVERITY kind namespace/name: message`, with the file and line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice check proxy.yaml
  generate-config | sluice check -
  sluice check shop/ --watch-ingress-without-class
  sluice check --cluster --context test

Exit codes: 0 usable (perhaps with warnings), 1 wrong or unreadable; for manifests 1 when an object, or a part of one, is
not served.")]
pub(crate) struct Check {
    /// The configuration, or the folder of manifests; `-` reads standard input.
    #[arg(value_name = "PATH", required_unless_present = "cluster")]
    file: Option<PathBuf>,
    /// Read the objects of a Kubernetes API server once, in place of a folder: of the one that --kubeconfig names, or of the
    /// cluster in which this process runs.
    #[arg(long, conflicts_with = "file")]
    cluster: bool,
    /// One line for each diagnostic, without excerpts.
    #[arg(long)]
    short: bool,
    /// Count warnings as errors.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    served: Served,
}

impl Check {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        match Input::of(self.file.as_deref(), &self.served)? {
            Input::Config(source) => {
                check(&source, self.file.as_deref().unwrap_or(Path::new("-")), self.short, self.strict)
            }
            Input::Manifests(manifests) => check_manifests(&manifests, self.strict),
        }
    }
}

fn check_manifests(manifests: &Manifests, strict: bool) -> Result<ExitCode, Failure> {
    output::print(&manifests.lines())?;
    let refused = manifests.validate().err();
    if let Some(found) = &refused {
        output::print(&format!("{found}\n"))?;
        output::note("the translation is refused, which is a defect of Sluice");
    }
    output::note(&manifests.summary());
    let wrong = manifests.count(Level::Error) > 0 || strict && manifests.count(Level::Warning) > 0;
    Ok(ExitCode::from(u8::from(wrong || refused.is_some())))
}

/// Reads a configuration and checks it.
pub(crate) fn check_file(path: &Path) -> Result<ExitCode, Failure> {
    check(&file::read(path)?, path, false, false)
}

/// Loads a configuration and shows what was found: diagnostics on standard output, a summary on standard error.
fn check(source: &Source, path: &Path, short: bool, strict: bool) -> Result<ExitCode, Failure> {
    let (usable, found) = match sluice_model::load(source, &Folder::of(path)) {
        Ok(loaded) => (true, loaded.warnings),
        Err(found) => (false, found),
    };
    show(source, &found, short)?;
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
