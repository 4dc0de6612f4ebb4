//! Objects as text: any number of YAML documents or a JSON document, with lists of objects among them.

use crate::{
    core::{ConfigMap, EndpointSlice, Endpoints, Ingress, IngressClass, Namespace, Pod, Secret, Service},
    istio::{
        AuthorizationPolicy, DestinationRule, Gateway, PeerAuthentication, RequestAuthentication,
        ServiceEntry, Sidecar, VirtualService,
    },
    object::{Kind, Object, ObjectName},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sluice_model::{
    convert::{Problem, Reason, Repairs, brief, nearest},
    tree::{self, Content, NodeId, Path, Position, Tree},
};

/// What a text holds.
#[derive(Debug, Default)]
pub struct Manifest {
    /// In the order of the text.
    pub entries: Vec<Entry>,
    /// Why the text is not YAML. Where there is anything, what a user meant is unknown, and the entries must not be used.
    pub malformed: Vec<Problem>,
}

/// One thing in a text.
#[derive(Debug)]
pub struct Entry {
    /// Where it begins.
    pub position: Position,
    /// What it is.
    pub content: EntryContent,
}

/// What stands at a place of a text.
#[derive(Debug)]
pub enum EntryContent {
    /// An object of a kind that Sluice knows.
    Object(AnyObject),
    /// An object of another kind, which is nobody's mistake.
    Other {
        /// As written.
        api_version: String,
        /// As written.
        kind: String,
    },
    /// No object: it does not say what it is, has a slip in that, or is of a version that is not known.
    Invalid(Problem),
}

/// A kind that Sluice knows.
pub trait Known: Kind {
    /// The object, if it is of this kind.
    fn of(object: &AnyObject) -> Option<&Object<Self>>;
}

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// An object of any kind that Sluice knows.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs, reason = "each variant is named after its kind")]
        pub enum AnyObject {
            // Boxed: kinds differ much in size, and there may be very many objects.
            $($kind(Box<Object<$kind>>),)*
        }

        impl AnyObject {
            /// Reads the object at a node of a tree; `None` where its kind is unknown, and the version to write instead
            /// where only that is wrong.
            fn read(
                tree: &Tree,
                node: NodeId,
                repairs: &mut Repairs,
                (group, version, kind): (&str, &str, &str),
            ) -> Result<Option<Self>, &'static str> {
                $(
                    if kind == $kind::KIND && same_group::<$kind>(group) {
                        if group != $kind::GROUP || version != $kind::VERSION && !$kind::OTHER_VERSIONS.contains(&version) {
                            return Err($kind::API_VERSION);
                        }
                        return Ok(Some(Object::<$kind>::read(tree, node, repairs).into()));
                    }
                )*
                Ok(None)
            }

            /// The kind that was probably meant where kind and group are nobody's: with its group and version.
            fn meant(group: &str, kind: &str) -> Option<(&'static str, &'static str)> {
                let ours = [$(($kind::KIND, $kind::GROUP, $kind::API_VERSION)),*];
                let of_group = ours.iter().filter(|(_, own, _)| *own == group).map(|(kind, ..)| *kind);
                let near = nearest(kind, of_group);
                ours.iter()
                    .find(|(own, own_group, _)| {
                        // The core group has none of the kinds of other groups; other groups have kinds that are called like ours.
                        let slip = || group.is_empty() || nearest(group, [*own_group]).is_some();
                        near == Some(own) || *own == kind && !own_group.is_empty() && slip()
                    })
                    .map(|(kind, _, api_version)| (*kind, *api_version))
            }

            /// Reads what an API server sent as an object of a kind, in whichever version; `None` where it is no map or the kind
            /// is unknown. What is wrong with the object becomes a problem of it.
            pub fn of_server(kind: &str, tree: &Tree) -> Option<Self> {
                let root = tree.root().filter(|root| tree.entries(*root).is_some())?;
                let mut repairs = Repairs::for_api(tree);
                $(
                    if kind == $kind::KIND {
                        return Some(Object::<$kind>::read(tree, root, &mut repairs).into());
                    }
                )*
                None
            }

            /// Its name.
            pub fn name(&self) -> ObjectName {
                match self { $(Self::$kind(object) => object.name(),)* }
            }

            /// Group and version of its kind, as Kubernetes writes them.
            pub fn api_version(&self) -> &'static str {
                match self { $(Self::$kind(_) => $kind::API_VERSION,)* }
            }

            /// Name, namespace, labels, annotations, age.
            pub fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => &object.metadata,)* }
            }

            /// What is wrong with it. See [`Object::problems`].
            pub fn problems(&self) -> &[Problem] {
                match self { $(Self::$kind(object) => &object.problems,)* }
            }

            /// See [`Object::explained`].
            pub fn explained(&self) -> Vec<crate::object::Explained> {
                match self { $(Self::$kind(object) => object.explained().collect(),)* }
            }

            /// See [`Object::is_rejected`].
            pub fn is_rejected(&self) -> bool {
                match self { $(Self::$kind(object) => object.is_rejected(),)* }
            }
        }

        impl serde::Serialize for AnyObject {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$kind(object) => object.serialize(serializer),)* }
            }
        }

        $(impl Known for $kind {
            fn of(object: &AnyObject) -> Option<&Object<Self>> {
                match object {
                    AnyObject::$kind(object) => Some(object),
                    _ => None,
                }
            }
        })*

        $(impl From<Object<$kind>> for AnyObject {
            fn from(object: Object<$kind>) -> Self {
                Self::$kind(Box::new(object))
            }
        })*
    };
}

kinds!(
    VirtualService,
    DestinationRule,
    Gateway,
    ServiceEntry,
    Sidecar,
    PeerAuthentication,
    AuthorizationPolicy,
    RequestAuthentication,
    Ingress,
    IngressClass,
    Service,
    EndpointSlice,
    Endpoints,
    Pod,
    Secret,
    ConfigMap,
    Namespace,
);

impl Manifest {
    /// Reads a text. Never fails: what is wrong is in the manifest.
    pub fn read(text: &str) -> Self {
        let mut manifest = Self::default();
        for parsed in tree::parse_documents(text) {
            manifest.malformed.extend(parsed.problems);
            let tree = parsed.tree;
            let mut repairs = Repairs::for_api(&tree);
            if let Some(root) = tree.root() {
                let reader = Reader { tree: &tree, repairs: &mut repairs, entries: &mut manifest.entries };
                reader.document(root);
            }
        }
        manifest
    }

    /// The objects of known kinds.
    pub fn objects(&self) -> impl Iterator<Item = &AnyObject> {
        self.entries.iter().filter_map(|entry| match &entry.content {
            EntryContent::Object(object) => Some(object),
            _ => None,
        })
    }
}

/// Whether a kind of this name in this group is meant to be ours: groups that Ingress and EndpointSlice had once count.
fn same_group<K: Kind>(group: &str) -> bool {
    group == K::GROUP || K::KIND == "Ingress" && group == "extensions"
}

struct Reader<'a> {
    tree: &'a Tree,
    repairs: &'a mut Repairs,
    entries: &'a mut Vec<Entry>,
}

impl Reader<'_> {
    fn document(mut self, root: NodeId) {
        // Comments between two separators are a document too.
        if !matches!(self.tree.node(root).content, Content::Null) {
            self.object(root, None);
        }
    }

    /// Reads an object, or a list of them. In a list that an API server printed, elements do not repeat what they are.
    fn object(&mut self, node: NodeId, of_list: Option<(&str, &str)>) {
        let tree = self.tree;
        if tree.entries(node).is_none() {
            let found = "a Kubernetes object is a map with `apiVersion`, `kind` and `metadata`";
            return self.invalid(node, None, Reason::Value { message: found.to_owned() });
        }
        let said = |key: &str| {
            tree.get(node, key).and_then(|value| tree.text(value)).filter(|text| !text.is_empty())
        };
        let (list_version, list_kind) = of_list.unzip();
        if of_list.is_none() && tree.get(node, "kind").is_none() && tree.get(node, "apiVersion").is_none() {
            let message = "this is no Kubernetes object: it has neither `apiVersion` nor `kind`; what else there is to keep \
                           belongs elsewhere, or in a file whose name begins with a dot";
            return self.invalid(node, None, Reason::Value { message: message.to_owned() });
        }
        let Some(kind) = said("kind").or(list_kind) else {
            return self.invalid(node, Some("kind"), Reason::MissingField { field: "kind" });
        };
        let Some(api_version) = said("apiVersion").or(list_version) else {
            return self.invalid(node, Some("apiVersion"), Reason::MissingField { field: "apiVersion" });
        };
        if let (Some(singular), Some(items)) = (kind.strip_suffix("List"), tree.get(node, "items")) {
            let of_list = (!singular.is_empty()).then_some((api_version, singular));
            for item in tree.elements(items).unwrap_or_default() {
                self.object(*item, of_list);
            }
            return;
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        match AnyObject::read(tree, node, self.repairs, (group, version, kind)) {
            Ok(Some(object)) => self.push(node, EntryContent::Object(object)),
            Ok(None) => {
                if let Some((meant, of)) = AnyObject::meant(group, kind) {
                    let key = if meant == kind { "apiVersion" } else { "kind" };
                    let (kind, api_version) = (brief(kind), brief(api_version));
                    let message = format!(
                        "there is no kind `{kind}` of `{api_version}`; did you mean `kind: {meant}` of `apiVersion: {of}`?"
                    );
                    return self.invalid(node, Some(key), Reason::Value { message });
                }
                let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
                self.push(node, EntryContent::Other { api_version, kind });
            }
            Err(instead) => {
                let message =
                    format!("{kind} has no version `{}` any more: write `{instead}`", brief(api_version));
                self.invalid(node, Some("apiVersion"), Reason::Value { message });
            }
        }
    }

    fn invalid(&mut self, node: NodeId, key: Option<&str>, reason: Reason) {
        let path = key.map_or_else(Path::root, |key| Path::root().key(key));
        let place = key.and_then(|key| self.tree.get(node, key)).unwrap_or(node);
        let position = self.tree.node(place).position;
        self.push(node, EntryContent::Invalid(Problem { position, path, reason }));
    }

    fn push(&mut self, node: NodeId, content: EntryContent) {
        self.entries.push(Entry { position: self.tree.node(node).position, content });
    }
}
