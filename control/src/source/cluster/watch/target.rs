//! Which objects are watched.

use super::super::kinds::Resource;
use kube::api::{ListParams, WatchParams};
use sluice_crds::ObjectName;
use std::{collections::BTreeSet, time::Duration};

/// Which objects are watched.
#[derive(Debug, Clone)]
pub(in crate::source::cluster) struct Target {
    pub(in crate::source::cluster) resource: Resource,
    /// All where absent.
    pub(in crate::source::cluster) namespace: Option<String>,
    /// `metadata.name=web`.
    pub(in crate::source::cluster) fields: Option<String>,
    pub(in crate::source::cluster) labels: Option<String>,
    /// Another one knows this object better.
    pub(in crate::source::cluster) except: Option<ObjectName>,
    /// Somebody wants to know which objects it knows.
    pub(in crate::source::cluster) reports: bool,
    /// What is known of its objects counts also when they are gone.
    pub(in crate::source::cluster) stays: bool,
}

// === impl Target ===

impl Target {
    /// All objects of a kind.
    pub(in crate::source::cluster) fn all(resource: Resource) -> Self {
        Self {
            resource,
            namespace: None,
            fields: None,
            labels: None,
            except: None,
            reports: false,
            stays: false,
        }
    }

    /// Those with these labels, and says which they are.
    pub(in crate::source::cluster) fn with_labels(self, labels: String) -> Self {
        Self { labels: Some(labels), reports: true, ..self }
    }

    /// As users know it: `secrets in namespace shop`.
    pub(in crate::source::cluster) fn label(&self) -> String {
        let mut label = self.resource.name();
        if let Some(namespace) = &self.namespace {
            label = format!("{label} in namespace {namespace}");
        }
        let selectors = self.fields.iter().chain(&self.labels);
        selectors.fold(label, |label, selector| format!("{label} with {selector}"))
    }

    /// Those of some objects that the target covers.
    pub(super) fn among<'n>(
        &'n self,
        names: &'n BTreeSet<ObjectName>,
    ) -> impl Iterator<Item = &'n ObjectName> + 'n {
        names.iter().filter(|name| {
            name.kind == self.resource.kind
                && self.namespace.as_ref().is_none_or(|namespace| name.namespace == *namespace)
        })
    }

    pub(super) fn path(&self, api: &str) -> String {
        self.resource.path(api, self.namespace.as_deref())
    }

    pub(super) fn list(&self) -> ListParams {
        ListParams {
            field_selector: self.fields.clone(),
            label_selector: self.labels.clone(),
            ..ListParams::default()
        }
    }

    /// Ends by itself after a part of the lifetime, so that not all watches end at once.
    pub(super) fn watch(&self, lifetime: Duration) -> WatchParams {
        let seconds = lifetime.as_secs().max(1);
        WatchParams {
            field_selector: self.fields.clone(),
            label_selector: self.labels.clone(),
            timeout: Some(u32::try_from(fastrand::u64(seconds.div_ceil(2)..=seconds)).unwrap_or(u32::MAX)),
            bookmarks: true,
            send_initial_events: false,
        }
    }
}
