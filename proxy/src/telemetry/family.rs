//! Metric families and their two written forms: the Prometheus text format 0.0.4, and `name: value` lines.

use super::{
    histogram::Distribution,
    number::{DurationSum, Durations},
};
use std::fmt::Write;

/// A metric and its samples.
#[derive(Debug)]
pub struct Family {
    prefix: &'static str,
    /// Without the prefix; counters of our own end in `_total`.
    name: &'static str,
    help: &'static str,
    samples: Samples,
}

#[derive(Debug)]
enum Samples {
    Counter(Vec<(Labels, u64)>),
    Gauge(Vec<(Labels, f64)>),
    Histogram(Vec<(Labels, Distribution)>),
    /// Count and sum alone: quantiles of several shards cannot be added up.
    Summary(Vec<(Labels, (u64, f64))>),
}

const PREFIX: &str = "sluice_";

/// Names and values.
pub type Labels = Vec<(&'static str, String)>;

// === impl Family ===

impl Family {
    /// Counts that only grow. `name` comes without the prefix `sluice_` and ends in `_total`.
    pub fn counter(name: &'static str, help: &'static str, samples: Vec<(Labels, u64)>) -> Self {
        Self { prefix: PREFIX, name, help, samples: Samples::Counter(samples) }
    }

    /// Numbers as they are now.
    pub fn gauge(name: &'static str, help: &'static str, samples: Vec<(Labels, f64)>) -> Self {
        Self { prefix: PREFIX, name, help, samples: Samples::Gauge(samples) }
    }

    /// Seconds, from sums of microseconds.
    pub(crate) fn histogram(
        name: &'static str,
        help: &'static str,
        samples: Vec<(Labels, DurationSum)>,
    ) -> Self {
        let samples = samples.into_iter().map(|(labels, sum)| (labels, sum.into())).collect();
        Self::distribution(name, help, samples)
    }

    /// Values between bounds of their own.
    pub(crate) fn distribution(
        name: &'static str,
        help: &'static str,
        samples: Vec<(Labels, Distribution)>,
    ) -> Self {
        Self { prefix: PREFIX, name, help, samples: Samples::Histogram(samples) }
    }

    /// How many values there were, and their sum.
    pub(crate) fn summary(
        name: &'static str,
        help: &'static str,
        samples: Vec<(Labels, (u64, f64))>,
    ) -> Self {
        Self { prefix: PREFIX, name, help, samples: Samples::Summary(samples) }
    }

    /// The same in another family of names than our own; `prefix` comes with its underscore.
    #[must_use]
    pub fn under(self, prefix: &'static str) -> Self {
        Self { prefix, ..self }
    }

    /// Without the prefix.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// One length of time without labels, in seconds.
    pub fn durations(name: &'static str, help: &'static str, durations: &Durations) -> Self {
        let mut sum = DurationSum::default();
        durations.add_to(&mut sum);
        Self::histogram(name, help, vec![(Labels::new(), sum)])
    }
}

/// The Prometheus text format 0.0.4. Families without samples are announced all the same.
pub(crate) fn prometheus(families: &[Family]) -> String {
    let mut out = String::new();
    for Family { prefix, name, help, samples } in families {
        let kind = match samples {
            Samples::Counter(_) => "counter",
            Samples::Gauge(_) => "gauge",
            Samples::Histogram(_) => "histogram",
            Samples::Summary(_) => "summary",
        };
        let _ = writeln!(out, "# HELP {prefix}{name} {help}\n# TYPE {prefix}{name} {kind}");
        write_samples(&mut out, &format!("{prefix}{name}"), samples, " ");
    }
    out
}

/// One line `name{labels}: value` for each sample, for people and `grep`.
pub(crate) fn stats_text(families: &[Family]) -> String {
    let mut out = String::new();
    for Family { prefix, name, samples, .. } in families {
        write_samples(&mut out, &format!("{prefix}{name}"), samples, ": ");
    }
    out
}

fn write_samples(out: &mut String, name: &str, samples: &Samples, separator: &str) {
    match samples {
        Samples::Counter(samples) => {
            for (labels, value) in samples {
                let _ = writeln!(out, "{name}{}{separator}{value}", braces(labels, None));
            }
        }
        Samples::Gauge(samples) => {
            for (labels, value) in samples {
                let _ = writeln!(out, "{name}{}{separator}{value}", braces(labels, None));
            }
        }
        Samples::Histogram(samples) => {
            for (labels, distribution) in samples {
                let mut count = 0;
                for (index, bucket) in distribution.buckets.iter().enumerate() {
                    count += bucket;
                    let bound = distribution.bounds.get(index);
                    let bound = bound.map_or("+Inf".to_owned(), ToString::to_string);
                    let labels = braces(labels, Some(&bound));
                    let _ = writeln!(out, "{name}_bucket{labels}{separator}{count}");
                }
                sum_and_count(out, name, labels, separator, (count, distribution.sum));
            }
        }
        Samples::Summary(samples) => {
            for (labels, total) in samples {
                sum_and_count(out, name, labels, separator, *total);
            }
        }
    }
}

fn sum_and_count(out: &mut String, name: &str, labels: &Labels, separator: &str, (count, sum): (u64, f64)) {
    let labels = braces(labels, None);
    let _ = writeln!(out, "{name}_sum{labels}{separator}{sum}");
    let _ = writeln!(out, "{name}_count{labels}{separator}{count}");
}

fn braces(labels: &Labels, bound: Option<&str>) -> String {
    if labels.is_empty() && bound.is_none() {
        return String::new();
    }
    let mut out = String::from("{");
    for (name, value) in
        labels.iter().map(|(name, value)| (*name, value.as_str())).chain(bound.map(|le| ("le", le)))
    {
        if out.len() > 1 {
            out.push(',');
        }
        let _ = write!(out, "{name}=\"");
        for character in value.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::number::BOUNDS;

    #[test]
    fn both_forms_show_labels_and_cumulative_buckets() {
        let mut sum = DurationSum { micros: 1_500_000, ..DurationSum::default() };
        sum.buckets[0] = 2;
        sum.buckets[BOUNDS.len()] = 1;
        let families = [
            Family::counter(
                "requests_total",
                "Requests.",
                vec![(vec![("route", "a\"b\\c\nd".to_owned())], 3)],
            ),
            Family::gauge("up", "Up.", vec![(Vec::new(), 1.0)]),
            Family::histogram("duration_seconds", "Time.", vec![(vec![("listener", "web".to_owned())], sum)]),
        ];
        let text = prometheus(&families);
        assert!(
            text.starts_with(
                "# HELP sluice_requests_total Requests.\n# TYPE sluice_requests_total counter\n"
            )
        );
        assert!(text.contains("sluice_requests_total{route=\"a\\\"b\\\\c\\nd\"} 3\n"));
        assert!(text.contains("sluice_up 1\n"));
        assert!(text.contains("sluice_duration_seconds_bucket{listener=\"web\",le=\"0.0005\"} 2\n"));
        assert!(text.contains("sluice_duration_seconds_bucket{listener=\"web\",le=\"+Inf\"} 3\n"));
        assert!(text.contains("sluice_duration_seconds_sum{listener=\"web\"} 1.5\n"));
        assert!(stats_text(&families).contains("sluice_up: 1\n"));
    }
}
