//! How connections to a service are secured.

use crate::message::{choice, message};

message! {
    /// How connections to a service are secured.
    pub struct ClientTlsSettings {
        /// How.
        pub mode: ClientTlsMode,
        /// The client's certificate, a file.
        pub client_certificate: String,
        /// Its key, a file.
        pub private_key: String,
        /// Whom the server's certificate may be from, a file; empty for the system's list.
        pub ca_certificates: String,
        /// The Secret that holds all three.
        pub credential_name: String,
        /// Names, one of which the server's certificate has to bear.
        pub subject_alt_names: Vec<String>,
        /// The server name that is asked for.
        pub sni: String,
        /// Whether the server's certificate is not checked at all.
        pub insecure_skip_verify: Option<bool>,
        /// Revoked certificates, a file.
        pub ca_crl: String,
    }
}

choice! {
    /// How connections to a service are secured.
    pub enum ClientTlsMode {
        /// Not at all.
        #[default]
        Disable,
        /// The server has a certificate.
        Simple,
        /// The client has one too.
        Mutual,
        /// Both have the one of their pod.
        IstioMutual,
    }
}
