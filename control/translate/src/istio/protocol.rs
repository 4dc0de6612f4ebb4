//! What is spoken at the port of a service, as its author says it (Istio's protocol selection).

use sluice_crds::{core, istio};

/// Ports that speak no HTTP where nobody says anything: SMTP, DNS, MySQL, MongoDB.
const NOT_HTTP: [u16; 4] = [25, 53, 3306, 27017];

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// HTTP/1.1, and what the client prefers.
    Http,
    /// HTTP/2, as gRPC needs it.
    Http2,
    /// Nobody says; the first bytes tell.
    Unsaid,
    /// TLS that somebody behind ends, or something that is no HTTP at all.
    Opaque,
}

impl Speech {
    /// At a port of a Service: `appProtocol`, else the name of the port up to its first dash.
    pub(super) fn of_service(port: &core::ServicePort) -> Self {
        let word = if port.app_protocol.is_empty() { &port.name } else { &port.app_protocol };
        match word.as_str() {
            "kubernetes.io/h2c" => return Self::Http2,
            "kubernetes.io/ws" => return Self::Http,
            "kubernetes.io/wss" => return Self::Opaque,
            _ => {}
        }
        let first = if is_grpc_web(word) { word } else { word.split('-').next().unwrap_or(word) };
        match Self::of(first) {
            Self::Unsaid if NOT_HTTP.contains(&port.port) => Self::Opaque,
            speech => speech,
        }
    }

    /// At a port of a ServiceEntry.
    pub(super) fn of_entry(port: &istio::ServicePort) -> Self {
        Self::of(&port.protocol)
    }

    fn of(word: &str) -> Self {
        match &*word.to_ascii_lowercase() {
            "http" | "http_proxy" => Self::Http,
            "http2" | "grpc" => Self::Http2,
            word if is_grpc_web(word) => Self::Http2,
            "https" | "tls" | "tcp" | "udp" | "mongo" | "redis" | "mysql" => Self::Opaque,
            _ => Self::Unsaid,
        }
    }
}

fn is_grpc_web(word: &str) -> bool {
    word.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("grpc-web"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, app_protocol: &str, port: u16) -> Speech {
        Speech::of_service(&core::ServicePort {
            name: name.to_owned(),
            app_protocol: app_protocol.to_owned(),
            port,
            ..core::ServicePort::default()
        })
    }

    #[test]
    fn the_protocol_of_a_port_is_what_its_author_says() {
        for (name, app_protocol, port, speech) in [
            ("http", "", 80, Speech::Http),
            ("HTTP-web", "", 80, Speech::Http),
            ("http2-web", "", 80, Speech::Http2),
            ("grpc", "", 80, Speech::Http2),
            ("grpc-web-x", "", 80, Speech::Http2),
            ("https", "", 443, Speech::Opaque),
            ("tcp-db", "", 80, Speech::Opaque),
            ("mongo", "", 80, Speech::Opaque),
            ("web", "", 80, Speech::Unsaid),
            ("httpweb", "", 80, Speech::Unsaid),
            ("", "", 9080, Speech::Unsaid),
            ("", "", 3306, Speech::Opaque),
            ("http", "", 3306, Speech::Http),
            ("http", "grpc", 80, Speech::Http2),
            ("tcp", "http", 80, Speech::Http),
            ("http", "kubernetes.io/h2c", 80, Speech::Http2),
            ("tcp", "kubernetes.io/ws", 80, Speech::Http),
            ("http", "kubernetes.io/wss", 80, Speech::Opaque),
            ("http", "example.com/own", 80, Speech::Unsaid),
        ] {
            assert_eq!(of(name, app_protocol, port), speech, "{name} {app_protocol} {port}");
        }
    }
}
