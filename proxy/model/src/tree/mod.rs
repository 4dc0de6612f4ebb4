//! A YAML document as a tree with positions; or, without positions, whatever else serde can read ([`Tree`] implements
//! `Deserialize`).
//!
//! Serde forgets where a value stood and stops at the first mistake, so a file is first read into this tree, whatever it
//! means. [`crate::convert`] then turns parts of it into types. Reading is bounded in bytes, nodes, depth and in what
//! aliases may expand to, and what is wrong with the YAML itself becomes a [`Problem`] like any other mistake.
//!
//! Plain scalars follow the YAML 1.2 core schema: `yes`, `no`, `on` and `off` are text, `0o17` is fifteen, `017` is
//! seventeen, and `12:30` is text.

mod halt;
mod parse;
mod path;
mod reader;
mod scalar;
mod value;

pub use parse::{MAX_ALIASED_NODES, MAX_BYTES, MAX_DEPTH, MAX_NODES, parse, parse_documents};
pub use path::{Path, Step};

use crate::convert::Problem;

/// A document. Nodes behind an alias are shared, not copied; there are no cycles.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    root: NodeId,
    doubtful: Vec<NodeId>,
    truncated: Vec<NodeId>,
}

/// What [`parse`] makes of a text.
#[derive(Debug, Default)]
pub struct Parsed {
    /// What could be read; empty where nothing could.
    pub tree: Tree,
    /// What is wrong with the YAML, in the order in which it was found.
    pub problems: Vec<Problem>,
}

/// A node of one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NodeId(u32);

/// A value and where it begins.
#[derive(Debug)]
pub struct Node {
    /// Where it begins; for a map, its first key.
    pub position: Position,
    /// What it is.
    pub content: Content,
}

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// A value.
#[derive(Debug)]
pub enum Content {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text: quoted, or plain and nothing of the above. Keys of maps are always text.
    Text(Box<str>),
    /// A list.
    Sequence(Vec<NodeId>),
    /// A map in written order. Keys are distinct.
    Mapping(Vec<(NodeId, NodeId)>),
}

impl Position {
    /// Where a file begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl Tree {
    /// The whole document; `None` where nothing could be read.
    pub fn root(&self) -> Option<NodeId> {
        (!self.nodes.is_empty()).then_some(self.root)
    }

    /// A node of this tree.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The text of a node, where it is text.
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match &self.node(id).content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, where it is a list.
    pub fn elements(&self, id: NodeId) -> Option<&[NodeId]> {
        match &self.node(id).content {
            Content::Sequence(elements) => Some(elements),
            _ => None,
        }
    }

    /// Keys and values, where it is a map.
    pub fn entries(&self, id: NodeId) -> Option<&[(NodeId, NodeId)]> {
        match &self.node(id).content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key, where it is a map that has it.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let (_, value) = self.entries(id)?.iter().find(|(name, _)| self.text(*name) == Some(key))?;
        Some(*value)
    }

    /// Values that were reported already, because the YAML around them had to be guessed.
    pub(crate) fn doubtful(&self) -> &[NodeId] {
        &self.doubtful
    }

    /// Lists and maps that a syntax error cut short: what they lack may have been written.
    pub(crate) fn truncated(&self) -> &[NodeId] {
        &self.truncated
    }
}

#[cfg(test)]
mod tests;
