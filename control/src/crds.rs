//! `sluice crds`.

use crate::{failure::Failure, output};
use clap::Args;
use sluice_crds::definition;
use std::process::ExitCode;

/// Print the CustomResourceDefinitions of the Istio kinds, for clusters that do not have them.
///
/// They keep every field of an object, known or not, and check none: what is wrong with an object is said in its status.
/// Where Istio is or was installed, its own definitions serve as well and should stay.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice crds | kubectl create -f -    what is there already stays as it is, and is said to be there
  sluice crds | kubectl apply -f -     takes the definitions over

`kubectl apply -k configs/kubernetes/crds` does the latter.")]
pub(crate) struct Crds {}

impl Crds {
    #[allow(clippy::unused_self, reason = "all subcommands have one form")]
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        output::print(&definition::manifest())?;
        Ok(ExitCode::SUCCESS)
    }
}
