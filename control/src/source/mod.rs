//! Where Kubernetes objects come from, and what changes there.
//!
//! A [`Source`] is asked for its first full state, and then again and again for [`News`]. News are settled: a source waits
//! until nothing changed for 20 ms, or 200 ms where changes do not end, so that what was applied together is translated
//! together. What is only part of an answer (half a list, half a file) is never told, and a source that cannot be reached has
//! no news, so nothing is lost with it.

pub(crate) mod cluster;
pub(crate) mod folder;

use cluster::Cluster;
use folder::Followed;
use sluice_crds::ObjectName;
use sluice_translate::{Change, Report};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// Where objects come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A folder of manifests.
    Folder(Box<Followed>),
    /// A Kubernetes API server.
    Cluster(Cluster),
}

/// What is new since the last time.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Objects that are other than they were.
    pub(crate) changes: Vec<Change>,
    /// Whether with these all objects that were referred to have been looked for; until then, what refers to them is not worth
    /// serving.
    pub(crate) complete: bool,
    /// What is wrong with the source now; replaces what was told before.
    pub(crate) findings: Vec<Finding>,
    /// Objects that stand in several places now; replaces what was told before.
    pub(crate) duplicates: Vec<Report>,
    /// How many files were read, where there are files.
    pub(crate) files: usize,
}

/// Something wrong with a place where objects come from, rather than with an object. Prints as `ERROR shop.yaml:3:5: ...`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file or folder, relative to the folder of manifests.
    pub(crate) file: Arc<str>,
    /// Line and column from 1, where there are any.
    pub(crate) at: Option<(usize, usize)>,
    /// What is the matter, and the way out.
    pub(crate) message: String,
}

// === impl Source ===

impl Source {
    /// The first full state, and the zone of this process's node; empty where nobody knows that.
    pub(crate) async fn first(&mut self) -> (News, String) {
        match self {
            Self::Folder(folder) => (folder.first(), String::new()),
            Self::Cluster(cluster) => cluster.first().await,
        }
    }

    /// What is new, once it has settled. Nothing is lost when this future is dropped.
    pub(crate) async fn news(&mut self) -> News {
        match self {
            Self::Folder(folder) => folder.news().await,
            Self::Cluster(cluster) => cluster.news().await,
        }
    }

    /// Names every Secret, ConfigMap and Endpoints that the objects refer to; others need not be read. Returns whether some of
    /// them are yet to be looked for: then there will be [complete](News::complete) news.
    pub(crate) fn refer(&mut self, names: BTreeSet<ObjectName>) -> bool {
        match self {
            // What is in a folder was read anyhow.
            Self::Folder(_) => false,
            Self::Cluster(cluster) => cluster.refer(names),
        }
    }
}

/// As users know it.
impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(out, "manifests in {}", folder.folder().root().display()),
            Self::Cluster(cluster) => write!(out, "objects of {}", cluster.url()),
        }
    }
}

// === impl Finding ===

impl Finding {
    /// For logs that have levels of their own.
    pub(crate) fn without_severity(&self) -> String {
        let at = self.at.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        format!("{}{at}: {}", self.file, self.message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ERROR {}", self.without_severity())
    }
}
