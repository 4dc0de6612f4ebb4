//! What can be wrong with a configuration, and how a handshake fails.

use std::{fmt, io};

/// A secret, or the settings that use it, cannot be used. Names the secret and never shows its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{user}: {kind}")]
pub struct TlsConfigError {
    /// Who needs it: `secret 'web'`, or `listener 'https'` where no one secret is to blame.
    pub user: String,
    /// What is wrong.
    pub kind: TlsConfigErrorKind,
}

/// What is wrong with a secret or with settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigErrorKind {
    /// There is no secret of that name, or it is of another kind.
    #[error("no such secret of the kind that is needed")]
    Missing,
    /// No `CERTIFICATE` block; most often the wrong file.
    #[error("it holds no PEM certificate")]
    NoCertificate,
    /// No private key block; encrypted keys look like this too.
    #[error("it holds no PEM private key (encrypted keys are not supported)")]
    NoKey,
    /// A PEM block that cannot be decoded.
    #[error("a PEM block cannot be decoded")]
    Pem,
    /// The private key is of an unknown kind or malformed.
    #[error("its private key cannot be used: it must be RSA, ECDSA P-256, P-384, P-521 or Ed25519")]
    Key,
    /// The certificate is not X.509 version 3, or malformed.
    #[error("its certificate cannot be used: {0}")]
    Certificate(String),
    /// The key belongs to another certificate.
    #[error("its private key does not belong to its certificate")]
    Mismatch,
    /// None of the certificates can be a trust anchor.
    #[error("none of its certificates can be a trust anchor")]
    NoAnchor,
    /// The system has no certificate store, or an empty one.
    #[error("the system has no trust anchors; name a `ca` secret instead")]
    NoSystemAnchors,
    /// A listener without certificates.
    #[error("there is no certificate to serve")]
    Empty,
    /// A server name that is neither a DNS name nor an address.
    #[error("`{0}` is neither a DNS name nor an IP address")]
    ServerName(String),
    /// The crypto library refused; does not happen with a sound build.
    #[error("the crypto library refused: {0}")]
    Crypto(String),
}

/// A handshake that did not end in a session. The peer has been sent an alert where the protocol has one.
#[derive(Debug)]
pub struct HandshakeError {
    /// What kind of failure it was, for flags and counters.
    pub failure: HandshakeFailure,
    /// The details, for logs.
    pub source: io::Error,
}

/// Kinds of failed handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The peer went away, or the socket failed.
    Closed,
    /// The client named a server that no scope of the listener has, or that no certificate covers where a known one is
    /// required.
    UnknownName,
    /// The peer's certificate cannot be trusted: issuer, name, validity or signature.
    Untrusted,
    /// ALPN left no protocol that both sides speak.
    NoCommonProtocol,
    /// The peer refused, by an alert.
    Refused,
    /// What arrived is not TLS, or breaks its rules.
    Malformed,
}

// === impl HandshakeError ===

impl HandshakeError {
    pub(crate) fn new(failure: HandshakeFailure, reason: &'static str) -> Self {
        Self { failure, source: io::Error::new(io::ErrorKind::InvalidData, reason) }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(source: io::Error) -> Self {
        use rustls::Error as Tls;
        let failure = match source.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
            None => HandshakeFailure::Closed,
            Some(
                Tls::InvalidCertificate(_) | Tls::InvalidCertRevocationList(_) | Tls::NoCertificatesPresented,
            ) => HandshakeFailure::Untrusted,
            Some(Tls::NoApplicationProtocol) => HandshakeFailure::NoCommonProtocol,
            Some(Tls::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => {
                HandshakeFailure::NoCommonProtocol
            }
            Some(Tls::AlertReceived(_)) => HandshakeFailure::Refused,
            Some(_) => HandshakeFailure::Malformed,
        };
        Self { failure, source }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.failure, self.source)
    }
}

impl std::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl HandshakeFailure {
    /// A few words, for logs and the `%UPSTREAM_TRANSPORT_FAILURE_REASON%` of access logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "TLS handshake cut",
            Self::UnknownName => "unknown TLS server name",
            Self::Untrusted => "certificate not trusted",
            Self::NoCommonProtocol => "no common ALPN protocol",
            Self::Refused => "TLS handshake refused by the peer",
            Self::Malformed => "not TLS or malformed",
        }
    }
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
