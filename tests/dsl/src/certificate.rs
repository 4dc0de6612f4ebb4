//! Certificates for tests, and TLS at the test's end of a connection.

use crate::{patience::within, wire::Stream};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A certificate for some names, signed by an authority of its own.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, PEM.
    pub chain_pem: String,
    /// Its private key, PEM.
    pub key_pem: String,
    /// The authority's certificate, PEM.
    pub ca_pem: String,
}

/// How a test's client speaks TLS.
#[derive(Debug, Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

// === impl Certificate ===

impl Certificate {
    /// A certificate for these DNS names and addresses.
    pub fn of(names: &[&str]) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, format!("Authority of {names:?}"));
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        Self { chain_pem: certificate.pem(), key_pem: key.serialize_pem(), ca_pem: authority.pem() }
    }

    pub(crate) fn acceptor(&self, alpn: &[&str]) -> TlsAcceptor {
        let chain = CertificateDer::pem_slice_iter(self.chain_pem.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

// === impl TlsClient ===

impl TlsClient {
    /// Trusts the certificate's authority, asks for `name`, and offers these protocols (`h2`, `http/1.1`; none is no
    /// ALPN at all).
    pub fn trusting(certificate: &Certificate, name: &str, alpn: &[&str]) -> Self {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(certificate.ca_pem.as_bytes()) {
            roots.add(authority.unwrap()).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Self { config: Arc::new(config), name }
    }

    /// Shakes hands; an error says why not.
    pub async fn handshake(
        &self,
        address: SocketAddr,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = within(format!("connecting to {address}"), TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(self.config.clone());
        within("a TLS handshake", connector.connect(self.name.clone(), stream)).await
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<Stream> {
        self.handshake(address).await.map(|stream| Stream::Tls(Box::new(stream)))
    }
}
