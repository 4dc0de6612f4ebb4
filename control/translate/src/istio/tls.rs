//! Servers with TLS: their names, certificates and what they ask of clients.

use super::gateway::{Site, Traffic};
use crate::{
    output::{Output, Server},
    reads::View,
    report::{Level, Reason},
    settings::Settings,
};
use sluice_crds::{
    Need, Verdict,
    core::Secret,
    istio::{ServerTlsSettings, rows},
};
use sluice_model::{
    spec::{self, DataSource, SecretKind, TlsCertificate, TlsScope},
    value::HostPattern,
};

/// The TLS of a server.
pub(super) fn scope(view: &View<'_>, settings: &Settings, site: &Site<'_>, output: &mut Output) {
    let Some(name) = site.table.server.as_deref() else { return };
    let Some(tls) = &site.server.tls else { return };
    let mut secrets = Vec::new();
    match refusal(tls, settings) {
        Some(verdict) => output.reports.push(site.report(
            Level::Error,
            Reason::FailsClosed,
            "tls",
            format!("{verdict}: handshakes for the hosts of this server fail"),
        )),
        None if site.traffic == Traffic::Refused => output.reports.push(site.report(
            Level::Error,
            Reason::FailsClosed,
            "port.protocol",
            "not in effect yet: what is in this TLS is not said to be HTTP, and TCP needs TCP and TLS pass-through: handshakes for the hosts of this server fail; write protocol HTTPS".to_owned(),
        )),
        None => certificates(view, settings, site, tls, output, &mut secrets),
    }
    let server_names = server_names(site, output);
    if server_names.is_empty() {
        return;
    }
    let scope = TlsScope {
        name: name.to_owned(),
        server_names,
        certificates: secrets.iter().map(|secret: &spec::Secret| secret.name.clone()).collect(),
        route_table: Some(site.table.to_string()),
        require_known_name: false,
    };
    output.servers.push(Server { key: site.table.clone(), scope, secrets });
}

/// Why no handshake may succeed, if so.
fn refusal(tls: &ServerTlsSettings, settings: &Settings) -> Option<Verdict> {
    let mode = rows::server_tls_mode(tls.mode);
    if !mode.fails_closed() {
        return None;
    }
    // Without protection the certificate of a client is not asked for; what is passed through is not HTTP in any case.
    let asks_for_more = matches!(mode, Verdict::FailsClosed(Need::ClientCertificates));
    (!(settings.allow_unprotected && asks_for_more)).then_some(mode)
}

fn certificates(
    view: &View<'_>,
    settings: &Settings,
    site: &Site<'_>,
    tls: &ServerTlsSettings,
    output: &mut Output,
    secrets: &mut Vec<spec::Secret>,
) {
    let named =
        std::iter::once(&tls.credential_name).chain(&tls.credential_names).filter(|name| !name.is_empty());
    for name in named {
        match credential(view, settings, name) {
            Ok(secret) => secrets.push(secret),
            Err((reason, message)) => {
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
fn credential(view: &View<'_>, settings: &Settings, name: &str) -> Result<spec::Secret, (Reason, String)> {
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
    let text = |bytes: &[u8]| str::from_utf8(bytes).ok().map(str::to_owned).map(DataSource::Inline);
    let (Some(certificate), Some(key)) = (text(certificate), text(key)) else {
        return Err((Reason::Invalid, format!("Secret {namespace}/{name} does not hold PEM")));
    };
    let secret = spec::Secret {
        name: format!("{namespace}/{name}"),
        kind: SecretKind::Tls(TlsCertificate { certificate, key }),
    };
    sound(&secret).map_err(|message| (Reason::Invalid, format!("Secret {namespace}/{name}: {message}")))?;
    Ok(secret)
}

/// Asks the model whether a secret has the shape it needs: one that has not must not keep the others from being served.
fn sound(secret: &spec::Secret) -> Result<(), String> {
    let alone = spec::Config { secrets: vec![secret.clone()], ..spec::Config::default() };
    match sluice_model::validate("secret", alone, &sluice_model::NoFiles) {
        Ok(_) => Ok(()),
        Err(found) => {
            Err(super::sound::errors(&found).map(|(_, message)| message).collect::<Vec<_>>().join("; "))
        }
    }
}

/// Names that clients can ask for. An address is none, and a wildcard in a label is none that scopes know.
fn server_names(site: &Site<'_>, output: &mut Output) -> Vec<HostPattern> {
    let mut names: Vec<HostPattern> = Vec::new();
    for (index, (_, host)) in site.hosts().enumerate() {
        let pattern = host.parse::<HostPattern>();
        let known = match &pattern {
            Ok(HostPattern::Exact(name)) => name.parse::<std::net::IpAddr>().is_err(),
            Ok(HostPattern::Suffix(suffix)) => suffix.starts_with('.'),
            Ok(HostPattern::Any) => true,
            _ => false,
        };
        match pattern {
            Ok(pattern) if known => {
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
