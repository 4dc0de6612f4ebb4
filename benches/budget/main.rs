//! What a request may cost: heap allocations, system calls and instructions. Figures that do not depend on how busy the machine
//! is, so a change that makes requests dearer is seen where it is made.
//!
//! The tools (`strace`, `valgrind`, `h2load`) are looked for; a test says loudly that it was skipped where one is absent, and fails
//! instead where `SLUICE_REQUIRE_TOOLS` is set.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says why"
)]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod allocations;
mod instructions;
mod origin;
mod running;
mod system_calls;

use std::process::{Command, Stdio};

/// Whether programs are there; says which one is not.
fn there(programs: &[&str]) -> bool {
    for program in programs {
        let found =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_err() {
            assert!(
                std::env::var_os("SLUICE_REQUIRE_TOOLS").is_none(),
                "`{program}` is required here and not installed"
            );
            println!("SKIPPED, NOTHING WAS CHECKED: `{program}` is not installed");
            return false;
        }
    }
    true
}
