//! The certificate for hosts that have none.

use crate::failure::Failure;
use rcgen::{CertificateParams, DnType, KeyPair};
use sluice_translate::PemPair;

/// A self-signed certificate. Nobody trusts it: it lets a handshake succeed, so that a client sees a name that does not
/// match rather than a connection that breaks, as with ingress-nginx.
pub(crate) fn self_signed() -> Result<PemPair, Failure> {
    let failed = |error| Failure::system(format!("cannot make a self-signed certificate: {error}"));
    let key = KeyPair::generate().map_err(failed)?;
    let mut parameters = CertificateParams::new(vec!["ingress.local".to_owned()]).map_err(failed)?;
    parameters.distinguished_name.push(DnType::CommonName, "Sluice self-signed certificate");
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    Ok(PemPair { certificate: certificate.pem(), key: key.serialize_pem() })
}
