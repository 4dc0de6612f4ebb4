//! Objects from a folder of manifests.
//!
//! ```text
//! tree: which files there are ─▶ file: what each holds, read again when it changed ─▶ contents: one object a name ─▶ changes
//! ```
//!
//! Every `.yaml`, `.yml` and `.json` below the folder counts, with any number of objects in it; names that begin with a dot
//! do not, so that the `..data` links of mounted ConfigMaps and the swap files of editors are left alone, while links are
//! followed. What is wrong with a file is a [`Finding`] and leaves the last good objects of that file in force, or where single
//! documents are wrong, the objects that stood there before. A file that somebody is writing (`sluice_proxy::Watch` knows) is
//! left alone until it is closed, or for ten seconds; one that is empty afterwards has no objects, two seconds later.

mod contents;
mod file;
mod followed;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use contents::{Folder, Scan, Watched};
pub(crate) use followed::Followed;

use super::Finding;
