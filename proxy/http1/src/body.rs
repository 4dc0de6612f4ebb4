//! Bodies, cut out of the read buffer in place.

use std::ops::Range;

use crate::chunked::{Chunked, Next};
use crate::trailers::Section;
use crate::{BodyLimits, Error, Framing, Trailers};

/// Cuts one body out of the bytes that follow a head. Reusable: [`BodyDecoder::start`] keeps the trailers' capacity.
///
/// ```
/// use sluice_http1::{BodyDecoder, BodyLimits, Framing, State};
///
/// let mut body = BodyDecoder::new(Framing::Chunked, BodyLimits::default());
/// let mut read: &[u8] = b"5\r\nhello\r\n0\r\n\r\nGET /next HTTP/1.1\r\n";
/// let mut data = Vec::new();
/// loop {
///     let step = body.decode(read)?;
///     data.extend_from_slice(&read[step.data]);
///     read = &read[step.consumed..];
///     match step.state {
///         State::End => break,
///         State::More if read.is_empty() => break, // read more bytes, then go on
///         State::More => {}
///     }
/// }
/// assert_eq!(data, b"hello");
/// assert!(read.starts_with(b"GET /next"));
/// # Ok::<(), sluice_http1::Error>(())
/// ```
#[derive(Debug)]
pub struct BodyDecoder {
    limits: BodyLimits,
    phase: Phase,
    trailers: Section,
}

#[derive(Debug)]
enum Phase {
    /// This many bytes are missing; never 0.
    Length(u64),
    Chunked(Chunked),
    /// The empty line after the last chunk, or trailers before it.
    Trailers,
    /// Until the connection ends.
    Close,
    Ended,
}

/// What one call of [`BodyDecoder::decode`] took from its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Bytes taken, framing included: the next call gets the input from here on. It is all of the input, unless more
    /// data lies there or the body has ended.
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

impl BodyDecoder {
    /// A decoder at the start of a body.
    pub fn new(framing: Framing, limits: BodyLimits) -> Self {
        let mut decoder = Self { limits, phase: Phase::Ended, trailers: Section::default() };
        decoder.start(framing);
        decoder
    }

    /// Starts the next body, with the same limits. A [`Framing::Tunnel`] has no end but the connection's.
    pub fn start(&mut self, framing: Framing) {
        self.trailers.clear();
        self.phase = match framing {
            Framing::None | Framing::Length(0) => Phase::Ended,
            Framing::Length(length) => Phase::Length(length),
            Framing::Chunked => Phase::Chunked(Chunked::default()),
            Framing::Close | Framing::Tunnel => Phase::Close,
        };
    }

    /// Whether the body has ended; true at once where there is none.
    pub fn is_end(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Takes framing and at most one run of data from the start of `input`, which continues where the last call's
    /// `consumed` ended. After the end, nothing is taken. After an error the decoder is of no use until
    /// [`BodyDecoder::start`]; data of the same input that came before the mistake is not reported.
    #[inline]
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, Error> {
        match self.phase {
            Phase::Length(missing) => {
                let taken = usize::try_from(missing).unwrap_or(usize::MAX).min(input.len());
                let missing = missing - taken as u64;
                self.phase = if missing == 0 { Phase::Ended } else { Phase::Length(missing) };
                Ok(self.step(taken, 0..taken))
            }
            Phase::Close => Ok(self.step(input.len(), 0..input.len())),
            Phase::Ended => Ok(self.step(0, 0..0)),
            Phase::Chunked(_) | Phase::Trailers => self.decode_chunked(input),
        }
    }

    /// The connection ended. That is the end of a close-delimited body; any other that has not ended was cut short.
    pub fn finish(&mut self) -> Result<(), Error> {
        match self.phase {
            Phase::Close | Phase::Ended => {
                self.phase = Phase::Ended;
                Ok(())
            }
            _ => Err(Error::Truncated),
        }
    }

    /// Bytes of data that are still to come, where that is known: in a body with a length, and none after the end.
    pub fn remaining(&self) -> Option<u64> {
        match self.phase {
            Phase::Length(missing) => Some(missing),
            Phase::Ended => Some(0),
            _ => None,
        }
    }

    /// The trailers; none before the end.
    pub fn trailers(&self) -> Trailers<'_> {
        self.trailers.view()
    }

    fn decode_chunked(&mut self, input: &[u8]) -> Result<Step, Error> {
        let mut at = 0;
        let mut data = 0..0;
        while let (Phase::Chunked(chunked), Some(rest)) = (&mut self.phase, input.get(at..)) {
            match chunked.next(rest, &self.limits)? {
                (taken, Next::Starved) => return Ok(self.step(at + taken, data)),
                (taken, Next::LastChunk) => {
                    at += taken;
                    self.phase = Phase::Trailers;
                }
                (taken, Next::Data) => {
                    at += taken;
                    if !data.is_empty() {
                        return Ok(self.step(at, data));
                    }
                    let run = chunked.take(input.len() - at);
                    data = at..at + run;
                    at += run;
                }
            }
        }
        let (taken, ended) = self.trailers.take(input.get(at..).unwrap_or_default(), &self.limits)?;
        if ended {
            self.phase = Phase::Ended;
        }
        Ok(self.step(at + taken, data))
    }

    #[inline]
    fn step(&self, consumed: usize, data: Range<usize>) -> Step {
        Step { consumed, data, state: if self.is_end() { State::End } else { State::More } }
    }
}

impl Default for BodyDecoder {
    /// A decoder of no body, with the default limits.
    fn default() -> Self {
        Self::new(Framing::None, BodyLimits::default())
    }
}
