//! `Namespace`: only its labels are asked for.

use crate::{
    message::message,
    object::{Kind, NoStatus},
};

message! {
    /// A namespace. What it says is in its metadata.
    pub struct Namespace {}
}

impl Kind for Namespace {
    const KIND: &'static str = "Namespace";
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "v1";
    const PLURAL: &'static str = "namespaces";
    const NAMESPACED: bool = false;
    const COMPLETE: bool = false;
    type Status = NoStatus;
}
