//! HTTP/2, frame by frame: one end of a connection that may break every rule.

use crate::Wire;
use std::net::SocketAddr;

/// A client that writes frames as it is told (RFC 9113 section 4), its heads without compression.
///
/// ```ignore
/// let mut frames = Frames::connect(proxy.address()).await;
/// frames.head(1, &[(":method", "GET"), (":scheme", "http"), (":path", "/"), ("connection", "close")], true).await;
/// assert_eq!(frames.outcome(1).await, Outcome::Reset(1));
/// ```
#[derive(Debug)]
pub struct Frames {
    wire: Wire,
}

/// A frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// One of the kinds in [`Frames`].
    pub kind: u8,
    /// What the kind says they are.
    pub flags: u8,
    /// 0 is the connection.
    pub stream: u32,
    /// The rest.
    pub payload: Vec<u8>,
}

/// What became of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with this status.
    Status(u16),
    /// It was reset, for this reason.
    Reset(u32),
    /// The connection was ended with GOAWAY, for this reason.
    GoAway(u32),
    /// The connection was closed without a word.
    Closed,
}

// === impl Frames ===

impl Frames {
    /// A piece of a body; flag 1 ends the stream.
    pub const DATA: u8 = 0;
    /// A head, or its beginning; flag 1 ends the stream, flag 4 the head.
    pub const HEADERS: u8 = 1;
    /// The end of a stream before its time.
    pub const RST_STREAM: u8 = 3;
    /// Settings; flag 1 acknowledges.
    pub const SETTINGS: u8 = 4;
    /// Asks for an echo; flag 1 is the echo.
    pub const PING: u8 = 6;
    /// The end of a connection.
    pub const GOAWAY: u8 = 7;
    /// Credit.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a head; flag 4 ends it.
    pub const CONTINUATION: u8 = 9;

    /// The first bytes of a client.
    pub const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    /// Connects in plaintext, and sends the preface and empty settings.
    pub async fn connect(address: SocketAddr) -> Self {
        let mut frames = Self { wire: Wire::connect(address).await };
        frames.wire.send(Self::PREFACE).await;
        frames.frame(Self::SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// The connection itself.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// A frame as bytes.
    pub fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("a payload is short").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// A block of fields: literals that nobody remembers (RFC 7541 section 6.2.3).
    pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for text in fields.iter().flat_map(|(name, value)| [(true, name), (false, value)]) {
            let (is_name, text) = text;
            if is_name {
                block.push(0x10);
            }
            let mut rest = text.len();
            if rest < 127 {
                block.push(rest as u8);
            } else {
                block.push(127);
                rest -= 127;
                while rest >= 128 {
                    block.push((rest % 128) as u8 | 128);
                    rest /= 128;
                }
                block.push(rest as u8);
            }
            block.extend_from_slice(text.as_bytes());
        }
        block
    }

    /// Sends a frame to somebody who may have gone.
    pub async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let _ = self.wire.try_send(Self::encode(kind, flags, stream, payload)).await;
    }

    /// Sends a whole head in one frame.
    pub async fn head(&mut self, stream: u32, fields: &[(&str, &str)], end: bool) {
        self.frame(Self::HEADERS, 4 | u8::from(end), stream, &Self::block(fields)).await;
    }

    /// The next frame, settings and credit excepted; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let header = self.wire.read_some(9).await?;
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]) & 0x7fff_ffff;
            let payload = self.wire.read_some(length).await?;
            let frame = Frame { kind: header[3], flags: header[4], stream, payload };
            if ![Self::SETTINGS, Self::WINDOW_UPDATE].contains(&frame.kind) {
                return Some(frame);
            }
        }
    }

    /// What becomes of a stream; frames of others are passed over.
    pub async fn outcome(&mut self, stream: u32) -> Outcome {
        while let Some(frame) = self.next().await {
            let number = |at: usize| {
                let bytes = frame.payload.get(at..at + 4).expect("a frame with a number");
                u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
            };
            match frame.kind {
                Self::HEADERS if frame.stream == stream => return Outcome::Status(status(&frame.payload)),
                Self::RST_STREAM if frame.stream == stream => return Outcome::Reset(number(0)),
                Self::GOAWAY if number(4) != 0 => return Outcome::GoAway(number(4)),
                _ => {}
            }
        }
        Outcome::Closed
    }
}

/// The status at the front of a response's block: one of the static table, or a literal of three digits in the codes of RFC
/// 7541 appendix B.
fn status(block: &[u8]) -> u16 {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match *block {
        [index @ 0x88..=0x8e, ..] => STATIC[usize::from(index - 0x88)],
        [0x48 | 0x08, 0x82 | 0x83, first, second, ref rest @ ..] => {
            let third = rest.first().copied().unwrap_or_default();
            let bits = u32::from_be_bytes([first, second, third, 0]);
            let (mut at, mut status) = (0, 0);
            for _ in 0..3 {
                let code = bits << at >> 26;
                // 0, 1 and 2 have five bits, the others six.
                let (digit, length) = if code >> 1 < 3 { (code >> 1, 5) } else { (code - 0b01_1001 + 3, 6) };
                status = status * 10 + digit as u16;
                at += length;
            }
            status
        }
        [0x48 | 0x08, 3, a, b, c, ..] => {
            [a, b, c].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        }
        _ => panic!("no status at the front of {}", crate::wire::show(block)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_each_of_its_forms() {
        assert_eq!(status(&[0x88]), 200);
        assert_eq!(status(&[0x48, 3, b'4', b'2', b'6']), 426);
        // 302 is the example of RFC 7541 appendix C.6.1.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02, 0x58]), 302);
    }
}
