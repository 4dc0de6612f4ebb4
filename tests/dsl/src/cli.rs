//! The `sluice` command in a folder of its own.

use crate::Process;
use std::{ffi::OsStr, fs, path::Path};
use tempfile::TempDir;

/// The `sluice` command in a temporary folder. Made by [`crate::cli!`].
///
/// ```ignore
/// let cli = cli!().file("proxy.yaml", "listeners: 5\n");
/// let output = cli.run(["check", "proxy.yaml"]).await;
/// assert_eq!(output.code, 1);
/// assert!(output.stdout.contains("proxy.yaml:1:12"));
/// ```
#[derive(Debug)]
pub struct Cli {
    binary: &'static str,
    folder: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; the negative signal number when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Cli {
    /// The command with this path.
    pub fn new(binary: &'static str) -> Self {
        Self { binary, folder: folder() }
    }

    /// Writes a file in the folder, or in one below it.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in a folder"))
            .expect("a temporary folder can be written");
        fs::write(path, content).expect("a temporary folder can be written");
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Output {
        let mut process = self.start(arguments);
        let code = process.ended().await;
        Output { code, stdout: lines(process.stdout()), stderr: lines(process.stderr()) }
    }

    /// Starts a command that goes on.
    pub fn start(&self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Process {
        Process::start(self.binary, arguments, self.folder())
    }
}

fn lines(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("sluice-test-").tempdir().expect("a temporary folder can be made")
}
