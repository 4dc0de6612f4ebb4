//! The time of day, as API servers take it.

use k8s_openapi::jiff::Timestamp;

/// RFC 3339 in seconds, as in conditions.
pub(super) fn seconds() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// RFC 3339 in microseconds, as in Leases and Events.
pub(super) fn micros() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_full() {
        assert_eq!(seconds().len(), "2026-01-02T03:04:05Z".len());
        assert_eq!(micros().len(), "2026-01-02T03:04:05.000006Z".len());
        assert!(micros().parse::<Timestamp>().is_ok());
    }
}
