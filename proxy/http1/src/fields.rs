//! The index of a block of field lines, and views that read it.

use std::mem::MaybeUninit;

use crate::{Known, KnownSet};

/// Where the tokeniser puts what it finds, until it is indexed. On the stack and not initialised.
pub(crate) type Scratch<'b> = [MaybeUninit<httparse::Header<'b>>];

/// Where one field lies in its block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: u32,
    value: u32,
    value_len: u32,
    name_len: u16,
    known: Known,
    /// Its line is as this crate would write it.
    plain: bool,
}

/// The fields of one block, in the order in which they came. Reused from message to message.
#[derive(Debug, Default)]
pub(crate) struct FieldIndex {
    fields: Vec<Field>,
    /// Which names occur.
    pub(crate) seen: KnownSet,
    /// Some name has an underscore.
    underscores: bool,
}

/// A block and its index together: the fields of one message, or its trailers.
#[derive(Clone, Copy)]
pub struct FieldsView<'a> {
    index: &'a FieldIndex,
    block: &'a [u8],
}

/// One field as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldView<'a> {
    /// In the sender's case; a non-empty token.
    pub name: &'a [u8],
    /// Without white space at either end; HTAB, SP, visible ASCII and bytes from 0x80 only.
    pub value: &'a [u8],
    /// What the name means.
    pub known: Known,
    /// The whole line with its end, where it came as this crate would write it: one space before the value, none behind.
    pub line: Option<&'a [u8]>,
}

/// What the `Connection` fields of a message say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// `close`
    pub close: bool,
    /// `keep-alive`
    pub keep_alive: bool,
    /// `upgrade`
    pub upgrade: bool,
    /// Fields that are named as hop-by-hop, those three options left out. A member may be a name that must never be
    /// removed on a peer's word (`host`, `content-length`, `x-forwarded-for`, ...): judge before removing.
    /// [`Known::Other`] stands for any name outside the table; see [`FieldsView::is_listed`].
    pub listed: KnownSet,
}

// === impl FieldIndex ===

impl FieldIndex {
    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.seen = KnownSet::EMPTY;
        self.underscores = false;
    }

    /// Indexes what the tokeniser found in `block`, which ends with the empty line. False where the tokeniser is laxer
    /// than we are: a line that ends in LF alone, or a name that is longer than a span can say.
    #[inline]
    pub(crate) fn fill(&mut self, block: &[u8], headers: &[httparse::Header<'_>]) -> bool {
        let origin = block.as_ptr().addr();
        let mut strict = block.ends_with(b"\r\n\r\n");
        let mut seen = KnownSet::EMPTY;
        let mut underscores = false;
        self.fields.clear();
        self.fields.extend(headers.iter().map(|header| {
            let name = header.name.as_ptr().addr() - origin;
            // An LF is before the name already, or this would not be the start of a line. Trailers start at 0.
            strict &= name < 2 || block.get(name - 2) == Some(&b'\r');
            strict &= u16::try_from(header.name.len()).is_ok();
            let known = Known::of(header.name.as_bytes());
            seen.insert(known);
            // No name in the table has one.
            if known == Known::Other {
                underscores |= header.name.as_bytes().contains(&b'_');
            }
            let value = header.value.as_ptr().addr() - origin;
            // Between name and value there is nothing but the colon and white space.
            let one_space = value == name + header.name.len() + 2 && block.get(value - 1) == Some(&b' ');
            Field {
                name: name as u32,
                value: value as u32,
                value_len: header.value.len() as u32,
                name_len: header.name.len() as u16,
                known,
                plain: one_space && block.get(value + header.value.len()) == Some(&b'\r'),
            }
        }));
        self.seen = seen;
        self.underscores = underscores;
        strict
    }

    /// Where the first field line starts.
    pub(crate) fn start(&self) -> Option<u32> {
        self.fields.first().map(|field| field.name)
    }

    pub(crate) fn view<'a>(&'a self, block: &'a [u8]) -> FieldsView<'a> {
        FieldsView { index: self, block }
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }
}

// === impl Options ===

impl Options {
    /// Notes one of the three options, or says that it is none.
    fn take(&mut self, option: &[u8]) -> bool {
        if option.eq_ignore_ascii_case(b"close") {
            self.close = true;
            return true;
        }
        match Known::of(option) {
            Known::KeepAlive => self.keep_alive = true,
            Known::Upgrade => self.upgrade = true,
            _ => return false,
        }
        true
    }
}

// === impl FieldsView ===

impl<'a> FieldsView<'a> {
    /// Number of field lines.
    pub fn len(self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Which names occur: answers "is it there" without looking at a field.
    pub fn seen(self) -> KnownSet {
        self.index.seen
    }

    /// Whether some field name has an underscore, which some servers read as a dash.
    pub fn underscores(self) -> bool {
        self.index.underscores
    }

    /// All fields in order. The iterator also runs backwards and knows its length.
    pub fn iter(
        self,
    ) -> impl DoubleEndedIterator<Item = FieldView<'a>> + ExactSizeIterator + Clone + use<'a> {
        self.index.fields.iter().map(move |field| self.read(field))
    }

    /// The values of one known name, in order.
    pub fn known(self, known: Known) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let fields: &'a [Field] = if self.index.seen.contains(known) { &self.index.fields } else { &[] };
        fields
            .iter()
            .filter(move |field| field.known == known)
            .map(move |field| self.bytes(field.value, field.value_len))
    }

    /// The values of a name in any case, in order.
    pub fn all<'n>(self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a, 'n> {
        let known = Known::of(name);
        let fields: &'a [Field] = if self.index.seen.contains(known) { &self.index.fields } else { &[] };
        fields
            .iter()
            .filter(move |field| {
                field.known == known
                    && (known != Known::Other
                        || (usize::from(field.name_len) == name.len()
                            && self.bytes(field.name, u32::from(field.name_len)).eq_ignore_ascii_case(name)))
            })
            .map(move |field| self.bytes(field.value, field.value_len))
    }

    /// The first value of a name in any case.
    pub fn get(self, name: &[u8]) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// What the `Connection` fields say.
    pub fn options(self) -> Options {
        let mut options = Options::default();
        for value in self.known(Known::Connection) {
            // Most have one element.
            if !options.take(value) {
                for option in list(value) {
                    if !options.take(option) {
                        options.listed.insert(Known::of(option));
                    }
                }
            }
        }
        options
    }

    /// The elements of the `Connection` fields, `close` and the like included.
    pub fn listed_names(self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.known(Known::Connection).flat_map(list)
    }

    /// Whether `Connection` names this field, in any case.
    pub fn is_listed(self, name: &[u8]) -> bool {
        self.listed_names().any(|listed| listed.eq_ignore_ascii_case(name))
    }

    #[inline]
    fn read(self, field: &Field) -> FieldView<'a> {
        FieldView {
            name: self.bytes(field.name, u32::from(field.name_len)),
            value: self.bytes(field.value, field.value_len),
            known: field.known,
            line: field.plain.then(|| self.bytes(field.name, field.value + field.value_len + 2 - field.name)),
        }
    }

    /// Never out of bounds for the block that was indexed; another block gives nonsense, not a panic.
    #[inline]
    fn bytes(self, start: u32, len: u32) -> &'a [u8] {
        let start = start as usize;
        self.block.get(start..start + len as usize).unwrap_or_default()
    }
}

impl std::fmt::Debug for FieldsView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The elements of a comma-separated list (RFC 9110 section 5.6.1), without white space around them; empty ones are
/// skipped.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().fold(true, |token, &byte| token & is_token_byte(byte))
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let others = b"!#$%&'*+-.^_`|~";
        let mut index = 0;
        while index < others.len() {
            table[others[index] as usize] = true;
            index += 1;
        }
        let mut byte = 0;
        while byte < 128u8 {
            table[byte as usize] |= byte.is_ascii_alphanumeric();
            byte += 1;
        }
        table
    };
    TABLE[usize::from(byte)]
}

/// RFC 9110 section 5.5: HTAB, SP, visible ASCII, obs-text.
pub(crate) fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether all bytes may stand in a value: eight at a time, and one by one only if some are suspect.
#[inline]
pub fn is_value(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks::<8>();
    let mut suspect = words.iter().fold(0, |suspects, word| suspects | suspects_in(*word));
    let mut rest = rest;
    if let Some(last) = value.last_chunk::<8>() {
        suspect |= suspects_in(*last);
        rest = &[];
    }
    let judged: &[u8] = if suspect == 0 { rest } else { value };
    judged.iter().copied().all(is_value_byte)
}

/// A high bit is set where a byte is below SP or is DEL. Borrows may set more, never fewer.
#[inline(always)]
fn suspects_in(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let deleted = word ^ (ONES * 0x7f);
    ((word.wrapping_sub(ONES << 5) & !word) | (deleted.wrapping_sub(ONES) & !deleted)) & (ONES << 7)
}
