//! Objects from a folder of manifests.
//!
//! ```text
//! tree: which files there are ─▶ file: what each holds, read again when it changed ─▶ folder: one object a name ─▶ changes
//! ```
//!
//! Every `.yaml`, `.yml` and `.json` below the folder counts, with any number of objects in it; names that begin with a dot
//! do not, so that the `..data` links of mounted ConfigMaps and the swap files of editors are left alone, while links are
//! followed. What is wrong with a file is a [`Finding`] and leaves the last good objects of that file in force.

mod file;
mod folder;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use folder::{Folder, Scan};

use std::{fmt, sync::Arc};

/// Something wrong with a file, rather than with an object in it. Prints as `ERROR shop.yaml:3:5: ...`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file or folder, relative to the folder of manifests.
    pub(crate) file: Arc<str>,
    /// Line and column from 1, where there are any.
    pub(crate) at: Option<(usize, usize)>,
    /// What is the matter, and the way out.
    pub(crate) message: String,
}

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
