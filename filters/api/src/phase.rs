//! When a filter runs.

/// A moment in the life of one request at which filters run.
///
/// Request phases run in the order in which the route lists its filters, response phases and the log in reverse:
/// the filter that saw the request first sees the response last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The route is known, the destination is not chosen yet, nothing was sent.
    RequestHead,
    /// A piece of the request body arrived, or all of it where a filter asked to buffer.
    RequestBody,
    /// The request's trailers arrived.
    RequestTrailers,
    /// The upstream's final answer arrived, nothing was sent to the client. Not run for answers made here.
    ResponseHead,
    /// A piece of the answer's body arrived.
    ResponseBody,
    /// The answer's trailers arrived.
    ResponseTrailers,
    /// The exchange is over, however it ended.
    Log,
}

/// A set of phases. A phase that no filter of a route asks for costs nothing there: bodies pass untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PhaseMask(u8);

impl PhaseMask {
    /// No phase.
    pub const NONE: Self = Self(0);

    /// One phase.
    pub const fn only(phase: Phase) -> Self {
        Self(1 << phase as u8)
    }

    /// This set and one phase more.
    #[must_use]
    pub const fn with(self, phase: Phase) -> Self {
        Self(self.0 | 1 << phase as u8)
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the phase is in the set.
    pub const fn contains(self, phase: Phase) -> bool {
        self.0 & (1 << phase as u8) != 0
    }

    /// Whether no phase is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Phase> for PhaseMask {
    fn from_iter<I: IntoIterator<Item = Phase>>(phases: I) -> Self {
        phases.into_iter().fold(Self::NONE, Self::with)
    }
}
