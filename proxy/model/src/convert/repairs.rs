//! What is read in place of what is wrong.

use super::{MAX_PROBLEMS, Problem, error::Spot, hole, nearest, problem::Reason};
use crate::tree::{Content, NodeId, Path, Position, Step, Tree};
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

/// How one tree is read where it is wrong.
#[derive(Debug, Default)]
pub struct Repairs {
    /// Values that are not read, and what stands in for them; also for what is missing.
    pub(super) holes: HashMap<Spot, Filling>,
    /// Keys that are left out.
    pub(super) removed: HashSet<NodeId>,
    /// Keys that are read as another.
    pub(super) renamed: HashMap<NodeId, &'static str>,
    /// Keys that are missing, by map; each is a hole.
    pub(super) missing: HashMap<NodeId, Vec<&'static str>>,
    /// Values that are read as a list of one.
    pub(super) single: HashSet<NodeId>,
    /// Lists that are read as empty for now.
    pub(super) aside: HashSet<NodeId>,
    /// Lists and maps whose end was lost.
    truncated: HashSet<NodeId>,
    pub(super) reading: Reading,
    /// Keys that were met and not known, with what would have been; only where the reading is that of an API.
    unknown: RefCell<Vec<(NodeId, &'static [&'static str])>>,
}

/// Who is asked what a key or a null that the type does not expect means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// The type. An unknown key that resembles a known one is read as that one.
    #[default]
    Type,
    /// The conventions of Kubernetes: an unknown key is left out, whatever it resembles, and reported although the type
    /// would take it; a field that is null is absent.
    Api,
}

/// What stands in for a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Filling {
    /// How many values were offered in vain.
    pub(super) refused: usize,
    /// The fields that turned out to be needed.
    pub(super) fields: Vec<&'static str>,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The value, or what would hold it.
    pub position: Position,
    /// The path with keys as they are written.
    pub path: Path,
    /// Whether the value was read as written. Where it was not, the user already knows.
    pub sound: bool,
}

impl Repairs {
    /// For a tree as it was read.
    pub fn new(tree: &Tree) -> Self {
        let holes = tree.doubtful().iter().map(|node| (Spot::node(*node), Filling::default())).collect();
        Self { holes, truncated: tree.truncated().iter().copied().collect(), ..Self::default() }
    }

    /// For a tree that holds an object of an API.
    pub fn for_api(tree: &Tree) -> Self {
        Self { reading: Reading::Api, ..Self::new(tree) }
    }

    /// Leaves a key of a map out, because it is read on its own. Nothing is reported.
    pub fn leave_out(&mut self, tree: &Tree, node: NodeId, key: &str) {
        let entries = tree.entries(node).unwrap_or_default();
        self.removed
            .extend(entries.iter().filter(|(name, _)| tree.text(*name) == Some(key)).map(|(name, _)| *name));
    }

    /// Reads a list as empty until [`Repairs::take_back`], so that what holds it and its elements can be converted one
    /// by one. Says whether it is a list.
    pub fn set_aside(&mut self, tree: &Tree, node: NodeId) -> bool {
        let list = tree.elements(node).is_some() && !self.holes.contains_key(&Spot::node(node));
        if list {
            self.aside.insert(node);
        }
        list
    }

    /// Ends [`Repairs::set_aside`].
    pub fn take_back(&mut self, node: NodeId) {
        self.aside.remove(&node);
    }

    /// Whether everything was read as written.
    pub fn is_empty(&self) -> bool {
        self.holes.is_empty()
            && self.removed.is_empty()
            && self.renamed.is_empty()
            && self.missing.is_empty()
            && self.single.is_empty()
            && self.truncated.is_empty()
    }

    /// Where a path of the *converted* value stands in the text: the value, or the innermost thing around it that was
    /// written.
    pub fn locate(&self, tree: &Tree, path: &Path) -> Option<Place> {
        let mut node = tree.root()?;
        let mut written = Path::root();
        let mut sound = true;
        for step in path.steps() {
            sound &= !self.holes.contains_key(&Spot::node(node));
            match (step, &tree.node(node).content) {
                (Step::Key(key), Content::Mapping(entries)) => {
                    let found = entries.iter().find(|(name, _)| self.name(tree, *name) == Some(key));
                    let Some((name, value)) = found else {
                        sound &= !self.missing.get(&node).is_some_and(|missing| missing.contains(&&**key));
                        break;
                    };
                    written.push(Step::Key(tree.text(*name).unwrap_or_default().into()));
                    node = *value;
                }
                (Step::Index(0), _) if self.single.contains(&node) => {}
                (Step::Index(index), Content::Sequence(elements)) => {
                    let Some(element) = elements.get(*index) else { break };
                    written.push(Step::Index(*index));
                    node = *element;
                }
                // A variant without content, say.
                _ => break,
            }
        }
        sound &= !self.holes.contains_key(&Spot::node(node));
        Some(Place { position: tree.node(node).position, path: written, sound })
    }

    /// Whether the value of a path and all that it holds was read as written. What does not stand there counts as written
    /// unless a key beside it was left out, which might have been meant.
    pub fn as_written(&self, tree: &Tree, path: &Path) -> bool {
        let Some(place) = self.locate(tree, path).filter(|place| place.sound) else {
            return tree.root().is_none();
        };
        let mut node = tree.root();
        for step in place.path.steps() {
            node = node.and_then(|node| match step {
                Step::Key(key) => tree.get(node, key),
                Step::Index(index) => tree.elements(node)?.get(*index).copied(),
            });
        }
        let Some(node) = node else { return true };
        if place.path.steps().len() < path.steps().len() {
            let entries = tree.entries(node).unwrap_or_default();
            return !entries.iter().any(|(key, _)| self.removed.contains(key));
        }
        self.whole(tree, node)
    }

    fn whole(&self, tree: &Tree, node: NodeId) -> bool {
        let here = !self.holes.contains_key(&Spot::node(node))
            && !self.missing.contains_key(&node)
            && !self.truncated.contains(&node);
        here && match &tree.node(node).content {
            Content::Sequence(elements) => elements.iter().all(|element| self.whole(tree, *element)),
            Content::Mapping(entries) => {
                entries.iter().all(|(key, value)| !self.removed.contains(key) && self.whole(tree, *value))
            }
            _ => true,
        }
    }

    /// Whether the names of the first `count` elements of a list of the document are as they were written, and no key of
    /// the document was left out that might have been meant to be the list.
    pub fn sound_names(&self, tree: &Tree, list: &str, count: usize) -> bool {
        if self.is_empty() {
            return true;
        }
        let root = tree.root().and_then(|root| tree.entries(root)).unwrap_or_default();
        let path = Path::root().key(list);
        self.truncated.is_empty()
            && !root.iter().any(|(key, _)| self.removed.contains(key))
            && self.locate(tree, &path).is_some_and(|place| place.sound)
            && (0..count).all(|index| {
                self.locate(tree, &path.index(index).key("name")).is_some_and(|place| place.sound)
            })
    }

    /// The key of the document that a path begins with, as it is read.
    pub fn top<'a>(&'a self, tree: &'a Tree, path: &'a Path) -> Option<&'a str> {
        let Some(Step::Key(written)) = path.steps().first() else { return None };
        let entries = tree.root().and_then(|root| tree.entries(root)).unwrap_or_default();
        let entry = entries.iter().find(|(key, _)| tree.text(*key) == Some(written));
        entry.and_then(|(key, _)| self.name(tree, *key)).or(Some(written))
    }

    /// Remembers an unknown key; every run of a conversion meets it again.
    pub(super) fn note_unknown(&self, key: NodeId, known: &'static [&'static str]) {
        let mut unknown = self.unknown.borrow_mut();
        if unknown.len() < MAX_PROBLEMS && !unknown.iter().any(|(noted, _)| *noted == key) {
            unknown.push((key, known));
        }
    }

    /// The unknown keys below a node, which stands at `path`; each is told once.
    pub(super) fn take_unknown(&mut self, tree: &Tree, node: NodeId, path: &Path) -> Vec<Problem> {
        let unknown: HashMap<_, _> = self.unknown.take().into_iter().collect();
        let mut problems = Vec::with_capacity(unknown.len());
        if !unknown.is_empty() {
            find_keys(tree, node, &mut path.clone(), &unknown, &mut HashSet::new(), &mut problems);
        }
        problems
    }

    /// What a key is read as; `None` where it is left out.
    pub(super) fn name<'a>(&'a self, tree: &'a Tree, key: NodeId) -> Option<&'a str> {
        if self.removed.contains(&key) {
            return None;
        }
        self.renamed.get(&key).copied().or_else(|| tree.text(key))
    }

    /// Whether a reason is but a consequence of something that was reported.
    pub(super) fn excuses(&self, node: NodeId, reason: &Reason) -> bool {
        let wrapped = self.single.contains(&node)
            && matches!(reason, Reason::Type { expected, .. } if expected != "a sequence");
        wrapped
            || self.truncated.contains(&node)
                && matches!(reason, Reason::MissingField { .. } | Reason::Type { .. })
    }

    /// Makes the next run go further than the last one; `false` where nothing helps.
    pub(super) fn mend(&mut self, tree: &Tree, spot: &Spot, reason: &Reason, shown: NodeId) -> bool {
        let node = spot.node;
        match reason {
            Reason::MissingField { field } => self.fill(spot, field),
            _ if spot.hole.is_some() => self.offer_next(spot),
            Reason::UnknownField { field, expected } => match self.meant(tree, node, field, expected) {
                Some(meant) => self.renamed.insert(shown, meant).is_none(),
                None => self.removed.insert(shown),
            },
            Reason::UnknownVariant { variant, expected } if shown != node => {
                match self.meant(tree, node, variant, expected) {
                    Some(meant) => self.renamed.insert(shown, meant).is_none(),
                    None => self.dig(node),
                }
            }
            Reason::SeveralVariants { keys } => {
                let keep = keys.first();
                let entries = tree.entries(node).unwrap_or_default();
                let surplus = entries.iter().filter(|(key, _)| tree.text(*key) != keep.map(String::as_str));
                let before = self.removed.len();
                self.removed.extend(surplus.map(|(key, _)| *key));
                self.removed.len() > before
            }
            Reason::Type { expected, .. }
                if expected == "a sequence"
                    && !matches!(&tree.node(node).content, Content::Null)
                    && tree.entries(node).is_none_or(|entries| !entries.is_empty())
                    && self.single.insert(node) =>
            {
                true
            }
            // A key that its type does not take.
            _ if shown != node => self.removed.insert(shown),
            _ => self.dig(node),
        }
    }

    /// The known key that was meant, unless it stands there too.
    fn meant(
        &self,
        tree: &Tree,
        node: NodeId,
        wrong: &str,
        expected: &'static [&'static str],
    ) -> Option<&'static str> {
        let meant = nearest(wrong, expected.iter().copied())?;
        let entries = tree.entries(node)?;
        let taken = entries.iter().any(|(key, _)| self.name(tree, *key) == Some(meant));
        if taken { None } else { expected.iter().copied().find(|name| *name == meant) }
    }

    fn dig(&mut self, node: NodeId) -> bool {
        self.holes.insert(Spot::node(node), Filling::default()).is_none()
    }

    fn fill(&mut self, spot: &Spot, field: &'static str) -> bool {
        let fields = match &spot.hole {
            Some(_) => &mut self.holes.entry(spot.clone()).or_default().fields,
            None => self.missing.entry(spot.node).or_default(),
        };
        let new = !fields.contains(&field);
        if new {
            fields.push(field);
        }
        new
    }

    fn offer_next(&mut self, spot: &Spot) -> bool {
        let filling = self.holes.entry(spot.clone()).or_default();
        filling.refused += 1;
        filling.refused < hole::OFFERS
    }
}

/// Walks the tree once, shared parts too, and describes the keys that are met.
fn find_keys(
    tree: &Tree,
    node: NodeId,
    path: &mut Path,
    unknown: &HashMap<NodeId, &'static [&'static str]>,
    seen: &mut HashSet<NodeId>,
    problems: &mut Vec<Problem>,
) {
    if !seen.insert(node) {
        return;
    }
    for (index, element) in tree.elements(node).unwrap_or_default().iter().enumerate() {
        path.push(Step::Index(index));
        find_keys(tree, *element, path, unknown, seen, problems);
        path.pop();
    }
    for (key, value) in tree.entries(node).unwrap_or_default() {
        let field = tree.text(*key).unwrap_or_default();
        path.push(Step::Key(field.into()));
        match unknown.get(key) {
            Some(expected) => problems.push(Problem {
                position: tree.node(*key).position,
                path: path.clone(),
                reason: Reason::UnknownField { field: field.to_owned(), expected },
            }),
            None => find_keys(tree, *value, path, unknown, seen, problems),
        }
        path.pop();
    }
}

// === impl Spot ===

impl Spot {
    /// The hole that is a node.
    pub(super) fn node(node: NodeId) -> Self {
        Self { node, hole: Some(Box::default()) }
    }
}
