//! The report: Markdown for people, JSON for programs.

use crate::{
    Error,
    machine::Machine,
    metric::{Metric, Sample, median, spread},
    peer::{PEERS, Peer},
    row::Row,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

/// Whom the others are compared with, in the same round.
const YARDSTICKS: [Peer; 2] = [Peer::Haproxy, Peer::Nginx];

/// All that was measured, and on what.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Machine,
    rounds: u32,
    seconds: u64,
    pub(crate) versions: Vec<(Peer, String)>,
    /// Not installed.
    pub(crate) skipped: Vec<Peer>,
    pub(crate) results: Results,
}

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// By name, in the order of the run: what a row is, and what each peer showed on it.
    rows: Vec<(&'static str, &'static str, BTreeMap<Peer, Cell>)>,
}

/// One peer on one row.
#[derive(Debug, Default)]
struct Cell {
    /// By round.
    samples: BTreeMap<u32, Sample>,
    /// Why there is none, or fewer than rounds: the last reason.
    reason: Option<String>,
}

impl Results {
    /// Adds what a peer showed on a row in a round.
    pub(crate) fn add(&mut self, row: &Row, peer: Peer, round: u32, outcome: Result<Sample, String>) {
        let place = self.rows.iter().position(|(name, ..)| *name == row.name).unwrap_or_else(|| {
            self.rows.push((row.name, row.what, BTreeMap::new()));
            self.rows.len() - 1
        });
        let cell = self.rows[place].2.entry(peer).or_default();
        match outcome {
            Ok(sample) => {
                cell.samples.insert(round, sample);
            }
            Err(reason) => cell.reason = Some(reason),
        }
    }

    /// What a peer showed on a row, in all rounds.
    pub(crate) fn values(&self, row: &str, peer: Peer, metric: Metric) -> Vec<f64> {
        let cells = self.rows.iter().find(|(name, ..)| *name == row).map(|(_, _, cells)| cells);
        cells.and_then(|cells| cells.get(&peer)).map(|cell| cell.values(metric)).unwrap_or_default()
    }
}

impl Cell {
    fn values(&self, metric: Metric) -> Vec<f64> {
        self.samples.values().filter_map(|sample| sample.get(&metric).copied()).collect()
    }

    /// The median of the ratios to another peer, each of one round.
    fn ratio(&self, other: &Self, metric: Metric) -> Option<f64> {
        let ratios = self.samples.iter().filter_map(|(round, sample)| {
            let other = *other.samples.get(round)?.get(&metric)?;
            (other > 0.0).then_some(sample.get(&metric)? / other)
        });
        median(&ratios.collect::<Vec<_>>())
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, rounds: u32, seconds: u64) -> Self {
        Self {
            machine,
            rounds,
            seconds,
            versions: Vec::new(),
            skipped: Vec::new(),
            results: Results::default(),
        }
    }

    /// The report for people.
    pub(crate) fn markdown(&self) -> String {
        let Machine { processor, cores, kernel, load, commit, date } = &self.machine;
        let mut text = format!(
            "# Comparison\n\n{date}, commit {commit}, {processor}, {cores} cores, {kernel}, load {load} at the beginning; {} rounds of {} s.\n\
             Medians over the rounds; ± is half the distance from the lowest to the highest. *× haproxy*, *× nginx*: the median of the ratios within each round.\n",
            self.rounds, self.seconds
        );
        if *cores == 2 {
            text.push_str("Load and upstream share the core that the proxy does not have, so rates say more about them than about the proxy.\n");
        }
        text.push('\n');
        for (peer, version) in &self.versions {
            let _ = writeln!(text, "- {}: {version}", peer.name());
        }
        for peer in &self.skipped {
            let _ = writeln!(text, "- {}: not installed, left out", peer.name());
        }
        for (name, what, cells) in &self.results.rows {
            let _ = write!(text, "\n## {name}: {what}\n\n{}", table(cells));
        }
        text
    }

    /// The report for programs.
    fn json(&self) -> Value {
        let Machine { processor, cores, kernel, load, commit, date } = &self.machine;
        let versions: Map<String, Value> =
            self.versions.iter().map(|(peer, version)| (peer.name().to_owned(), json!(version))).collect();
        let rows: Map<String, Value> =
            self.results.rows.iter().map(|(name, _, cells)| ((*name).to_owned(), row_json(cells))).collect();
        json!({
            "machine": { "processor": processor, "cores": cores, "kernel": kernel, "load": load },
            "commit": commit,
            "date": date,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "versions": versions,
            "skipped": self.skipped.iter().map(|peer| peer.name()).collect::<Vec<_>>(),
            "rows": rows,
        })
    }

    /// Writes both into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("comparison.md"), self.markdown())?;
        fs::write(folder.join("comparison.json"), serde_json::to_string_pretty(&self.json())?)?;
        Ok(())
    }
}

fn metrics(cells: &BTreeMap<Peer, Cell>) -> Vec<Metric> {
    let samples = cells.values().flat_map(|cell| cell.samples.values());
    let mut metrics: Vec<Metric> = samples.flat_map(|sample| sample.keys().copied()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    metrics
}

fn table(cells: &BTreeMap<Peer, Cell>) -> String {
    let metrics = metrics(cells);
    let mut text = "| |".to_owned();
    for metric in &metrics {
        let _ = write!(text, " {} |", metric.title());
        if metric.compared() {
            for yardstick in YARDSTICKS {
                let _ = write!(text, " × {} |", yardstick.name());
            }
        }
    }
    let columns = text.matches('|').count() - 1;
    let _ = writeln!(text, "\n|{}", " --- |".repeat(columns));
    for (peer, cell) in cells {
        if cell.samples.is_empty() {
            let reason = cell.reason.as_deref().unwrap_or("not measured");
            let _ = writeln!(
                text,
                "| {} | {}{}",
                peer.name(),
                reason.replace('|', "/"),
                " |".repeat(columns - 1)
            );
            continue;
        }
        let _ = write!(text, "| {} |", peer.name());
        for metric in &metrics {
            let values = cell.values(*metric);
            match (median(&values), spread(&values)) {
                (Some(middle), Some(spread)) => {
                    let _ = write!(text, " {} ± {:.0} % |", figure(middle), spread * 50.0);
                }
                (Some(middle), None) => {
                    let _ = write!(text, " {} |", figure(middle));
                }
                (None, _) => text.push_str(" |"),
            }
            if metric.compared() {
                for yardstick in YARDSTICKS {
                    let ratio = cells.get(&yardstick).and_then(|other| cell.ratio(other, *metric));
                    let _ = match ratio {
                        Some(ratio) => write!(text, " {ratio:.2} |"),
                        None => write!(text, " |"),
                    };
                }
            }
        }
        text.push('\n');
    }
    for (peer, cell) in cells {
        if let (false, Some(reason)) = (cell.samples.is_empty(), &cell.reason) {
            let _ = writeln!(text, "\n{} was not measured in every round: {reason}", peer.name());
        }
    }
    text
}

/// Three digits say enough.
fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn row_json(cells: &BTreeMap<Peer, Cell>) -> Value {
    let mut row = Map::new();
    for peer in PEERS {
        let Some(cell) = cells.get(&peer) else { continue };
        let mut figures = Map::new();
        for metric in metrics(cells) {
            let values = cell.values(metric);
            if values.is_empty() {
                continue;
            }
            let mut figure =
                json!({ "values": values, "median": median(&values), "spread": spread(&values) });
            for yardstick in YARDSTICKS {
                if let Some(ratio) = cells.get(&yardstick).and_then(|other| cell.ratio(other, metric)) {
                    figure[format!("to_{}", yardstick.name())] = json!(ratio);
                }
            }
            figures.insert(metric.key().to_owned(), figure);
        }
        if let Some(reason) = &cell.reason {
            figures.insert("reason".to_owned(), json!(reason));
        }
        row.insert(peer.name().to_owned(), Value::Object(figures));
    }
    Value::Object(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::ROWS;

    fn cpu(value: f64) -> Sample {
        Sample::from([(Metric::Cpu, value)])
    }

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        let mut results = Results::default();
        // A machine that gets slower and slower: medians of each peer alone would say 1.0.
        for (round, (ours, theirs)) in [(8.0, 10.0), (16.0, 20.0), (32.0, 40.0)].into_iter().enumerate() {
            results.add(&ROWS[0], Peer::Sluice, round as u32, Ok(cpu(ours)));
            results.add(&ROWS[0], Peer::Haproxy, round as u32, Ok(cpu(theirs)));
        }
        let cells = &results.rows[0].2;
        assert_eq!(cells[&Peer::Sluice].ratio(&cells[&Peer::Haproxy], Metric::Cpu), Some(0.8));
        assert_eq!(results.values("h1-1k", Peer::Haproxy, Metric::Cpu), [10.0, 20.0, 40.0]);
        assert!(table(cells).contains("| sluice | 16.0 ± 75 % | 0.80 | |"), "{}", table(cells));
    }

    #[test]
    fn a_peer_that_cannot_says_why() {
        let mut results = Results::default();
        results.add(&ROWS[0], Peer::Sluice, 0, Ok(cpu(8.0)));
        results.add(&ROWS[0], Peer::Relay, 0, Err("copies bytes only".to_owned()));
        let cells = &results.rows[0].2;
        assert!(table(cells).contains("| relay | copies bytes only | | |"), "{}", table(cells));
        assert_eq!(row_json(cells)["relay"]["reason"], "copies bytes only");
    }
}
