//! From a host to its virtual host.

use super::{
    pattern::{Pattern, PatternCaches},
    radix::RadixTree,
};
use sluice_model::{spec::RegexAnchor, value::HostPattern};
use std::{collections::HashMap, io::Write, net::Ipv6Addr};

/// Finds the most specific pattern for a host, at the same cost for one and for 50,000 of them. The order is that of
/// [`HostPattern`].
#[derive(Debug)]
pub(crate) struct HostIndex {
    exact: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
    /// Keys are reversed.
    suffixes: RadixTree<Suffix>,
    prefixes: RadixTree<u32>,
    regexes: Option<(Pattern, Box<[u32]>)>,
    any: Option<u32>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Suffix {
    one_label: Option<u32>,
    many: Option<u32>,
}

/// Whether a pattern stands for a host, which is in lower case, without port and trailing dot. For who asks once: an
/// expression is compiled for it.
pub fn covers(pattern: &HostPattern, host: &str) -> bool {
    HostIndex::new(std::iter::once((pattern, 0))).find(host, &mut PatternCaches::default()).is_some()
}

impl HostIndex {
    /// `patterns` come with the number of their virtual host. Of equal patterns, which validation refuses, the first wins.
    pub(crate) fn new<'p>(patterns: impl Iterator<Item = (&'p HostPattern, u32)>) -> Self {
        let mut exact = HashMap::default();
        let mut suffixes = HashMap::<Vec<u8>, Suffix>::new();
        let mut prefixes = HashMap::<Vec<u8>, u32>::new();
        let mut expressions = Vec::new();
        let mut any = None;
        let reversed = |suffix: &str| suffix.bytes().rev().collect::<Vec<u8>>();
        for (pattern, number) in patterns {
            match pattern {
                HostPattern::Exact(host) => {
                    exact.entry(host.clone()).or_insert(number);
                }
                HostPattern::OneLabel(suffix) => {
                    suffixes.entry(reversed(suffix)).or_default().one_label.get_or_insert(number);
                }
                HostPattern::Suffix(suffix) => {
                    suffixes.entry(reversed(suffix)).or_default().many.get_or_insert(number);
                }
                HostPattern::Prefix(prefix) => {
                    prefixes.entry(prefix.as_bytes().to_vec()).or_insert(number);
                }
                HostPattern::Regex(regex) => expressions.push((regex.as_str(), number)),
                HostPattern::Any => {
                    any.get_or_insert(number);
                }
            }
        }
        Self {
            exact,
            suffixes: RadixTree::new(suffixes),
            prefixes: RadixTree::new(prefixes),
            regexes: (!expressions.is_empty()).then(|| {
                let of = expressions.iter().map(|(expression, _)| (*expression, RegexAnchor::Full, false));
                (Pattern::many(of), expressions.iter().map(|(_, number)| *number).collect())
            }),
            any,
        }
    }

    pub(crate) fn find(&self, host: &str, patterns: &mut PatternCaches) -> Option<u32> {
        if host.is_empty() {
            return self.any;
        }
        if let Some(number) = self.exact.get(host).copied().or_else(|| self.address(host)) {
            return Some(number);
        }
        let mut reversed = [0; 256];
        if let Some(reversed) = reversed.get_mut(..host.len()) {
            reversed.copy_from_slice(host.as_bytes());
            reversed.reverse();
            let mut best = None;
            self.suffixes.walk(reversed, |length, suffix| {
                let front = &host[..host.len() - length];
                if !front.is_empty() {
                    best = suffix.one_label.filter(|_| !front.contains('.')).or(suffix.many).or(best);
                }
            });
            if best.is_some() {
                return best;
            }
        }
        let mut best = None;
        self.prefixes.walk(host.as_bytes(), |length, number| {
            if length < host.len() {
                best = Some(*number);
            }
        });
        if best.is_some() {
            return best;
        }
        if let Some((pattern, numbers)) = &self.regexes {
            let mut first = None;
            pattern.each_match(host.as_bytes(), patterns, |number| {
                first.get_or_insert(numbers[number]);
            });
            if first.is_some() {
                return first;
            }
        }
        self.any
    }

    /// An IPv6 address may be spelled in many ways; patterns spell it as it is written here.
    fn address(&self, host: &str) -> Option<u32> {
        let address: Ipv6Addr = host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
        let mut text = [0; 48];
        let mut rest = &mut text[..];
        write!(rest, "[{address}]").ok()?;
        let unused = rest.len();
        let length = text.len() - unused;
        self.exact.get(str::from_utf8(&text[..length]).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_pattern_wins() {
        let written = [
            "*",
            "shop.example.com",
            "*.example.com",
            "?.example.com",
            "*-shop.example.com",
            "shop.*",
            "shop.e*",
            "~[a-z]+[0-9]\\.test",
            "~.*\\.test",
            "*.a.example.com",
        ];
        let patterns: Vec<HostPattern> = written.iter().map(|text| text.parse().unwrap()).collect();
        let index = HostIndex::new(patterns.iter().zip(0..));
        let mut caches = PatternCaches::default();
        for (host, wanted) in [
            ("shop.example.com", "shop.example.com"),
            ("x.example.com", "?.example.com"),
            ("x.y.example.com", "*.example.com"),
            ("my-shop.example.com", "*-shop.example.com"),
            ("-shop.example.com", "?.example.com"),
            ("x.a.example.com", "*.a.example.com"),
            ("a.example.com", "?.example.com"),
            ("example.com", "*"),
            (".example.com", "*"),
            ("shop.org", "shop.*"),
            ("shop.edu", "shop.e*"),
            ("shop.", "*"),
            ("web1.test", "~[a-z]+[0-9]\\.test"),
            ("web.test", "~.*\\.test"),
            ("web.test.org", "*"),
            ("", "*"),
        ] {
            let found = index.find(host, &mut caches).map(|number| written[number as usize]);
            assert_eq!(found, Some(wanted), "{host}");
        }
        let long = "x".repeat(300);
        assert_eq!(index.find(&long, &mut caches), Some(0));
    }

    #[test]
    fn an_address_is_found_however_it_is_spelled() {
        let patterns: Vec<HostPattern> =
            ["2001:db8::1", "[::ffff:10.0.0.1]", "*"].iter().map(|text| text.parse().unwrap()).collect();
        let index = HostIndex::new(patterns.iter().zip(0..));
        for (host, wanted) in [
            ("[2001:db8::1]", 0),
            ("[2001:db8:0:0::1]", 0),
            ("[2001:0db8:0000:0000:0000:0000:0000:0001]", 0),
            ("[::ffff:a00:1]", 1),
            ("[2001:db8::2]", 2),
            ("10.0.0.1", 2),
            ("[nonsense]", 2),
        ] {
            assert_eq!(index.find(host, &mut PatternCaches::default()), Some(wanted), "{host}");
        }
    }

    #[test]
    fn an_unknown_host_finds_nothing_without_a_catch_all() {
        let pattern: HostPattern = "*.example.com".parse().unwrap();
        let index = HostIndex::new([(&pattern, 0)].into_iter());
        assert_eq!(index.find("example.com", &mut PatternCaches::default()), None);
        assert_eq!(index.find("", &mut PatternCaches::default()), None);
    }
}
