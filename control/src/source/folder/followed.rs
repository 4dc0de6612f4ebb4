//! A folder that is watched.

use super::{Finding, Folder, Scan, Watched};
use crate::source::News;
use sluice_proxy::Watch;
use std::{io, path::PathBuf, time::Duration};

/// Until a folder is looked at again in which something changed so lately that it may have changed again unseen.
const SOON: Duration = Duration::from_millis(100);

/// A folder of manifests, and how it was seen last.
#[derive(Debug)]
pub(crate) struct Followed {
    folder: Folder,
    /// Its changes are told already, but for those of the first look.
    seen: Scan,
    /// Everything has to be looked at.
    whole: bool,
    /// Made when it is first needed, which is inside of a runtime.
    watch: Option<Watch>,
}

impl Followed {
    /// Reads the folder. Fails where it cannot be read as a whole.
    pub(crate) fn open(mut folder: Folder) -> io::Result<Self> {
        let seen = folder.scan()?;
        Ok(Self { folder, seen, whole: false, watch: None })
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(in crate::source) fn first(&mut self) -> News {
        self.tell()
    }

    pub(in crate::source) async fn news(&mut self) -> News {
        let watch = self.watch.get_or_insert_default();
        if let Some(Watched { folders, links }) = self.seen.watched.take() {
            watch.follow_all(links.iter().map(PathBuf::as_path), folders.iter().map(PathBuf::as_path));
        }
        tokio::select! {
            () = watch.changed() => {}
            () = tokio::time::sleep(SOON), if self.seen.look_again => {}
        }
        self.folder.leave(watch.being_written());
        let names = watch.touched().filter(|_| !self.whole);
        let looked = match names.and_then(|names| self.folder.look_at(&names)) {
            Some(scan) => Ok(scan),
            None => self.folder.scan(),
        };
        self.whole = looked.is_err();
        match looked {
            Ok(scan) => {
                self.seen = scan;
                self.tell()
            }
            Err(error) => {
                self.seen.look_again = true;
                let message = format!("it cannot be read: {error}; its last good state stays in force");
                let finding = Finding { file: ".".into(), at: None, message };
                News { findings: vec![finding], duplicates: Vec::new(), ..self.tell() }
            }
        }
    }

    fn tell(&mut self) -> News {
        News {
            changes: std::mem::take(&mut self.seen.changes),
            findings: self.seen.findings.clone(),
            duplicates: self.seen.duplicates.clone(),
            files: self.seen.files,
            complete: true,
        }
    }
}
