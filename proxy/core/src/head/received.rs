//! Fields with what their codec knows of them already.

use super::{Fields, NoFields};
use sluice_http1::Known;

/// One field of a message that a codec has read, and so has judged.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedField<'a> {
    /// What its name means.
    pub known: Known,
    /// As sent.
    pub name: &'a [u8],
    /// Without white space around it.
    pub value: &'a [u8],
    /// It comes from types that hold nothing but lower-case tokens and clean values.
    pub typed: bool,
    /// The whole line, where it came as HTTP/1 would write it.
    pub line: Option<&'a [u8]>,
}

/// The fields of a message for those who pass on or judge every one: a name is classified once, by its codec.
pub trait Received: Fields {
    /// As [`Fields::each`].
    fn each_received(&self, visit: &mut dyn FnMut(&ReceivedField<'_>)) {
        self.each(&mut |name, value| {
            visit(&ReceivedField { known: Known::of(name), name, value, typed: false, line: None });
        });
    }
}

impl Received for NoFields {}

impl Received for Vec<(&str, &str)> {}
