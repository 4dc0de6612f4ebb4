//! Regular expressions as routes use them, and the memory that searching with them needs.

use regex_automata::{
    Input, MatchKind, PatternSet,
    meta::{self, Cache},
    util::captures::Captures,
};
use regex_syntax::hir::{Hir, Look};
use sluice_model::spec::RegexAnchor;
use std::{
    collections::HashMap,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// One expression or several that are searched for in one pass.
pub(crate) struct Pattern {
    /// Unique in the process: finds the caches of this pattern in a [`PatternCaches`].
    id: u64,
    /// `None` where an expression did not compile after all, which validation rules out; it then matches nothing.
    regex: Option<meta::Regex>,
}

/// What searching writes on. A pattern's share is made when a shard first searches with it.
#[derive(Default)]
pub(crate) struct PatternCaches {
    of: HashMap<u64, Caches, foldhash::fast::FixedState>,
}

struct Caches {
    cache: Cache,
    captures: Captures,
    set: PatternSet,
}

/// Patterns that went with an old configuration leave their caches behind; past this number all are made anew.
const MOST_CACHES: usize = 4096;

// === impl Pattern ===

impl Pattern {
    /// One expression.
    pub(crate) fn new(expression: &str, anchor: RegexAnchor, ignore_case: bool) -> Self {
        Self::build([(expression, anchor, ignore_case)].into_iter(), MatchKind::LeftmostFirst)
    }

    /// Several, for [`Self::each_match`].
    pub(crate) fn many<'e>(expressions: impl Iterator<Item = (&'e str, RegexAnchor, bool)>) -> Self {
        // Leftmost-first would report only the one expression that it prefers.
        Self::build(expressions, MatchKind::All)
    }

    fn build<'e>(expressions: impl Iterator<Item = (&'e str, RegexAnchor, bool)>, kind: MatchKind) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let hirs: Option<Vec<Hir>> = expressions
            .map(|(expression, anchor, ignore_case)| hir(expression, anchor, ignore_case))
            .collect();
        let mut builder = meta::Regex::builder();
        builder.configure(meta::Config::new().match_kind(kind));
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            regex: hirs.and_then(|hirs| builder.build_many_from_hir(&hirs).ok()),
        }
    }

    pub(crate) fn is_match(&self, text: &[u8], caches: &mut PatternCaches) -> bool {
        let Some(regex) = &self.regex else { return false };
        regex
            .search_half_with(&mut caches.of(self.id, regex).cache, &Input::new(text).earliest(true))
            .is_some()
    }

    /// Reports every expression that matches, by number.
    pub(crate) fn each_match(&self, text: &[u8], caches: &mut PatternCaches, mut report: impl FnMut(usize)) {
        let Some(regex) = &self.regex else { return };
        let caches = caches.of(self.id, regex);
        caches.set.clear();
        regex.which_overlapping_matches_with(&mut caches.cache, &Input::new(text), &mut caches.set);
        for pattern in caches.set.iter() {
            report(pattern.as_usize());
        }
    }

    /// The first occurrence from `start` on, with its captures.
    pub(crate) fn find<'c>(
        &self,
        text: &[u8],
        start: usize,
        caches: &'c mut PatternCaches,
    ) -> Option<&'c Captures> {
        let regex = self.regex.as_ref()?;
        let caches = caches.of(self.id, regex);
        let input = Input::new(text).range(start..);
        regex.search_captures_with(&mut caches.cache, &input, &mut caches.captures);
        caches.captures.is_match().then_some(&caches.captures)
    }
}

/// Anchors and flags are put around the parsed expression, not its text: no text can escape from them.
fn hir(expression: &str, anchor: RegexAnchor, ignore_case: bool) -> Option<Hir> {
    let parsed =
        regex_syntax::ParserBuilder::new().case_insensitive(ignore_case).build().parse(expression).ok()?;
    Some(match anchor {
        RegexAnchor::Full => Hir::concat(vec![Hir::look(Look::Start), parsed, Hir::look(Look::End)]),
        RegexAnchor::Start => Hir::concat(vec![Hir::look(Look::Start), parsed]),
        RegexAnchor::Search => parsed,
    })
}

impl fmt::Debug for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Pattern({})", self.id)
    }
}

// === impl PatternCaches ===

impl PatternCaches {
    fn of(&mut self, id: u64, regex: &meta::Regex) -> &mut Caches {
        if self.of.len() >= MOST_CACHES && !self.of.contains_key(&id) {
            self.of.clear();
        }
        self.of.entry(id).or_insert_with(|| Caches {
            cache: regex.create_cache(),
            captures: regex.create_captures(),
            set: PatternSet::new(regex.pattern_len()),
        })
    }
}

impl fmt::Debug for PatternCaches {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PatternCaches({})", self.of.len())
    }
}
