//! The rules of HTTP that the proxy holds both sides to: one table for both codecs.
//!
//! [`TABLE`] lists every rule with its verdict, status, flag and source; [`request`] and [`response`] apply it to heads
//! that a codec found well-formed. What the table calls `Normalise` happens where heads are written ([`crate::head`]).
//! Framing and grammar are the codecs' own; what they refuse arrives as a [`Refusal`] too.

mod authority;
mod facts;
mod request;
mod response;
mod table;
#[cfg(test)]
mod tests;

pub use authority::{host_of, is_authority};
pub use facts::{Body, RequestFacts, ResponseFacts, Target, Version};
pub(crate) use request::list;
pub use request::{Admitted, Switch, request};
pub use response::response;
pub use table::{Row, Rule, Side, TABLE, Verdict};

use crate::flags::ResponseFlags;

/// Why a message is refused and what is said about it. Made by the table for heads, and by the drivers for what
/// codecs and their timers refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status that the client gets.
    pub status: u16,
    /// The flag in the log.
    pub flag: ResponseFlags,
    /// The response code details in the log.
    pub details: &'static str,
    /// Whether the connection's framing is in doubt, so that it is closed after the answer. HTTP/2 connections live
    /// on: only the stream ends.
    pub close: bool,
}

impl Refusal {
    /// Plain HTTP at a listener with TLS; nginx's 497.
    pub const PLAIN_AT_TLS: Self = Self::codec(400, "plain_http_at_tls_port");

    /// What the client is told.
    pub(crate) fn text(&self) -> &'static str {
        if *self == Self::PLAIN_AT_TLS {
            return "The plain HTTP request was sent to HTTPS port";
        }
        sluice_http1::encode::reason_phrase(self.status)
    }

    /// The request head did not come in time.
    pub const fn header_timeout() -> Self {
        Self {
            status: 408,
            flag: ResponseFlags::IDLE_TIMEOUT,
            details: "request_header_timeout",
            close: true,
        }
    }

    /// The client left in the middle of a request head: nobody is answered.
    pub const fn incomplete_head() -> Self {
        Self {
            status: 0,
            flag: ResponseFlags::DOWNSTREAM_GONE,
            details: "request_head_incomplete",
            close: true,
        }
    }

    /// A drain has lasted its time while a request head was on its way: nobody is answered.
    pub const fn drained() -> Self {
        Self { status: 0, flag: ResponseFlags::LOCAL_RESET, details: "drain_deadline", close: true }
    }

    /// The next piece of the request body did not come in time.
    pub const fn body_timeout() -> Self {
        Self { status: 408, flag: ResponseFlags::IDLE_TIMEOUT, details: "request_body_timeout", close: true }
    }

    /// The client's codec refused the message.
    pub const fn codec(status: u16, details: &'static str) -> Self {
        Self { status, flag: ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR, details, close: true }
    }

    /// A bound of ours is reached and the request is shed.
    pub const fn overload(details: &'static str) -> Self {
        Self { status: 503, flag: ResponseFlags::OVERFLOW, details, close: true }
    }
}

impl From<sluice_http1::Error> for Refusal {
    fn from(error: sluice_http1::Error) -> Self {
        Self::codec(error.status(), error.reason())
    }
}
