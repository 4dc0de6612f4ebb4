//! Which requests and connections a rule is about.

use crate::{istio::StringMatch, message::message};
use std::collections::BTreeMap;

message! {
    /// Conditions on a request; all of those that are there have to hold.
    pub struct HttpMatchRequest {
        /// Its name in logs.
        pub name: String,
        /// The path.
        pub uri: Option<StringMatch>,
        /// `http` or `https`.
        pub scheme: Option<StringMatch>,
        /// The method.
        pub method: Option<StringMatch>,
        /// The host as it was sent, with a port if it has one.
        pub authority: Option<StringMatch>,
        /// Header fields, by name in any case.
        pub headers: BTreeMap<String, StringMatch>,
        /// The port that the request came to; 0 is any.
        pub port: u16,
        /// Labels of the client's pod.
        pub source_labels: BTreeMap<String, String>,
        /// Instead of the gateways of the whole VirtualService.
        pub gateways: Vec<String>,
        /// Parameters of the query, the first of a name.
        pub query_params: BTreeMap<String, StringMatch>,
        /// Whether `uri` ignores case where it is exact or a prefix.
        pub ignore_uri_case: bool,
        /// Header fields that must not be like this.
        pub without_headers: BTreeMap<String, StringMatch>,
        /// The namespace of the client's pod.
        pub source_namespace: String,
        /// Prefix of statistics.
        pub stat_prefix: String,
    }
}

message! {
    /// Conditions on a connection.
    pub struct L4MatchAttributes {
        /// The addresses that the client asked for.
        pub destination_subnets: Vec<String>,
        /// The port that it came to; 0 is any.
        pub port: u16,
        /// The client's address; Istio ignores it.
        pub source_subnet: String,
        /// Labels of the client's pod.
        pub source_labels: BTreeMap<String, String>,
        /// Instead of the gateways of the whole VirtualService.
        pub gateways: Vec<String>,
        /// The namespace of the client's pod.
        pub source_namespace: String,
    }
}

message! {
    /// Conditions on a TLS connection that is passed through.
    pub struct TlsMatchAttributes {
        /// Server names, one of which the client has to ask for.
        pub sni_hosts: Vec<String>,
        /// The addresses that the client asked for.
        pub destination_subnets: Vec<String>,
        /// The port that it came to; 0 is any.
        pub port: u16,
        /// Labels of the client's pod.
        pub source_labels: BTreeMap<String, String>,
        /// Instead of the gateways of the whole VirtualService.
        pub gateways: Vec<String>,
        /// The namespace of the client's pod.
        pub source_namespace: String,
    }
}
