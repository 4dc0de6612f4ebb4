//! Header fields as they arrived.

/// The header fields of one message as they arrived, whatever the codec. Nothing is converted: an HTTP/1 head
/// stays bytes and an index, an HTTP/2 head stays a `HeaderMap`.
///
/// Names passed in are lower case; comparison ignores ASCII case. Values are without surrounding white space.
/// Pseudo header fields (`:path`) are not among the fields.
pub trait Fields {
    /// The first value of a name.
    fn first(&self, name: &str) -> Option<&[u8]>;

    /// Every field in the order received: the name as sent (HTTP/1 keeps its case) and the value. Fields of one
    /// name keep their order; an HTTP/2 map may bring them next to each other.
    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8]));

    /// Every value of a name in the order received.
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(&[u8]));

    /// The number of fields, repeated ones counted each time.
    fn count(&self) -> usize;
}

/// A message without fields: what a request looks like whose head could not be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFields;

impl Fields for NoFields {
    fn first(&self, _: &str) -> Option<&[u8]> {
        None
    }
    fn each(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}
    fn each_value(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}
    fn count(&self) -> usize {
        0
    }
}

/// A list of names and values; what tests, `explain` and filters that make up a message use.
impl Fields for Vec<(&str, &str)> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_bytes())
    }
    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self {
            visit(name.as_bytes(), value.as_bytes());
        }
    }
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)) {
            visit(value.as_bytes());
        }
    }
    fn count(&self) -> usize {
        self.len()
    }
}
