//! Programs of others: curl, h2load.

use crate::{Output, within};
use std::{env, ffi::OsStr, io::ErrorKind, process::Stdio};
use tokio::process::Command;

/// Whether a missing tool fails a test: set in continuous integration, where everything is installed.
pub fn required() -> bool {
    env::var_os("SLUICE_REQUIRE_TOOLS").is_some_and(|value| value == "1")
}

/// Runs a program to its end. `None` when it is not installed, which the test then says by returning:
///
/// ```ignore
/// let Some(output) = tool("curl", ["-s", &proxy.url("/")]).await else { return };
/// ```
///
/// # Panics
/// When it is not installed although `SLUICE_REQUIRE_TOOLS=1`.
pub async fn tool(program: &str, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Option<Output> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(!required(), "{program} is not installed, and SLUICE_REQUIRE_TOOLS=1 demands it");
            println!("SKIPPED: {program} is not installed");
            return None;
        }
        Err(error) => panic!("cannot start {program}: {error}"),
    };
    let output = within(format!("the end of {program}"), child.wait_with_output()).await;
    let output = output.unwrap_or_else(|error| panic!("cannot read from {program}: {error}"));
    Some(Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
