//! How often values fell between bounds that are known only when the process starts.

use super::number::Counter;
use std::sync::Arc;

/// Upper bounds of a [`Histogram`]; a last, unbounded bucket follows.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// As they are shown.
    shown: Arc<[f64]>,
    /// As values are counted: in the smallest unit.
    raw: Arc<[u64]>,
    /// How many of the smallest unit are one of the shown.
    unit: f64,
}

/// One thread adds, any may read.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Box<[Counter]>,
    sum: Counter,
}

/// Histograms of several shards together, as they are shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) bounds: Arc<[f64]>,
    /// Not cumulative; one more than there are bounds.
    pub(crate) buckets: Vec<u64>,
    pub(crate) sum: f64,
}

impl Bounds {
    /// For values that are counted in parts: `unit` of them are one of what is shown.
    pub(crate) fn new(shown: &[f64], unit: f64) -> Self {
        let mut shown: Vec<f64> = shown.iter().copied().filter(|bound| bound.is_finite()).collect();
        shown.sort_by(f64::total_cmp);
        shown.dedup();
        let raw = shown.iter().map(|bound| (bound * unit).round().max(0.0) as u64).collect();
        Self { shown: shown.into(), raw, unit }
    }

    /// Nothing yet.
    pub(crate) fn empty(&self) -> Distribution {
        Distribution { bounds: self.shown.clone(), buckets: vec![0; self.raw.len() + 1], sum: 0.0 }
    }

    pub(crate) fn histogram(&self) -> Histogram {
        Histogram {
            buckets: (0..=self.raw.len()).map(|_| Counter::default()).collect(),
            sum: Counter::default(),
        }
    }
}

impl Histogram {
    /// Adds a value in the smallest unit. The bounds are those that it was made with.
    pub(crate) fn add(&self, bounds: &Bounds, value: u64) {
        if let Some(bucket) = self.buckets.get(bounds.raw.partition_point(|bound| *bound < value)) {
            bucket.add(1);
        }
        self.sum.add(value);
    }

    /// Adds what is here to a sum over shards.
    pub(crate) fn add_to(&self, bounds: &Bounds, total: &mut Distribution) {
        for (bucket, count) in total.buckets.iter_mut().zip(&self.buckets) {
            *bucket += count.get();
        }
        total.sum += self.sum.get() as f64 / bounds.unit;
    }
}

impl Distribution {
    /// How many values there are.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_sum_up_and_a_bound_belongs_to_its_bucket() {
        let bounds = Bounds::new(&[0.01, 0.005], 1e6);
        let (one, other) = (bounds.histogram(), bounds.histogram());
        for value in [0, 5_000, 5_001] {
            one.add(&bounds, value);
        }
        other.add(&bounds, 1_000_000);
        let mut total = bounds.empty();
        one.add_to(&bounds, &mut total);
        other.add_to(&bounds, &mut total);
        assert_eq!((&*total.bounds, &*total.buckets), (&[0.005, 0.01][..], &[2, 1, 1][..]));
        assert_eq!((total.count(), total.sum), (4, 1.010_001));
    }
}
