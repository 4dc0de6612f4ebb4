//! TLS of one server behind a listener.

use crate::{
    error::{TlsConfigError, TlsConfigErrorKind},
    names::NameTable,
    pem,
    provider::{VERSIONS, provider},
    stream::Protocol,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache},
    sign::CertifiedKey,
};
use std::{collections::HashMap, fmt, sync::Arc};

/// What the TLS of one scope is made from. Equal settings make interchangeable parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// The first one serves clients that name no server or an unknown one.
    pub certificates: Vec<Certificate>,
    /// Refuse handshakes that name no server, or one that no certificate covers.
    pub require_known_name: bool,
    /// What ALPN may choose, the best first.
    pub protocols: Vec<Protocol>,
}

/// A certificate chain and its key, PEM, with the name of the secret that holds them.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The secret's name, for errors.
    pub secret: String,
    /// The leaf first, then the intermediates.
    pub certificate_pem: Arc<[u8]>,
    /// The private key of the leaf.
    pub key_pem: Arc<[u8]>,
}

/// TLS of one scope of a listener: certificates, ALPN, one ticket key set that is nobody else's.
pub struct ServerTls {
    settings: ServerSettings,
    config: Arc<ServerConfig>,
    resolver: Arc<ByServerName>,
}

/// Sessions that are remembered for clients that resume without tickets.
const REMEMBERED_SESSIONS: usize = 256;

// === impl ServerTls ===

impl ServerTls {
    /// Parses every certificate. All errors are returned, not the first.
    pub fn new(settings: ServerSettings) -> Result<Self, Vec<TlsConfigError>> {
        Self::after(None, settings)
    }

    /// The same, without parsing the certificates again that `old` has too.
    pub(crate) fn after(old: Option<&Self>, settings: ServerSettings) -> Result<Self, Vec<TlsConfigError>> {
        let resolver = Arc::new(ByServerName::new(&settings, old)?);
        let crypto = |error: &dyn fmt::Display| {
            let kind = TlsConfigErrorKind::Crypto(error.to_string());
            vec![TlsConfigError { user: "TLS".to_owned(), kind }]
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|error| crypto(&error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&resolver) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = settings.protocols.iter().map(|protocol| protocol.alpn().to_vec()).collect();
        config.ticketer = Ticketer::new().map_err(|error| crypto(&error))?;
        config.session_storage = ServerSessionMemoryCache::new(REMEMBERED_SESSIONS);
        Ok(Self { settings, config: Arc::new(config), resolver })
    }

    /// What it was made from.
    pub fn settings(&self) -> &ServerSettings {
        &self.settings
    }

    /// Whether a client that names this server is served at all.
    pub(crate) fn takes(&self, server_name: Option<&str>) -> bool {
        !self.settings.require_known_name || self.resolver.knows(server_name)
    }

    pub(crate) const fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ServerTls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Where its bytes lie: the same place, while they are shared, holds the same certificate.
    fn place(&self) -> (*const u8, *const u8) {
        (self.certificate_pem.as_ptr(), self.key_pem.as_ptr())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Certificate").field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// Picks a certificate by server name, then by what the client can verify, so that an RSA and an ECDSA certificate may
/// cover the same name.
#[derive(Debug)]
struct ByServerName {
    /// As the settings have them.
    certificates: Vec<Parsed>,
    names: NameTable,
}

/// A certificate and the names that it covers.
#[derive(Debug, Clone)]
struct Parsed {
    key: Arc<CertifiedKey>,
    covered: Arc<[String]>,
}

impl ByServerName {
    fn new(settings: &ServerSettings, old: Option<&ServerTls>) -> Result<Self, Vec<TlsConfigError>> {
        let mut errors = Vec::new();
        let mut certificates: Vec<Parsed> = Vec::new();
        let mut names = NameTable::default();
        let pairs =
            old.into_iter().flat_map(|old| old.settings.certificates.iter().zip(&old.resolver.certificates));
        let known: HashMap<_, &Parsed> = pairs.map(|(written, parsed)| (written.place(), parsed)).collect();
        for certificate in &settings.certificates {
            let Certificate { secret, certificate_pem, key_pem } = certificate;
            let parsed = match known.get(&certificate.place()) {
                Some(parsed) => Ok((*parsed).clone()),
                None => pem::certified_key(certificate_pem, key_pem)
                    .map(|(key, covered)| Parsed { key: Arc::new(key), covered: covered.into() }),
            };
            match parsed {
                Ok(parsed) => {
                    for name in &*parsed.covered {
                        names.add(name, certificates.len());
                    }
                    certificates.push(parsed);
                }
                Err(kind) => errors.push(TlsConfigError { user: format!("secret '{secret}'"), kind }),
            }
        }
        if certificates.is_empty() && errors.is_empty() {
            errors.push(TlsConfigError { user: "TLS".to_owned(), kind: TlsConfigErrorKind::Empty });
        }
        if errors.is_empty() { Ok(Self { certificates, names }) } else { Err(errors) }
    }

    fn knows(&self, server_name: Option<&str>) -> bool {
        server_name.is_some_and(|name| self.names.find(name).next().is_some())
    }
}

impl ResolvesServerCert for ByServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable = |certificate: &&Arc<CertifiedKey>| {
            certificate.key.choose_scheme(hello.signature_schemes()).is_some()
        };
        let named = hello.server_name().and_then(|name| {
            let covering = || self.names.find(name).map(|at| &self.certificates[at].key);
            covering().find(usable).or_else(|| covering().next())
        });
        named.or_else(|| self.certificates.first().map(|first| &first.key)).map(Arc::clone)
    }
}
