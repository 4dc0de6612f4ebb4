//! Which core does what: the proxy has its own, the load and the upstream have the others.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::{io, process};

/// The cores that this process may use, divided.
#[derive(Debug, Clone)]
pub(crate) struct Cores {
    /// In ascending order; the proxy takes the last ones.
    all: Vec<usize>,
}

impl Cores {
    /// What this process may use.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let set = sched_getaffinity(None)?;
        Ok(Self { all: (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect() })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether a proxy with so many threads leaves a core for the load.
    pub(crate) fn suffice(&self, threads: usize) -> bool {
        threads < self.count()
    }

    /// Starts a command on the cores of the proxy: a process inherits the cores of the thread that starts it.
    pub(crate) fn spawn_proxy(
        &self,
        threads: usize,
        command: &mut process::Command,
    ) -> io::Result<process::Child> {
        pin(&self.all[self.count() - threads..])?;
        let child = command.spawn();
        pin(&self.all[..self.count() - threads])?;
        child
    }

    /// Moves this thread, and what it starts from now on, to the cores of the load.
    pub(crate) fn join_load(&self, threads: usize) -> io::Result<()> {
        pin(&self.all[..self.count() - threads])
    }
}

fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}
