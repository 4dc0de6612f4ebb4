//! How the types of an API are written down.

/// A message of an API: every field may be absent and then has its type's default, which is what a missing field means in
/// proto3 and in Kubernetes; names are lowerCamelCase; what has its default is not printed.
macro_rules! message {
    ($(#[$outer:meta])* $vis:vis struct $name:ident {
        $($(#[$inner:meta])* pub $field:ident: $type:ty,)*
    }) => {
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        $(#[$outer])*
        $vis struct $name {
            $(
                $(#[$inner])*
                #[serde(skip_serializing_if = "crate::message::is_default")]
                pub $field: $type,
            )*
        }
    };
}
pub(crate) use message;

/// An enumeration of an API, by name; the default is the variant that is zero in proto3.
macro_rules! choice {
    ($(#[$outer:meta])* pub enum $name:ident { $($(#[$inner:meta])* $variant:ident,)* }) => {
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        $(#[$outer])*
        pub enum $name { $($(#[$inner])* $variant,)* }
    };
}
pub(crate) use choice;

/// Makes serde refuse a message in which several members of a oneof are set. The message says `#[serde(remote = "Self")]`,
/// and each member is an `Option`.
macro_rules! one_of {
    ($name:ident: $($($member:ident)|+),+) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let message = $name::deserialize(deserializer)?;
                $(crate::message::at_most_one(&[$((stringify!($member), message.$member.is_some())),+])?;)+
                Ok(message)
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $name::serialize(self, serializer)
            }
        }
    };
}
pub(crate) use one_of;

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Fails where more than one member of a oneof is set.
pub(crate) fn at_most_one<E: serde::de::Error>(members: &[(&str, bool)]) -> Result<(), E> {
    let set: Vec<String> = members.iter().filter(|(_, set)| *set).map(|(name, _)| camel_case(name)).collect();
    match set.len() {
        0 | 1 => Ok(()),
        _ => Err(E::custom(format_args!("only one of {} can be set", set.join(" and ")))),
    }
}

/// `derive_port` as users know it: `` `derivePort` ``.
fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let mut name = format!("`{}", words.next().unwrap_or_default());
    for word in words {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    name.push('`');
    name
}
