//! Watching files and folders for change: the folder entries that lead to a file, not the file, so that editors'
//! rename-over and Kubernetes' swap of the `..data` link are seen.

use super::Settling;
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// How often files are looked at where the system does not tell of changes.
const POLL: Duration = Duration::from_secs(2);
/// Links followed for one file; more is a loop.
const MAX_LINKS: usize = 40;

/// A file may be open for so long before what is written of it counts.
const WRITING: Duration = Duration::from_secs(10);

/// Tells when one of the followed files may hold something else, or one of the followed folders something of another name
/// or content. Works inside of a tokio runtime with time.
///
/// Where the system tells of changes, a file that is written in its place has changed when it is closed, so that nobody reads
/// the half of it; whoever keeps it open is waited for ten seconds.
pub struct Watch {
    /// Absent where the system has no watches left; files are then looked at every two seconds.
    watcher: Option<RecommendedWatcher>,
    signs: mpsc::Receiver<()>,
    interest: Arc<Mutex<Interest>>,
    /// Watched folders and which folder (device, inode) had that path.
    folders: BTreeMap<PathBuf, (u64, u64)>,
    /// A watched folder itself was removed or renamed; its watch is worth nothing, even if the path has a folder again.
    stale: Arc<AtomicBool>,
    touched: Arc<Mutex<Touched>>,
    /// The change that is not reported yet.
    pending: Settling,
    next_poll: Instant,
}

/// Names that are remembered; of more, it is not known which they were.
const MAX_TOUCHED: usize = 4096;

/// What happened since somebody asked last.
#[derive(Debug, Default)]
struct Touched {
    /// Names in followed folders.
    names: BTreeSet<PathBuf>,
    /// There is more than these names.
    more: bool,
    /// Something of it is not in [`Watch::pending`] yet.
    signed: bool,
    /// Files that somebody is writing, and since when.
    writing: BTreeMap<PathBuf, Instant>,
}

/// A name in a folder: a followed file, or a link on the way to one.
type Entry = (PathBuf, OsString);

/// What may change.
#[derive(Debug, Default, Clone, PartialEq)]
struct Interest {
    entries: BTreeSet<Entry>,
    /// Folders in which every name counts.
    whole: BTreeSet<PathBuf>,
}

// === impl Watch ===

impl Watch {
    /// Follows nothing yet.
    pub fn new() -> Self {
        // One sign that waits is as good as a hundred.
        let (sender, signs) = mpsc::channel(1);
        let interest = Arc::<Mutex<Interest>>::default();
        let stale = Arc::<AtomicBool>::default();
        let touched = Arc::<Mutex<Touched>>::default();
        let (wanted, lost, into) = (interest.clone(), stale.clone(), touched.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let wanted = wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let folder = event.as_ref().is_ok_and(|event| wanted.has_folder_of(event));
            if folder {
                lost.store(true, Ordering::Relaxed);
            }
            if folder || event.as_ref().map_or(true, |event| wanted.has(event)) {
                let mut touched = into.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Ok(event) if !folder => wanted.note(event, &mut touched),
                    _ => touched.all(),
                }
                drop(touched);
                let _ = sender.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "files cannot be watched; looking at them every {POLL:?}"),
            )
            .ok();
        Self {
            watcher,
            signs,
            interest,
            folders: BTreeMap::new(),
            stale,
            touched,
            pending: Settling::default(),
            next_poll: Instant::now() + POLL,
        }
    }

    /// Follows these files from now on, present or not. What changed before is reported when a file is new here.
    pub fn follow<'a>(&mut self, files: impl Iterator<Item = &'a Path>) {
        self.follow_all(files, std::iter::empty());
    }

    /// Follows these files and every name in these folders from now on; not what is in folders below them. Folders are
    /// named by the path that they really have, without links.
    pub fn follow_all<'a>(
        &mut self,
        files: impl Iterator<Item = &'a Path>,
        folders: impl Iterator<Item = &'a Path>,
    ) {
        let interest = Interest {
            entries: files.flat_map(entries_of).collect(),
            whole: folders.map(Path::to_owned).collect(),
        };
        let folders: BTreeMap<PathBuf, (u64, u64)> = interest
            .entries
            .iter()
            .map(|(folder, _)| folder)
            .chain(&interest.whole)
            .filter_map(|folder| Some((folder.clone(), identity(folder)?)))
            .collect();
        let mut known = self.interest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = *known != interest;
        *known = interest;
        drop(known);
        let Some(watcher) = &mut self.watcher else { return };
        let stale = self.stale.swap(false, Ordering::Relaxed);
        self.folders.retain(|folder, identity| {
            let keep = !stale && folders.get(folder) == Some(identity);
            if !keep {
                let _ = watcher.unwatch(folder);
            }
            keep
        });
        let mut watched = BTreeMap::new();
        for (folder, identity) in folders {
            if self.folders.get(&folder) != Some(&identity) {
                fresh = true;
                if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    tracing::warn!(folder = %folder.display(), %error, "a folder cannot be watched");
                    continue;
                }
            }
            watched.insert(folder, identity);
        }
        self.folders = watched;
        if fresh {
            // Something may have happened between reading and watching.
            self.lock().more = true;
            self.pending.sign(Instant::now());
        }
    }

    /// Waits for the next change. Nothing is lost when this future is dropped.
    pub async fn changed(&mut self) {
        loop {
            let late = self.take_signs();
            let now = Instant::now();
            let waits = |settled: &Instant| self.is_in_between() && *settled + WRITING > now;
            let settled = self.pending.deadline().filter(|settled| !waits(settled));
            let poll = self.watcher.is_none().then_some(self.next_poll);
            if [settled, poll].into_iter().flatten().any(|at| at <= now) {
                self.pending = Settling::default();
                self.next_poll = now + POLL;
                return;
            }
            let wake = [settled, late, poll].into_iter().flatten().min();
            tokio::select! {
                sign = self.signs.recv(), if self.watcher.is_some() => if sign.is_none() {
                    self.watcher = None;
                },
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }

    /// Whether a followed file, which is read with all others, is being written.
    fn is_in_between(&self) -> bool {
        let interest = self.interest.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().writing.keys().any(|path| interest.has_entry(path))
    }

    /// Files that somebody is writing now, by their whole paths, but for those that [`Watch::touched`] is about to name: they
    /// are reported when they are closed.
    pub fn being_written(&self) -> BTreeSet<PathBuf> {
        let touched = self.lock();
        touched.writing.keys().filter(|path| !touched.names.contains(*path)).cloned().collect()
    }

    /// The names in followed folders, by their whole paths, that may have changed since this was asked last; `None` where
    /// it may be anything. To be asked when [`Watch::changed`] has returned.
    pub fn touched(&self) -> Option<BTreeSet<PathBuf>> {
        let mut touched = self.lock();
        let (names, more) = (std::mem::take(&mut touched.names), std::mem::take(&mut touched.more));
        (!more && self.watcher.is_some()).then_some(names)
    }

    /// Takes note of what happened. Returns when somebody who keeps a file open will have been waited for long enough.
    fn take_signs(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let interest = self.interest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let late = |since: &Instant| *since + WRITING;
        let all = std::mem::take(&mut touched.writing);
        let (over, still): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(_, since)| late(since) <= now);
        touched.writing = still;
        for path in over.into_keys() {
            interest.note_path(path, &mut touched);
        }
        if std::mem::take(&mut touched.signed) {
            self.pending.sign(now);
        }
        touched.writing.values().map(late).min()
    }

    fn lock(&self) -> MutexGuard<'_, Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Touched {
    /// Anything may have happened.
    fn all(&mut self) {
        self.more = true;
        self.signed = true;
        self.writing.clear();
    }
}

// === impl Interest ===

impl Interest {
    /// Reading is an event too, also our own.
    fn has(&self, event: &notify::Event) -> bool {
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

    fn has_entry(&self, path: &Path) -> bool {
        path.file_name()
            .zip(path.parent())
            .is_some_and(|(name, folder)| self.entries.contains(&(folder.to_owned(), name.to_owned())))
    }

    /// Remembers what an event is about.
    fn note(&self, event: notify::Event, touched: &mut Touched) {
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
    fn note_path(&self, path: PathBuf, touched: &mut Touched) {
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
    fn has_folder_of(&self, event: &notify::Event) -> bool {
        matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)))
            && event.paths.iter().any(|path| {
                self.whole.contains(path) || self.entries.iter().any(|(folder, _)| folder == path)
            })
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Watch").field("folders", &self.folders).finish_non_exhaustive()
    }
}

/// The folder entries that decide what a path leads to: its links, and itself or the first part of it that is missing.
fn entries_of(file: &Path) -> Vec<Entry> {
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

fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::Watch;
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
        time::Duration,
    };
    use tokio::time::timeout;

    struct Scene {
        folder: tempfile::TempDir,
        watch: Watch,
    }

    impl Scene {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), watch: Watch::new() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        async fn follow(&mut self, file: &Path) {
            self.watch.follow([file].into_iter());
            self.changed().await;
        }

        async fn changed(&mut self) {
            timeout(Duration::from_secs(20), self.watch.changed()).await.expect("a change");
        }

        async fn quiet(&mut self) -> bool {
            timeout(Duration::from_millis(300), self.watch.changed()).await.is_err()
        }
    }

    #[tokio::test]
    async fn a_write_a_rename_over_and_a_return_are_seen() {
        let mut scene = Scene::new();
        let file = scene.path("proxy.yaml");
        fs::write(&file, "one").unwrap();
        scene.follow(&file).await;
        fs::write(&file, "two").unwrap();
        scene.changed().await;
        fs::write(scene.path(".proxy.yaml.swp"), "three").unwrap();
        fs::rename(scene.path(".proxy.yaml.swp"), &file).unwrap();
        scene.changed().await;
        fs::remove_file(&file).unwrap();
        scene.changed().await;
        fs::write(&file, "four").unwrap();
        scene.changed().await;
    }

    #[tokio::test]
    async fn the_link_swap_of_kubernetes_is_seen() {
        let mut scene = Scene::new();
        for version in ["..v1", "..v2"] {
            fs::create_dir(scene.path(version)).unwrap();
            fs::write(scene.path(version).join("proxy.yaml"), version).unwrap();
        }
        symlink("..v1", scene.path("..data")).unwrap();
        symlink("..data/proxy.yaml", scene.path("proxy.yaml")).unwrap();
        let file = scene.path("proxy.yaml");
        scene.follow(&file).await;
        symlink("..v2", scene.path("..data_tmp")).unwrap();
        fs::rename(scene.path("..data_tmp"), scene.path("..data")).unwrap();
        scene.changed().await;
        assert_eq!(fs::read_to_string(&file).unwrap(), "..v2");
    }

    #[tokio::test]
    async fn a_folder_that_vanishes_and_returns_is_found_again() {
        let mut scene = Scene::new();
        let file = scene.path("etc/proxy.yaml");
        fs::create_dir(scene.path("etc")).unwrap();
        fs::write(&file, "one").unwrap();
        scene.follow(&file).await;
        fs::remove_dir_all(scene.path("etc")).unwrap();
        scene.changed().await;
        scene.follow(&file).await;
        fs::create_dir(scene.path("etc")).unwrap();
        scene.changed().await;
        scene.follow(&file).await;
        fs::write(&file, "two").unwrap();
        scene.changed().await;
    }

    #[tokio::test]
    async fn every_name_of_a_followed_folder_counts() {
        let mut scene = Scene::new();
        let folder = fs::canonicalize(scene.folder.path()).unwrap();
        scene.watch.follow_all(std::iter::empty(), [&*folder].into_iter());
        scene.changed().await;
        assert_eq!(scene.watch.touched(), None);
        fs::write(scene.path("new.yaml"), "one").unwrap();
        scene.changed().await;
        assert_eq!(scene.watch.touched(), Some([folder.join("new.yaml")].into()));
        fs::create_dir(scene.path("below")).unwrap();
        scene.changed().await;
        scene.watch.follow_all(std::iter::empty(), [&*folder, &folder.join("below")].into_iter());
        scene.changed().await;
        fs::write(scene.path("below/new.yaml"), "one").unwrap();
        scene.changed().await;
        fs::read(scene.path("new.yaml")).unwrap();
        assert!(scene.quiet().await);
    }

    #[tokio::test]
    async fn a_file_has_changed_when_whoever_writes_it_closes_it() {
        let mut scene = Scene::new();
        let folder = fs::canonicalize(scene.folder.path()).unwrap();
        let (followed, other) = (folder.join("proxy.yaml"), folder.join("other.yaml"));
        for path in [&followed, &other] {
            fs::write(path, "one").unwrap();
        }
        scene.follow(&followed).await;
        let file = fs::File::create(&followed).unwrap();
        assert!(scene.quiet().await);
        drop(file);
        scene.changed().await;

        scene.watch.follow_all(std::iter::empty(), [&*folder].into_iter());
        scene.changed().await;
        scene.watch.touched();
        let file = fs::File::create(&other).unwrap();
        fs::write(&followed, "two").unwrap();
        scene.changed().await;
        assert_eq!(scene.watch.being_written(), [other.clone()].into());
        assert_eq!(scene.watch.touched(), Some([followed].into()));
        drop(file);
        scene.changed().await;
        assert_eq!((scene.watch.being_written(), scene.watch.touched()), ([].into(), Some([other].into())));
    }

    #[tokio::test]
    async fn whoever_keeps_a_file_open_is_waited_for_and_not_for_ever() {
        let mut scene = Scene::new();
        let file = scene.path("proxy.yaml");
        fs::write(&file, "one").unwrap();
        scene.follow(&file).await;
        let begun = std::time::Instant::now();
        let open = fs::File::create(&file).unwrap();
        scene.changed().await;
        assert!(begun.elapsed() >= super::WRITING);
        drop(open);
    }

    #[tokio::test]
    async fn reading_and_neighbours_are_no_change() {
        let mut scene = Scene::new();
        let file = scene.path("proxy.yaml");
        fs::write(&file, "one").unwrap();
        scene.follow(&file).await;
        fs::read(&file).unwrap();
        fs::write(scene.path("access.log"), "line").unwrap();
        assert!(scene.quiet().await);
    }
}
