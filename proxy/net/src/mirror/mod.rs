//! Copies of requests that go elsewhere, and never hold up the request itself.

use bytes::Bytes;

/// Takes the copy of one request body. Every call returns at once; a mirror that cannot keep up gives itself up (and
/// counts that), after which calls do nothing. Dropping it before [`end`](Self::end) resets the copy: the client did not
/// finish its request either. After `end` it goes on by itself, whatever becomes of the request.
pub(crate) trait MirrorSink {
    /// More of the body.
    fn push(&mut self, data: &Bytes);
    /// The body is complete.
    fn end(&mut self);
}
