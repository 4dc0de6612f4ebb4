//! Which endpoints are left out for a while.

use crate::{message::message, proto::Duration};

message! {
    /// Which endpoints are left out for a while.
    pub struct OutlierDetection {
        /// Gateway errors in a row, before the fields below existed.
        pub consecutive_errors: u32,
        /// Whether errors of the network are counted on their own.
        pub split_external_local_origin_errors: bool,
        /// Errors of the network in a row.
        pub consecutive_local_origin_failures: Option<u32>,
        /// Statuses 502, 503 and 504 in a row; 0 and absent are off.
        pub consecutive_gateway_errors: Option<u32>,
        /// Statuses from 500 on in a row; 5 where absent, 0 is off.
        pub consecutive_5xx_errors: Option<u32>,
        /// Time between sweeps; 10s where absent.
        pub interval: Option<Duration>,
        /// How long, times how often already; 30s where absent.
        pub base_ejection_time: Option<Duration>,
        /// How many of all, at most; 10 where it is 0.
        pub max_ejection_percent: u32,
        /// Below this share of healthy endpoints none is left out.
        pub min_health_percent: u32,
        /// Statuses that count as errors, instead of those from 500 on.
        pub outlier_detection_http_error_codes: Vec<u32>,
    }
}
