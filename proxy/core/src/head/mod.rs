//! Heads: one view over what both codecs received, and the writing of what is sent on.
//!
//! Matching, policies and filters read heads through [`Fields`], so nothing is converted to be looked at. What goes
//! out is never a copy of the received block: it is written field by field into a [`FieldSink`], without what belongs
//! to the one connection, with framing made anew, edits applied, and our own fields stamped last.

mod view;

pub use sluice_filter::{Edits, Fields, NoFields};
pub use view::{HeaderMapSink, MapFields};

/// Where an outgoing head is written. Implemented over sluice-http1's encoder and over an HTTP/2 `HeaderMap`.
pub trait FieldSink {
    /// One more field. The name is a token in any case (an HTTP/2 sink lowers it); neither has control bytes.
    fn field(&mut self, name: &[u8], value: &[u8]);
}
