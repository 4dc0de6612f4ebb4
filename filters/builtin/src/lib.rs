//! The filters that ship with Sluice, and the compiler that makes the chain of a route out of its written form.
//!
//! Built-ins are dispatched by enum: a chain of them costs one virtual call per phase, whatever its length.
//!
//! This crate is *not* named by `sluice-core`: the process that joins them hands [`Builtin`] to the snapshot compiler.

mod chain;
mod fault;

pub use chain::Builtin;
pub use fault::Fault;
