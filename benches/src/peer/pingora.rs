//! The small `ProxyHttp` app of `benches/pingora`, a workspace of its own that is built when it is asked for.

use super::Scene;
use std::{path::Path, process::Command};

pub(super) fn command(program: &Path, scene: &Scene<'_>) -> Command {
    let mut command = Command::new(program);
    command.args([scene.plain.to_string(), scene.server().to_string(), scene.row.threads.to_string()]);
    command
}
