//! The filter trait, its phases and its verdicts.
//!
//! A filter looks at one request at a time, synchronously, phase by phase, and answers with a verdict: go on,
//! answer now, wait for something ([`Op`]), or collect the body first. What has to be waited for is data that
//! somebody else runs; a filter has no socket, no clock and no task. The chain of a route ([`Chain`]) makes one
//! [`ChainState`] per request, so a filter may keep what it saw between phases in plain fields.
//!
//! This crate is *not* for the filters themselves (they live in `filters/builtin` and `filters/wasm`) nor for the
//! configuration of filters (that is part of the model).

mod chain;
mod context;
mod edits;
mod fields;
mod filter;
mod phase;
mod verdict;

pub use chain::{Chain, ChainState, Filters};
pub use context::{BodyContext, LogContext, RequestContext, ResponseContext, TrailersContext};
pub use edits::{Edit, EditKind, Edits, InvalidField, is_field_name, is_field_value};
pub use fields::{Fields, NoFields};
pub use filter::Filter;
pub use phase::{Phase, PhaseMask};
pub use verdict::{BodyVerdict, LocalResponse, Op, OpResult, Verdict};

#[cfg(test)]
mod tests;
