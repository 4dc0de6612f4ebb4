//! Listening: sockets, accept loops, and what of them survives a reload.

use std::time::Duration;

/// How long a drain waits for handshakes that had begun when it did: clients may be as far away as this.
pub(crate) const HANDSHAKES: Duration = Duration::from_millis(100);

mod accept;
mod bind;
mod handoff;
mod plan;

pub(crate) use accept::{Acceptor, accept};
pub(crate) use bind::bind;
pub(crate) use handoff::{Accepting, Handoff};
pub(crate) use plan::{Bound, Plan, plan};
