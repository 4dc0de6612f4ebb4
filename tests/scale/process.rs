//! What a process costs, as Linux counts it.

use std::{fs, time::Duration};

/// Kernel ticks in a second: a constant of the kernel's interface.
const TICKS: f64 = 100.0;

/// A process that runs.
#[derive(Debug, Clone, Copy)]
pub struct Cost(pub u32);

impl Cost {
    /// CPU time of all threads so far.
    pub fn cpu(self) -> Duration {
        let text = self.read("stat");
        // The name in parentheses may hold anything.
        let (_, rest) = text.rsplit_once(") ").expect("a process has a name");
        let number = |place: usize| -> f64 {
            rest.split(' ').nth(place).and_then(|field| field.parse().ok()).expect("a number of ticks")
        };
        Duration::from_secs_f64((number(11) + number(12)) / TICKS)
    }

    /// Resident memory now, in MiB.
    pub fn resident(self) -> f64 {
        self.memory("VmRSS:")
    }

    /// The most that was ever resident, in MiB.
    pub fn peak(self) -> f64 {
        self.memory("VmHWM:")
    }

    fn memory(self, key: &str) -> f64 {
        let text = self.read("status");
        let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a line of memory");
        let kib: f64 =
            line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number of KiB");
        kib / 1024.0
    }

    fn read(self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0)).expect("the process runs")
    }
}
