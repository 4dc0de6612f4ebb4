//! One rule for HTTP.

use super::{
    CorsPolicy, Delegate, HttpDirectResponse, HttpFaultInjection, HttpMatchRequest, HttpMirrorPolicy,
    HttpRedirect, HttpRetry, HttpRewrite,
};
use crate::{
    istio::{Destination, Percent},
    message::message,
    proto::Duration,
};
use std::collections::BTreeMap;

message! {
    /// One rule for HTTP.
    pub struct HttpRoute {
        /// Its name in logs.
        pub name: String,
        /// One of these has to match; none is all requests.
        pub r#match: Vec<HttpMatchRequest>,
        /// Where requests go, by weight.
        pub route: Vec<HttpRouteDestination>,
        /// Answers with another place instead.
        pub redirect: Option<HttpRedirect>,
        /// Answers instead.
        pub direct_response: Option<HttpDirectResponse>,
        /// Leaves the decision to another VirtualService.
        pub delegate: Option<Delegate>,
        /// Changes path or host before the request goes on.
        pub rewrite: Option<HttpRewrite>,
        /// For the whole request with its retries; absent and `0s` are no limit.
        pub timeout: Option<Duration>,
        /// When to try again.
        pub retries: Option<HttpRetry>,
        /// Faults for tests.
        pub fault: Option<HttpFaultInjection>,
        /// Who gets a copy.
        pub mirror: Option<Destination>,
        /// Who gets copies.
        pub mirrors: Vec<HttpMirrorPolicy>,
        /// The share that `mirror` gets, before `mirror_percentage` existed.
        pub mirror_percent: Option<u32>,
        /// The share that `mirror` gets; absent is all.
        pub mirror_percentage: Option<Percent>,
        /// Which other origins' scripts may ask.
        pub cors_policy: Option<CorsPolicy>,
        /// Changes to header fields.
        pub headers: Option<Headers>,
    }
}

message! {
    /// A destination and its share.
    pub struct HttpRouteDestination {
        /// The destination.
        pub destination: Option<Destination>,
        /// Its share is this by the sum of all; the only one gets everything.
        pub weight: u32,
        /// Changes to header fields of what goes there.
        pub headers: Option<Headers>,
    }
}

message! {
    /// Changes to header fields.
    pub struct Headers {
        /// Of requests.
        pub request: Option<HeaderOperations>,
        /// Of responses.
        pub response: Option<HeaderOperations>,
    }
}

message! {
    /// Changes to the header fields of one direction; done in the order remove, set, add.
    pub struct HeaderOperations {
        /// Fields that get this value and no other.
        pub set: BTreeMap<String, String>,
        /// Fields that get this value too.
        pub add: BTreeMap<String, String>,
        /// Fields that go.
        pub remove: Vec<String>,
    }
}
