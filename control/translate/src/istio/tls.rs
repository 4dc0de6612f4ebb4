//! Servers with TLS: their names, certificates and what they ask of clients.

use super::gateway::{Site, Traffic};
use crate::{
    certificates,
    hold::{Absent, Missing},
    output::{Output, Server, TableKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
};
use sluice_crds::{
    Need, ObjectName, Verdict,
    core::Secret,
    istio::{Gateway, ServerTlsSettings, rows},
};
use sluice_model::{
    spec::{self, TlsScope},
    value::HostPattern,
};
use std::sync::Arc;

/// The TLS of a server.
pub(super) fn scope(view: &View<'_>, settings: &Settings, site: &Site<'_>, output: &mut Output) {
    let Some(name) = site.table.server.as_deref() else { return };
    let Some(tls) = &site.server.tls else { return };
    let mut secrets = Vec::new();
    let refused = "handshakes for the hosts of this server fail";
    let mode = rows::server_tls_mode(tls.mode);
    let unprotected = settings.allow_unprotected && is_about_clients(mode);
    output.reports.extend(
        Report::of_verdict(site.gateway.held(), mode, refused, unprotected)
            .map(|report| report.at(format!("spec.servers[{}].tls.mode", site.index))),
    );
    let refuses = asks_for_more(site, settings) || mode.fails_closed() && !unprotected;
    if refuses {
        output.closed.push(site.gateway.name());
    }
    if !refuses && site.traffic == Traffic::Refused {
        let message = "not in effect yet: what is in this TLS is not said to be HTTP, and anything else needs TCP and TLS pass-through; until then handshakes for the hosts of this server fail; write protocol HTTPS";
        let report = site.report(Level::Error, Reason::FailsClosed, "port.protocol", message.to_owned());
        output.reports.push(report);
    } else if !refuses {
        credentials(view, settings, site, tls, output, &mut secrets);
    }
    let server_names = server_names(site, output);
    if server_names.is_empty() {
        return;
    }
    output.owners.push(site.gateway.name());
    let scope = TlsScope {
        name: name.to_owned(),
        server_names,
        certificates: secrets.iter().map(|secret: &Arc<spec::Secret>| secret.name.clone()).collect(),
        route_table: Some(site.table.to_string()),
        require_known_name: false,
    };
    output.servers.push(Server { key: site.table.clone(), scope, secrets });
}

/// Names that are shut, as the server that they were meant for is not served.
pub(super) fn refuse(table: &TableKey, gateway: &ObjectName, names: &[HostPattern], output: &mut Output) {
    let Some(name) = table.server.as_deref() else { return };
    output.closed.push(gateway.clone());
    output.owners.push(gateway.clone());
    let scope = TlsScope {
        name: name.to_owned(),
        server_names: names.to_vec(),
        certificates: Vec::new(),
        route_table: Some(table.to_string()),
        require_known_name: false,
    };
    output.servers.push(Server { key: table.clone(), scope, secrets: Vec::new() });
}

/// Without protection the certificate of a client is not asked for; what is passed through is not HTTP in any case.
fn is_about_clients(mode: Verdict) -> bool {
    matches!(mode, Verdict::FailsClosed(Need::ClientCertificates))
}

/// Whether a field beside the mode asks for a protection that is not in effect.
fn asks_for_more(site: &Site<'_>, settings: &Settings) -> bool {
    let alone = Gateway { servers: vec![site.server.clone()], ..Gateway::default() };
    !settings.allow_unprotected && rows::judge(&alone).iter().any(|(_, verdict, _)| verdict.fails_closed())
}

fn credentials(
    view: &View<'_>,
    settings: &Settings,
    site: &Site<'_>,
    tls: &ServerTlsSettings,
    output: &mut Output,
    secrets: &mut Vec<Arc<spec::Secret>>,
) {
    let named =
        std::iter::once(&tls.credential_name).chain(&tls.credential_names).filter(|name| !name.is_empty());
    for name in named {
        match credential(view, settings, name) {
            Ok(secret) => secrets.push(secret),
            Err((reason, message)) => {
                if reason == Reason::NotFound {
                    output.missing.push(Missing {
                        what: Absent::Object(format!("Secret {}/{name}", settings.pod_namespace)),
                        because: vec![site.gateway.held().clone()],
                    });
                }
                let message = format!("{message}; handshakes that need this certificate fail");
                output.reports.push(site.report(Level::Error, reason, "tls.credentialName", message));
            }
        }
    }
    if !tls.server_certificate.is_empty() || !tls.tls_certificates.is_empty() {
        let message = "certificates in files are not read; name a Secret with `credentialName`".to_owned();
        output.reports.push(site.report(Level::Error, Reason::NotInEffect, "tls", message));
    }
}

/// The certificate of a Secret in the namespace of the gateway's pod, under the names of Kubernetes or of Istio.
fn credential(
    view: &View<'_>,
    settings: &Settings,
    name: &str,
) -> Result<Arc<spec::Secret>, (Reason, String)> {
    let namespace = &settings.pod_namespace;
    let Some(secret) = view.get::<Secret>(namespace, name) else {
        return Err((
            Reason::NotFound,
            format!("there is no Secret {namespace}/{name}, the gateway's namespace"),
        ));
    };
    let content = &secret.object().content;
    let pair = [("tls.crt", "tls.key"), ("cert", "key")]
        .into_iter()
        .find_map(|(certificate, key)| Some((content.get(certificate)?, content.get(key)?)));
    let Some((certificate, key)) = pair else {
        return Err((
            Reason::Invalid,
            format!("Secret {namespace}/{name} has neither `tls.crt` and `tls.key` nor `cert` and `key`"),
        ));
    };
    let invalid = |message: String| (Reason::Invalid, format!("Secret {namespace}/{name}: {message}"));
    let text = |bytes: &[u8]| {
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| invalid("it does not hold PEM".to_owned()))
    };
    let found = certificates::read(
        settings.certificates,
        format!("{namespace}/{name}"),
        text(certificate)?,
        text(key)?,
    );
    found.map(|certificate| certificate.secret).map_err(invalid)
}

/// Names that clients can ask for. An address is none, and a wildcard in a label is none that scopes know.
fn server_names(site: &Site<'_>, output: &mut Output) -> Vec<HostPattern> {
    let mut names: Vec<HostPattern> = Vec::new();
    for (index, (_, host)) in site.hosts().enumerate() {
        match host.parse::<HostPattern>() {
            Ok(pattern) if pattern.is_server_name() => {
                if !names.contains(&pattern) {
                    names.push(pattern);
                }
            }
            _ => output.reports.push(site.report(
                Level::Error,
                Reason::Invalid,
                &format!("hosts[{index}]"),
                format!(
                    "`{host}` cannot be told from others in a TLS handshake; write a name, `*.name` or `*`"
                ),
            )),
        }
    }
    names
}
