//! Listening: sockets, accept loops, and what of them survives a reload.

mod accept;
mod bind;

pub(crate) use accept::{Acceptor, accept};
pub(crate) use bind::bind;
