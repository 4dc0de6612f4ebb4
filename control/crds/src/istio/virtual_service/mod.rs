//! `VirtualService`: which requests go where.

mod action;
mod http;
mod l4;
mod matching;
mod policy;

pub use action::*;
pub use http::*;
pub use l4::*;
pub use matching::*;
pub use policy::*;

use crate::message::message;

message! {
    /// Which requests to which hosts go where.
    pub struct VirtualService {
        /// The hosts that clients ask for: names, `*.name`, `*`, addresses. Empty for one that others delegate to.
        pub hosts: Vec<String>,
        /// Gateways that this holds at, and `mesh` for all sidecars, which alone is the default.
        pub gateways: Vec<String>,
        /// Rules for HTTP; the first that matches counts.
        pub http: Vec<HttpRoute>,
        /// Rules for TLS that is passed through; the first that matches counts.
        pub tls: Vec<TlsRoute>,
        /// Rules for everything else; the first that matches counts.
        pub tcp: Vec<TcpRoute>,
        /// Namespaces that see this: `.` for its own, `*` for all, which is the default.
        pub export_to: Vec<String>,
    }
}
