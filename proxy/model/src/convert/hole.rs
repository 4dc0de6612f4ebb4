//! What stands in for a value that is missing or wrong.

use super::{
    error::{Error, Spot},
    repairs::Repairs,
};
use crate::tree::{Content, NodeId, Tree};
use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, MapAccess, VariantAccess, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};

/// Texts that the types of configurations take: most are durations, sizes, addresses, paths, patterns and dates.
const TEXTS: [&str; 10] = [
    "1s",
    "1B",
    "1.1.1.1:1",
    "1.1.1.1",
    "/",
    "x",
    "1",
    "",
    "1970-01-01T00:00:00Z",
    "00000000-0000-0000-0000-000000000000",
];
const NUMBERS: [u16; 4] = [0, 1, 200, 301];
/// How many values are offered before a hole stays one; enumerations try each variant with some of them.
pub(super) const OFFERS: usize = 64;

/// Deserialises to whatever was not refused yet.
#[derive(Clone, Copy)]
pub(super) struct Hole<'a> {
    tree: &'a Tree,
    repairs: &'a Repairs,
    node: NodeId,
    /// From the node into the hole.
    inside: &'a str,
}

impl<'a> Hole<'a> {
    pub(super) fn new(tree: &'a Tree, repairs: &'a Repairs, node: NodeId, inside: &'a str) -> Self {
        Self { tree, repairs, node, inside }
    }

    fn spot(&self) -> Spot {
        Spot { node: self.node, hole: Some(self.inside.into()) }
    }

    fn refused(&self) -> usize {
        self.repairs.holes.get(&self.spot()).map_or(0, |filling| filling.refused)
    }

    fn here<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.at(self.node, Some(self.inside)))
    }

    /// Runs a seed; types may refuse a value after it was read, so this claims errors too.
    pub(super) fn seed<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.here(seed.deserialize(self))
    }

    /// The text first that is meant by a number or truth value where text was expected.
    fn text(&self) -> String {
        let written = match &self.tree.node(self.node).content {
            Content::Integer(number) if self.inside.is_empty() => Some(number.to_string()),
            Content::Float(number) if self.inside.is_empty() => Some(number.to_string()),
            Content::Bool(value) if self.inside.is_empty() => Some(value.to_string()),
            _ => None,
        };
        let mut offers = written.into_iter().chain(TEXTS.iter().map(|text| (*text).to_owned())).cycle();
        offers.nth(self.refused()).unwrap_or_default()
    }

    fn number(&self) -> u16 {
        NUMBERS[self.refused() % NUMBERS.len()]
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.here(visitor.visit_u16(self.number()))
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.here(visitor.visit_string(self.text()))
        }
    )*};
}

impl<'de> Deserializer<'de> for Hole<'_> {
    type Error = Error;

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
    }

    texts! {
        deserialize_char deserialize_str deserialize_string deserialize_identifier deserialize_bytes
        deserialize_byte_buf
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.refused() <= TEXTS.len() {
            self.deserialize_string(visitor)
        } else {
            self.deserialize_u64(visitor)
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.here(visitor.visit_bool(false))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.here(visitor.visit_none())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.here(
            visitor.visit_seq(serde::de::value::SeqDeserializer::<_, Error>::new(std::iter::empty::<u8>())),
        )
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.here(visitor.visit_map(Fields { hole: self, fields: [].iter(), next: None }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let needed =
            self.repairs.holes.get(&self.spot()).map(|filling| filling.fields.clone()).unwrap_or_default();
        let needed: Vec<_> = needed.into_iter().filter(|field| known.contains(field)).collect();
        self.here(visitor.visit_map(Fields { hole: self, fields: needed.iter(), next: None }))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let chosen = (self.refused() / TEXTS.len()).min(variants.len().saturating_sub(1));
        let variant = variants.get(chosen).copied().unwrap_or_default();
        self.here(visitor.visit_enum(Choice { hole: self, variant }))
    }

    forward_to_deserialize_any! { unit unit_struct tuple tuple_struct ignored_any }
}

/// The fields that turned out to be needed, each a hole in the hole.
struct Fields<'a, 'n> {
    hole: Hole<'a>,
    fields: std::slice::Iter<'n, &'static str>,
    next: Option<&'static str>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.next = self.fields.next().copied();
        self.next.map(|field| seed.deserialize(StrDeserializer::<Error>::new(field))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let inside = format!("{}.{}", self.hole.inside, self.next.unwrap_or_default());
        Hole { inside: &inside, ..self.hole }.seed(seed)
    }
}

/// A variant whose content, if it has any, is a hole too.
struct Choice<'a> {
    hole: Hole<'a>,
    variant: &'static str,
}

impl<'de> EnumAccess<'de> for Choice<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let value = seed.deserialize(StrDeserializer::<Error>::new(self.variant))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let inside = format!("{}.{}", self.hole.inside, self.variant);
        Hole { inside: &inside, ..self.hole }.seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.hole.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let inside = format!("{}.{}", self.hole.inside, self.variant);
        Hole { inside: &inside, ..self.hole }.deserialize_struct("", fields, visitor)
    }
}
