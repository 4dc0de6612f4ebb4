//! `Gateway`: where a gateway listens.

use crate::message::{choice, message};
use std::collections::BTreeMap;

message! {
    /// Where a gateway listens.
    pub struct Gateway {
        /// Its listeners.
        pub servers: Vec<Server>,
        /// Labels of the gateway's pods, in any namespace; none is all gateways.
        pub selector: BTreeMap<String, String>,
    }
}

message! {
    /// One listener, or a part of one.
    pub struct Server {
        /// The port.
        pub port: Option<Port>,
        /// The address; empty for all.
        pub bind: String,
        /// Hosts that are served: `name`, `*.name`, `*`, each perhaps after `namespace/`.
        pub hosts: Vec<String>,
        /// How connections are secured.
        pub tls: Option<ServerTlsSettings>,
        /// Nobody implements this.
        pub default_endpoint: String,
        /// Its name in statistics.
        pub name: String,
    }
}

message! {
    /// A port of a gateway.
    pub struct Port {
        /// Its number.
        pub number: u16,
        /// `HTTP`, `HTTPS`, `HTTP2`, `GRPC`, `GRPC-WEB`, `TCP`, `TLS` or `MONGO`.
        pub protocol: String,
        /// Its name, of its own in this Gateway.
        pub name: String,
        /// Nobody implements this.
        pub target_port: u16,
    }
}

message! {
    /// How connections are secured.
    pub struct ServerTlsSettings {
        /// Whether plain HTTP is answered with a redirect to HTTPS.
        pub https_redirect: bool,
        /// How.
        pub mode: ServerTlsMode,
        /// The certificate, a file.
        pub server_certificate: String,
        /// Its key, a file.
        pub private_key: String,
        /// Whom clients' certificates may be from, a file.
        pub ca_certificates: String,
        /// Revoked certificates, a file.
        pub ca_crl: String,
        /// The Secret, in the namespace of the gateway's pod, that holds all of these.
        pub credential_name: String,
        /// Several of these, for keys of several kinds.
        pub credential_names: Vec<String>,
        /// The Secret that says whom clients' certificates may be from.
        pub ca_cert_credential_name: String,
        /// Several certificates as files.
        pub tls_certificates: Vec<TlsCertificate>,
        /// Names, one of which a client's certificate has to bear.
        pub subject_alt_names: Vec<String>,
        /// Hashes, one of which a client's key has to have.
        pub verify_certificate_spki: Vec<String>,
        /// Hashes, one of which a client's certificate has to have.
        pub verify_certificate_hash: Vec<String>,
        /// The lowest version of TLS; 1.2 where it is `TLS_AUTO`.
        pub min_protocol_version: TlsProtocol,
        /// The highest version of TLS; 1.3 where it is `TLS_AUTO`.
        pub max_protocol_version: TlsProtocol,
        /// OpenSSL's names of cipher suites for TLS 1.2; none is a safe choice.
        pub cipher_suites: Vec<String>,
        /// Whether clients' certificates are not checked.
        pub insecure_skip_verify: Option<bool>,
    }
}

message! {
    /// A certificate as files.
    pub struct TlsCertificate {
        /// The certificate.
        pub server_certificate: String,
        /// Its key.
        pub private_key: String,
        /// Whom clients' certificates may be from.
        pub ca_certificates: String,
    }
}

choice! {
    /// How connections to a gateway are secured.
    pub enum ServerTlsMode {
        /// The backend does it; `tls` routes say who that is.
        #[default]
        Passthrough,
        /// The gateway has a certificate.
        Simple,
        /// Clients have to have one too.
        Mutual,
        /// The backend does it, and the server name says who that is.
        AutoPassthrough,
        /// Both have the one of their pod.
        IstioMutual,
        /// Clients may have one too.
        OptionalMutual,
    }
}

choice! {
    /// A version of TLS.
    pub enum TlsProtocol {
        /// The default.
        #[default]
        TlsAuto,
        /// TLS 1.0.
        #[serde(rename = "TLSV1_0")]
        Tls10,
        /// TLS 1.1.
        #[serde(rename = "TLSV1_1")]
        Tls11,
        /// TLS 1.2.
        #[serde(rename = "TLSV1_2")]
        Tls12,
        /// TLS 1.3.
        #[serde(rename = "TLSV1_3")]
        Tls13,
    }
}
