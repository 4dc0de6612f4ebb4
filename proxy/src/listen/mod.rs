//! Listening: sockets, accept loops, and what of them survives a reload.

mod accept;
mod bind;
mod handoff;
mod plan;

pub(crate) use accept::{Acceptor, accept};
pub(crate) use bind::bind;
pub(crate) use handoff::{Accepting, Handoff};
pub(crate) use plan::{Bound, Plan, plan};
