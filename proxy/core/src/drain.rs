//! How a connection, a listener or the process winds down.
//!
//! ```text
//! Active ──begin(deadline)──▶ Draining(deadline) ──deadline passed, or force()──▶ Forced
//!    └──────────────────────────────force()────────────────────────────────────────▶
//! ```

use std::time::Instant;

/// Where somebody stands who winds down. It only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drain {
    /// Everything is served.
    #[default]
    Active,
    /// What has begun is finished until the deadline: HTTP/1 answers carry `connection: close`, HTTP/2 connections
    /// have sent GOAWAY, idle connections are closed.
    Draining(Instant),
    /// What is left is cut.
    Forced,
}

impl Drain {
    /// Starts to wind down. A drain that is under way may only become shorter.
    pub fn begin(&mut self, deadline: Instant) {
        *self = match *self {
            Self::Active => Self::Draining(deadline),
            Self::Draining(earlier) => Self::Draining(earlier.min(deadline)),
            Self::Forced => Self::Forced,
        };
    }

    /// Ends the patience.
    pub fn force(&mut self) {
        *self = Self::Forced;
    }

    /// Looks at the clock and says where it stands now.
    pub fn at(&mut self, now: Instant) -> Self {
        if let Self::Draining(deadline) = *self
            && deadline <= now
        {
            *self = Self::Forced;
        }
        *self
    }

    /// Whether new work is still taken on.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_goes_forward() {
        let now = Instant::now();
        let soon = now + Duration::from_secs(1);
        let mut drain = Drain::default();
        assert!(drain.at(now).is_active());
        drain.begin(soon);
        drain.begin(now + Duration::from_secs(9));
        assert_eq!(drain.at(now), Drain::Draining(soon));
        assert_eq!(drain.at(soon), Drain::Forced);
        drain.begin(now + Duration::from_secs(9));
        assert_eq!(drain, Drain::Forced);
    }
}
