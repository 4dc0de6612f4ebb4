//! One file of manifests: what it held when it was last good.

use super::{Finding, tree::Stamp};
use sluice_crds::{AnyObject, Kind, Manifest, core::Secret, manifest::EntryContent, object::Explained};
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

/// For so long an empty file counts as one that is about to be written; then it holds nothing.
const EMPTY: Duration = Duration::from_secs(2);

/// What a file holds.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) objects: Vec<Found>,
    pub(super) findings: Vec<Finding>,
    pub(super) others: Others,
}

/// What becomes of objects that a file had when it was last good, and has not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// They were removed.
    Go,
    /// One of them may be what cannot be understood now.
    Stay,
    /// The file is empty, as files are that somebody is about to write: they stay for a moment.
    StayForNow,
}

impl Reading {
    /// Reads a file; nothing comes of it where it holds what it held `before`.
    pub(super) fn of(
        root: &Path,
        path: &Path,
        stamp: Stamp,
        before: Option<u128>,
    ) -> (Self, Option<Content>) {
        let now = SystemTime::now();
        let name: Arc<str> = path.to_string_lossy().into();
        let fail = |message: String| Content::broken(vec![Finding { file: name.clone(), at: None, message }]);
        let bytes = match read(&root.join(path)) {
            Ok(bytes) => bytes,
            Err(error) => {
                let reading = Self { stamp, settled: false, hash: None };
                return (reading, Some(fail(format!("it cannot be read: {error}"))));
            }
        };
        let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
        let reading = Self { stamp, settled: is_older(stamp, TICK, now), hash: Some(hash) };
        if before == Some(hash) {
            return (reading, None);
        }
        let content = match String::from_utf8(bytes) {
            Ok(text) => parse(&name, &text),
            Err(_) => fail("it is not UTF-8".to_owned()),
        };
        (reading, Some(content))
    }

    /// Whether the file has been as it is for longer than somebody takes who writes an empty file anew.
    pub(super) fn is_old(&self) -> bool {
        is_older(self.stamp, EMPTY, SystemTime::now())
    }
}

impl Content {
    fn broken(findings: Vec<Finding>) -> Self {
        Self { objects: Vec::new(), findings, others: Others::Stay }
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
        // Where the text is no YAML, nobody knows which of it is the value of a secret.
        let redact = text.contains(Secret::KIND);
        let told = manifest.malformed.iter().map(|problem| finding(Explained::new(problem, redact)));
        return Content::broken(told.collect());
    }
    let empty = manifest.entries.is_empty();
    let (mut objects, mut findings) = (Vec::new(), Vec::new());
    for entry in manifest.entries {
        match entry.content {
            EntryContent::Object(object) => objects.push((object, entry.position.line)),
            EntryContent::Other { .. } => {}
            EntryContent::Invalid(problem) => findings.push(finding(Explained::new(&problem, false))),
        }
    }
    let others = match (findings.is_empty(), empty) {
        (false, _) => Others::Stay,
        (true, true) => Others::StayForNow,
        (true, false) => Others::Go,
    };
    Content { objects, findings, others }
}

/// Whether what changed last did so longer ago than this.
fn is_older(stamp: Stamp, age: Duration, now: SystemTime) -> bool {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, nanos) = stamp.changed;
    let changed = u64::try_from(seconds)
        .ok()
        .zip(u32::try_from(nanos).ok())
        .map_or(Duration::MAX, |(seconds, nanos)| Duration::new(seconds, nanos));
    changed.checked_add(age).is_some_and(|then| then < now)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    Ok(bytes)
}
