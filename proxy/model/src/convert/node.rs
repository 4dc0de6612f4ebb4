//! Serde's view of a tree.

use super::{
    error::{Error, Spot},
    hole::Hole,
    problem::{Found, Reason},
    repairs::{Reading, Repairs},
};
use crate::tree::{Content, NodeId, Step, Tree};
use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

/// A node, read with repairs.
#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'a> {
    tree: &'a Tree,
    repairs: &'a Repairs,
    node: NodeId,
}

impl<'a> NodeDeserializer<'a> {
    pub(super) fn new(tree: &'a Tree, repairs: &'a Repairs, node: NodeId) -> Self {
        Self { tree, repairs, node }
    }

    fn content(&self) -> &'a Content {
        &self.tree.node(self.node).content
    }

    fn hole(&self) -> Option<Hole<'a>> {
        let empty = self.repairs.holes.is_empty();
        let hole = !empty && self.repairs.holes.contains_key(&Spot::node(self.node));
        hole.then(|| Hole::new(self.tree, self.repairs, self.node, ""))
    }

    /// Errors that nobody further in has claimed are about this node.
    fn here<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.at(self.node, self.hole().map(|_| "")))
    }

    /// Runs a seed; types may refuse a value after it was read, so this claims errors too.
    pub(super) fn seed<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.here(seed.deserialize(self))
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match self.content() {
            Content::Null => visitor.visit_unit(),
            Content::Bool(value) => visitor.visit_bool(*value),
            Content::Integer(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => visitor.visit_i128(*number),
            },
            Content::Float(number) => visitor.visit_f64(*number),
            Content::Text(text) => visitor.visit_str(text),
            Content::Sequence(elements) => return self.elements(elements, visitor),
            Content::Mapping(entries) => return self.entries(entries, None, visitor),
        };
        self.here(result)
    }

    fn elements<'de, V: Visitor<'de>>(self, elements: &'a [NodeId], visitor: V) -> Result<V::Value, Error> {
        let elements = if self.repairs.aside.contains(&self.node) { &[] } else { elements };
        self.here(visitor.visit_seq(Elements { of: self, elements, next: 0, single: false }))
    }

    fn entries<'de, V: Visitor<'de>>(
        self,
        entries: &'a [(NodeId, NodeId)],
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let missing = self.repairs.missing.get(&self.node).map(Vec::as_slice).unwrap_or_default();
        let access =
            Entries { of: self, entries: entries.iter(), missing: missing.iter(), known, value: None };
        self.here(visitor.visit_map(access))
    }
}

macro_rules! as_written {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.hole() {
                Some(hole) => hole.$method(visitor),
                None => self.visit(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = Error;

    as_written! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_identifier deserialize_map
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (self.hole(), self.content()) {
            (Some(hole), _) => hole.deserialize_option(visitor),
            (None, Content::Null) => self.here(visitor.visit_none()),
            (None, _) => self.here(visitor.visit_some(self)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.here(visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (self.hole(), self.content()) {
            (Some(hole), _) => hole.deserialize_seq(visitor),
            (None, Content::Sequence(elements)) => self.elements(elements, visitor),
            (None, _) if self.repairs.single.contains(&self.node) => {
                self.here(visitor.visit_seq(Elements { of: self, elements: &[], next: 0, single: true }))
            }
            (None, content) => {
                let found = found(content);
                self.here(Err(Error::new(Reason::Type {
                    found,
                    expected: "a sequence".to_owned(),
                    fields: &[],
                })))
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (self.hole(), self.content()) {
            (Some(hole), _) => hole.deserialize_struct(name, known, visitor),
            (None, Content::Mapping(entries)) => self.entries(entries, Some(known), visitor),
            // Serde would read a list as the fields in their order.
            (None, content) => {
                let expected = format!("struct {name}");
                self.here(Err(Error::new(Reason::Type { found: found(content), expected, fields: known })))
            }
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(hole) = self.hole() {
            return hole.deserialize_enum(name, variants, visitor);
        }
        let reason = match self.content() {
            Content::Text(text) => {
                return self.here(visitor.visit_enum(Choice {
                    of: self,
                    name: text,
                    key: None,
                    content: None,
                }));
            }
            Content::Mapping(entries) => {
                let named: Vec<_> = entries
                    .iter()
                    .filter_map(|(key, value)| Some((*key, *value, self.repairs.name(self.tree, *key)?)))
                    .collect();
                match *named {
                    [(key, value, name)] => {
                        let choice = Choice { of: self, name, key: Some(key), content: Some(value) };
                        return self.here(visitor.visit_enum(choice));
                    }
                    [] => {
                        Reason::Type { found: Found::Mapping, expected: format!("enum {name}"), fields: &[] }
                    }
                    _ => {
                        let mut keys: Vec<String> =
                            named.iter().map(|(_, _, name)| (*name).to_owned()).collect();
                        // The first that is known is the one that is read on.
                        keys.sort_by_key(|key| !variants.contains(&&**key));
                        Reason::SeveralVariants { keys }
                    }
                }
            }
            content => Reason::Type { found: found(content), expected: format!("enum {name}"), fields: &[] },
        };
        self.here(Err(Error::new(reason)))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.here(visitor.visit_unit())
    }

    forward_to_deserialize_any! { unit unit_struct tuple tuple_struct }
}

fn is_null(tree: &Tree, node: NodeId) -> bool {
    matches!(tree.node(node).content, Content::Null)
}

fn found(content: &Content) -> Found {
    match content {
        Content::Null => Found::Null,
        Content::Bool(value) => Found::Bool(*value),
        Content::Integer(number) => Found::Number(number.to_string()),
        Content::Float(number) => Found::Number(number.to_string()),
        Content::Text(text) => Found::Text(text.to_string()),
        Content::Sequence(_) => Found::Sequence,
        Content::Mapping(_) => Found::Mapping,
    }
}

struct Elements<'a> {
    of: NodeDeserializer<'a>,
    elements: &'a [NodeId],
    next: usize,
    /// The node itself is the only element.
    single: bool,
}

/// The only element of a list that was not written as one; not a list itself, or it would go on for ever.
impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let at = self.next;
        self.next += 1;
        if self.single {
            return if at == 0 { self.of.seed(seed).map(Some) } else { Ok(None) };
        }
        let Some(node) = self.elements.get(at) else { return Ok(None) };
        let element = NodeDeserializer { node: *node, ..self.of };
        element.seed(seed).map(Some).map_err(|error| error.below(|| Step::Index(at)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len().saturating_sub(self.next))
    }
}

struct Entries<'a> {
    of: NodeDeserializer<'a>,
    entries: std::slice::Iter<'a, (NodeId, NodeId)>,
    missing: std::slice::Iter<'a, &'static str>,
    /// The fields of the type; none for maps.
    known: Option<&'static [&'static str]>,
    value: Option<Value<'a>>,
}

enum Value<'a> {
    Written { key: &'a str, node: NodeId },
    Missing(&'static str),
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let NodeDeserializer { tree, repairs, node } = self.of;
        for (key, value) in self.entries.by_ref() {
            if let Some(name) = repairs.name(tree, *key) {
                let written = tree.text(*key).unwrap_or_default();
                if let Some(known) = self.known
                    && repairs.reading == Reading::Api
                {
                    if !known.contains(&name) {
                        repairs.note_unknown(*key, known);
                        continue;
                    }
                    if is_null(tree, *value) {
                        continue;
                    }
                }
                self.value = Some(Value::Written { key: written, node: *value });
                let result = seed.deserialize(StrDeserializer::<Error>::new(name)).map(Some);
                return result
                    .map_err(|error| error.at(node, None).showing(*key).below(|| Step::Key(written.into())));
            }
        }
        for field in self.missing.by_ref() {
            if self.known.is_some_and(|known| known.contains(field)) {
                self.value = Some(Value::Missing(field));
                return seed.deserialize((*field).into_deserializer()).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let NodeDeserializer { tree, repairs, node } = self.of;
        match self.value.take() {
            Some(Value::Written { key, node }) => NodeDeserializer { node, ..self.of }
                .seed(seed)
                .map_err(|error| error.below(|| Step::Key(key.into()))),
            Some(Value::Missing(field)) => Hole::new(tree, repairs, node, &format!(".{field}")).seed(seed),
            None => Err(serde::de::Error::custom("a value without its key")),
        }
    }
}

/// A name, or a map with one key.
#[derive(Clone, Copy)]
struct Choice<'a> {
    of: NodeDeserializer<'a>,
    name: &'a str,
    key: Option<NodeId>,
    content: Option<NodeId>,
}

impl<'a> Choice<'a> {
    fn shape<T>(&self, lacks_content: bool) -> Result<T, Error> {
        Err(Error::new(Reason::VariantShape { variant: self.name.to_owned(), lacks_content }))
    }

    fn content(&self) -> Option<NodeDeserializer<'a>> {
        self.content.map(|node| NodeDeserializer { node, ..self.of })
    }

    fn below<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let written = self.key.and_then(|key| self.of.tree.text(key)).unwrap_or(self.name);
        result.map_err(|error| error.below(|| Step::Key(written.into())))
    }
}

impl<'de> EnumAccess<'de> for Choice<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        match (seed.deserialize(StrDeserializer::<Error>::new(self.name)), self.key) {
            (Ok(variant), _) => Ok((variant, self)),
            (Err(error), Some(key)) => Err(error.at(self.of.node, None).showing(key)),
            (Err(error), None) => Err(error),
        }
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        if self.content.is_some() { self.shape(false) } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        match self.content() {
            Some(content) => self.below(content.seed(seed)),
            None => self.shape(true),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        match self.content() {
            Some(content) => self.below(content.deserialize_seq(visitor)),
            None => self.shape(true),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.content() {
            Some(content) => self.below(content.deserialize_struct("", fields, visitor)),
            None => self.shape(true),
        }
    }
}
