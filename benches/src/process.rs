//! A peer while it runs: its CPU time and its memory, over all its processes and threads.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::HashMap,
    fs, io,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Child,
    thread,
    time::{Duration, Instant},
};

/// How long a peer may take to listen; 50,000 hosts are a lot to read.
const START: Duration = Duration::from_secs(120);

/// How long a peer may take to end by itself.
const END: Duration = Duration::from_secs(3);

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, which is 100 wherever Linux runs.
const TICKS: f64 = 100.0;

/// A peer that was started; it is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// CPU time, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Cpu {
    /// What was used since an earlier moment.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }

    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Process {
    /// A child whose output goes to `log`.
    pub(crate) fn new(child: Child, log: PathBuf) -> Self {
        Self { child, log }
    }

    /// Waits until it listens everywhere; what it said last where it does not.
    pub(crate) fn listens(&mut self, addresses: &[SocketAddr]) -> Result<(), String> {
        let until = Instant::now() + START;
        for address in addresses {
            while TcpStream::connect(address).is_err() {
                if let Ok(Some(status)) = self.child.try_wait() {
                    return Err(format!("ended with {status}: {}", last_words(&self.log)));
                }
                if Instant::now() > until {
                    return Err(format!("does not listen at {address}: {}", last_words(&self.log)));
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// CPU time so far of all its processes and threads.
    pub(crate) fn cpu(&self) -> io::Result<Cpu> {
        let mut sum = Cpu::default();
        for pid in self.tree()? {
            // One that has ended meanwhile is counted by nobody; peers keep theirs while they are measured.
            if let Some(cpu) = fs::read_to_string(format!("/proc/{pid}/stat")).ok().as_deref().and_then(cpu) {
                sum.user += cpu.user;
                sum.system += cpu.system;
            }
        }
        Ok(sum)
    }

    /// Resident bytes of all its processes; what they share counts once.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        let mut sum = 0;
        for pid in self.tree()? {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            sum += proportional(&rollup).unwrap_or(0);
        }
        Ok(sum)
    }

    /// Its process and all that came of it.
    fn tree(&self) -> io::Result<Vec<u32>> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if let Some(parent) =
                fs::read_to_string(format!("/proc/{pid}/stat")).ok().as_deref().and_then(parent)
            {
                children.entry(parent).or_default().push(pid);
            }
        }
        let mut tree = vec![self.child.id()];
        let mut next = 0;
        while next < tree.len() {
            tree.extend(children.remove(&tree[next]).unwrap_or_default());
            next += 1;
        }
        Ok(tree)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let tree = self.tree().unwrap_or_else(|_| vec![self.child.id()]);
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let until = Instant::now() + END;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            // Whoever drains its connections for longer is not waited for. Children first: nobody else ends them.
            for pid in tree.into_iter().skip(1).filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
                let _ = kill_process(pid, Signal::KILL);
            }
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The fields of `/proc/PID/stat` behind the name, which may contain anything; the first is number 3 of proc(5).
fn fields(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace().collect())
}

fn parent(stat: &str) -> Option<u32> {
    fields(stat)?.get(1)?.parse().ok()
}

fn cpu(stat: &str) -> Option<Cpu> {
    let fields = fields(stat)?;
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    Some(Cpu { user: ticks(11)? / TICKS, system: ticks(12)? / TICKS })
}

/// The proportional set size of `/proc/PID/smaps_rollup`, in bytes.
fn proportional(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// The end of what a process said.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    if lines.is_empty() {
        return "it said nothing".to_owned();
    }
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_moves_no_field() {
        let stat = "42 (a) (b c)) S 7 42 42 0 -1 4194304 100 0 0 0 250 125 0 0 20 0 3 0 999";
        assert_eq!(parent(stat), Some(7));
        assert_eq!(cpu(stat), Some(Cpu { user: 2.5, system: 1.25 }));
    }

    #[test]
    fn what_processes_share_is_counted_in_proportion() {
        let rollup =
            "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:  5000 kB\nPss:  1200 kB\nPss_Anon: 10 kB\n";
        assert_eq!(proportional(rollup), Some(1200 * 1024));
    }
}
