//! Where the configuration comes from, and reading it.

use super::Feed;
use sluice_model::{Config, Diagnostics, Loaded, MAX_FILE_BYTES, ReadFile, Source};
use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_128;

/// The largest configuration that is read.
const MAX_CONFIG_BYTES: usize = 256 << 20;

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub enum ConfigSource {
    /// A static file. It and the secrets that it names are watched and read again on SIGHUP; relative paths in it
    /// start at its folder.
    File(PathBuf),
    /// A text that never changes (an embedded copy, a test). Files that it names are watched all the same.
    Text {
        /// What diagnostics call it.
        name: String,
        /// The YAML.
        text: String,
        /// Where relative paths in it start.
        folder: PathBuf,
    },
    /// Made by another part of the process, again and again; see [`feed`](super::feed).
    Feed(Feed),
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot read the configuration {path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the configuration is refused")]
    Refused(Diagnostics),
}

/// One attempt to read the configuration.
pub(crate) struct Attempt {
    pub(crate) result: Result<Loaded, ReadError>,
    /// Everything that was read, so that the next attempt can tell whether anything changed.
    pub(crate) contents: Contents,
    /// It only holds the place of the first one that a feed will bring.
    pub(crate) frame: bool,
}

/// What the files held: path and hash, `None` for a file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Contents(Vec<(PathBuf, Option<u128>)>);

// === impl ConfigSource ===

impl ConfigSource {
    /// Reads and checks the configuration that comes after `old`. Blocks.
    pub(crate) fn load(&self, old: Option<&Config>) -> Attempt {
        let (text, files) = match self {
            Self::Feed(feed) => return feed.load(old),
            Self::Text { name, text, folder } => {
                (Ok(Source::new(name.as_str(), text.as_str())), Files::below(folder))
            }
            Self::File(path) => Self::read(path),
        };
        let result = text.and_then(|text| sluice_model::load(&text, &files).map_err(ReadError::Refused));
        Attempt { result, contents: Contents(files.read.into_inner()), frame: false }
    }

    /// Whether its listeners come from many hands, so that one that cannot listen must not stop the others.
    pub(crate) const fn has_many_authors(&self) -> bool {
        matches!(self, Self::Feed(_))
    }

    /// Changes count from now on; to be called before the first [`load`](Self::load).
    pub(crate) fn begin(&mut self) {
        match self {
            Self::Feed(feed) => feed.begin(),
            Self::File(_) | Self::Text { .. } => {}
        }
    }

    /// The next configuration of a source that is not made of files; never, where it is.
    pub(crate) async fn changed(&mut self) {
        match self {
            Self::Feed(feed) => feed.changed().await,
            Self::File(_) | Self::Text { .. } => std::future::pending().await,
        }
    }

    fn read(path: &Path) -> (Result<Source, ReadError>, Files) {
        let files = Files::below(match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        });
        let text = files
            .read_bounded(path, MAX_CONFIG_BYTES)
            .and_then(|bytes| {
                String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            })
            .map(|text| Source::new(path.display().to_string(), text))
            .map_err(|source| ReadError::File { path: path.to_owned(), source });
        (text, files)
    }
}

// === impl Contents ===

impl Contents {
    /// The files, readable or not.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }

    /// Whether the files hold the same now. Blocks.
    pub(crate) fn still_hold(&self) -> bool {
        self.0
            .iter()
            .all(|(path, hash)| read(path, MAX_CONFIG_BYTES).ok().map(|bytes| xxh3_128(&bytes)) == *hash)
    }
}

/// Reads files and remembers what they held.
struct Files {
    folder: PathBuf,
    read: RefCell<Vec<(PathBuf, Option<u128>)>>,
}

impl Files {
    fn below(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), read: RefCell::default() }
    }

    fn read_bounded(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let bytes = read(path, limit);
        self.read.borrow_mut().push((path.to_owned(), bytes.as_ref().ok().map(|bytes| xxh3_128(bytes))));
        bytes
    }
}

impl ReadFile for Files {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.read_bounded(&self.folder.join(path), MAX_FILE_BYTES + 1)
    }
}

/// Reads a regular file; a pipe or a device could block for ever.
fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
