//! What both sides of HTTP/1.1 have in common: reading and writing messages over a stream.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::{Framed, Writer};

use sluice_core::head::FieldSink;
use sluice_http1::encode;

/// A head that is being written, behind what its connection has still to send.
#[derive(Debug)]
pub(crate) struct Head(pub(crate) Vec<u8>);

impl FieldSink for Head {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        // What the core hands over is clean; an HTTP/2 peer may have sent bytes that HTTP/1 cannot carry.
        let _ = encode::try_field(&mut self.0, name, value);
    }
}
