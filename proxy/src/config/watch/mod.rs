//! Watching files and folders for change: the folder entries that lead to a file, not the file, so that editors'
//! rename-over and Kubernetes' swap of the `..data` link are seen.

mod interest;
#[cfg(test)]
mod tests;

use super::Settling;
use interest::{Interest, Touched, entries_of};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
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

fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
