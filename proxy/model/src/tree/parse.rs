//! From YAML text to a tree.
//!
//! A mistake in the YAML itself normally ends the reading, because nobody knows what the rest means; what was read up to
//! there is kept, so that its mistakes are reported too. The mistakes that everybody makes (an unquoted `*.example.com`
//! is an alias to YAML, an unquoted `%REQ(x)%` is a directive) are reported and read as the text that was meant.

use super::{
    Parsed, Path, Position, Tree,
    halt::{Halt, guess},
    reader::Reader,
};
use crate::convert::{Problem, Reason};
use saphyr_parser::{Event, Marker, Parser};
use std::{borrow::Cow, collections::HashSet};

/// The longest text that is read.
pub const MAX_BYTES: usize = 64 << 20;
/// The most values that a text may have.
pub const MAX_NODES: usize = 4 << 20;
/// How deep lists and maps may nest, aliases followed.
pub const MAX_DEPTH: usize = 64;
/// The most values that all aliases together may stand for (the bound against alias bombs).
pub const MAX_ALIASED_NODES: u64 = 100_000;

/// How many unquoted scalars are read as what was meant before giving up.
const MAX_GUESSES: usize = 64;

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

/// A mistake in the YAML itself.
pub(super) fn syntax(position: Position, path: Path, message: String, suggestion: Option<String>) -> Problem {
    Problem { position, path, reason: Reason::Syntax { message, suggestion } }
}

/// A place in the text.
pub(super) fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}
