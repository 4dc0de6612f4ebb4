//! How a request is treated on its way.

use crate::{
    istio::{Destination, Percent, StringMatch},
    message::{choice, message, one_of},
    proto::Duration,
};

message! {
    /// When to try again.
    pub struct HttpRetry {
        /// How often, after the first time; 0 is never.
        pub attempts: u32,
        /// For each attempt.
        pub per_try_timeout: Option<Duration>,
        /// On what, names separated by commas.
        pub retry_on: String,
        /// Whether other localities are tried.
        pub retry_remote_localities: Option<bool>,
        /// Whether endpoints that failed are avoided; so by default.
        pub retry_ignore_previous_hosts: Option<bool>,
        /// The shortest wait in between.
        pub backoff: Option<Duration>,
    }
}

message! {
    /// Which other origins' scripts may ask.
    pub struct CorsPolicy {
        /// Origins, before `allow_origins` existed.
        pub allow_origin: Vec<String>,
        /// Origins.
        pub allow_origins: Vec<StringMatch>,
        /// Methods.
        pub allow_methods: Vec<String>,
        /// Request fields.
        pub allow_headers: Vec<String>,
        /// Response fields that scripts may read.
        pub expose_headers: Vec<String>,
        /// How long a browser may remember the answer.
        pub max_age: Option<Duration>,
        /// Whether cookies may be sent.
        pub allow_credentials: Option<bool>,
        /// What becomes of preflights from other origins.
        pub unmatched_preflights: UnmatchedPreflights,
    }
}

choice! {
    /// What becomes of preflights from other origins.
    pub enum UnmatchedPreflights {
        /// They are forwarded.
        #[default]
        Unspecified,
        /// They are forwarded.
        Forward,
        /// They are answered without CORS fields.
        Ignore,
    }
}

message! {
    /// Faults for tests.
    pub struct HttpFaultInjection {
        /// Lets requests wait.
        pub delay: Option<FaultDelay>,
        /// Answers with an error.
        pub abort: Option<FaultAbort>,
    }
}

message! {
    /// Lets requests wait.
    #[serde(remote = "Self")]
    pub struct FaultDelay {
        /// The share in percent, before `percentage` existed.
        pub percent: u32,
        /// How long.
        pub fixed_delay: Option<Duration>,
        /// Nobody implements this.
        pub exponential_delay: Option<Duration>,
        /// The share; absent is none.
        pub percentage: Option<Percent>,
    }
}
one_of!(FaultDelay: fixed_delay | exponential_delay);

message! {
    /// Answers with an error.
    #[serde(remote = "Self")]
    pub struct FaultAbort {
        /// An HTTP status.
        pub http_status: Option<u16>,
        /// The name of a gRPC status.
        pub grpc_status: Option<String>,
        /// Nobody implements this.
        pub http2_error: Option<String>,
        /// The share; absent is none.
        pub percentage: Option<Percent>,
    }
}
one_of!(FaultAbort: http_status | grpc_status | http2_error);

message! {
    /// Who gets copies of requests.
    pub struct HttpMirrorPolicy {
        /// Where they go.
        pub destination: Option<Destination>,
        /// The share; absent is all.
        pub percentage: Option<Percent>,
    }
}
