//! The rules of HTTP that the proxy holds both sides to: one table for both codecs.

mod facts;

pub use facts::{Body, RequestFacts, ResponseFacts, Target, Version};

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
