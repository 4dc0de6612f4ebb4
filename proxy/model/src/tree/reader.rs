//! From the events of a document to the nodes of its tree.

use super::{
    Content, MAX_ALIASED_NODES, MAX_DEPTH, Node, NodeId, Parsed, Path, Position, Step, Tree, halt::Halt,
    parse::syntax, scalar,
};
use crate::convert::{Problem, Reason};
use saphyr_parser::{Event, ScalarStyle, Tag};
use std::collections::{HashMap, HashSet};

/// How many problems of the YAML itself are listed.
const MAX_PROBLEMS: usize = 1000;

/// A list or map that is not complete yet.
enum Open {
    Sequence { id: NodeId, elements: Vec<NodeId> },
    Mapping { id: NodeId, entries: Vec<(NodeId, NodeId)>, key: Option<Key>, seen: HashMap<Box<str>, usize> },
}

/// A key that waits for its value.
#[derive(Clone, Copy)]
struct Key {
    id: NodeId,
    /// Not a duplicate, and text.
    counts: bool,
}

/// How much a node and all below it amounts to.
#[derive(Clone, Copy)]
struct Measure {
    height: usize,
    nodes: u64,
}

/// What was read of a document so far.
pub(super) struct Reader<'a> {
    pub(super) nodes: Vec<Node>,
    measures: Vec<Measure>,
    root: Option<NodeId>,
    open: Vec<Open>,
    /// Complete nodes with an anchor.
    anchors: HashMap<usize, NodeId>,
    /// Anchors of the lists and maps in `open`.
    pending: Vec<usize>,
    aliased: u64,
    doubtful_positions: &'a HashSet<Position>,
    doubtful: Vec<NodeId>,
    truncated: Vec<NodeId>,
    problems: Vec<Problem>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn new(doubtful_positions: &'a HashSet<Position>) -> Self {
        Self {
            nodes: Vec::new(),
            measures: Vec::new(),
            root: None,
            open: Vec::new(),
            anchors: HashMap::new(),
            pending: Vec::new(),
            aliased: 0,
            doubtful_positions,
            doubtful: Vec::new(),
            truncated: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Takes one event of its document; fails where reading cannot go on.
    pub(super) fn event(&mut self, event: Event<'_>, position: Position) -> Result<(), Halt> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), position);
            }
            Event::Alias(anchor) => self.alias(anchor, position)?,
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", position);
                let id = self.add(position, Content::Sequence(Vec::new()));
                self.pending.push(anchor);
                self.open.push(Open::Sequence { id, elements: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", position);
                let id = self.add(position, Content::Mapping(Vec::new()));
                self.pending.push(anchor);
                self.open.push(Open::Mapping { id, entries: Vec::new(), key: None, seen: HashMap::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close();
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        if self.open.len() > MAX_DEPTH {
            return Err(Halt::Bound(position, format!("lists and maps nest deeper than {MAX_DEPTH}")));
        }
        Ok(())
    }

    /// Ends the reading: what is open stays as short as it is.
    pub(super) fn halt(&mut self, text: &str, halt: &Halt) {
        let (position, message, suggestion) = halt.explain(text);
        let problem = syntax(position, self.path(), message, suggestion);
        self.problem(problem);
        while let Some(id) = self.close() {
            self.truncated.push(id);
        }
    }

    pub(super) fn finish(self) -> Parsed {
        let root = self.root.unwrap_or_default();
        let tree = Tree { nodes: self.nodes, root, doubtful: self.doubtful, truncated: self.truncated };
        Parsed { tree, problems: self.problems }
    }

    fn add(&mut self, position: Position, content: Content) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node { position, content });
        self.measures.push(Measure { height: 1, nodes: 1 });
        id
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        position: Position,
    ) {
        let is_key = matches!(self.open.last(), Some(Open::Mapping { key: None, .. }));
        let content =
            if is_key { Content::Text(text.into()) } else { self.content(text, style, tag, position) };
        let id = self.add(position, content);
        if self.doubtful_positions.contains(&position) {
            self.doubtful.push(id);
        }
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id);
    }

    fn content(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, position: Position) -> Content {
        let plain = style == ScalarStyle::Plain;
        let tagged = match tag {
            None if plain => return scalar::resolve(text),
            None => return Content::Text(text.into()),
            Some(tag) if tag.is_yaml_core_schema() => match (&*tag.suffix, scalar::resolve(text)) {
                ("str", _) => Some(Content::Text(text.into())),
                ("null", Content::Null) => Some(Content::Null),
                ("bool", Content::Bool(value)) => Some(Content::Bool(value)),
                ("int", Content::Integer(value)) => Some(Content::Integer(value)),
                ("float", _) => scalar::float(text),
                _ => None,
            },
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Some(Content::Text(text.into())),
            Some(_) => None,
        };
        tagged.unwrap_or_else(|| {
            self.bad_tag(position);
            if plain { scalar::resolve(text) } else { Content::Text(text.into()) }
        })
    }

    fn check_tag(&mut self, tag: Option<&Tag>, natural: &str, position: Position) {
        if tag.is_some_and(|tag| !(tag.is_yaml_core_schema() && tag.suffix == natural)) {
            self.bad_tag(position);
        }
    }

    fn bad_tag(&mut self, position: Position) {
        let message = "a tag that does not fit the value".to_owned();
        let suggestion = Some("leave the tag out, or quote the text if it begins with `!`".to_owned());
        let problem = syntax(position, self.path(), message, suggestion);
        self.problem(problem);
    }

    fn alias(&mut self, anchor: usize, position: Position) -> Result<(), Halt> {
        let Some(id) = self.anchors.get(&anchor).copied() else {
            let problem = syntax(
                position,
                self.path(),
                "an alias inside the value that it stands for".to_owned(),
                None,
            );
            self.problem(problem);
            let id = self.add(position, Content::Null);
            self.doubtful.push(id);
            self.attach(id);
            return Ok(());
        };
        let measure = self.measures[id.0 as usize];
        self.aliased = self.aliased.saturating_add(measure.nodes);
        if self.aliased > MAX_ALIASED_NODES {
            return Err(Halt::Bound(
                position,
                format!("aliases stand for more than {MAX_ALIASED_NODES} values"),
            ));
        }
        if self.open.len() + measure.height > MAX_DEPTH {
            return Err(Halt::Bound(position, format!("lists and maps nest deeper than {MAX_DEPTH}")));
        }
        self.attach(id);
        Ok(())
    }

    /// Completes the innermost list or map.
    fn close(&mut self) -> Option<NodeId> {
        let (id, content) = match self.open.pop()? {
            Open::Sequence { id, elements } => (id, Content::Sequence(elements)),
            Open::Mapping { id, entries, .. } => (id, Content::Mapping(entries)),
        };
        let below = |children: &mut dyn Iterator<Item = NodeId>, measures: &[Measure]| {
            children.fold(Measure { height: 0, nodes: 0 }, |sum, child| {
                let child = measures[child.0 as usize];
                Measure { height: sum.height.max(child.height), nodes: sum.nodes.saturating_add(child.nodes) }
            })
        };
        let sum = match &content {
            Content::Sequence(elements) => below(&mut elements.iter().copied(), &self.measures),
            Content::Mapping(entries) => {
                below(&mut entries.iter().flat_map(|(key, value)| [*key, *value]), &self.measures)
            }
            _ => Measure { height: 0, nodes: 0 },
        };
        self.measures[id.0 as usize] = Measure { height: sum.height + 1, nodes: sum.nodes.saturating_add(1) };
        self.nodes[id.0 as usize].content = content;
        if let Some(anchor) = self.pending.pop()
            && anchor > 0
        {
            self.anchors.insert(anchor, id);
        }
        self.attach(id);
        Some(id)
    }

    /// Puts a complete node where it belongs.
    fn attach(&mut self, id: NodeId) {
        const FEW: usize = 16;
        let position = self.nodes[id.0 as usize].position;
        let complaint = match self.open.last_mut() {
            None => {
                self.root = Some(id);
                return;
            }
            Some(Open::Sequence { elements, .. }) => {
                elements.push(id);
                return;
            }
            Some(Open::Mapping { entries, key: waiting @ Some(_), .. }) => {
                if let Some(key) = waiting.take()
                    && key.counts
                {
                    entries.push((key.id, id));
                }
                return;
            }
            Some(Open::Mapping { entries, key, seen, .. }) => {
                let name = key_text(&self.nodes, id);
                let first = name.and_then(|name| {
                    if entries.len() < FEW {
                        let first = entries.iter().find(|(key, _)| key_text(&self.nodes, *key) == Some(name));
                        return first.map(|(key, _)| self.nodes[key.0 as usize].position.line);
                    }
                    if seen.is_empty() {
                        *seen = entries.iter().filter_map(|(key, _)| key_line(&self.nodes, *key)).collect();
                    }
                    let first = seen.get(name).copied();
                    if first.is_none() {
                        seen.insert(name.into(), position.line);
                    }
                    first
                });
                let complaint = match (name, first) {
                    (None, _) => Some(Reason::Syntax {
                        message: "a list or a map cannot be a key here".to_owned(),
                        suggestion: Some("put text that begins with `[`, `{` or `*` in quotes".to_owned()),
                    }),
                    (Some(name), Some(first)) => Some(Reason::DuplicateKey { key: name.to_string(), first }),
                    (Some(_), None) => None,
                };
                *key = Some(Key { id, counts: complaint.is_none() });
                complaint
            }
        };
        if let Some(reason) = complaint {
            let path = self.path();
            self.problem(Problem { position, path, reason });
        }
    }

    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Where reading stands.
    pub(super) fn path(&self) -> Path {
        let step = |open: &Open| match open {
            Open::Sequence { elements, .. } => Some(Step::Index(elements.len())),
            Open::Mapping { key, .. } => {
                key.and_then(|key| Some(Step::Key(key_text(&self.nodes, key.id)?.into())))
            }
        };
        Path::from(self.open.iter().filter_map(step).collect::<Vec<_>>())
    }
}

fn key_text(nodes: &[Node], id: NodeId) -> Option<&str> {
    match &nodes[id.0 as usize].content {
        Content::Text(text) => Some(text),
        _ => None,
    }
}

fn key_line(nodes: &[Node], id: NodeId) -> Option<(Box<str>, usize)> {
    Some((key_text(nodes, id)?.into(), nodes[id.0 as usize].position.line))
}
