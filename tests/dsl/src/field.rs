//! Header fields as they were sent.

/// Header fields in their order, names with the case that was sent. Comparison ignores case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every value of a name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// Whether there is such a field.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names as sent, in order.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Names as sent and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Reads `name: value` lines.
    pub(crate) fn parse(lines: &str) -> Self {
        let mut fields = Self::default();
        for line in lines.split("\r\n").filter(|line| !line.is_empty()) {
            let (name, value) =
                line.split_once(':').unwrap_or_else(|| panic!("not a header field: {line:?}"));
            fields.push(name, value.trim());
        }
        fields
    }

    pub(crate) fn of(map: &http::HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in map {
            fields.push(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
        }
        fields
    }
}
