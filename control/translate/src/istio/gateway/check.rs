//! What is wrong with a Gateway on its own.

use super::split_host;
use crate::{
    istio::names,
    report::{Level, Reason, Report},
    store::Of,
};
use sluice_crds::istio::{Gateway, ServerTlsMode, ServerTlsSettings};
use std::collections::BTreeSet;

/// What is wrong with a Gateway; it is not served then.
pub(super) fn check(gateway: Of<'_, Gateway>) -> Vec<Report> {
    let mut found = Vec::new();
    let mut say = |field: String, message: String| {
        found.push(
            Report::new(gateway.held(), Level::Error, Reason::Invalid, message).at(format!("spec.{field}")),
        );
    };
    let servers = &gateway.object().content.servers;
    if servers.is_empty() {
        say("servers".to_owned(), "a Gateway needs a server".to_owned());
    }
    let mut port_names = BTreeSet::new();
    for (index, server) in servers.iter().enumerate() {
        let at = format!("servers[{index}]");
        match &server.port {
            None => say(format!("{at}.port"), "a server needs a port".to_owned()),
            Some(port) => {
                let protocol = port.protocol.to_ascii_uppercase();
                let secure = matches!(&*protocol, "HTTPS" | "TLS");
                if port.number == 0 {
                    say(format!("{at}.port.number"), "nobody comes to port 0".to_owned());
                }
                if !matches!(
                    &*protocol,
                    "HTTP" | "HTTPS" | "HTTP2" | "GRPC" | "GRPC-WEB" | "TCP" | "TLS" | "MONGO"
                ) {
                    let message = format!(
                        "`{}` is not a protocol: write HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TCP, TLS or MONGO",
                        port.protocol
                    );
                    say(format!("{at}.port.protocol"), message);
                } else if secure && server.tls.is_none() {
                    let message = format!(
                        "{protocol} needs `tls`; write `tls: {{ mode: SIMPLE, credentialName: ... }}`"
                    );
                    say(format!("{at}.tls"), message);
                } else if matches!(&*protocol, "TCP" | "MONGO") && server.tls.is_some() {
                    let message = format!("{protocol} has no TLS; write protocol TLS, or leave `tls` out");
                    say(format!("{at}.tls"), message);
                } else if !secure && server.tls.as_ref().is_some_and(asks_for_tls) {
                    let message =
                        format!("{protocol} has no TLS but `httpsRedirect: true`; write protocol HTTPS");
                    say(format!("{at}.tls"), message);
                }
                if let Some(wrong) = names::wrong_label(&port.name) {
                    say(format!("{at}.port.name"), wrong.to_owned());
                }
                if !port.name.is_empty() && !port_names.insert(&port.name) {
                    say(format!("{at}.port.name"), format!("`{}` names two ports of the Gateway", port.name));
                }
            }
        }
        if server.hosts.is_empty() {
            say(format!("{at}.hosts"), "a server needs a host; write `\"*\"` for all".to_owned());
        }
        for (position, host) in server.hosts.iter().enumerate() {
            let (namespace, name) = split_host(host);
            let namespace_ok = matches!(namespace, "*" | ".")
                || namespace
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            if !namespace_ok || namespace.is_empty() || !names::is_host(name) {
                let message = format!(
                    "`{host}` is not a host: write a name, `*.name` or `*`, perhaps after `namespace/` or `./`"
                );
                say(format!("{at}.hosts[{position}]"), message);
            }
        }
        if !server.bind.is_empty() && server.bind.parse::<std::net::IpAddr>().is_err() {
            say(format!("{at}.bind"), format!("`{}` is not an address", server.bind));
        }
        if let Some(tls) = &server.tls {
            let credentials = tls.credential_names.len() + usize::from(!tls.credential_name.is_empty());
            let files = usize::from(!tls.server_certificate.is_empty()) + tls.tls_certificates.len();
            let needs = matches!(
                tls.mode,
                ServerTlsMode::Simple | ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual
            );
            if needs && credentials + files == 0 {
                let message =
                    "TLS needs a certificate; write `credentialName`, the name of a Secret".to_owned();
                say(format!("{at}.tls"), message);
            }
            if tls.mode == ServerTlsMode::IstioMutual && credentials + files > 0 {
                let message =
                    "ISTIO_MUTUAL has the certificate of the pod; leave certificates out".to_owned();
                say(format!("{at}.tls"), message);
            }
            if !tls.credential_name.is_empty() && !tls.credential_names.is_empty() {
                let message = "only one of `credentialName` and `credentialNames` can be set".to_owned();
                say(format!("{at}.tls.credentialNames"), message);
            }
        }
    }
    found
}

/// Whether a block says more than a redirect, which is all that it can say without TLS.
fn asks_for_tls(tls: &ServerTlsSettings) -> bool {
    let certificates = [&tls.credential_name, &tls.server_certificate].iter().any(|name| !name.is_empty());
    tls.mode != ServerTlsMode::Passthrough || certificates || !tls.credential_names.is_empty()
}
