//! Certificates in Secrets.
//!
//! A certificate that cannot be served must not keep the others from being served, so it is looked at before it joins them.

use crate::{
    reads::View,
    report::Reason,
    settings::{CertificateReader, NamespacedName},
};
use sluice_crds::core::Secret;
use sluice_model::{
    Severity,
    spec::{self, DataSource, SecretKind, TlsCertificate},
};
use std::sync::Arc;

/// A certificate that can be served.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Certificate {
    pub(crate) secret: Arc<spec::Secret>,
    names: Vec<String>,
}

/// The certificate in a Secret of type `kubernetes.io/tls`, or why there is none.
pub(crate) fn in_secret(
    view: &View<'_>,
    reader: CertificateReader,
    name: &NamespacedName,
) -> Result<Certificate, (Reason, String)> {
    let NamespacedName { namespace, name } = name;
    let Some(secret) = view.get::<Secret>(namespace, name) else {
        return Err((Reason::NotFound, format!("there is no Secret {namespace}/{name}")));
    };
    let invalid = |message: String| (Reason::Invalid, format!("Secret {namespace}/{name}: {message}"));
    let text = |key: &str| {
        let Some(bytes) = secret.object().content.get(key) else {
            return Err(invalid(format!("it has no `{key}`")));
        };
        String::from_utf8(bytes.to_vec()).map_err(|_| invalid(format!("its `{key}` is not PEM")))
    };
    let (certificate, key) = (text("tls.crt")?, text("tls.key")?);
    read(reader, format!("{namespace}/{name}"), certificate, key).map_err(invalid)
}

/// A certificate and its key, as a secret of this name.
pub(crate) fn read(
    reader: CertificateReader,
    name: String,
    certificate: String,
    key: String,
) -> Result<Certificate, String> {
    let names = reader.0(certificate.as_bytes(), key.as_bytes())?;
    let tls = TlsCertificate {
        certificate: DataSource::Inline(certificate.into()),
        key: DataSource::Inline(key.into()),
    };
    let secret = Arc::new(spec::Secret { name, kind: SecretKind::Tls(tls) });
    let alone = spec::Config { secrets: vec![secret.clone()], ..spec::Config::default() };
    match sluice_model::validate("secret", alone, &sluice_model::NoFiles) {
        Ok(_) => Ok(Certificate { secret, names }),
        Err(found) => {
            let mut errors = found.iter().filter(|found| found.severity == Severity::Error);
            Err(errors.next().map_or_else(String::new, |error| error.message.clone()))
        }
    }
}

impl Certificate {
    /// Whether it is for a host, which may be `*.name`.
    pub(crate) fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| {
            name == host
                || name.strip_prefix("*.").is_some_and(|parent| {
                    host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
                })
        })
    }
}
