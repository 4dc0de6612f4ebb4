//! What is measured, and how rounds are summed up.

use std::collections::BTreeMap;

/// One kind of figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// CPU of the proxy alone for each request, in microseconds: the figure that counts.
    Cpu,
    /// Its part outside the kernel.
    User,
    /// Its part inside the kernel.
    System,
    /// Finished requests (connections, where each brings one) in a second.
    Rate,
    /// Latency in microseconds, from when a request was due.
    P50,
    /// The same.
    P99,
    /// The same.
    P999,
    /// Memory before the first request, in MiB.
    Start,
    /// Memory while it works, in MiB.
    Resident,
    /// Memory for each idle connection, in KiB.
    PerConnection,
}

impl Metric {
    /// Its name in JSON.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Cpu => "cpu_us",
            Self::User => "user_us",
            Self::System => "system_us",
            Self::Rate => "rate",
            Self::P50 => "p50_us",
            Self::P99 => "p99_us",
            Self::P999 => "p999_us",
            Self::Start => "start_mib",
            Self::Resident => "resident_mib",
            Self::PerConnection => "connection_kib",
        }
    }

    /// Its name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU µs",
            Self::User => "user µs",
            Self::System => "system µs",
            Self::Rate => "per second",
            Self::P50 => "p50 µs",
            Self::P99 => "p99 µs",
            Self::P999 => "p99.9 µs",
            Self::Start => "MiB at start",
            Self::Resident => "MiB",
            Self::PerConnection => "KiB a connection",
        }
    }

    /// Whether the report shows it as a ratio to the yardsticks too.
    pub(crate) const fn compared(self) -> bool {
        !matches!(self, Self::User | Self::System | Self::Rate | Self::Start)
    }
}

/// What one peer showed on one row in one round.
pub(crate) type Sample = BTreeMap<Metric, f64>;

/// The middle one; of an even number, the mean of the two in the middle. `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The distance from the lowest to the highest, as a share of the median.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (middle > 0.0).then(|| (highest - lowest) / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 9.0]), Some(4.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        assert_eq!(spread(&[9.0, 10.0, 12.0]), Some(0.3));
        assert_eq!(spread(&[5.0]), Some(0.0));
    }
}
