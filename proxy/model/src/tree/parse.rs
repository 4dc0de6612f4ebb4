//! From YAML text to a tree.
//!
//! A mistake in the YAML itself normally ends the reading, because nobody knows what the rest means; what was read up to
//! there is kept, so that its mistakes are reported too. The mistakes that everybody makes (an unquoted `*.example.com`
//! is an alias to YAML, an unquoted `%REQ(x)%` is a directive) are reported and read as the text that was meant.

use super::{Content, Node, NodeId, Parsed, Path, Position, Step, Tree, scalar};
use crate::convert::{Problem, Reason};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// The longest text that is read.
pub const MAX_BYTES: usize = 64 << 20;
/// The most values that a text may have.
pub const MAX_NODES: usize = 4 << 20;
/// How deep lists and maps may nest, aliases followed.
pub const MAX_DEPTH: usize = 64;
/// The most values that all aliases together may stand for (the bound against alias bombs).
pub const MAX_ALIASED_NODES: u64 = 100_000;

/// How many unquoted scalars are read as what was meant before giving up, and in texts up to which size: each of them
/// means reading the text once more.
const MAX_GUESSES: usize = 64;
const MAX_GUESS_BYTES: usize = 1 << 20;
/// How many problems of the YAML itself are listed.
const MAX_PROBLEMS: usize = 1000;

/// Reads one document; a second one in the text is a mistake. Never fails: see [`Parsed::problems`].
pub fn parse(text: &str) -> Parsed {
    read(text, Documents::One).pop().unwrap_or_default()
}

/// Reads all documents of a text, which `---` separates, in their order; positions are those of the whole text. A mistake
/// that ends the reading is a problem of the last one. At least one is returned.
pub fn parse_documents(text: &str) -> Vec<Parsed> {
    read(text, Documents::Many)
}

/// How many documents a text may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Documents {
    One,
    Many,
}

fn read(text: &str, documents: Documents) -> Vec<Parsed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        let message = format!("the text has {} bytes; {MAX_BYTES} are allowed", text.len());
        let problems = vec![syntax(Position::START, Path::root(), message, None)];
        return vec![Parsed { tree: Tree::default(), problems }];
    }
    let mut text = Cow::Borrowed(text);
    let mut guessed = Vec::new();
    let mut doubtful = HashSet::new();
    loop {
        let (mut readers, halt) = read_events(&text, documents, &doubtful);
        let last = readers.len().saturating_sub(1);
        if let Some(halt) = &halt
            && guessed.len() < MAX_GUESSES
            && let Some((repaired, position)) = guess(&text, halt)
        {
            let message = "a plain scalar cannot begin with this character in YAML".to_owned();
            let suggestion = Some("put the value in quotes".to_owned());
            let path = readers.last().map(Reader::path).unwrap_or_default();
            guessed.push((last, syntax(position, path, message, suggestion)));
            doubtful.insert(position);
            text = Cow::Owned(repaired);
            continue;
        }
        if let (Some(reader), Some(halt)) = (readers.last_mut(), halt) {
            reader.halt(&text, &halt);
        }
        let mut parsed: Vec<Parsed> = readers.into_iter().map(Reader::finish).collect();
        for (document, problem) in guessed {
            if let Some(parsed) = parsed.get_mut(document) {
                parsed.problems.push(problem);
            }
        }
        for parsed in &mut parsed {
            parsed.problems.sort_by_key(|problem| problem.position);
        }
        return parsed;
    }
}

/// Reads events, each document by a reader of its own; what is returned with them is why it could not go on.
fn read_events<'a>(
    text: &str,
    documents: Documents,
    doubtful: &'a HashSet<Position>,
) -> (Vec<Reader<'a>>, Option<Halt>) {
    let mut finished: Vec<Reader<'a>> = Vec::new();
    let mut reader = Reader::new(doubtful);
    let mut begun = false;
    // Nodes of finished documents.
    let mut nodes = 0;
    let mut halt = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                halt = Some(Halt::Yaml(error));
                break;
            }
        };
        let position = position(span.start);
        if nodes + reader.nodes.len() >= MAX_NODES {
            halt = Some(Halt::Bound(position, format!("there are more than {MAX_NODES} values")));
            break;
        }
        if matches!(event, Event::DocumentStart(_)) && std::mem::replace(&mut begun, true) {
            if documents == Documents::One {
                let message = "a second document begins here; one file holds one document".to_owned();
                halt = Some(Halt::Bound(position, message));
                break;
            }
            nodes += reader.nodes.len();
            finished.push(std::mem::replace(&mut reader, Reader::new(doubtful)));
        }
        if let Err(reason) = reader.event(event, position) {
            halt = Some(reason);
            break;
        }
    }
    finished.push(reader);
    (finished, halt)
}

/// Where reading cannot go on.
enum Halt {
    Yaml(ScanError),
    Bound(Position, String),
}

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

struct Reader<'a> {
    nodes: Vec<Node>,
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
    fn new(doubtful_positions: &'a HashSet<Position>) -> Self {
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
    fn event(&mut self, event: Event<'_>, position: Position) -> Result<(), Halt> {
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
    fn halt(&mut self, text: &str, halt: &Halt) {
        let (position, message, suggestion) = halt.explain(text);
        let problem = syntax(position, self.path(), message, suggestion);
        self.problem(problem);
        while let Some(id) = self.close() {
            self.truncated.push(id);
        }
    }

    fn finish(self) -> Parsed {
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
    fn path(&self) -> Path {
        let step = |open: &Open| match open {
            Open::Sequence { elements, .. } => Some(Step::Index(elements.len())),
            Open::Mapping { key, .. } => {
                key.and_then(|key| Some(Step::Key(key_text(&self.nodes, key.id)?.into())))
            }
        };
        Path::from(self.open.iter().filter_map(step).collect::<Vec<_>>())
    }
}

// === impl Halt ===

impl Halt {
    fn explain(&self, text: &str) -> (Position, String, Option<String>) {
        let error = match self {
            Self::Bound(position, message) => return (*position, message.clone(), None),
            Self::Yaml(error) => error,
        };
        let info = error.info();
        let suggestion = match info {
            _ if info.contains("tab") => Some("indent with spaces"),
            _ if info.contains("mapping values are not allowed") => {
                Some("check the indentation, and put a value that contains `: ` in quotes")
            }
            _ if info.contains("end of stream") => Some("a closing quote is missing"),
            _ if info.contains("expected ',' or") => Some("a closing bracket or a comma is missing"),
            _ if info.contains("escape") => Some("write `\\\\` for a backslash, or use single quotes"),
            _ if info.contains("double-quoted scalar") => Some("quote the whole value"),
            _ if info.contains("expected key")
                || info.contains("indicator")
                || info.contains("indent")
                || info.contains("simple key") =>
            {
                Some("check the indentation")
            }
            _ => None,
        };
        let info = info.rsplit_once("while ").map_or(info, |(_, info)| info);
        let info = info.split_once(", ").map_or(info, |(_, info)| info);
        let mut place = position(*error.marker());
        if error.info().contains("tab")
            && let Some(line) = first_tab(text, place.line)
        {
            place = line;
        }
        (place, format!("this is not YAML: {info}"), suggestion.map(str::to_owned))
    }
}

/// Reads an unquoted scalar that begins with an indicator as text: the text with that one character replaced, and where.
fn guess(text: &str, halt: &Halt) -> Option<(String, Position)> {
    let Halt::Yaml(error) = halt else { return None };
    if text.len() > MAX_GUESS_BYTES {
        return None;
    }
    let alias = error.info().contains("anchor");
    let wanted = |c: char| if alias { c == '*' } else { matches!(c, '%' | '@' | '`') };
    if !alias && !error.info().contains("unexpected character") {
        return None;
    }
    // Some errors point behind the indicator.
    let marker = error.marker();
    let mut around = text.char_indices().skip(marker.index().saturating_sub(1)).take(2);
    let (at, behind) = match (marker.index(), around.next(), around.next()) {
        (1.., _, Some((here, c))) if wanted(c) => (here, false),
        (1.., Some((before, c)), _) if wanted(c) => (before, true),
        (0, Some((here, c)), _) if wanted(c) => (here, false),
        _ => return None,
    };
    let reported = position(*marker);
    let place = if behind {
        Position { column: reported.column.saturating_sub(1).max(1), ..reported }
    } else {
        reported
    };
    let mut repaired = String::with_capacity(text.len());
    repaired.push_str(&text[..at]);
    repaired.push('x');
    repaired.push_str(&text[at + 1..]);
    Some((repaired, place))
}

/// The first line from this one on that is indented with a tab: errors point at what came before it.
fn first_tab(text: &str, from: usize) -> Option<Position> {
    let lines = text.lines().enumerate().skip(from.saturating_sub(1));
    lines.take(2).find_map(|(index, line)| {
        let indent = line.chars().take_while(|c| c.is_whitespace());
        let column = indent.into_iter().position(|c| c == '\t')?;
        Some(Position { line: index + 1, column: column + 1 })
    })
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

fn syntax(position: Position, path: Path, message: String, suggestion: Option<String>) -> Problem {
    Problem { position, path, reason: Reason::Syntax { message, suggestion } }
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}
