//! What the figures were made on.

use std::{fs, process::Command};

/// The machine and the code.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// The load average of the last minute, when the run began: other work makes figures worse.
    pub(crate) load: String,
    /// Of this repository; `+` where files differ from it.
    pub(crate) commit: String,
    pub(crate) date: String,
}

impl Machine {
    /// Looks around. What cannot be found out is `unknown`.
    pub(crate) fn look(cores: usize) -> Self {
        let first = |text: String| text.split_ascii_whitespace().next().map(str::to_owned);
        Self {
            processor: fs::read_to_string("/proc/cpuinfo")
                .ok()
                .as_deref()
                .and_then(processor)
                .unwrap_or_else(unknown),
            cores,
            kernel: output("uname", &["-sr"]),
            load: fs::read_to_string("/proc/loadavg").ok().and_then(first).unwrap_or_else(unknown),
            commit: output("git", &["describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]),
            date: output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        }
    }
}

fn processor(info: &str) -> Option<String> {
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The first line that a command prints, wherever it prints it.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else { return unknown() };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().map_or_else(unknown, |line| line.trim().to_owned())
}
