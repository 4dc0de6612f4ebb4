//! The sans-io heart of Sluice: it decides, others carry the bytes.

pub mod balance;
pub mod edits;
pub mod exchange;
pub mod explain;
pub mod flags;
pub mod head;
pub mod hygiene;
pub mod mirror;
pub mod normalize;
pub mod pool;
pub mod record;
pub mod rewrite;
pub mod route;
pub mod scope;
pub mod shared;
pub mod snapshot;
pub mod split;
pub mod template;
pub mod wheel;
