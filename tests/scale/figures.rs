//! What is measured, and how it is shown.

use std::{fmt::Write, time::Duration};

/// Rows of a table.
#[derive(Debug, Default)]
pub struct Figures(Vec<[String; 3]>);

/// How long something took, many times.
#[derive(Debug, Default)]
pub struct Spread(Vec<Duration>);

impl Figures {
    pub fn add(&mut self, what: &str, goal: &str, measured: impl ToString) {
        let measured = measured.to_string();
        println!("{what}: {measured} (goal: {goal})");
        self.0.push([what.to_owned(), goal.to_owned(), measured]);
    }

    /// In Markdown, as the README has it.
    pub fn table(&self) -> String {
        let mut text = "| what | goal | measured |\n| --- | --- | --- |\n".to_owned();
        for [what, goal, measured] in &self.0 {
            let _ = writeln!(text, "| {what} | {goal} | {measured} |");
        }
        text
    }
}

impl Spread {
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// The least time that so many of a hundred did not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let mut all = self.0.clone();
        all.sort_unstable();
        all.get((all.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = |percent| self.percentile(percent).as_secs_f64() * 1e3;
        write!(
            out,
            "p50 {:.0} ms, p99 {:.0} ms, most {:.0} ms of {}",
            millis(50),
            millis(99),
            millis(100),
            self.0.len()
        )
    }
}
