//! The objects as they are now.

use crate::reads::Read;
use sluice_crds::{
    AnyObject, Known, Object, ObjectName,
    core::{EndpointSlice, SERVICE_NAME_LABEL},
    object::Kind,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::{Bound, Deref},
    sync::Arc,
};

/// Every object that may matter, by name, each with its age and the place where it was read.
#[derive(Debug, Default)]
pub struct Store {
    objects: BTreeMap<ObjectName, Held>,
    /// Names of slices by namespace and service.
    slices: HashMap<(String, String), BTreeSet<ObjectName>>,
}

/// An object and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    object: Arc<AnyObject>,
    age: Age,
    place: Option<Place>,
}

/// The age of an object: when it was created and, where that is not known or the same, its place among the files. The
/// older one is the lesser one. Rules that break ties in another way compare [`Age::created`] and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Age {
    /// Nanoseconds since 1970; the greatest number where it is not known.
    pub created: i128,
    /// Its place among the objects of all files.
    pub order: u64,
}

/// Where an object stands in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as users know it.
    pub file: Arc<str>,
    /// The line where the object begins, from 1.
    pub line: usize,
}

/// A change of one object.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is new, or other than before.
    Put(Held),
    /// It is gone.
    Delete(ObjectName),
}

/// An object of a kind in the store.
#[derive(Debug)]
pub struct Of<'s, K: Kind> {
    held: &'s Held,
    object: &'s Object<K>,
}

// === impl Held ===

impl Held {
    /// An object. `order` is its place among the objects of all files, and means nothing for what a server sent.
    pub fn new(object: AnyObject, place: Option<Place>, order: u64) -> Self {
        let created = object.metadata().creation_timestamp.as_ref().map(|time| time.0.as_nanosecond());
        Self { age: Age { created: created.unwrap_or(i128::MAX), order }, object: Arc::new(object), place }
    }

    /// The same object at another place among the objects of all files.
    #[must_use]
    pub fn in_order(&self, order: u64) -> Self {
        Self { age: Age { order, ..self.age }, ..self.clone() }
    }

    /// The object.
    pub fn object(&self) -> &AnyObject {
        &self.object
    }

    /// Whether both hold one and the same object, not just equal ones.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.object, &other.object) && self.place == other.place
    }

    /// When it was created.
    pub fn age(&self) -> Age {
        self.age
    }

    /// Where it stands; `None` for what a server sent.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

// === impl Store ===

impl Store {
    /// Takes a change. What was read of the store before, and would be read differently now, is told to `touched`.
    pub(crate) fn apply(&mut self, change: Change, mut touched: impl FnMut(Read)) {
        let (name, new) = match change {
            Change::Put(held) => (held.object.name(), Some(held)),
            Change::Delete(name) => (name, None),
        };
        let old = match &new {
            Some(new) => {
                let old = self.objects.insert(name.clone(), new.clone());
                if old.as_ref() == Some(new) {
                    return;
                }
                old
            }
            None => match self.objects.remove(&name) {
                None => return,
                old => old,
            },
        };
        touched(Read::All(name.kind));
        if let Some(service) = old.as_ref().and_then(owner) {
            touched(Read::slices(&service.0, &service.1));
            if let Some(names) = self.slices.get_mut(&service) {
                names.remove(&name);
                if names.is_empty() {
                    self.slices.remove(&service);
                }
            }
        }
        if let Some(service) = new.as_ref().and_then(owner) {
            touched(Read::slices(&service.0, &service.1));
            self.slices.entry(service).or_default().insert(name.clone());
        }
        touched(Read::within(name.kind, &name.namespace));
        touched(Read::Object(name));
    }

    /// The object of this name, whatever is wrong with it.
    pub fn held(&self, name: &ObjectName) -> Option<&Held> {
        self.objects.get(name)
    }

    /// Every object, by kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Held> {
        self.objects.values()
    }

    /// The object of this name; `None` also where it was rejected.
    pub(crate) fn get<K: Known>(&self, namespace: &str, name: &str) -> Option<Of<'_, K>> {
        Of::new(self.objects.get(&ObjectName {
            kind: K::KIND,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })?)
    }

    /// All objects of a kind, without those that were rejected, by namespace and name.
    pub(crate) fn all<K: Known>(&self) -> impl Iterator<Item = Of<'_, K>> {
        self.of_kind::<K>("").filter_map(|(_, held)| Of::new(held))
    }

    /// The same with those that were rejected.
    pub(crate) fn written<K: Kind>(&self) -> impl Iterator<Item = &Held> + use<'_, K> {
        self.of_kind::<K>("").map(|(_, held)| held)
    }

    /// All objects of a kind in a namespace, without those that were rejected, by name.
    pub(crate) fn in_namespace<K: Known>(&self, namespace: &str) -> Vec<Of<'_, K>> {
        self.of_kind::<K>(namespace)
            .take_while(|(name, _)| name.namespace == namespace)
            .filter_map(|(_, held)| Of::new(held))
            .collect()
    }

    /// The same with those that were rejected.
    pub(crate) fn written_in_namespace<K: Kind>(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = &Held> + use<'_, K> {
        let namespace = namespace.to_owned();
        self.of_kind::<K>(&namespace)
            .take_while(move |(name, _)| name.namespace == namespace)
            .map(|(_, held)| held)
    }

    fn of_kind<K: Kind>(&self, namespace: &str) -> impl Iterator<Item = (&ObjectName, &Held)> + use<'_, K> {
        let first = ObjectName { kind: K::KIND, namespace: namespace.to_owned(), name: String::new() };
        self.objects
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(|(name, _)| name.kind == K::KIND)
    }

    /// The slices of a service, by name.
    pub(crate) fn slices(
        &self,
        namespace: &str,
        service: &str,
    ) -> impl Iterator<Item = Of<'_, EndpointSlice>> {
        let names = self.slices.get(&(namespace.to_owned(), service.to_owned()));
        names.into_iter().flatten().filter_map(|name| Of::new(self.objects.get(name)?))
    }
}

/// The service that a slice belongs to.
fn owner(held: &Held) -> Option<(String, String)> {
    let slice = EndpointSlice::of(&held.object)?;
    let service = slice.metadata.labels.as_ref()?.get(SERVICE_NAME_LABEL)?;
    Some((slice.metadata.namespace.clone().unwrap_or_default(), service.clone()))
}

// === impl Of ===

impl<'s, K: Known> Of<'s, K> {
    pub(crate) fn new(held: &'s Held) -> Option<Self> {
        let object = K::of(&held.object)?;
        (!object.is_rejected()).then_some(Self { held, object })
    }

    /// When it was created.
    pub fn age(&self) -> Age {
        self.held.age
    }

    /// The object of whatever kind, as reports want it.
    pub fn held(&self) -> &'s Held {
        self.held
    }

    /// The object, for as long as the store does not change.
    pub fn object(&self) -> &'s Object<K> {
        self.object
    }

    /// Its namespace; empty for kinds that have none.
    pub fn namespace(&self) -> &'s str {
        self.object.metadata.namespace.as_deref().unwrap_or_default()
    }
}

#[allow(clippy::expl_impl_clone_on_copy, reason = "derived, it would ask the kind to be `Copy`")]
impl<K: Kind> Clone for Of<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kind> Copy for Of<'_, K> {}

impl<K: Kind> Deref for Of<'_, K> {
    type Target = Object<K>;

    fn deref(&self) -> &Object<K> {
        self.object
    }
}
