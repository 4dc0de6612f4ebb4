//! Bodies, cut out of the read buffer in place.

use std::ops::Range;

use crate::fields::FieldIndex;
use crate::{BodyLimits, Error, FieldsView, Framing};

/// Cuts one body out of the bytes that follow a head. Reusable: [`BodyDecoder::start`] keeps the trailers' capacity.
#[derive(Debug)]
pub struct BodyDecoder {
    framing: Framing,
    limits: BodyLimits,
    trailers: Vec<u8>,
    index: FieldIndex,
}

/// What one call of [`BodyDecoder::decode`] took from its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Bytes taken, framing included: the next call gets the input from here on. All of it, unless more data or the end
    /// of the body lies there.
    pub consumed: usize,
    /// Where in the input the body's data lies; empty if there was only framing.
    pub data: Range<usize>,
    /// Whether this was the last of the body.
    pub state: State,
}

/// Whether a body goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// More follows: in the rest of the input if there is any, else in the next read.
    More,
    /// The body, trailers included, ended with the bytes taken; what follows in the input is the next message.
    End,
}

/// The trailer section of a chunked body that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Trailers<'a> {
    /// Its fields.
    pub fields: FieldsView<'a>,
}

impl BodyDecoder {
    /// A decoder at the start of a body.
    pub fn new(framing: Framing, limits: BodyLimits) -> Self {
        Self { framing, limits, trailers: Vec::new(), index: FieldIndex::default() }
    }

    /// Starts the next body with the same limits.
    pub fn start(&mut self, framing: Framing) {
        self.framing = framing;
        self.trailers.clear();
    }

    /// Whether the body has ended; true at once where there is none.
    pub fn is_end(&self) -> bool {
        self.framing.is_empty()
    }

    /// Takes framing and at most one run of data from the start of `input`, which continues where the last call's
    /// `consumed` ended. After the end nothing is taken.
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, Error> {
        let _ = (input, &self.limits);
        Ok(Step { consumed: 0, data: 0..0, state: State::More })
    }

    /// The connection ended: is that the end of the body, or was it cut short?
    pub fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Bytes of data that are still to come, where that is known: for bodies with a length, and nothing after the end.
    pub fn remaining(&self) -> Option<u64> {
        None
    }

    /// The trailers; empty before the end and without any.
    pub fn trailers(&self) -> Trailers<'_> {
        Trailers { fields: self.index.view(&self.trailers) }
    }
}

impl Trailers<'_> {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.fields.is_empty()
    }

    /// Whether some field may not be a trailer; see
    /// [`Known::forbidden_in_trailers`](crate::Known::forbidden_in_trailers).
    pub fn forbidden(self) -> bool {
        self.fields.iter().any(|field| field.known.forbidden_in_trailers())
    }
}
