//! Certificates, trust anchors and keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Something with a name that is worth protecting. Its content is never printed: not in diagnostics, dumps or logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Unique among secrets.
    pub name: String,
    /// What it is.
    pub kind: SecretKind,
}

/// What a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// A certificate chain and its private key.
    Tls(TlsCertificate),
    /// Trust anchors, PEM.
    Ca(DataSource),
    /// Bytes for signing, at least 32. They are used as they stand: a line feed at the end of a file is one of them.
    Key(DataSource),
}

/// A certificate chain and its private key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsCertificate {
    /// The leaf first, then the intermediates.
    pub certificate: DataSource,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: DataSource,
}

/// Where content comes from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// A file, read with the configuration and watched with it. Relative paths start at the folder of the configuration.
    File(String),
    /// The content itself.
    Inline(Arc<str>),
}

impl SecretKind {
    /// Whether its content stands in files, which change while the written form stays the same.
    pub(crate) fn names_files(&self) -> bool {
        let is_file = |source: &DataSource| matches!(source, DataSource::File(_));
        match self {
            Self::Tls(tls) => is_file(&tls.certificate) || is_file(&tls.key),
            Self::Ca(source) | Self::Key(source) => is_file(source),
        }
    }
}

impl fmt::Debug for DataSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "File({path})"),
            Self::Inline(_) => out.write_str("Inline(<redacted>)"),
        }
    }
}
