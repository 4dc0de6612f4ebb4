//! Finding the end of a head that comes in fragments, without looking at a byte twice.

/// How far the search has come. All zero: nothing was looked at yet.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Scan {
    /// The first byte not looked at.
    at: usize,
    /// Where the line begins that `at` is in.
    line: usize,
}

/// What the search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// The head ends before this byte.
    End(usize),
    /// A line ends in LF alone.
    BareLf,
    /// All bytes were looked at.
    More,
}

impl Scan {
    /// Whether no byte was looked at.
    pub(crate) fn is_fresh(self) -> bool {
        self.at == 0
    }

    /// Goes on to the end of `window`. `lead`: an empty line at the very start does not end the head.
    pub(crate) fn advance(&mut self, window: &[u8], lead: bool) -> Scanned {
        while let Some(offset) = window.get(self.at..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let end = self.at + offset + 1;
            match window.get(self.line..end) {
                Some(b"\r\n") if lead && self.line == 0 => {}
                Some(b"\r\n") => return Scanned::End(end),
                Some(line) if line.ends_with(b"\r\n") => {}
                _ => return Scanned::BareLf,
            }
            self.at = end;
            self.line = end;
        }
        self.at = window.len();
        Scanned::More
    }

    /// Length of the first line as far as it has come; `None` once it is complete.
    pub(crate) fn first_line(self) -> Option<usize> {
        (self.line <= 2).then(|| self.at - self.line)
    }
}
