//! Recorded changes of a head.

use crate::Fields;
use std::ops::Range;

/// Changes of one head, recorded in order and applied while the head is written. The received head itself never
/// changes, so a retry and a mirror start from the same bytes.
///
/// Reusable: [`Edits::clear`] keeps the memory, and recording within it allocates nothing.
///
/// Later changes see earlier ones: a `remove` or `set` also drops what an earlier `add` of that name brought.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    bytes: Vec<u8>,
    list: Vec<Recorded>,
    /// One bit per name (see [`bit`]): most fields are no edit's business and one test says so.
    names: u64,
    method: Option<Range<usize>>,
    path: Option<Range<usize>>,
    authority: Option<Range<usize>>,
    status: Option<u16>,
}

#[derive(Debug, Clone)]
struct Recorded {
    kind: EditKind,
    name: Range<usize>,
    value: Range<usize>,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditKind {
    /// All fields of the name go.
    Remove,
    /// This field replaces all of the name.
    Set,
    /// This field comes behind those of the name.
    Add,
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit<'a> {
    /// Its kind.
    pub kind: EditKind,
    /// The name, in lower case.
    pub name: &'a str,
    /// The value; empty for [`EditKind::Remove`].
    pub value: &'a [u8],
}

/// A name that is not a token in lower case, or a value with control bytes. Nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a header field: the name has to be a token in lower case, the value free of control bytes")]
pub struct InvalidField;

/// Whether the name is a token (RFC 9110 section 5.6.2) in lower case.
pub fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
        })
}

/// Whether the value may be sent: no control byte but the tab (RFC 9110 section 5.5).
pub fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

/// Folds a name, in whatever case, to one bit of a 64-bit set.
fn bit(name: &[u8]) -> u64 {
    let first = name.first().map_or(0, u8::to_ascii_lowercase);
    let last = name.last().map_or(0, u8::to_ascii_lowercase);
    1 << ((usize::from(first) * 7 + usize::from(last) * 3 + name.len()) % 64)
}

// === impl Edits ===

impl Edits {
    /// No changes.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            list: Vec::new(),
            names: 0,
            method: None,
            path: None,
            authority: None,
            status: None,
        }
    }

    /// Forgets everything but keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.list.clear();
        self.names = 0;
        self.method = None;
        self.path = None;
        self.authority = None;
        self.status = None;
    }

    /// Whether no field is changed. Overrides of method, path, authority and status do not count.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Removes all fields of a name.
    pub fn remove(&mut self, name: &str) -> Result<(), InvalidField> {
        self.record(EditKind::Remove, name, b"")
    }

    /// Replaces all fields of a name by one.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), InvalidField> {
        self.record(EditKind::Set, name, value)
    }

    /// Appends a field.
    pub fn add(&mut self, name: &str, value: &[u8]) -> Result<(), InvalidField> {
        self.record(EditKind::Add, name, value)
    }

    fn record(&mut self, kind: EditKind, name: &str, value: &[u8]) -> Result<(), InvalidField> {
        if !is_field_name(name) || !is_field_value(value) {
            return Err(InvalidField);
        }
        self.names |= bit(name.as_bytes());
        let name = self.store(name.as_bytes());
        let value = self.store(value);
        self.list.push(Recorded { kind, name, value });
        Ok(())
    }

    fn store(&mut self, text: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        start..self.bytes.len()
    }

    /// The method that is sent in place of the received one. Text that is not a token is ignored.
    pub fn override_method(&mut self, method: &str) {
        if is_field_name(&method.to_ascii_lowercase()) {
            self.method = Some(self.store(method.as_bytes()));
        }
    }

    /// The path, query included, that is sent in place of the route's. Text that does not begin with `/` or has bytes
    /// outside of visible ASCII is ignored.
    pub fn override_path(&mut self, path: &str) {
        if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            self.path = Some(self.store(path.as_bytes()));
        }
    }

    /// The host, with or without port, that is sent in place of the route's. Text that cannot be one is ignored.
    pub fn override_authority(&mut self, authority: &str) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
        if !authority.is_empty() && authority.bytes().all(fits) {
            self.authority = Some(self.store(authority.as_bytes()));
        }
    }

    /// The status that is sent in place of the upstream's. Only 200 to 599 count.
    pub fn override_status(&mut self, status: u16) {
        if (200..=599).contains(&status) {
            self.status = Some(status);
        }
    }

    /// See [`Edits::override_method`].
    pub fn method(&self) -> Option<&str> {
        self.method.clone().and_then(|span| str::from_utf8(&self.bytes[span]).ok())
    }

    /// See [`Edits::override_path`].
    pub fn path(&self) -> Option<&str> {
        self.path.clone().and_then(|span| str::from_utf8(&self.bytes[span]).ok())
    }

    /// See [`Edits::override_authority`].
    pub fn authority(&self) -> Option<&str> {
        self.authority.clone().and_then(|span| str::from_utf8(&self.bytes[span]).ok())
    }

    /// See [`Edits::override_status`].
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// All changes in the order they were recorded.
    pub fn iter(&self) -> impl Iterator<Item = Edit<'_>> {
        self.list.iter().map(|recorded| self.edit(recorded))
    }

    fn edit(&self, recorded: &Recorded) -> Edit<'_> {
        Edit {
            kind: recorded.kind,
            name: str::from_utf8(&self.bytes[recorded.name.clone()]).unwrap_or_default(),
            value: &self.bytes[recorded.value.clone()],
        }
    }

    /// Whether received fields of this name (any case) are dropped.
    #[inline]
    pub fn drops(&self, name: &[u8]) -> bool {
        self.names != 0
            && self.names & bit(name) != 0
            && self.list.iter().any(|recorded| {
                recorded.kind != EditKind::Add && self.bytes[recorded.name.clone()].eq_ignore_ascii_case(name)
            })
    }

    /// Whether any change names this (any case).
    pub fn touches(&self, name: &[u8]) -> bool {
        self.names & bit(name) != 0
            && self.list.iter().any(|recorded| self.bytes[recorded.name.clone()].eq_ignore_ascii_case(name))
    }

    /// The fields that come on top: every `set` and `add` that no later `set` or `remove` of its name cancels.
    pub fn brought(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.list.iter().enumerate().filter_map(move |(index, recorded)| {
            let edit = self.edit(recorded);
            let cancelled = || {
                self.list[index + 1..].iter().any(|later| {
                    later.kind != EditKind::Add && self.bytes[later.name.clone()] == *edit.name.as_bytes()
                })
            };
            (edit.kind != EditKind::Remove && !cancelled()).then_some((edit.name, edit.value))
        })
    }

    /// The first value of a name as it will be sent.
    pub fn effective<'a>(&'a self, fields: &'a (impl Fields + ?Sized), name: &str) -> Option<&'a [u8]> {
        let received = if self.drops(name.as_bytes()) { None } else { fields.first(name) };
        received.or_else(|| self.brought().find(|(other, _)| *other == name).map(|(_, value)| value))
    }
}
