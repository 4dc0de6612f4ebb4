//! What a translation looked at, so that it is made again when that changes, and only then.

use crate::store::{Held, Of, Store};
use sluice_crds::{
    Kind, Known, ObjectName,
    core::{ConfigMap, EndpointSlice, Endpoints, Secret},
};
use std::{cell::RefCell, collections::HashSet};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Read {
    /// An object, there or not.
    Object(ObjectName),
    /// The slices of a service.
    Slices {
        /// Of the service.
        namespace: String,
        /// Of the service.
        service: String,
    },
    /// The objects of a kind in a namespace.
    Within {
        /// The kind.
        kind: &'static str,
        /// The namespace.
        namespace: String,
    },
    /// All objects of a kind.
    All(&'static str),
}

/// The store, seen by the translation of one unit.
#[derive(Debug)]
pub(crate) struct View<'s> {
    store: &'s Store,
    reads: RefCell<HashSet<Read>>,
}

// === impl Read ===

impl Read {
    pub(crate) fn slices(namespace: &str, service: &str) -> Self {
        Self::Slices { namespace: namespace.to_owned(), service: service.to_owned() }
    }

    pub(crate) fn within(kind: &'static str, namespace: &str) -> Self {
        Self::Within { kind, namespace: namespace.to_owned() }
    }

    /// The object, where it is of a kind of which only those are to be read that something refers to.
    pub(crate) fn reference(&self) -> Option<&ObjectName> {
        const KINDS: [&str; 3] = [ConfigMap::KIND, Endpoints::KIND, Secret::KIND];
        match self {
            Self::Object(name) if KINDS.contains(&name.kind) => Some(name),
            _ => None,
        }
    }
}

// === impl View ===

impl<'s> View<'s> {
    pub(crate) fn new(store: &'s Store) -> Self {
        Self { store, reads: RefCell::default() }
    }

    /// What was looked at.
    pub(crate) fn into_reads(self) -> HashSet<Read> {
        self.reads.into_inner()
    }

    /// The object of this name; `None` also where it was rejected.
    pub(crate) fn get<K: Known>(&self, namespace: &str, name: &str) -> Option<Of<'s, K>> {
        let read = ObjectName { kind: K::KIND, namespace: namespace.to_owned(), name: name.to_owned() };
        self.reads.borrow_mut().insert(Read::Object(read));
        self.store.get(namespace, name)
    }

    /// All objects of a kind: the unit is made again whenever any of them changes.
    pub(crate) fn all<K: Known>(&self) -> impl Iterator<Item = Of<'s, K>> + use<'s, K> {
        self.reads.borrow_mut().insert(Read::All(K::KIND));
        self.store.all()
    }

    /// One of the objects of a kind, for those who asked for [all](Self::all) of them before and will be told of each that
    /// changes.
    pub(crate) fn among_all<K: Known>(&self, namespace: &str, name: &str) -> Option<Of<'s, K>> {
        self.store.get(namespace, name)
    }

    /// All of them, also those that were rejected.
    pub(crate) fn written<K: Known>(&self) -> impl Iterator<Item = &'s Held> + use<'s, K> {
        self.reads.borrow_mut().insert(Read::All(K::KIND));
        self.store.written::<K>()
    }

    /// Those of a namespace, also those that were rejected, by name.
    pub(crate) fn written_within<K: Known>(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = &'s Held> + use<'s, K> {
        self.reads.borrow_mut().insert(Read::within(K::KIND, namespace));
        self.store.written_in_namespace::<K>(namespace)
    }

    /// The slices of a service, by name.
    pub(crate) fn slices(&self, namespace: &str, service: &str) -> Vec<Of<'s, EndpointSlice>> {
        self.reads.borrow_mut().insert(Read::slices(namespace, service));
        self.store.slices(namespace, service).collect()
    }

    /// The objects of a kind in a namespace, by name.
    pub(crate) fn within<K: Known>(&self, namespace: &str) -> Vec<Of<'s, K>> {
        self.reads.borrow_mut().insert(Read::within(K::KIND, namespace));
        self.store.in_namespace(namespace)
    }
}
