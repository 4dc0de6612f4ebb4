#![forbid(unsafe_code)]
//! TLS for listeners and towards clusters. The only crate that names rustls: whatever else speaks TLS sees
//! [`ListenerTls`], [`ClientTls`] and [`TlsStream`].
//!
//! - [`TlsContext`] is what a configuration needs: a [`ListenerTls`] for each listener and a [`ClientTls`] for each
//!   cluster that has TLS. A listener has a [`ServerTls`] for each of its scopes. A new configuration makes a new context that shares every part whose settings and secret
//!   bytes are the same, because session tickets and resumption live as long as the part does.
//! - The crypto provider is aws-lc-rs, named in every builder; the process-wide default is never asked.
//! - Tickets never cross listeners or scopes: each [`ServerTls`] has a ticket key of its own, so a session that one certificate
//!   set began cannot be resumed under another.
//!
//! This crate is *not* for sockets, timers or routing: a handshake runs over any `AsyncRead + AsyncWrite` and takes as
//! long as its caller lets it.

mod client;
mod context;
mod error;
mod facts;
mod listener;
mod names;
mod pem;
mod provider;
mod server;
mod stream;

pub use client::{ClientAlpn, ClientSettings, ClientTls, ServerName, Verification};
pub use context::TlsContext;
pub use error::{HandshakeError, HandshakeFailure, TlsConfigError, TlsConfigErrorKind};
pub use facts::{CertificateFacts, certificate_facts};
pub use listener::ListenerTls;
pub use pem::{certificate_names, check_anchors};
pub use server::{Certificate, ServerSettings, ServerTls};
pub use stream::{Protocol, Session, TlsStream, TlsVersion};

#[cfg(test)]
mod tests;
