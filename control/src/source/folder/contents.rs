//! A folder of manifests over time: what changed since it was last looked at.

use super::{
    Finding,
    file::{self, Content, Found, Others, Reading},
    tree::{self, Stamp, Tree},
};
use sluice_crds::ObjectName;
use sluice_translate::{Change, Held, Level, Place, Reason, Report};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of all files together.
const MAX_BYTES: u64 = 1 << 30;
/// Between the ranks of two files that were found together, so that files may come between them later.
const RANK_GAP: u64 = 1 << 20;
/// Objects of one file that are told apart by their order in it.
const OBJECTS: u64 = 1 << 20;

/// A folder of manifests. [`Folder::scan`] looks at everything and reads the files whose stamp is another one;
/// [`Folder::look_at`] looks at a few names only.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// Only objects of this namespace count, and those that have none.
    namespace: Option<String>,
    files: BTreeMap<PathBuf, Known>,
    /// Objects by name, in the order of files and of documents in them. The first is in force.
    claims: HashMap<ObjectName, Vec<(u64, Held)>>,
    /// Names that stand in several places.
    contested: BTreeSet<ObjectName>,
    /// Files with which something is wrong.
    flawed: BTreeSet<PathBuf>,
    /// Files that may have changed again unseen.
    unsettled: BTreeSet<PathBuf>,
    /// Bytes of all files together.
    bytes: u64,
    /// As everything was seen last: folders by their real paths, and what is wrong with them.
    folders: BTreeMap<PathBuf, PathBuf>,
    astray: Vec<Finding>,
    /// Files that somebody is writing, by their real paths.
    written: BTreeSet<PathBuf>,
}

/// What is known of a file.
#[derive(Debug)]
struct Known {
    /// Files that come later in the order have higher ones.
    rank: u64,
    reading: Reading,
    /// Names and orders of the objects that it had when it was last good.
    objects: Vec<(ObjectName, u64)>,
    findings: Vec<Finding>,
}

/// What a look at the folder came to.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// What is other than it was.
    pub(crate) changes: Vec<Change>,
    /// What is wrong with files now.
    pub(crate) findings: Vec<Finding>,
    /// Objects that stand in several places now.
    pub(crate) duplicates: Vec<Report>,
    /// What to watch; `None` where it is the same as before.
    pub(crate) watched: Option<Watched>,
    /// How many files there are.
    pub(crate) files: usize,
    /// Something changed so shortly ago that it may change again without leaving a trace: look again soon.
    pub(crate) look_again: bool,
}

/// A name is that of a folder or a link, or of something in a folder that nobody knows.
struct Unclear;

/// What tells of changes of a folder.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Folders, by their real paths.
    pub(crate) folders: Vec<PathBuf>,
    /// The way to the root, and links that lead out of watched folders.
    pub(crate) links: Vec<PathBuf>,
}

impl Folder {
    /// Nothing is read yet.
    pub(crate) fn new(root: PathBuf, namespace: Option<String>) -> Self {
        Self {
            root,
            namespace,
            files: BTreeMap::new(),
            claims: HashMap::new(),
            contested: BTreeSet::new(),
            flawed: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            bytes: 0,
            folders: BTreeMap::new(),
            astray: Vec::new(),
            written: BTreeSet::new(),
        }
    }

    /// Leaves these files alone, as somebody is writing them; not any more those that were named before.
    pub(super) fn leave(&mut self, written: BTreeSet<PathBuf>) {
        self.written = written;
    }

    /// The folder, as it was named.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A text that stands for a whole folder, with the name that reports give it.
    pub(crate) fn of_text(name: &str, text: &str, namespace: Option<String>) -> Scan {
        let mut folder = Self::new(PathBuf::new(), namespace);
        let Content { objects, findings, .. } = file::parse(&name.into(), text);
        let mut touched = BTreeSet::new();
        folder.claim(Path::new(name), RANK_GAP, objects, &mut touched);
        Scan {
            changes: folder.changes(touched),
            findings,
            duplicates: folder.duplicates(),
            files: 1,
            ..Scan::default()
        }
    }

    /// Looks at everything. Fails where the folder cannot be read as a whole; everything that was known stays.
    pub(crate) fn scan(&mut self) -> io::Result<Scan> {
        let mut tree = tree::walk(&self.root)?;
        keep_within_bounds(&mut tree);
        let mut touched = BTreeSet::new();
        self.forget_absent(&tree, &mut touched);
        let ranks = self.ranks(tree.files.keys(), &mut touched);
        let is_written = |path: &Path| {
            self.written.iter().any(|written| {
                let below = written.parent().and_then(|folder| tree.folders.get(folder));
                below.zip(written.file_name()).is_some_and(|(below, name)| below.join(name) == path)
            })
        };
        let at_rest: Vec<_> = tree.files.iter().filter(|(path, _)| !is_written(path)).collect();
        for (path, stamp) in at_rest {
            self.look_at_file(path, *stamp, ranks.get(path).copied(), &mut touched);
        }
        self.bytes = tree.files.values().map(|stamp| stamp.size).sum();
        self.astray = tree.findings;
        self.folders = tree.folders;
        let mut links = tree.links;
        links.push(self.root.clone());
        let watched = Watched { folders: self.folders.keys().cloned().collect(), links };
        Ok(Scan { watched: Some(watched), ..self.told(touched) })
    }

    /// Looks at these names, in folders as [`Watched::folders`] has them, and at files that may have changed again since they
    /// were read. `None` where that does not settle it and everything has to be looked at: a folder or a link is concerned,
    /// or there is no room for a new file in the order of all.
    pub(crate) fn look_at(&mut self, names: &BTreeSet<PathBuf>) -> Option<Scan> {
        if !self.astray.is_empty() {
            return None;
        }
        let mut stamps: BTreeMap<PathBuf, Option<Stamp>> = BTreeMap::new();
        for name in names {
            let Some(file) = self.file(name).ok()?.filter(|_| !self.written.contains(name)) else { continue };
            let stamp = match fs::symlink_metadata(name) {
                Ok(metadata) if metadata.is_file() => Some(Stamp::of(&metadata)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                _ => return None,
            };
            stamps.insert(file, stamp);
        }
        let written = self.written.iter().filter_map(|name| self.file(name).ok()?);
        let written: BTreeSet<PathBuf> = written.collect();
        for file in &self.unsettled {
            if !stamps.contains_key(file) && !written.contains(file) {
                let metadata = fs::metadata(self.root.join(file)).ok()?;
                stamps.insert(file.clone(), Some(Stamp::of(&metadata)));
            }
        }
        let size = |stamp: &Option<Stamp>| stamp.map_or(0, |stamp| stamp.size);
        let before = stamps.keys().filter_map(|file| self.files.get(file));
        let before: u64 = before.map(|known| known.reading.stamp.size).sum();
        let bytes = self.bytes.saturating_sub(before) + stamps.values().map(size).sum::<u64>();
        if bytes > MAX_BYTES {
            return None;
        }
        let came =
            |(file, stamp): &(&PathBuf, &Option<Stamp>)| stamp.is_some() && !self.files.contains_key(*file);
        let ranks = self.ranks_between(stamps.iter().filter(came).map(|(file, _)| file))?;
        self.bytes = bytes;
        let mut touched = BTreeSet::new();
        for (file, stamp) in stamps {
            match stamp {
                Some(stamp) => self.look_at_file(&file, stamp, ranks.get(&file).copied(), &mut touched),
                None => self.forget(&file, &mut touched),
            }
        }
        Some(self.told(touched))
    }

    /// The manifest, below the root, that a name may be; `None` where it is none, and nothing else that counts.
    fn file(&self, name: &Path) -> Result<Option<PathBuf>, Unclear> {
        let folder = name.parent().and_then(|folder| self.folders.get(folder)).ok_or(Unclear)?;
        let last = name.file_name().ok_or(Unclear)?;
        if last.as_encoded_bytes().starts_with(b".") {
            return Ok(None);
        }
        let file = folder.join(last);
        if tree::is_manifest(&file) && !self.folders.contains_key(name) {
            return Ok(Some(file));
        }
        let is_file = fs::symlink_metadata(name).is_ok_and(|metadata| metadata.is_file());
        if is_file { Ok(None) } else { Err(Unclear) }
    }

    /// What there is to tell when these objects may be other than they were.
    fn told(&self, touched: BTreeSet<ObjectName>) -> Scan {
        let flawed = self.flawed.iter().filter_map(|file| self.files.get(file));
        let flaws = flawed.flat_map(|known| known.findings.iter());
        Scan {
            changes: self.changes(touched),
            findings: self.astray.iter().chain(flaws).cloned().collect(),
            duplicates: self.duplicates(),
            watched: None,
            files: self.files.len(),
            look_again: !self.unsettled.is_empty(),
        }
    }

    /// Reads a file if it may hold something else than it did. `rank` is that of a new one.
    fn look_at_file(
        &mut self,
        path: &Path,
        stamp: Stamp,
        rank: Option<u64>,
        touched: &mut BTreeSet<ObjectName>,
    ) {
        let known = self.files.get(path);
        if known.is_some_and(|known| known.reading.stamp == stamp && known.reading.settled) {
            return;
        }
        let Some(rank) = known.map(|known| known.rank).or(rank) else { return };
        let before = known.and_then(|known| known.reading.hash);
        let (reading, content) = Reading::of(&self.root, path, stamp, before);
        self.take(path, rank, reading, content, touched);
    }

    /// A file is gone.
    fn forget(&mut self, path: &Path, touched: &mut BTreeSet<ObjectName>) {
        self.flawed.remove(path);
        self.unsettled.remove(path);
        if let Some(known) = self.files.remove(path) {
            self.disclaim(known.objects, touched);
        }
    }

    /// The objects in force.
    #[cfg(test)]
    pub(super) fn objects(&self) -> impl Iterator<Item = &Held> {
        self.claims.values().filter_map(|claims| claims.first()).map(|(_, held)| held)
    }

    /// Drops files that are gone; those in folders that cannot be looked into are only out of sight.
    fn forget_absent(&mut self, tree: &Tree, touched: &mut BTreeSet<ObjectName>) {
        let gone: Vec<PathBuf> = self
            .files
            .keys()
            .filter(|path| !tree.files.contains_key(*path))
            .filter(|path| !tree.unreadable.iter().any(|folder| path.starts_with(folder)))
            .cloned()
            .collect();
        for path in gone {
            self.forget(&path, touched);
        }
    }

    /// The place of each file in the order of all. Files keep theirs, unless there is no room for another between them.
    fn ranks<'p>(
        &mut self,
        paths: impl Iterator<Item = &'p PathBuf>,
        touched: &mut BTreeSet<ObjectName>,
    ) -> HashMap<PathBuf, u64> {
        let mut all: BTreeMap<&PathBuf, Option<u64>> = paths.map(|path| (path, None)).collect();
        let known = self.files.iter().map(|(path, known)| (path, Some(known.rank)));
        all.extend(known);
        let places: Vec<Option<u64>> = all.values().copied().collect();
        let ranks = fill(&places);
        let ranks: HashMap<PathBuf, u64> = all.into_keys().cloned().zip(ranks).collect();
        let mut moved = HashMap::new();
        for (path, known) in &mut self.files {
            let rank = ranks[path];
            if known.rank != rank {
                moved.insert(known.rank, rank);
                known.rank = rank;
                known.objects.iter_mut().for_each(|(_, order)| *order = rank * OBJECTS + *order % OBJECTS);
            }
        }
        for (name, claims) in self.claims.iter_mut().filter(|_| !moved.is_empty()) {
            for (order, held) in claims {
                if let Some(rank) = moved.get(&(*order / OBJECTS)) {
                    *order = rank * OBJECTS + *order % OBJECTS;
                    *held = held.in_order(*order);
                    touched.insert(name.clone());
                }
            }
        }
        ranks
    }

    /// The places of new files, which come in order, between those that are there; `None` where there is no room.
    fn ranks_between<'p>(&self, new: impl Iterator<Item = &'p PathBuf>) -> Option<HashMap<PathBuf, u64>> {
        let mut gaps: BTreeMap<(u64, Option<u64>), Vec<&PathBuf>> = BTreeMap::new();
        for file in new {
            let before =
                self.files.range::<PathBuf, _>(..file).next_back().map_or(0, |(_, known)| known.rank);
            let after = self.files.range::<PathBuf, _>(file..).next().map(|(_, known)| known.rank);
            gaps.entry((before, after)).or_default().push(file);
        }
        let mut ranks = HashMap::new();
        for ((before, after), files) in gaps {
            let step = step(before, after, files.len())?;
            ranks.extend(files.into_iter().cloned().zip((1..).map(|number| before + number * step)));
        }
        (ranks.len() + self.files.len() <= tree::MAX_FILES).then_some(ranks)
    }

    fn take(
        &mut self,
        path: &Path,
        rank: u64,
        reading: Reading,
        content: Option<Content>,
        touched: &mut BTreeSet<ObjectName>,
    ) {
        let mut known = self.files.remove(path).unwrap_or_else(|| Known {
            rank,
            reading: Reading { hash: None, ..reading },
            objects: Vec::new(),
            findings: Vec::new(),
        });
        let before = std::mem::replace(&mut known.reading, reading);
        if let Some(Content { objects, mut findings, others }) = content {
            let is_there = |name: &ObjectName| objects.iter().any(|(object, _)| object.name() == *name);
            let stays = others == Others::Stay || others == Others::StayForNow && !known.reading.is_old();
            let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut known.objects)
                .into_iter()
                .partition(|(name, _)| stays && !is_there(name));
            if let Some(finding) = findings.first_mut().filter(|_| !stay.is_empty()) {
                finding.message.push_str(&staying(&stay));
            }
            if others == Others::StayForNow && !stay.is_empty() {
                // It is looked at again, as if it had not been read.
                known.reading = Reading { hash: before.hash, settled: false, ..known.reading };
            }
            self.disclaim(go, touched);
            known.objects = self.claim(path, rank, objects, touched);
            known.objects.extend(stay);
            known.findings = findings;
        }
        note(&mut self.flawed, path, !known.findings.is_empty());
        note(&mut self.unsettled, path, !known.reading.settled && known.reading.hash.is_some());
        self.files.insert(path.to_owned(), known);
    }

    fn claim(
        &mut self,
        path: &Path,
        rank: u64,
        objects: Vec<Found>,
        touched: &mut BTreeSet<ObjectName>,
    ) -> Vec<(ObjectName, u64)> {
        let file: Arc<str> = path.to_string_lossy().into();
        let mut names = Vec::with_capacity(objects.len());
        for (index, (object, line)) in (0..OBJECTS).zip(objects) {
            let name = object.name();
            if let Some(only) = &self.namespace
                && !name.namespace.is_empty()
                && name.namespace != *only
            {
                continue;
            }
            let order = rank * OBJECTS + index;
            let held = Held::new(object, Some(Place { file: file.clone(), line }), order);
            // Nearly all have one place.
            let claims = self.claims.entry(name.clone()).or_insert_with(|| Vec::with_capacity(1));
            claims.insert(claims.partition_point(|(other, _)| *other < order), (order, held));
            if claims.len() > 1 {
                self.contested.insert(name.clone());
            }
            touched.insert(name.clone());
            names.push((name, order));
        }
        names
    }

    fn disclaim(&mut self, objects: Vec<(ObjectName, u64)>, touched: &mut BTreeSet<ObjectName>) {
        for (name, order) in objects {
            if let Some(claims) = self.claims.get_mut(&name) {
                claims.retain(|(other, _)| *other != order);
                if claims.len() < 2 {
                    self.contested.remove(&name);
                }
                if claims.is_empty() {
                    self.claims.remove(&name);
                }
            }
            touched.insert(name);
        }
    }

    fn changes(&self, touched: BTreeSet<ObjectName>) -> Vec<Change> {
        let change = |name: ObjectName| match self.claims.get(&name).and_then(|claims| claims.first()) {
            Some((_, held)) => Change::Put(held.clone()),
            None => Change::Delete(name),
        };
        touched.into_iter().map(change).collect()
    }

    fn duplicates(&self) -> Vec<Report> {
        let mut reports = Vec::new();
        for name in &self.contested {
            let Some([(_, first), rest @ ..]) = self.claims.get(name).map(Vec::as_slice) else { continue };
            let place =
                first.place().map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default();
            for (_, second) in rest {
                let message =
                    format!("it stands in {place} already, and that one counts; remove one of them");
                reports.push(Report::new(second, Level::Error, Reason::Duplicate, message));
            }
        }
        reports
    }
}

/// What else there is to say of a file that is wrong.
fn staying(objects: &[(ObjectName, u64)]) -> String {
    const MOST: usize = 3;
    let mut names: Vec<String> = objects.iter().take(MOST).map(|(name, _)| name.to_string()).collect();
    if objects.len() > MOST {
        names.push(format!("{} more", objects.len() - MOST));
    }
    format!("; what stood in this file stays as it was: {}", names.join(", "))
}

fn note(set: &mut BTreeSet<PathBuf>, path: &Path, is_in: bool) {
    if is_in {
        set.insert(path.to_owned());
    } else {
        set.remove(path);
    }
}

/// Leaves out the files with which there are too many bytes.
fn keep_within_bounds(tree: &mut Tree) {
    let mut total = 0_u64;
    let Tree { files, findings, unreadable, .. } = tree;
    files.retain(|path, stamp| {
        total = total.saturating_add(stamp.size);
        let keep = total <= MAX_BYTES;
        if !keep {
            let message =
                format!("it is left out: all files together hold more than {} MiB", MAX_BYTES >> 20);
            findings.push(Finding { file: path.to_string_lossy().into(), at: None, message });
            unreadable.push(path.clone());
        }
        keep
    });
}

/// From one of so many new numbers to the next, between these; `None` where there is no room for them.
fn step(before: u64, after: Option<u64>, count: usize) -> Option<u64> {
    let step = after.map_or(RANK_GAP, |after| (after - before) / (count as u64 + 1));
    (step > 0).then_some(step)
}

/// Numbers that grow, from those that are there already; all new ones where there is no room for one between two.
fn fill(places: &[Option<u64>]) -> Vec<u64> {
    let mut ranks = Vec::with_capacity(places.len());
    let mut before = 0;
    let mut index = 0;
    while index < places.len() {
        if let Some(rank) = places[index] {
            ranks.push(rank);
            before = rank;
            index += 1;
            continue;
        }
        let run = places[index..].iter().take_while(|place| place.is_none()).count();
        let Some(step) = step(before, places.get(index + run).copied().flatten(), run) else {
            return (1..=places.len() as u64).map(|number| number * RANK_GAP).collect();
        };
        ranks.extend((1..=run as u64).map(|number| before + number * step));
        before += run as u64 * step;
        index += run;
    }
    ranks
}
