//! The only crate that names rustls: certificates, configs, handshakes.
