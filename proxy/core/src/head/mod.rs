//! Heads: one view over what both codecs received, and the writing of what is sent on.
//!
//! Matching, policies and filters read heads through [`Fields`], so nothing is converted to be looked at. What goes
//! out is never a copy of the received block: it is written field by field into a [`FieldSink`], without what belongs
//! to the one connection, with edits applied and our own fields stamped after that.
//!
//! Not written here, because the codec that sends the head writes it from other facts: the request or status line and
//! pseudo header fields, `host`, `content-length` and `transfer-encoding`, `connection`, and the `upgrade` of a request.

mod edit;
mod forwarded;
mod names;
mod nginx;
mod received;
mod request;
mod response;
mod role;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use edit::apply;
pub use forwarded::client_address;
pub(crate) use forwarded::{Trust, forwarded_host};
pub use names::header_name;
pub use received::{Received, ReceivedField};
pub(crate) use request::{Handshake, RequestHead, has_crumbs, write_request};
pub(crate) use response::{ResponseHead, write_informational, write_response};
pub use role::{Role, role};
pub use sluice_filter::{Edits, Fields, NoFields};
pub(crate) use view::WithoutUnderscores;
pub use view::{BlockFields, BlockSink, HeaderMapSink, MapFields};

/// Where an outgoing head is written. Implemented over sluice-http1's encoder and over an HTTP/2 `HeaderMap`.
pub trait FieldSink {
    /// One more field. The name is a token in any case (an HTTP/2 sink lowers it); neither has control bytes.
    fn field(&mut self, name: &[u8], value: &[u8]);

    /// The same for a field that a codec has received, and so has judged already: a sink need not look at it again.
    fn received(&mut self, field: &ReceivedField<'_>) {
        self.field(field.name, field.value);
    }

    /// The same for a name that stands in our own code.
    fn own(&mut self, name: &'static str, value: &[u8]) {
        self.field(name.as_bytes(), value);
    }
}
