//! The routes of one virtual host, and how the first match is found among them.

use super::{
    MatchInfo, MatchScratch, PathMatched, RequestView, Route,
    condition::Condition,
    pattern::Pattern,
    precedence::{Precedence, segments},
    radix::RadixTree,
};
use sluice_filter::Fields;
use sluice_model::spec::{PathMatch, RegexAnchor, RouteMatch, RouteOrder};
use std::{collections::BTreeMap, sync::Arc};

/// The routes of one virtual host. A rule is one match of one route; its number is its rank: among the rules that match,
/// the lowest rank serves. Path conditions find the candidates, which are then asked in the order of their ranks.
#[derive(Debug)]
pub struct VirtualHost {
    spec: Arc<sluice_model::VirtualHost>,
    name: Arc<str>,
    routes: Box<[Arc<Route>]>,
    rules: Box<[Rule]>,
    /// Ranks, in lists that [`List`] cuts out; each list is sorted.
    ranks: Box<[u32]>,
    paths: RadixTree<Lists>,
    /// The same for rules that ignore case; keys are in lower case.
    folded: Option<RadixTree<Lists>>,
    /// Rules without a path condition.
    any: List,
    regexes: Option<Regexes>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) route: usize,
    pub(crate) info: MatchInfo,
    pub(crate) conditions: Box<[Condition]>,
}

/// Start and end in the ranks.
type List = (u32, u32);

/// The rules whose path condition is one key of a tree.
#[derive(Debug, Default)]
struct Lists {
    exact: List,
    segments: List,
    string: List,
}

#[derive(Debug)]
struct Regexes {
    pattern: Pattern,
    /// One list for each expression.
    lists: Box<[List]>,
    /// The lowest rank in any of them: below it, nobody needs to search.
    first: u32,
}

/// The keys of a tree and the ranks at each of them, while the index is built.
type Keys = BTreeMap<Vec<u8>, BTreeMap<Kind, Vec<u32>>>;

/// An expression, its anchor, and whether it ignores case.
type Expression<'e> = (&'e str, RegexAnchor, bool);

/// The path condition of a rule, while the index is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Exact,
    Segments,
    String,
}

// === impl VirtualHost ===

impl VirtualHost {
    /// `routes` are those of `spec`, compiled, in the written order.
    pub(crate) fn new(
        spec: Arc<sluice_model::VirtualHost>,
        name: Arc<str>,
        routes: Box<[Arc<Route>]>,
    ) -> Self {
        let rules = ranked(&spec);
        let mut trees: [Keys; 2] = Default::default();
        let mut expressions: Vec<(Expression<'_>, Vec<u32>)> = Vec::new();
        let mut seen = BTreeMap::new();
        let mut any = Vec::new();
        for (rank, (_, matching)) in (0_u32..).zip(&rules) {
            let fold = matching.ignore_path_case;
            let (kind, path) = match &matching.path {
                None => {
                    any.push(rank);
                    continue;
                }
                Some(PathMatch::Regex(regex)) => {
                    let expression = (regex.pattern.as_str(), regex.anchor, fold);
                    let number = *seen.entry((expression.0, expression.1 as u8, fold)).or_insert_with(|| {
                        expressions.push((expression, Vec::new()));
                        expressions.len() - 1
                    });
                    expressions[number].1.push(rank);
                    continue;
                }
                Some(PathMatch::Exact(path)) => (Kind::Exact, path.as_str()),
                Some(PathMatch::Prefix(path)) => (Kind::Segments, segments(path)),
                Some(PathMatch::StringPrefix(path)) => (Kind::String, path.as_str()),
            };
            let key = if fold { path.to_ascii_lowercase() } else { path.to_owned() };
            trees[usize::from(fold)].entry(key.into_bytes()).or_default().entry(kind).or_default().push(rank);
        }
        let mut ranks = Vec::new();
        let mut list = |of: &[u32]| {
            let start = ranks.len() as u32;
            ranks.extend_from_slice(of);
            (start, ranks.len() as u32)
        };
        let any = list(&any);
        let regexes = (!expressions.is_empty()).then(|| Regexes {
            pattern: Pattern::many(expressions.iter().map(|(expression, _)| *expression)),
            first: expressions
                .iter()
                .filter_map(|(_, ranks)| ranks.first().copied())
                .min()
                .unwrap_or(u32::MAX),
            lists: expressions.iter().map(|(_, ranks)| list(ranks)).collect(),
        });
        let [paths, folded] = trees.map(|tree| {
            let keys: Vec<_> = tree
                .into_iter()
                .map(|(key, kinds)| {
                    let mut of = |kind| kinds.get(&kind).map_or((0, 0), |ranks| list(ranks));
                    (
                        key,
                        Lists {
                            exact: of(Kind::Exact),
                            segments: of(Kind::Segments),
                            string: of(Kind::String),
                        },
                    )
                })
                .collect();
            (!keys.is_empty()).then(|| RadixTree::new(keys))
        });
        let rules = rules
            .iter()
            .map(|((route, index), matching)| Rule {
                route: *route,
                info: MatchInfo { index: *index, path: matched(matching.path.as_ref()) },
                conditions: Condition::compile(matching),
            })
            .collect();
        Self {
            paths: paths.unwrap_or_else(|| RadixTree::new([])),
            folded,
            any,
            regexes,
            rules,
            ranks: ranks.into(),
            spec,
            name,
            routes,
        }
    }

    /// As it was written.
    pub fn spec(&self) -> &Arc<sluice_model::VirtualHost> {
        &self.spec
    }

    /// Unique in its table.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// In the written order.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Every rule, the first to be asked first.
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The first route that matches.
    pub(crate) fn find<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        scratch: &mut MatchScratch,
    ) -> Option<(&Arc<Route>, MatchInfo)> {
        let MatchScratch { patterns, values, lists, folded } = scratch;
        let path = request.path.as_bytes();
        lists.clear();
        collect(&self.paths, path, lists);
        if let Some(tree) = &self.folded {
            folded.clear();
            folded.extend_from_slice(path);
            folded.make_ascii_lowercase();
            collect(tree, folded, lists);
        }
        push(self.any, lists);
        let mut regexes = self.regexes.as_ref();
        loop {
            let next = lists
                .iter_mut()
                .filter(|list| list.0 < list.1)
                .min_by_key(|list| self.ranks[list.0 as usize]);
            let rank = next.as_ref().map(|list| self.ranks[list.0 as usize]);
            if let Some(set) = regexes.filter(|set| rank.is_none_or(|rank| set.first < rank)) {
                set.pattern.each_match(path, patterns, |number| push(set.lists[number], lists));
                regexes = None;
                continue;
            }
            next?.0 += 1;
            let rule = &self.rules[rank? as usize];
            if rule.conditions.iter().all(|condition| condition.holds(request, patterns, values)) {
                return Some((&self.routes[rule.route], rule.info));
            }
        }
    }
}

/// Every match of every route with its place in the file, the first to be asked first. A route without matches has one
/// that holds for every request.
fn ranked(spec: &sluice_model::VirtualHost) -> Vec<((usize, usize), RouteMatch)> {
    let mut rules: Vec<_> = spec
        .routes
        .iter()
        .enumerate()
        .flat_map(|(route, written)| {
            let matches = match written.matches.as_slice() {
                [] => vec![RouteMatch::default()],
                matches => matches.to_vec(),
            };
            matches.into_iter().enumerate().map(move |(index, matching)| ((route, index), matching))
        })
        .collect();
    if spec.order == RouteOrder::Precedence {
        rules.sort_by_cached_key(|(written, matching)| Precedence::of(matching, *written));
    }
    rules
}

fn matched(path: Option<&PathMatch>) -> PathMatched {
    match path {
        None => PathMatched::Any,
        Some(PathMatch::Exact(_)) => PathMatched::Exact,
        Some(PathMatch::Prefix(path)) => PathMatched::Prefix(segments(path).len()),
        Some(PathMatch::StringPrefix(path)) => PathMatched::StringPrefix(path.len()),
        Some(PathMatch::Regex(_)) => PathMatched::Regex,
    }
}

fn collect(tree: &RadixTree<Lists>, path: &[u8], into: &mut Vec<List>) {
    tree.walk(path, |length, lists| {
        push(lists.string, into);
        if matches!(path.get(length), None | Some(b'/')) {
            push(lists.segments, into);
        }
        if length == path.len() {
            push(lists.exact, into);
        }
    });
}

fn push(list: List, into: &mut Vec<List>) {
    if list.0 < list.1 {
        into.push(list);
    }
}
