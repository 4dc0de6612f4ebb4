//! One file of manifests: what it held when it was last good.

use super::{Finding, tree::Stamp};
use sluice_crds::{AnyObject, Manifest, manifest::EntryContent, object::Explained};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// The times of files are no finer than this: a file that changed so shortly before it was read may change again without
/// another time.
const TICK: Duration = Duration::from_millis(50);

/// An object and the line where it begins.
pub(super) type Found = (AnyObject, usize);

/// What was read of a file.
#[derive(Debug)]
pub(super) struct Reading {
    /// As it was before reading.
    pub(super) stamp: Stamp,
    /// Whether another stamp comes with every later change.
    pub(super) settled: bool,
    /// Hash of the content, where it could be read.
    pub(super) hash: Option<u128>,
}

/// What a file holds.
pub(super) type Content = Result<(Vec<Found>, Vec<Finding>), Vec<Finding>>;

impl Reading {
    /// Reads a file; nothing comes of it where it holds what it held `before`. An error of the content leaves what was
    /// known of the file in force.
    pub(super) fn of(
        root: &Path,
        path: &Path,
        stamp: Stamp,
        before: Option<u128>,
    ) -> (Self, Option<Content>) {
        let now = SystemTime::now();
        let name: Arc<str> = path.to_string_lossy().into();
        let fail = |message: String| Err(vec![Finding { file: name.clone(), at: None, message }]);
        let bytes = match read(&root.join(path)) {
            Ok(bytes) => bytes,
            Err(error) => {
                let reading = Self { stamp, settled: false, hash: None };
                return (reading, Some(fail(format!("it cannot be read: {error}"))));
            }
        };
        let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
        let reading = Self { stamp, settled: is_settled(stamp, now), hash: Some(hash) };
        if before == Some(hash) {
            return (reading, None);
        }
        let content = match String::from_utf8(bytes) {
            Ok(text) => parse(&name, &text),
            Err(_) => fail("it is not UTF-8; the objects that it had stay".to_owned()),
        };
        (reading, Some(content))
    }
}

/// The objects of a text, each with its line, and what in it is no object.
pub(super) fn parse(name: &Arc<str>, text: &str) -> Content {
    let finding = |explained: Explained| Finding {
        file: name.clone(),
        at: Some((explained.line, explained.column)),
        message: explained.message,
    };
    let manifest = Manifest::read(text);
    if !manifest.malformed.is_empty() {
        let told = manifest.malformed.iter().map(|problem| finding(Explained::new(problem, true)));
        return Err(told.collect());
    }
    let (mut objects, mut findings) = (Vec::new(), Vec::new());
    for entry in manifest.entries {
        match entry.content {
            EntryContent::Object(object) => objects.push((object, entry.position.line)),
            EntryContent::Other { .. } => {}
            EntryContent::Invalid(problem) => findings.push(finding(Explained::new(&problem, true))),
        }
    }
    Ok((objects, findings))
}

fn is_settled(stamp: Stamp, now: SystemTime) -> bool {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, nanos) = stamp.changed;
    let changed = u64::try_from(seconds)
        .ok()
        .zip(u32::try_from(nanos).ok())
        .map_or(Duration::MAX, |(seconds, nanos)| Duration::new(seconds, nanos));
    changed.checked_add(TICK).is_some_and(|then| then < now)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    Ok(bytes)
}
