//! Which files and folders there are below a folder.

use super::Finding;
use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Files below one folder; more are reported and left out.
pub(super) const MAX_FILES: usize = 100_000;
/// Folders below one folder.
const MAX_FOLDERS: usize = 10_000;
/// Folders in folders.
const MAX_DEPTH: usize = 32;

/// What is below a folder at one time.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Manifests by their path below the root, in the order that decides between them.
    pub(super) files: BTreeMap<PathBuf, Stamp>,
    /// Folders, by the path that they really have, each once, with their path below the root.
    pub(super) folders: BTreeMap<PathBuf, PathBuf>,
    /// Links that lead to manifests or folders of manifests.
    pub(super) links: Vec<PathBuf>,
    /// Folders, below the root, that cannot be looked into now: what was known of them still holds.
    pub(super) unreadable: Vec<PathBuf>,
    pub(super) findings: Vec<Finding>,
}

/// What tells that a file may hold something else: which file it is, its size, and when it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
    /// Also moves when somebody sets the other time back.
    pub(super) changed: (i64, i64),
}

/// Looks at everything below `root`. Fails where `root` itself is no folder that can be read.
pub(super) fn walk(root: &Path) -> io::Result<Tree> {
    let mut walk = Walk { tree: Tree::default(), seen: HashSet::new(), full: false };
    let entries = sorted(root)?;
    let metadata = fs::metadata(root)?;
    walk.seen.insert((metadata.dev(), metadata.ino()));
    walk.tree.folders.insert(fs::canonicalize(root)?, PathBuf::new());
    walk.folder(Path::new(""), entries, 0);
    Ok(walk.tree)
}

struct Walk {
    tree: Tree,
    /// Folders by device and inode: links may lead to the same one again, or in circles.
    seen: HashSet<(u64, u64)>,
    /// There were too many files, and that was said.
    full: bool,
}

impl Walk {
    fn folder(&mut self, below: &Path, entries: Vec<fs::DirEntry>, depth: usize) {
        for entry in entries {
            let path = below.join(entry.file_name());
            let full = entry.path();
            let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            match fs::metadata(&full) {
                Ok(metadata) if metadata.is_dir() => {
                    if link {
                        self.tree.links.push(full.clone());
                    }
                    self.subfolder(path, &full, &metadata, depth + 1);
                }
                Ok(metadata) if is_manifest(&path) => {
                    if link {
                        self.tree.links.push(full);
                    }
                    self.file(path, &metadata);
                }
                Ok(_) => {}
                // Removed since it was listed: the watch will tell.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !link => {}
                Err(error) if is_manifest(&path) => {
                    self.tree.links.extend(link.then_some(full));
                    self.say(&path, format!("it cannot be read: {error}"));
                    self.tree.unreadable.push(path);
                }
                Err(_) => {}
            }
        }
    }

    fn subfolder(&mut self, path: PathBuf, full: &Path, metadata: &fs::Metadata, depth: usize) {
        if !self.seen.insert((metadata.dev(), metadata.ino())) {
            return;
        }
        if depth > MAX_DEPTH || self.tree.folders.len() >= MAX_FOLDERS {
            let limit = format!("{MAX_DEPTH} folders in each other and {MAX_FOLDERS} in all");
            return self.say(&path, format!("it is not looked into: {limit} are the limit"));
        }
        let listed = sorted(full).and_then(|entries| Ok((entries, fs::canonicalize(full)?)));
        match listed {
            Ok((entries, real)) => {
                self.tree.folders.insert(real, path.clone());
                self.folder(&path, entries, depth);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                self.say(&path, format!("it cannot be looked into: {error}"));
                self.tree.unreadable.push(path);
            }
        }
    }

    fn file(&mut self, path: PathBuf, metadata: &fs::Metadata) {
        if !metadata.is_file() {
            self.say(&path, "it is no file: a pipe or a device is not read".to_owned());
        } else if self.tree.files.len() >= MAX_FILES {
            if !self.full {
                self.full = true;
                self.say(
                    &path,
                    format!("this file and those after it are left out: {MAX_FILES} are the limit"),
                );
            }
        } else {
            self.tree.files.insert(path, Stamp::of(metadata));
        }
    }

    fn say(&mut self, path: &Path, message: String) {
        self.tree.findings.push(Finding { file: path.to_string_lossy().into(), at: None, message });
    }
}

/// What does not begin with a dot, by name.
fn sorted(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry);
        }
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

pub(super) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}

impl Stamp {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
