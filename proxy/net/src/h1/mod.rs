//! What both sides of HTTP/1.1 have in common: reading and writing messages over a stream.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::{Framed, Writer};

use sluice_core::head::{FieldSink, ReceivedField};
use sluice_http1::encode;

/// A head that is being written, behind what its connection has still to send.
///
/// The codecs let nothing through that HTTP/1 cannot carry, and edits are checked when they are recorded. Should a field be
/// unclean all the same, the message is not sent at all: without the field it might mean something else.
#[derive(Debug)]
pub(crate) struct Head {
    text: Vec<u8>,
    clean: bool,
}

/// A head that cannot be sent, because a field would break out of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unclean;

impl Head {
    /// Behind `text`, which ends with the head's first line.
    pub(crate) const fn new(text: Vec<u8>) -> Self {
        Self { text, clean: true }
    }

    /// The text, still without the empty line.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Unclean> {
        if self.clean { Ok(self.text) } else { Err(Unclean) }
    }
}

impl FieldSink for Head {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        if encode::try_field(&mut self.text, name, value).is_err() {
            let name = name.escape_ascii();
            tracing::error!(%name, "a field that HTTP/1 cannot carry got as far as its message: it is not sent");
            self.clean = false;
        }
    }

    /// Either codec refuses heads with bytes that could not stand in a field line.
    fn received(&mut self, field: &ReceivedField<'_>) {
        match field.line {
            Some(line) => self.text.extend_from_slice(line),
            None => encode::field(&mut self.text, field.name, field.value),
        }
    }

    fn own(&mut self, name: &'static str, value: &[u8]) {
        if encode::is_value(value) {
            encode::field(&mut self.text, name.as_bytes(), value);
        } else {
            self.field(name.as_bytes(), value);
        }
    }
}
