//! `Secret`: certificates, keys, passwords. Nothing of it is printed.

use crate::{
    message::message,
    object::{Kind, Layout, NoStatus},
    proto::{Bytes, Hidden},
};
use std::collections::BTreeMap;

message! {
    /// Certificates, keys, passwords.
    pub struct Secret {
        /// `kubernetes.io/tls`, `Opaque`, ...
        pub r#type: String,
        /// What it holds.
        pub data: BTreeMap<String, Bytes>,
        /// The same as text, for those who write manifests; goes before `data`.
        pub string_data: BTreeMap<String, Hidden>,
        /// Whether it can change.
        pub immutable: Option<bool>,
    }
}

impl Kind for Secret {
    const KIND: &'static str = "Secret";
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "v1";
    const PLURAL: &'static str = "secrets";
    const LAYOUT: Layout = Layout::Flat;
    const SECRET: bool = true;
    type Status = NoStatus;
}

impl Secret {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        let text = self.string_data.get(key).map(|text| text.0.as_bytes());
        text.or_else(|| self.data.get(key).map(|bytes| bytes.0.as_slice()))
    }
}
