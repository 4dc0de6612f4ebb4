//! What becomes of a row of the tables: annotations, ConfigMap keys, flags, fields.

use std::fmt;

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does what it says: the translation carries it out.
    InEffect,
    /// It is read and checked, and reported on each object that has it.
    NotYet(Need),
    /// The same, and it protects something: while it is not in effect, what it protects is refused rather than open.
    FailsClosed(Need),
    /// It is read and has no effect, because there is nothing to do; the reason completes "no effect: ...".
    NoEffect(&'static str),
    /// It will not be; the reason completes "not supported: ...".
    Never(&'static str),
    /// The same, and it protects something: what it protects is refused.
    NeverFailsClosed(&'static str),
}

/// What a row waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Access-log switches and formats by route.
    AccessLog,
    /// Lists of addresses that may or may not come.
    AccessLists,
    /// Passwords, external decisions and tokens.
    Authentication,
    /// Identities and policies of the mesh.
    Authorization,
    /// Bounds on bodies and buffers that a route sets.
    BodyPolicies,
    /// Capture of a pod's connections, and its inbound side.
    Capture,
    /// Certificates of clients.
    ClientCertificates,
    /// Compression of responses.
    Compression,
    /// Bounds on connections and requests to a cluster.
    ConnectionLimits,
    /// Answers to scripts of other origins.
    Cors,
    /// Endpoints that are ejected.
    OutlierDetection,
    /// Balancing by locality, or in subsets of what a key leads to.
    Balancing,
    /// Connections that are not HTTP.
    Layer4,
    /// Rates and numbers of requests by client.
    Limits,
    /// PROXY headers.
    ProxyProtocol,
    /// Retries by a policy.
    Retries,
    /// Clients that stay at an endpoint.
    SessionAffinity,
    /// Limits on TLS versions and ciphers.
    TlsPolicies,
    /// Traces.
    Tracing,
    /// Certificates of servers that are verified, and mutual TLS to them.
    UpstreamTls,
}

impl Verdict {
    /// Whether an object that has the row gets what it says.
    pub const fn is_in_effect(self) -> bool {
        matches!(self, Self::InEffect)
    }

    /// Whether what the row protects has to be refused.
    pub const fn fails_closed(self) -> bool {
        matches!(self, Self::FailsClosed(_) | Self::NeverFailsClosed(_))
    }
}

impl Need {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AccessLog => "access logs by route",
            Self::AccessLists => "lists of addresses",
            Self::Authentication => "authentication",
            Self::Authorization => "mesh authorization",
            Self::BodyPolicies => "body and buffer policies by route",
            Self::Capture => "capture and the inbound side",
            Self::ClientCertificates => "client certificates",
            Self::Compression => "compression",
            Self::ConnectionLimits => "limits on connections and requests of a cluster",
            Self::Cors => "CORS",
            Self::OutlierDetection => "outlier detection",
            Self::Balancing => "balancing by locality or in subsets",
            Self::Layer4 => "TCP and TLS pass-through",
            Self::Limits => "rate and connection limits",
            Self::ProxyProtocol => "the PROXY protocol",
            Self::Retries => "retry policies",
            Self::SessionAffinity => "session affinity",
            Self::TlsPolicies => "TLS versions and ciphers by host",
            Self::Tracing => "tracing",
            Self::UpstreamTls => "verified and mutual TLS to servers",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// What a user is told: "not in effect yet: it needs CORS". The alternate form leaves out what is refused meanwhile.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InEffect => out.write_str("in effect"),
            Self::NotYet(need) => write!(out, "not in effect yet: it needs {need}"),
            Self::FailsClosed(need) if out.alternate() => write!(out, "not in effect yet: it needs {need}"),
            Self::NeverFailsClosed(reason) if out.alternate() => write!(out, "not supported: {reason}"),
            Self::FailsClosed(need) => {
                write!(out, "not in effect yet: it needs {need}; until then what it protects is refused")
            }
            Self::NoEffect(reason) => write!(out, "no effect: {reason}"),
            Self::Never(reason) => write!(out, "not supported: {reason}"),
            Self::NeverFailsClosed(reason) => {
                write!(out, "not supported: {reason}; what it protects is refused")
            }
        }
    }
}
