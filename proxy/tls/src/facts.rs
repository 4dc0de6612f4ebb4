//! What a certificate says about itself, for people who watch over many of them.

use crate::{error::TlsConfigErrorKind, pem};
use x509_parser::{
    certificate::X509Certificate,
    oid_registry::{
        OID_KEY_TYPE_DSA, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
        OID_X509_SERIALNUMBER,
    },
    prelude::FromDer,
    x509::AttributeTypeAndValue,
};

/// What the first certificate of a chain says about itself. Texts that it lacks, or has in an encoding that nobody uses any
/// more, are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
    /// Its serial number, in decimal.
    pub serial_number: String,
    /// Who signed it.
    pub issuer_common_name: String,
    /// The organizations of who signed it, with commas between them.
    pub issuer_organization: String,
    /// The serial number that its issuer has as a name, which is hardly ever there.
    pub issuer_serial_number: String,
    /// `RSA`, `ECDSA`, `Ed25519` or `DSA`; empty for others.
    pub public_key_algorithm: &'static str,
}

/// Reads the first certificate of a chain, PEM.
pub fn certificate_facts(chain: &[u8]) -> Result<CertificateFacts, TlsConfigErrorKind> {
    let chain = pem::certificates(chain)?;
    let (_, leaf) = X509Certificate::from_der(&chain[0])
        .map_err(|error| TlsConfigErrorKind::Certificate(error.to_string()))?;
    let issuer = leaf.issuer();
    let algorithm = &leaf.public_key().algorithm.algorithm;
    let algorithms = [
        (&OID_PKCS1_RSAENCRYPTION, "RSA"),
        (&OID_KEY_TYPE_EC_PUBLIC_KEY, "ECDSA"),
        (&OID_SIG_ED25519, "Ed25519"),
        (&OID_KEY_TYPE_DSA, "DSA"),
    ];
    Ok(CertificateFacts {
        not_after: leaf.validity().not_after.timestamp(),
        serial_number: leaf.tbs_certificate.serial.to_string(),
        issuer_common_name: texts(issuer.iter_common_name().take(1)),
        issuer_organization: texts(issuer.iter_organization()),
        issuer_serial_number: texts(issuer.iter_by_oid(&OID_X509_SERIALNUMBER).take(1)),
        public_key_algorithm: algorithms
            .iter()
            .find(|(known, _)| *known == algorithm)
            .map_or("", |(_, name)| name),
    })
}

fn texts<'a>(attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> String {
    attributes.filter_map(|attribute| attribute.as_str().ok()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SerialNumber, date_time_ymd};

    #[test]
    fn a_certificate_says_when_it_ends_and_who_signed_it() {
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2031, 2, 3);
        params.serial_number = Some(SerialNumber::from(258_u64));
        params.distinguished_name.push(DnType::CommonName, "Test Authority");
        params.distinguished_name.push(DnType::OrganizationName, "Test, Inc.");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let wanted = CertificateFacts {
            not_after: 1_927_843_200,
            serial_number: "258".to_owned(),
            issuer_common_name: "Test Authority".to_owned(),
            issuer_organization: "Test, Inc.".to_owned(),
            issuer_serial_number: String::new(),
            public_key_algorithm: "ECDSA",
        };
        assert_eq!(certificate_facts(certificate.pem().as_bytes()).unwrap(), wanted);
        assert!(certificate_facts(b"nothing").is_err());
    }
}
