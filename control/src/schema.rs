//! `sluice schema`.

use crate::{failure::Failure, output};
use clap::Args;
use std::process::ExitCode;

/// Print the JSON schema of the configuration, for editors and other checkers.
#[derive(Debug, Args)]
#[command(after_help = "Example, for editors that use yaml-language-server:
  sluice schema > sluice.schema.json
  # first line of the configuration:
  # yaml-language-server: $schema=sluice.schema.json")]
pub(crate) struct Schema {}

impl Schema {
    #[allow(clippy::unused_self, reason = "all subcommands have one form")]
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        output::print(&format!("{:#}\n", sluice_model::json_schema()))?;
        Ok(ExitCode::SUCCESS)
    }
}
