//! Whom a policy is about.

use crate::message::message;
use std::collections::BTreeMap;

message! {
    /// Pods with all of these labels.
    pub struct PolicySelector {
        /// Labels and their values.
        pub match_labels: BTreeMap<String, String>,
    }
}

message! {
    /// Pods with all of these labels. Another name for the field than in [`PolicySelector`].
    pub struct WorkloadSelector {
        /// Labels and their values.
        pub labels: BTreeMap<String, String>,
    }
}

message! {
    /// The object that a policy is attached to.
    pub struct PolicyTargetReference {
        /// Its group; empty for the core group.
        pub group: String,
        /// Its kind.
        pub kind: String,
        /// Its name.
        pub name: String,
        /// Its namespace. Only that of the policy works.
        pub namespace: String,
    }
}
