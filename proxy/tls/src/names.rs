//! Which certificates cover a server name.

use std::collections::HashMap;

/// Certificates, by index, for each name that they cover. Exact names stand above wildcards; among equals the order in
/// which they were added decides.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    exact: HashMap<Box<str>, Vec<usize>>,
    /// Keyed by what follows `*.`; a wildcard covers exactly one label (RFC 6125 section 6.4.3).
    wildcard: HashMap<Box<str>, Vec<usize>>,
}

impl NameTable {
    /// Adds a name as it stands in a certificate, in lower case.
    pub(crate) fn add(&mut self, name: &str, certificate: usize) {
        let (table, name) = match name.strip_prefix("*.") {
            Some(suffix) => (&mut self.wildcard, suffix),
            None => (&mut self.exact, name),
        };
        let covered = table.entry(name.into()).or_default();
        if !covered.contains(&certificate) {
            covered.push(certificate);
        }
    }

    /// The certificates that cover a name, the best first; none for an unknown name. A trailing dot and the case of
    /// letters do not matter.
    pub(crate) fn find(&self, name: &str) -> impl Iterator<Item = usize> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let exact = self.exact.get(&*name);
        let wildcard = name
            .split_once('.')
            .filter(|(label, _)| !label.is_empty())
            .and_then(|(_, suffix)| self.wildcard.get(suffix));
        exact.into_iter().chain(wildcard).flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(table: &NameTable, name: &str) -> Vec<usize> {
        table.find(name).collect()
    }

    #[test]
    fn exact_stands_above_wildcard_and_order_decides_among_equals() {
        let mut table = NameTable::default();
        table.add("*.example.com", 0);
        table.add("a.example.com", 1);
        table.add("a.example.com", 2);
        table.add("a.example.com", 2);
        assert_eq!(find(&table, "A.Example.Com."), [1, 2, 0]);
        assert_eq!(find(&table, "b.example.com"), [0]);
    }

    #[test]
    fn a_wildcard_covers_exactly_one_label() {
        let mut table = NameTable::default();
        table.add("*.example.com", 0);
        assert!(find(&table, "example.com").is_empty());
        assert!(find(&table, "a.b.example.com").is_empty());
        assert!(find(&table, ".example.com").is_empty());
        assert!(find(&table, "").is_empty());
    }
}
