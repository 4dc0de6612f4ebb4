//! Why a request ended as it did, in Envoy's short names.

use std::fmt;

/// A set of reasons; empty for a request that simply worked. The order of [`ResponseFlags::names`] is Envoy's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ResponseFlags(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal $short:literal;)*) => {
        impl ResponseFlags {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
            /// Every flag and its short name, in Envoy's order.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $short)),*];
        }
    };
}

flags! {
    /// 503: no endpoint is healthy, or the cluster has none.
    NO_HEALTHY_UPSTREAM = 0 "UH";
    /// 503: connecting to the upstream failed.
    UPSTREAM_CONNECT_FAILURE = 1 "UF";
    /// 503: the upstream closed the connection before its answer was whole.
    UPSTREAM_CLOSED = 2 "UC";
    /// 503: the upstream reset the request.
    UPSTREAM_RESET = 3 "UR";
    /// We cut the request on our side: a drain has lasted its time.
    LOCAL_RESET = 4 "LR";
    /// 504: the route's request timeout.
    UPSTREAM_TIMEOUT = 5 "UT";
    /// 503: a bound of ours was reached.
    OVERFLOW = 6 "UO";
    /// 404: no virtual host or no route.
    NO_ROUTE = 7 "NR";
    /// 503: the route names a cluster that does not exist.
    NO_CLUSTER = 8 "NC";
    /// The client was gone before the answer was whole.
    DOWNSTREAM_GONE = 9 "DC";
    /// 4xx: the request breaks the protocol.
    DOWNSTREAM_PROTOCOL_ERROR = 10 "DPE";
    /// A delay was injected.
    DELAY_INJECTED = 11 "DI";
    /// An error was injected.
    FAULT_INJECTED = 12 "FI";
    /// 408 or 504: nobody sent a byte for the idle timeout.
    IDLE_TIMEOUT = 13 "SI";
    /// 503 and others: retries were exhausted.
    RETRIES_EXHAUSTED = 14 "URX";
    /// 502: the upstream breaks the protocol.
    UPSTREAM_PROTOCOL_ERROR = 15 "UPE";
}

impl ResponseFlags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// How many flags there are; their [bits](Self::bits) are below `1 << COUNT`.
    pub const COUNT: usize = Self::ALL.len();

    /// The set as bits, for counting by flag.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of these bits; those that are no flag are left out.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & ((1 << Self::COUNT) - 1))
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Adds flags.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The short names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| *name)
    }
}

/// `UF,URX`, or `-` where no flag is set: the form of access logs.
impl fmt::Display for ResponseFlags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("-");
        }
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                out.write_str(",")?;
            }
            out.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ResponseFlags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_short_names_and_a_dash_for_none() {
        assert_eq!(ResponseFlags::NONE.to_string(), "-");
        let flags = ResponseFlags::RETRIES_EXHAUSTED.union(ResponseFlags::UPSTREAM_CONNECT_FAILURE);
        assert_eq!(flags.to_string(), "UF,URX");
        assert!(flags.contains(ResponseFlags::UPSTREAM_CONNECT_FAILURE));
        assert!(!flags.contains(ResponseFlags::UPSTREAM_RESET.union(ResponseFlags::RETRIES_EXHAUSTED)));
    }
}
