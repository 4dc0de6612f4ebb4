//! A strict, sans-io HTTP/1.x codec.
//!
//! Bytes come in as slices of the caller's read buffer and go out into the caller's write buffer; nothing here reads a
//! socket, a clock or a random number, and nothing allocates once a connection's [`RequestHead`], [`ResponseHead`]
//! and [`BodyDecoder`] have seen a message of the usual size.
//!
//! | piece | what it does |
//! | --- | --- |
//! | [`RequestHead`], [`ResponseHead`] | find the end of a head however it is fragmented, tokenise it once, index it |
//! | [`RequestView`], [`ResponseView`], [`FieldsView`] | read a parsed head: index and bytes together |
//! | [`Known`], [`KnownSet`] | what a field name means, decided once while indexing |
//! | [`Framing`] | how the body of a message ends |
//! | [`BodyDecoder`], [`Trailers`] | cut a body out of the read buffer, in place |
//! | [`encode`] | append heads and chunk framing to a buffer |
//! | [`Limits`], [`BodyLimits`], [`Error`] | bounds, and what breaking them or the grammar gives |
//!
//! # Strictness
//!
//! A message that two readers could frame differently is refused, never repaired: bare LF and bare CR, obsolete line
//! folding, space before a colon, control bytes, more than one `Content-Length` (even equal ones), `Transfer-Encoding`
//! beside `Content-Length`, in HTTP/1.0, repeated, or anything but `chunked`. The outcome never depends on how the
//! bytes were split over reads. After any [`Error`] the connection must be closed: where the next message starts is
//! not known.
//!
//! Tolerated, because it is unambiguous and real peers send it: one CRLF before a request line (RFC 9112 section 2.2),
//! a status line that ends after the code, well-formed UTF-8 in a request target, empty elements in lists.
//!
//! # What this crate is not for
//!
//! It does not judge what a message *means*: Host, the forms of a target, hop-by-hop removal, whether an upgrade is
//! allowed, body size limits and timeouts belong to `sluice-core`. It does not speak HTTP/2: the preface is only
//! recognised ([`Parse::Preface`]) so that the caller can switch codecs.

mod body;
mod chunked;
pub mod encode;
mod error;
mod fields;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod grammar;
mod known;
mod limits;
mod method;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod trailers;

pub use body::{BodyDecoder, State, Step};
pub use error::Error;
pub use fields::{FieldView, FieldsView, Options};
pub use framing::{Asked, Framing};
pub use known::{Known, KnownSet};
pub use limits::{BodyLimits, Limits};
pub use method::{Method, Version};
pub use request::{Expect, Parse, RequestHead, RequestView, request_line};
pub use response::{ResponseHead, ResponseView};
pub use trailers::Trailers;
