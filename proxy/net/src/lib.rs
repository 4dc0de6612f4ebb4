//! Sockets, sniffing, HTTP/1 and HTTP/2 drivers, upstream connections.
//!
//! A [`Shard`] is one data thread: it serves the connections that it is given ([`Shard::serve`]) with the configuration
//! that it was last told ([`Shard::publish`]), and reports what happened to its [`Observer`]. Everything in here is
//! single-threaded and stays on the shard's `LocalRuntime`.
//!
//! This crate is *not* for accepting sockets, threads, reloads, logs or metrics (`sluice-proxy`), nor for deciding
//! what happens to a request (`sluice-core`).

mod body;
mod downstream;
mod exchange;
mod fields;
mod h1;
mod h2;
mod io;
mod listener;
mod mirror;
mod observer;
mod proxy_header;
mod shard;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod upstream;

pub use listener::ListenerState;
pub use observer::{Blind, ConnectionInfo, Event, Observer, RequestSummary};
pub use shard::{Generation, Shard, ShardOptions};
