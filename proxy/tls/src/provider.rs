//! The crypto provider and the protocol versions, named once.

use rustls::{SupportedProtocolVersion, crypto::CryptoProvider};
use std::sync::{Arc, LazyLock};

/// What is spoken in both directions; nothing older exists in rustls.
pub(crate) const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// aws-lc-rs, shared by every configuration of the process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}
