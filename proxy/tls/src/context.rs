//! The TLS of a whole configuration.

use crate::{
    client::{ClientAlpn, ClientSettings, ClientTls, ServerName, Verification},
    error::{TlsConfigError, TlsConfigErrorKind},
    listener::ListenerTls,
    server::{Certificate, ServerSettings, ServerTls},
    stream::Protocol,
};
use sluice_core::scope::TlsScopes;
use sluice_model::{Config, SecretContent, spec};
use std::{collections::HashMap, sync::Arc};

/// The TLS of a whole configuration: immutable, shared between threads, replaced as a whole.
#[derive(Debug, Default)]
pub struct TlsContext {
    listeners: HashMap<Box<str>, Arc<ListenerTls>>,
    clients: HashMap<Box<str>, ClusterClient>,
    /// What it was built from; absent in an empty one.
    config: Option<Config>,
}

#[derive(Debug)]
struct ClusterClient {
    tls: Arc<ClientTls>,
    /// What the configuration fixes; absent takes the endpoint's own name.
    server_name: Option<ServerName>,
}

// === impl TlsContext ===

impl TlsContext {
    /// Builds the TLS of a configuration. Parts of `old` whose settings and secret bytes are the same are taken over,
    /// with their tickets and sessions. All errors are returned, not the first; nothing is half built.
    pub fn build(config: &Config, old: Option<&Self>) -> Result<Self, Vec<TlsConfigError>> {
        let mut errors = Vec::new();
        let mut context = Self { config: Some(config.clone()), ..Self::default() };
        let before = old.and_then(|old| old.config.as_ref());
        let same_secrets = before.is_some_and(|before| std::ptr::eq(before.secrets(), config.secrets()));
        for listener in config.listeners() {
            let Some(tls) = &listener.tls else { continue };
            let name = listener.name.as_str();
            let old = old.and_then(|old| old.listener(name));
            let same =
                before.and_then(|before| before.listener(name)).is_some_and(|before| before == listener);
            if let Some(old) = old.filter(|_| same && same_secrets) {
                context.listeners.insert(name.into(), Arc::clone(old));
                continue;
            }
            match listener_tls(config, tls, &listener.protocols, old.map(|old| &**old)) {
                Ok(built) => drop(context.listeners.insert(name.into(), Arc::new(built))),
                Err(found) => errors.extend(found),
            }
        }
        let mut by_settings: HashMap<ClientSettings, Arc<ClientTls>> = old
            .into_iter()
            .flat_map(|old| old.clients.values())
            .map(|client| (client.tls.settings().clone(), Arc::clone(&client.tls)))
            .collect();
        for cluster in config.clusters() {
            let Some(tls) = &cluster.tls else { continue };
            match cluster_client(config, cluster, tls, &mut by_settings) {
                Ok(client) => drop(context.clients.insert(cluster.name.as_str().into(), client)),
                Err(error) => errors.push(error),
            }
        }
        // Several listeners may share a broken secret; it is reported once.
        let mut seen = Vec::new();
        errors.retain(|error| {
            !seen.contains(error) && {
                seen.push(error.clone());
                true
            }
        });
        if errors.is_empty() { Ok(context) } else { Err(errors) }
    }

    /// The TLS of a listener; `None` where it is plaintext.
    pub fn listener(&self, name: &str) -> Option<&Arc<ListenerTls>> {
        self.listeners.get(name)
    }

    /// The TLS towards a cluster, and the server name that its configuration fixes; `None` where it is plaintext.
    /// Without a fixed name, the endpoint's DNS name or address is what its server has to prove.
    pub fn client(&self, cluster: &str) -> Option<(&Arc<ClientTls>, Option<&ServerName>)> {
        self.clients.get(cluster).map(|client| (&client.tls, client.server_name.as_ref()))
    }
}

/// Every scope of a listener. A scope keeps its part, by name, while its settings are the same.
fn listener_tls(
    config: &Config,
    tls: &spec::ListenerTls,
    protocols: &[spec::Protocol],
    old: Option<&ListenerTls>,
) -> Result<ListenerTls, Vec<TlsConfigError>> {
    let mut errors = Vec::new();
    let mut build = |scope: Option<&str>, certificates: &[String], require_known_name: bool| {
        let built = server_settings(config, certificates, require_known_name, protocols).and_then(
            |settings| match old.and_then(|old| old.server(scope)) {
                Some(kept) if *kept.settings() == settings => Ok(Arc::clone(kept)),
                kept => ServerTls::after(kept.map(|kept| &**kept), settings).map(Arc::new),
            },
        );
        built.map_err(|found| errors.extend(found)).ok()
    };
    let scopes = TlsScopes::of(tls);
    let has_default = scopes.is_none() || !tls.certificates.is_empty();
    let default = if has_default { build(None, &tls.certificates, tls.require_known_name) } else { None };
    let servers = tls
        .scopes
        .iter()
        .map(|scope| match &*scope.certificates {
            [] => None,
            certificates => build(Some(&scope.name), certificates, scope.require_known_name),
        })
        .collect();
    if errors.is_empty() { Ok(ListenerTls::new(default, scopes, servers)) } else { Err(errors) }
}

fn server_settings(
    config: &Config,
    secrets: &[String],
    require_known_name: bool,
    protocols: &[spec::Protocol],
) -> Result<ServerSettings, Vec<TlsConfigError>> {
    let mut errors = Vec::new();
    let mut certificates = Vec::new();
    for name in secrets {
        match config.secret(name).map(|secret| secret.content()) {
            Some(SecretContent::Tls { certificate_pem, key_pem }) => certificates.push(Certificate {
                secret: name.clone(),
                certificate_pem: Arc::clone(certificate_pem),
                key_pem: Arc::clone(key_pem),
            }),
            _ => errors.push(missing(name)),
        }
    }
    // HTTP/2 first whatever the written order: the server's preference decides in ALPN, and a client that offers both
    // is better served by it.
    let protocols = [(spec::Protocol::Http2, Protocol::Http2), (spec::Protocol::Http1, Protocol::Http1)]
        .into_iter()
        .filter(|(written, _)| protocols.contains(written))
        .map(|(_, protocol)| protocol)
        .collect();
    let settings = ServerSettings { certificates, require_known_name, protocols };
    if errors.is_empty() { Ok(settings) } else { Err(errors) }
}

fn cluster_client(
    config: &Config,
    cluster: &spec::Cluster,
    tls: &spec::ClusterTls,
    by_settings: &mut HashMap<ClientSettings, Arc<ClientTls>>,
) -> Result<ClusterClient, TlsConfigError> {
    let verification = match &tls.verify {
        spec::ServerVerification::System => Verification::System,
        spec::ServerVerification::Insecure => Verification::DangerouslyNone,
        spec::ServerVerification::Ca(name) => match config.secret(name).map(|secret| secret.content()) {
            Some(SecretContent::Ca(pem)) => Verification::Ca { secret: name.clone(), pem: Arc::clone(pem) },
            _ => return Err(missing(name)),
        },
    };
    let alpn = match cluster.protocol {
        spec::ClusterProtocol::Http1 => ClientAlpn::Http1,
        spec::ClusterProtocol::Http2 => ClientAlpn::Http2,
        spec::ClusterProtocol::Auto => ClientAlpn::Auto,
    };
    let server_name = tls.server_name.as_deref().map(str::parse).transpose();
    let server_name =
        server_name.map_err(|kind| TlsConfigError { user: format!("cluster '{}'", cluster.name), kind })?;
    let settings = ClientSettings { verification, alpn };
    let tls = match by_settings.get(&settings) {
        Some(kept) => Arc::clone(kept),
        None => {
            let made = Arc::new(ClientTls::new(settings.clone())?);
            by_settings.insert(settings, Arc::clone(&made));
            made
        }
    };
    Ok(ClusterClient { tls, server_name })
}

fn missing(secret: &str) -> TlsConfigError {
    TlsConfigError { user: format!("secret '{secret}'"), kind: TlsConfigErrorKind::Missing }
}
