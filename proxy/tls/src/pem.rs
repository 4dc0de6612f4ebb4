//! From PEM bytes to certificates and keys.

use crate::{error::TlsConfigErrorKind, provider::provider};
use rustls::{RootCertStore, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{Error as PemError, PemObject},
};

/// A certificate chain and its key, and the DNS names that the leaf covers, in lower case.
pub(crate) fn certified_key(
    certificate: &[u8],
    key: &[u8],
) -> Result<(CertifiedKey, Vec<String>), TlsConfigErrorKind> {
    let chain = certificates(certificate)?;
    let names = leaf_names(&chain[0])?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
        PemError::NoItemsFound => TlsConfigErrorKind::NoKey,
        _ => TlsConfigErrorKind::Pem,
    })?;
    let key = provider().key_provider.load_private_key(key).map_err(|_| TlsConfigErrorKind::Key)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok((certified, names))
        }
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsConfigErrorKind::Mismatch),
        Err(error) => Err(TlsConfigErrorKind::Certificate(error.to_string())),
    }
}

/// The DNS names that a certificate is for, in lower case. An error where a listener could not serve it: the chain and the
/// key, both PEM, have to belong together.
pub fn certificate_names(certificate: &[u8], key: &[u8]) -> Result<Vec<String>, TlsConfigErrorKind> {
    certified_key(certificate, key).map(|(_, names)| names)
}

/// Trust anchors. Certificates that cannot be anchors are skipped, as long as one can.
pub(crate) fn anchors(ca: &[u8]) -> Result<RootCertStore, TlsConfigErrorKind> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates(ca)?);
    if added == 0 { Err(TlsConfigErrorKind::NoAnchor) } else { Ok(store) }
}

/// Whether anything can be verified with these trust anchors, PEM.
pub fn check_anchors(ca: &[u8]) -> Result<(), TlsConfigErrorKind> {
    anchors(ca).map(drop)
}

/// Every certificate; at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsConfigErrorKind> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsConfigErrorKind::Pem)?;
    if chain.is_empty() { Err(TlsConfigErrorKind::NoCertificate) } else { Ok(chain) }
}

fn leaf_names(leaf: &CertificateDer<'_>) -> Result<Vec<String>, TlsConfigErrorKind> {
    let leaf = webpki::EndEntityCert::try_from(leaf)
        .map_err(|error| TlsConfigErrorKind::Certificate(error.to_string()))?;
    Ok(leaf.valid_dns_names().map(str::to_ascii_lowercase).collect())
}
