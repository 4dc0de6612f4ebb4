//! What the `h2` crate refuses by itself.
//!
//! It answers 431 or resets the stream, or ends the connection with GOAWAY, and tells nobody but the client. So what it writes
//! is watched: nine bytes of each frame, payloads passed over.

use h2::Reason;
use sluice_core::{flags::ResponseFlags, hygiene::Refusal};

/// A frame's length, kind, flags and stream (RFC 9113 section 4.1).
const HEADER: usize = 9;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
/// A reset with its reason.
const RESET: usize = HEADER + 4;
/// An end with its last stream and its reason; more may follow.
const END: usize = HEADER + 8;

/// What a frame says about its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// An answer begins, or ends in trailers.
    Head(u32),
    /// The stream is reset, for this reason.
    Reset(u32, Reason),
    /// The connection ends, for this reason.
    End(Reason),
}

/// Finds such signs among the frames that leave, however they are cut.
#[derive(Debug, Default)]
pub(super) struct Watch {
    frame: [u8; END],
    filled: usize,
    /// Bytes of the payload that are still to be passed over.
    skip: usize,
}

impl Watch {
    /// Takes the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut see: impl FnMut(Sign)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let wanted = self.wanted();
            let taken = (wanted - self.filled).min(bytes.len());
            self.frame[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            // A header may be all that is wanted of a frame, or its beginning.
            if self.filled == self.wanted() {
                self.frame_seen(&mut see);
            }
        }
    }

    /// How much of the frame has to be seen.
    fn wanted(&self) -> usize {
        match self.frame[3] {
            RST_STREAM if self.filled >= HEADER => RESET,
            GOAWAY if self.filled >= HEADER => END,
            _ => HEADER,
        }
    }

    fn frame_seen(&mut self, see: &mut impl FnMut(Sign)) {
        let number = |at: usize| {
            u32::from_be_bytes([self.frame[at], self.frame[at + 1], self.frame[at + 2], self.frame[at + 3]])
        };
        let stream = number(5) & 0x7fff_ffff;
        match self.frame[3] {
            HEADERS => see(Sign::Head(stream)),
            RST_STREAM => see(Sign::Reset(stream, number(HEADER).into())),
            GOAWAY => see(Sign::End(number(HEADER + 4).into())),
            _ => {}
        }
        self.skip = ((number(0) >> 8) as usize).saturating_sub(self.filled - HEADER);
        self.filled = 0;
    }
}

/// How a reset or the end of a connection is logged; `None` where the reason says that the client did nothing wrong.
pub(super) fn refusal(reason: Reason) -> Option<Refusal> {
    let details = match reason {
        Reason::PROTOCOL_ERROR => "http2_protocol_error",
        Reason::FLOW_CONTROL_ERROR => "http2_flow_control_error",
        Reason::FRAME_SIZE_ERROR => "http2_frame_size_error",
        Reason::COMPRESSION_ERROR => "http2_compression_error",
        Reason::ENHANCE_YOUR_CALM => "http2_enhance_your_calm",
        // More streams at once than the listener allows.
        Reason::REFUSED_STREAM => "http2_refused_stream",
        _ => return None,
    };
    let mut refusal = Refusal::codec(0, details);
    if reason == Reason::REFUSED_STREAM {
        refusal.flag = ResponseFlags::OVERFLOW;
    }
    Some(refusal)
}

/// How a client is logged that takes no bytes although no request of it is under way.
pub(super) fn unread() -> Refusal {
    Refusal { flag: ResponseFlags::IDLE_TIMEOUT, ..Refusal::codec(0, "http2_client_does_not_read") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, 0, payload.len() as u8, kind, 0, 0x80, 0, 0, stream];
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn signs_are_found_however_frames_are_cut() {
        let frames = [
            frame(4, 0, &[]),
            frame(RST_STREAM, 1, &[0, 0, 0, 1]),
            frame(0, 3, &[RST_STREAM; 200]),
            frame(6, 0, &[3; 8]),
            frame(HEADERS, 3, &[1, 2, 3]),
            frame(GOAWAY, 0, &[0, 0, 0, 5, 0, 0, 0, 11, b'w', b'h', b'y']),
            frame(RST_STREAM, 5, &[0, 0, 0, 7]),
        ];
        let bytes = frames.concat();
        for piece in 1..=bytes.len() {
            let (mut watch, mut found) = (Watch::default(), Vec::new());
            for piece in bytes.chunks(piece) {
                watch.feed(piece, |sign| found.push(sign));
            }
            let reset = Sign::Reset;
            let wanted = [
                reset(1, Reason::PROTOCOL_ERROR),
                Sign::Head(3),
                Sign::End(Reason::ENHANCE_YOUR_CALM),
                reset(5, Reason::REFUSED_STREAM),
            ];
            assert_eq!(found, wanted, "by {piece}");
        }
    }
}
