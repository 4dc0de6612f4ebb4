//! From any serde source to a tree: what a server sends as JSON takes the same road as what somebody wrote as YAML. It has
//! no positions, every node claims to stand at [`Position::START`].

use super::{Content, MAX_DEPTH, MAX_NODES, Node, NodeId, Position, Tree};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

impl<'de> Deserialize<'de> for Tree {
    /// The bounds of [`super::parse`] hold here too. Of a key that stands twice the last value counts.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut tree = Self::default();
        tree.root = Grow { tree: &mut tree, depth: 0 }.deserialize(deserializer)?;
        Ok(tree)
    }
}

/// Reads one value into a tree.
struct Grow<'t> {
    tree: &'t mut Tree,
    /// How many lists and maps are around it.
    depth: usize,
}

impl Grow<'_> {
    fn add<E: Error>(self, content: Content) -> Result<NodeId, E> {
        add(self.tree, content)
    }

    /// One level further in.
    fn below<E: Error>(&mut self) -> Result<Grow<'_>, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("lists and maps nest deeper than {MAX_DEPTH}")));
        }
        Ok(Grow { tree: self.tree, depth: self.depth + 1 })
    }
}

fn add<E: Error>(tree: &mut Tree, content: Content) -> Result<NodeId, E> {
    if tree.nodes.len() >= MAX_NODES {
        return Err(E::custom(format_args!("there are more than {MAX_NODES} values")));
    }
    let id = NodeId(tree.nodes.len() as u32);
    tree.nodes.push(Node { position: Position::START, content });
    Ok(id)
}

impl<'de> DeserializeSeed<'de> for Grow<'_> {
    type Value = NodeId;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeId, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Grow<'_> {
    type Value = NodeId;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<NodeId, E> {
        self.add(Content::Null)
    }

    fn visit_none<E: Error>(self) -> Result<NodeId, E> {
        self.add(Content::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeId, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<NodeId, E> {
        self.add(Content::Bool(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<NodeId, E> {
        self.add(Content::Integer(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<NodeId, E> {
        self.add(Content::Integer(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<NodeId, E> {
        self.add(Content::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<NodeId, E> {
        self.add(Content::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<NodeId, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element_seed(self.below()?)? {
            elements.push(element);
        }
        self.add(Content::Sequence(elements))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<NodeId, A::Error> {
        let mut entries: Vec<(NodeId, NodeId)> = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            let key = add(self.tree, Content::Text(key.into()))?;
            let value = access.next_value_seed(self.below()?)?;
            entries.push((key, value));
        }
        self.last_of_each_key(&mut entries);
        self.add(Content::Mapping(entries))
    }
}

impl Grow<'_> {
    /// Keys of a map are distinct in a tree.
    fn last_of_each_key(&self, entries: &mut Vec<(NodeId, NodeId)>) {
        let mut last = std::collections::HashMap::with_capacity(entries.len());
        for (at, (key, _)) in entries.iter().enumerate() {
            last.insert(self.tree.text(*key), at);
        }
        if last.len() < entries.len() {
            let kept: std::collections::HashSet<usize> = last.into_values().collect();
            let mut at = 0..;
            entries.retain(|_| at.next().is_some_and(|at| kept.contains(&at)));
        }
    }
}
