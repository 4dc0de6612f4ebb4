//! A running process whose output is captured.

use crate::patience::{eventually, eventually_some};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// A running process. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    out: Lines,
    err: Lines,
    ended: Option<ExitStatus>,
}

/// Lines so far, filled by a thread that ends with the process. Bounded: what is beyond is forgotten.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

const MAX_LINES: usize = 100_000;

// === impl Process ===

impl Process {
    /// Starts a program in a folder, which is its temporary folder as well, with nothing on standard input.
    pub fn start<S: AsRef<OsStr>>(
        program: &str,
        arguments: impl IntoIterator<Item = S>,
        folder: &Path,
    ) -> Self {
        Self::start_with(Stdio::null(), program, arguments, folder)
    }

    /// Starts a program that ends when its standard input does: as soon as this value or this whole process is gone,
    /// whatever became of it.
    pub(crate) fn start_while_we_live<S: AsRef<OsStr>>(
        program: &str,
        arguments: impl IntoIterator<Item = S>,
        folder: &Path,
    ) -> Self {
        Self::start_with(Stdio::piped(), program, arguments, folder)
    }

    fn start_with<S: AsRef<OsStr>>(
        stdin: Stdio,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
        folder: &Path,
    ) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            // What it writes to temporary folders goes with the folder, however it ends.
            .env("TMPDIR", folder)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let out = Lines::follow(child.stdout.take().expect("standard output is a pipe"));
        let err = Lines::follow(child.stderr.take().expect("standard error is a pipe"));
        Self { child, out, err, ended: None }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The lines on standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.out.all()
    }

    /// The lines on standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.err.all()
    }

    /// Waits for a line on either output that contains `text`, and returns it.
    ///
    /// # Panics
    /// When it does not come, or the process ends without it; the message has everything that the process said.
    pub async fn says(&mut self, text: &str) -> String {
        let wanted = |lines: Vec<String>| lines.into_iter().find(|line| line.contains(text));
        let (out, err) = (self.out.clone(), self.err.clone());
        let found = eventually_some(format!("a line with {text:?}"), || {
            if let Some(line) = wanted(out.all()).or_else(|| wanted(err.all())) {
                return Some(Ok(line));
            }
            self.poll().map(Err)
        })
        .await;
        match found {
            Ok(line) => line,
            // The last lines may have been read after the process had ended.
            Err(status) => {
                eventually("the end of the output", || out.is_complete() && err.is_complete()).await;
                wanted(out.all()).or_else(|| wanted(err.all())).unwrap_or_else(|| {
                    panic!("it ended with {status} without saying {text:?}:\n{}", self.said())
                })
            }
        }
    }

    /// Everything on both outputs, for messages.
    pub fn said(&self) -> String {
        [self.stdout(), self.stderr()].concat().join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("our own process can be signalled");
    }

    /// Waits for the end and returns the exit code; the negative signal number when a signal ended it.
    pub async fn ended(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let status = eventually_some("the end of the process", || self.poll()).await;
        let (out, err) = (self.out.clone(), self.err.clone());
        eventually("the end of the output", || out.is_complete() && err.is_complete()).await;
        status.code().unwrap_or_else(|| -status.signal().unwrap_or_default())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.poll().is_none()
    }

    fn poll(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("our own process can be waited for");
        }
        self.ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.poll().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            println!("--- what process {} said\n{}\n---", self.id(), self.said());
        }
    }
}

// === impl Lines ===

impl Lines {
    fn follow(from: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let into = lines.clone();
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let mut lines = into.0.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() < MAX_LINES {
                    lines.push(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned());
                }
                line.clear();
            }
        });
        lines
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The thread has ended, and with it the process and all that inherited its output.
    fn is_complete(&self) -> bool {
        Arc::strong_count(&self.0) <= 2
    }
}
