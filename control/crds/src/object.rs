//! One object of a kind: who it is, what it says, and what is wrong with it.

use crate::proto::NOT_BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error, ser::SerializeMap,
};
use sluice_model::{
    Severity,
    convert::{self, Problem, Reason, Repairs},
    tree::{NodeId, Path, Tree},
};
use std::fmt;

/// The content of a kind: what the field `spec` holds, or all fields of a kind that has no `spec`.
pub trait Kind:
    Clone + fmt::Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// `VirtualService`.
    const KIND: &'static str;
    /// `networking.istio.io`; empty for the core group.
    const GROUP: &'static str;
    /// The version that is watched; every other one has the same schema.
    const VERSION: &'static str;
    /// Group and version, `networking.istio.io/v1`, as Kubernetes writes them: the core group is left out.
    const API_VERSION: &'static str;
    /// Versions that manifests may also be written in.
    const OTHER_VERSIONS: &'static [&'static str] = &[];
    /// `virtualservices`, the last segment of the kind's URL.
    const PLURAL: &'static str;
    /// Whether objects live in namespaces.
    const NAMESPACED: bool = true;
    /// Where the content stands.
    const LAYOUT: Layout = Layout::Spec;
    /// Whether the type holds every field of the API. Where it does not, unknown fields say nothing.
    const COMPLETE: bool = true;
    /// Whether values must never be quoted.
    const SECRET: bool = false;
    /// What programs report in the field `status`.
    type Status: Clone
        + fmt::Debug
        + Default
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
}

/// Where the content of a kind stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// In the field `spec`; `status` stands beside it.
    Spec,
    /// Beside `metadata`.
    Flat,
}

/// The status of a kind that has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoStatus {}

/// An object.
///
/// Deserialising it fails only where there is no object at all; everything else that is wrong becomes a problem.
#[derive(Clone, PartialEq)]
pub struct Object<K: Kind> {
    /// Name, namespace, labels, annotations, age.
    pub metadata: ObjectMeta,
    /// What it says. Where [`Object::is_rejected`], what is wrong is left out or guessed, so it must not be used.
    pub content: K,
    /// What programs reported about it; what is wrong in there is ignored.
    pub status: K::Status,
    /// What is wrong with it. Paths start at the object; positions are those of the text, or the start of it for what came
    /// from a server.
    pub problems: Vec<Problem>,
}

/// How a user names an object; prints as `VirtualService shop/reviews`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for kinds that have none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl<K: Kind> Object<K> {
    /// An object without problems.
    pub fn new(metadata: ObjectMeta, content: K) -> Self {
        Self { metadata, content, status: K::Status::default(), problems: Vec::new() }
    }

    /// Reads the object at a node of a tree. `apiVersion` and `kind` are the caller's concern.
    pub(crate) fn read(tree: &Tree, node: NodeId, repairs: &mut Repairs) -> Self {
        let root = Path::root();
        let mut problems = Vec::new();
        let mut metadata: ObjectMeta =
            field(tree, node, "metadata").read(repairs, &mut problems).unwrap_or_default();
        forget_bookkeeping(&mut metadata);
        if K::NAMESPACED {
            metadata.namespace.get_or_insert_with(|| "default".to_owned());
        } else {
            metadata.namespace = None;
        }
        if !problems.iter().any(is_error) {
            check_names(&metadata, tree, node, &mut problems);
        }

        let mut aside = Vec::new();
        let status = field(tree, node, "status").read(repairs, &mut aside).unwrap_or_default();
        let mut said = Vec::new();
        let content = match K::LAYOUT {
            Layout::Spec => {
                let spec = field(tree, node, "spec");
                strangers(tree, node, &mut said);
                spec.read(repairs, &mut said)
            }
            Layout::Flat => {
                for key in ["apiVersion", "kind", "metadata", "status"] {
                    repairs.leave_out(tree, node, key);
                }
                let (content, found) = convert::convert(tree, node, &root, repairs);
                said.extend(found);
                content
            }
        };
        if !K::COMPLETE {
            said.retain(|problem| !matches!(problem.reason, Reason::UnknownField { .. }));
        }
        problems.extend(said);
        if content.is_none() && !problems.iter().any(is_error) {
            let message = format!("this cannot be read as {}", K::KIND);
            problems.push(Problem {
                position: tree.node(node).position,
                path: root,
                reason: Reason::Value { message },
            });
        }
        Self { metadata, content: content.unwrap_or_default(), status, problems }
    }

    /// Whether it must not be used: a mistake is more than an unknown field.
    pub fn is_rejected(&self) -> bool {
        self.problems.iter().any(is_error)
    }

    /// Its name, for users and as a key.
    pub fn name(&self) -> ObjectName {
        ObjectName {
            kind: K::KIND,
            namespace: self.metadata.namespace.clone().unwrap_or_default(),
            name: self.metadata.name.clone().unwrap_or_default(),
        }
    }

    /// The value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// What is wrong, in words that never quote a secret: severity, place, message with the way out.
    pub fn explained(&self) -> impl Iterator<Item = Explained> + '_ {
        self.problems.iter().map(|problem| Explained::new(problem, K::SECRET && !is_open(problem)))
    }
}

/// A problem in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// An error rejects the object.
    pub severity: Severity,
    /// The line and column, from 1; meaningless for what came from a server.
    pub line: usize,
    /// See `line`.
    pub column: usize,
    /// `spec.http[0].timeout: ...; write ...`.
    pub message: String,
}

impl Explained {
    /// Words for a problem; with `redact`, none of a value that may be secret.
    pub fn new(problem: &Problem, redact: bool) -> Self {
        let mut message = problem.path.to_string();
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&problem.reason.message(redact));
        if let Some(suggestion) = problem.reason.suggestion(redact) {
            message.push_str("; ");
            message.push_str(&suggestion);
        }
        let severity = if is_error(problem) { Severity::Error } else { Severity::Warning };
        Self { severity, line: problem.position.line, column: problem.position.column, message }
    }
}

/// Whether what is said of a secret quotes none of its values: it is about the whole, or a name, or quotes nothing.
fn is_open(problem: &Problem) -> bool {
    let is_name = |key: &&str| problem.path == Path::root().key("metadata").key(key);
    problem.path.steps().is_empty()
        || ["name", "namespace"].iter().any(is_name)
        || matches!(&problem.reason, Reason::Value { message } if message == NOT_BASE64)
}

/// Everything but an unknown field: that is ignored, as the API server ignores it.
fn is_error(problem: &Problem) -> bool {
    !matches!(problem.reason, Reason::UnknownField { .. })
}

/// A field of an object, which may be absent.
struct Field<'t> {
    tree: &'t Tree,
    node: Option<NodeId>,
    path: Path,
}

fn field<'t>(tree: &'t Tree, node: NodeId, key: &str) -> Field<'t> {
    Field { tree, node: tree.get(node, key), path: Path::root().key(key) }
}

impl Field<'_> {
    fn read<T: DeserializeOwned + Default>(
        &self,
        repairs: &mut Repairs,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let Some(node) = self.node else { return Some(T::default()) };
        if matches!(self.tree.node(node).content, sluice_model::tree::Content::Null) {
            return Some(T::default());
        }
        let (value, found) = convert::convert(self.tree, node, &self.path, repairs);
        problems.extend(found);
        value
    }
}

/// Reports what stands beside the fields that every object with a `spec` has.
fn strangers(tree: &Tree, node: NodeId, problems: &mut Vec<Problem>) {
    const KNOWN: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];
    for (key, _) in tree.entries(node).unwrap_or_default() {
        let field = tree.text(*key).unwrap_or_default();
        if !KNOWN.contains(&field) {
            problems.push(Problem {
                position: tree.node(*key).position,
                path: Path::root().key(field),
                reason: Reason::UnknownField { field: field.to_owned(), expected: KNOWN },
            });
        }
    }
}

/// Drops what programs note down for themselves: it is most of an object's size, and kubectl's note repeats the object,
/// secrets included.
fn forget_bookkeeping(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Names end in keys, logs and file names, so that they are what they must be is not left to an API server.
fn check_names(metadata: &ObjectMeta, tree: &Tree, node: NodeId, problems: &mut Vec<Problem>) {
    let checks = [
        ("name", metadata.name.as_deref(), 253, true),
        ("namespace", metadata.namespace.as_deref(), 63, false),
    ];
    for (key, value, longest, dots) in checks {
        let path = Path::root().key("metadata").key(key);
        let position = tree.get(node, "metadata").map_or(tree.node(node).position, |metadata| {
            tree.node(tree.get(metadata, key).unwrap_or(metadata)).position
        });
        let reason = match value {
            None if key == "namespace" => continue,
            None => Reason::MissingField { field: "name" },
            Some(value) if is_dns_name(value, longest, dots) => continue,
            Some(value) => {
                let dots = if dots { ", `.`" } else { "" };
                let value = convert::brief(value);
                Reason::Value {
                    message: format!(
                        "`{value}` is not a {key}: use at most {longest} of a to z, 0 to 9, `-`{dots}, a letter or digit at both ends"
                    ),
                }
            }
        };
        problems.push(Problem { position, path, reason });
    }
}

/// A name as RFC 1123 has it, and Kubernetes with it.
fn is_dns_name(text: &str, longest: usize, dots: bool) -> bool {
    let label = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= longest && if dots { text.split('.').all(label) } else { label(text) }
}

// === impl Object ===

/// Shows neither metadata nor what was written where something else should be: both may repeat a secret.
impl<K: Kind> fmt::Debug for Object<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<String> = self.explained().map(|told| told.message).collect();
        out.debug_struct("Object")
            .field("name", &format_args!("{}", self.name()))
            .field("content", &self.content)
            .field("problems", &problems)
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Serialize for Object<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("apiVersion", K::API_VERSION)?;
        map.serialize_entry("kind", K::KIND)?;
        map.serialize_entry("metadata", &self.metadata)?;
        match K::LAYOUT {
            Layout::Spec => map.serialize_entry("spec", &self.content)?,
            Layout::Flat => {
                let content = serde_json::to_value(&self.content).map_err(serde::ser::Error::custom)?;
                for (key, value) in content.as_object().into_iter().flatten() {
                    map.serialize_entry(key, value)?;
                }
            }
        }
        if self.status != K::Status::default() {
            map.serialize_entry("status", &self.status)?;
        }
        map.end()
    }
}

impl<'de, K: Kind> Deserialize<'de> for Object<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Tree::deserialize(deserializer)?;
        let mut repairs = Repairs::for_api(&tree);
        match tree.root() {
            Some(root) if tree.entries(root).is_some() => Ok(Self::read(&tree, root, &mut repairs)),
            _ => Err(D::Error::custom(format_args!("not a map, so not an object of kind {}", K::KIND))),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(out, "{} {}", self.kind, self.name),
            namespace => write!(out, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}
