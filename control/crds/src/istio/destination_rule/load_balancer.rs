//! Which endpoint is next.

use crate::{
    message::{choice, message, one_of},
    proto::Duration,
};
use std::collections::BTreeMap;

message! {
    /// Which endpoint is next.
    #[serde(remote = "Self")]
    pub struct LoadBalancerSettings {
        /// By a simple rule.
        pub simple: Option<SimpleLb>,
        /// By something of the request.
        pub consistent_hash: Option<ConsistentHashLb>,
        /// By where endpoints are.
        pub locality_lb_setting: Option<LocalityLoadBalancerSetting>,
        /// By how many endpoints are in which zone.
        pub zone_aware_lb_setting: Option<ZoneAwareLoadBalancerSetting>,
        /// How long new endpoints get less, before `warmup` existed.
        pub warmup_duration_secs: Option<Duration>,
        /// How new endpoints get less at first.
        pub warmup: Option<WarmupConfiguration>,
    }
}
one_of!(LoadBalancerSettings: simple | consistent_hash);

choice! {
    /// A simple rule.
    pub enum SimpleLb {
        /// The default, which is `LEAST_REQUEST`.
        #[default]
        Unspecified,
        /// The old name of `LEAST_REQUEST`.
        LeastConn,
        /// Any.
        Random,
        /// The address that the client asked for.
        Passthrough,
        /// One after the other.
        RoundRobin,
        /// The less busy of two.
        LeastRequest,
    }
}

message! {
    /// Requests with the same key go to the same endpoint as long as it is there.
    #[serde(remote = "Self")]
    pub struct ConsistentHashLb {
        /// The key is this header field.
        pub http_header_name: Option<String>,
        /// The key is this cookie.
        pub http_cookie: Option<HttpCookie>,
        /// The key is the client's address.
        pub use_source_ip: Option<bool>,
        /// The key is this parameter of the query.
        pub http_query_parameter_name: Option<String>,
        /// By a ring.
        pub ring_hash: Option<RingHash>,
        /// By a table.
        pub maglev: Option<MagLev>,
        /// Of the ring, before `ring_hash` existed.
        pub minimum_ring_size: u64,
    }
}
one_of!(
    ConsistentHashLb: http_header_name | http_cookie | use_source_ip | http_query_parameter_name,
    ring_hash | maglev
);

message! {
    /// A hash ring.
    pub struct RingHash {
        /// The least number of points on it; 1024 where it is 0.
        pub minimum_ring_size: u64,
    }
}

message! {
    /// A Maglev table.
    pub struct MagLev {
        /// A prime; 65537 where it is 0.
        pub table_size: u64,
    }
}

message! {
    /// A cookie that chooses the endpoint.
    pub struct HttpCookie {
        /// Its name.
        pub name: String,
        /// Its path.
        pub path: String,
        /// How long it lasts; `0s` as long as the browser runs, absent is never made by the proxy.
        pub ttl: Option<Duration>,
        /// Others.
        pub attributes: Vec<HttpCookieAttribute>,
    }
}

message! {
    /// An attribute of a cookie.
    pub struct HttpCookieAttribute {
        /// Its name.
        pub name: String,
        /// Its value; empty for none.
        pub value: String,
    }
}

message! {
    /// How new endpoints get less at first.
    pub struct WarmupConfiguration {
        /// For how long.
        pub duration: Option<Duration>,
        /// What they begin with; 10 where absent.
        pub minimum_percent: Option<f64>,
        /// How fast it grows; 1.0 is evenly.
        pub aggression: Option<f64>,
    }
}

message! {
    /// Which localities get how much.
    pub struct LocalityLoadBalancerSetting {
        /// By share.
        pub distribute: Vec<LocalityDistribute>,
        /// Who takes over.
        pub failover: Vec<LocalityFailover>,
        /// Labels that endpoints should share with the client, the most important first.
        pub failover_priority: Vec<String>,
        /// Whether any of this holds; as the mesh says where absent.
        pub enabled: Option<bool>,
    }
}

message! {
    /// What clients in one place send where.
    pub struct LocalityDistribute {
        /// Where clients are: `region/zone/sub-zone`.
        pub from: String,
        /// Percent by place.
        pub to: BTreeMap<String, u32>,
    }
}

message! {
    /// Who takes over for a region.
    pub struct LocalityFailover {
        /// The region.
        pub from: String,
        /// The other region.
        pub to: String,
    }
}

message! {
    /// Which zones get how much, by the number of endpoints in them.
    pub struct ZoneAwareLoadBalancerSetting {
        /// Whether any of this holds.
        pub enabled: Option<bool>,
        /// Who takes over.
        pub failover: Vec<LocalityFailover>,
        /// Labels that endpoints should share with the client, the most important first.
        pub failover_priority: Vec<String>,
        /// Endpoints below which zones are ignored; 6 where absent.
        pub min_cluster_size: Option<u64>,
    }
}
