//! `ConfigMap`: settings as text.

use crate::{
    message::message,
    object::{Kind, Layout, NoStatus},
    proto::Bytes,
};
use std::collections::BTreeMap;

message! {
    /// Settings as text.
    pub struct ConfigMap {
        /// What it holds.
        pub data: BTreeMap<String, String>,
        /// What it holds and is no text.
        pub binary_data: BTreeMap<String, Bytes>,
        /// Whether it can change.
        pub immutable: Option<bool>,
    }
}

impl Kind for ConfigMap {
    const KIND: &'static str = "ConfigMap";
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "v1";
    const PLURAL: &'static str = "configmaps";
    const LAYOUT: Layout = Layout::Flat;
    type Status = NoStatus;
}
