//! When a change has settled.

use std::time::Duration;
use tokio::time::Instant;

/// A change has settled when nothing moved for this long.
const QUIET: Duration = Duration::from_millis(20);
/// ... or this long after its first sign.
const LATEST: Duration = Duration::from_millis(200);

/// A change that is still going on: what belongs together is waited for, but not for ever.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settling {
    /// The first and the latest sign.
    signs: Option<(Instant, Instant)>,
}

impl Settling {
    /// Something changed.
    pub fn sign(&mut self, now: Instant) {
        self.signs = Some((self.signs.map_or(now, |(first, _)| first), now));
    }

    /// When the change has settled, unless there are more signs; `None` where nothing changed.
    pub fn deadline(&self) -> Option<Instant> {
        self.signs.map(|(first, latest)| (latest + QUIET).min(first + LATEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_settles_after_20_ms_of_quiet_or_200_ms_in_all() {
        let mut settling = Settling::default();
        assert_eq!(settling.deadline(), None);
        let begun = Instant::now();
        settling.sign(begun);
        assert_eq!(settling.deadline(), Some(begun + QUIET));
        for number in 1..100 {
            settling.sign(begun + number * QUIET / 2);
        }
        assert_eq!(settling.deadline(), Some(begun + LATEST));
    }
}
