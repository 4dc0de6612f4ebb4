//! The sans-io heart of Sluice: it decides, others carry the bytes.

pub mod drain;
pub mod exchange;
pub mod flags;
pub mod head;
pub mod hygiene;
pub mod pool;
pub mod record;
