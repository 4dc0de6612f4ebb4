//! What objects are told, decided in one place.

mod address;
mod answer;

pub(crate) use address::{Address, Origin};
pub(crate) use answer::{Facts, shown_event};
