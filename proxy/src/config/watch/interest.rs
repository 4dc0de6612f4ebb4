//! What a [`Watch`](super::Watch) looks for, and what it saw of that.

use notify::{
    EventKind,
    event::{AccessKind, AccessMode, ModifyKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};
use tokio::time::Instant;

/// Links followed for one file; more is a loop.
const MAX_LINKS: usize = 40;
/// Names that are remembered; of more, it is not known which they were.
const MAX_TOUCHED: usize = 4096;

/// What happened since somebody asked last.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Names in followed folders.
    pub(super) names: BTreeSet<PathBuf>,
    /// There is more than these names.
    pub(super) more: bool,
    /// Something of it is not counted as pending yet.
    pub(super) signed: bool,
    /// Files that somebody is writing, and since when.
    pub(super) writing: BTreeMap<PathBuf, Instant>,
}

/// A name in a folder: a followed file, or a link on the way to one.
pub(super) type Entry = (PathBuf, OsString);

/// What may change.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Interest {
    pub(super) entries: BTreeSet<Entry>,
    /// Folders in which every name counts.
    pub(super) whole: BTreeSet<PathBuf>,
}

impl Touched {
    /// Anything may have happened.
    pub(super) fn all(&mut self) {
        self.more = true;
        self.signed = true;
        self.writing.clear();
    }
}

// === impl Interest ===

impl Interest {
    /// Reading is an event too, also our own.
    pub(super) fn has(&self, event: &notify::Event) -> bool {
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
            EventKind::Access(_) => return false,
            _ => {}
        }
        event.need_rescan()
            || event.paths.is_empty()
            || event.paths.iter().any(|path| {
                path.parent().is_some_and(|folder| self.whole.contains(folder)) || self.has_entry(path)
            })
    }

    pub(super) fn has_entry(&self, path: &Path) -> bool {
        path.file_name()
            .zip(path.parent())
            .is_some_and(|(name, folder)| self.entries.contains(&(folder.to_owned(), name.to_owned())))
    }

    /// Remembers what an event is about.
    pub(super) fn note(&self, event: notify::Event, touched: &mut Touched) {
        if event.need_rescan() || event.paths.is_empty() {
            touched.all();
        }
        for path in event.paths {
            match event.kind {
                EventKind::Modify(ModifyKind::Data(_)) if touched.writing.len() < MAX_TOUCHED => {
                    touched.writing.entry(path).or_insert_with(Instant::now);
                }
                EventKind::Modify(ModifyKind::Metadata(_)) => self.note_path(path, touched),
                _ => {
                    touched.writing.remove(&path);
                    self.note_path(path, touched);
                }
            }
        }
    }

    /// What a path leads to has changed.
    pub(super) fn note_path(&self, path: PathBuf, touched: &mut Touched) {
        touched.signed = true;
        if self.has_entry(&path) {
            touched.more = true;
        } else if path.parent().is_some_and(|folder| self.whole.contains(folder)) {
            touched.more |= touched.names.len() >= MAX_TOUCHED;
            if !touched.more {
                touched.names.insert(path);
            }
        }
    }

    /// Whether a followed folder itself is not what it was.
    pub(super) fn has_folder_of(&self, event: &notify::Event) -> bool {
        matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)))
            && event.paths.iter().any(|path| {
                self.whole.contains(path) || self.entries.iter().any(|(folder, _)| folder == path)
            })
    }
}

/// The folder entries that decide what a path leads to: its links, and itself or the first part of it that is missing.
pub(super) fn entries_of(file: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut at = PathBuf::new();
    let mut rest: Vec<OsString> = parts(&std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == "/" {
            at = PathBuf::from("/");
            continue;
        }
        if part == ".." {
            at.pop();
            continue;
        }
        let path = at.join(&part);
        let metadata = fs::symlink_metadata(&path);
        let link = metadata.as_ref().is_ok_and(fs::Metadata::is_symlink);
        if link || rest.is_empty() || metadata.is_err() {
            entries.push((at.clone(), part));
        }
        if metadata.is_err() {
            break;
        }
        if link {
            links += 1;
            match fs::read_link(&path) {
                Ok(target) if links <= MAX_LINKS => rest.extend(parts(&target)),
                _ => break,
            }
        } else {
            at = path;
        }
    }
    entries
}

/// The parts of a path, last first.
fn parts(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter(|component| !matches!(component, Component::CurDir))
        .map(|component| component.as_os_str().to_owned())
        .collect()
}
