//! TLS towards a cluster.

use crate::{
    error::{HandshakeError, HandshakeFailure, TlsConfigError, TlsConfigErrorKind},
    pem,
    provider::{VERSIONS, provider},
    stream::{Protocol, Session, TlsStream},
};
use rustls::{ClientConfig, RootCertStore, client::danger::ServerCertVerifier};
use std::{
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::{Arc, OnceLock},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// What TLS towards a cluster is made from. Equal settings make interchangeable parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientSettings {
    /// How the server's certificate is verified.
    pub verification: Verification,
    /// What is offered.
    pub alpn: ClientAlpn,
}

/// How a server's certificate is verified.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Verification {
    /// Against the trust anchors of the system, read once in the life of the process.
    System,
    /// Against these anchors.
    Ca {
        /// The secret's name, for errors.
        secret: String,
        /// The anchors.
        pem: Arc<[u8]>,
    },
    /// Not at all: anybody on the way can read and change the traffic.
    DangerouslyNone,
}

/// What is offered to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientAlpn {
    /// `http/1.1`; a server that knows no ALPN is served too.
    Http1,
    /// `h2`; a server that does not agree is refused (RFC 9113 section 3.2).
    Http2,
    /// `h2`, then `http/1.1`; a server that knows no ALPN is spoken to in HTTP/1.1.
    Auto,
}

/// The name that a server must prove to have: a DNS name, sent in the handshake, or an address, which is only verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerName(rustls_pki_types::ServerName<'static>);

/// TLS towards servers of one identity. Sessions are resumed as long as this value lives, so it is kept across
/// configurations while its settings stay the same.
pub struct ClientTls {
    settings: ClientSettings,
    connector: TlsConnector,
}

// === impl ClientTls ===

impl ClientTls {
    /// Reads the trust anchors.
    pub fn new(settings: ClientSettings) -> Result<Self, TlsConfigError> {
        let failed = |user: &str, kind| TlsConfigError { user: user.to_owned(), kind };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|error| failed("TLS", TlsConfigErrorKind::Crypto(error.to_string())))?;
        let mut config =
            match &settings.verification {
                Verification::System => builder
                    .with_root_certificates(system_anchors().map_err(|kind| failed("TLS", kind))?)
                    .with_no_client_auth(),
                Verification::Ca { secret, pem } => builder
                    .with_root_certificates(
                        pem::anchors(pem).map_err(|kind| failed(&format!("secret '{secret}'"), kind))?,
                    )
                    .with_no_client_auth(),
                Verification::DangerouslyNone => builder
                    .dangerous()
                    .with_custom_certificate_verifier(
                        Arc::new(DangerousNoVerifier) as Arc<dyn ServerCertVerifier>
                    )
                    .with_no_client_auth(),
            };
        config.alpn_protocols =
            settings.alpn.offered().iter().map(|protocol| protocol.alpn().to_vec()).collect();
        Ok(Self { settings, connector: TlsConnector::from(Arc::new(config)) })
    }

    /// What it was made from.
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Runs a handshake. Never ends by itself when the server stalls: the caller bounds the time.
    pub async fn connect<S>(
        &self,
        name: &ServerName,
        stream: S,
    ) -> Result<(TlsStream<S>, Session), HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = TlsStream::new(self.connector.connect(name.0.clone(), stream).await?);
        let session = stream.session();
        if self.settings.alpn == ClientAlpn::Http2 && session.protocol != Some(Protocol::Http2) {
            let reason = "the server did not agree on h2";
            return Err(HandshakeError::new(HandshakeFailure::NoCommonProtocol, reason));
        }
        Ok((stream, session))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClientTls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

// === impl ClientAlpn ===

impl ClientAlpn {
    const fn offered(self) -> &'static [Protocol] {
        match self {
            Self::Http1 => &[Protocol::Http1],
            Self::Http2 => &[Protocol::Http2],
            Self::Auto => &[Protocol::Http2, Protocol::Http1],
        }
    }
}

// === impl Verification ===

impl fmt::Debug for Verification {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => out.write_str("System"),
            Self::Ca { secret, .. } => out.debug_struct("Ca").field("secret", secret).finish_non_exhaustive(),
            Self::DangerouslyNone => out.write_str("DangerouslyNone"),
        }
    }
}

// === impl ServerName ===

impl FromStr for ServerName {
    type Err = TlsConfigErrorKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        rustls_pki_types::ServerName::try_from(text.strip_suffix('.').unwrap_or(text))
            .map(|name| Self(name.to_owned()))
            .map_err(|_| TlsConfigErrorKind::ServerName(text.to_owned()))
    }
}

impl From<IpAddr> for ServerName {
    fn from(address: IpAddr) -> Self {
        Self(rustls_pki_types::ServerName::IpAddress(address.into()))
    }
}

fn system_anchors() -> Result<Arc<RootCertStore>, TlsConfigErrorKind> {
    static ANCHORS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let anchors = ANCHORS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    });
    if anchors.is_empty() { Err(TlsConfigErrorKind::NoSystemAnchors) } else { Ok(Arc::clone(anchors)) }
}

/// Trusts whoever answers. The handshake's own signature is still checked, so that the server must hold the key of the
/// certificate that it shows.
#[derive(Debug)]
struct DangerousNoVerifier;

impl ServerCertVerifier for DangerousNoVerifier {
    fn verify_server_cert(
        &self,
        _end_entity: &rustls_pki_types::CertificateDer<'_>,
        _intermediates: &[rustls_pki_types::CertificateDer<'_>],
        _server_name: &rustls_pki_types::ServerName<'_>,
        _ocsp_response: &[u8],
        _now: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &rustls_pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls_pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
