//! Follows a folder of manifests: what changes there is translated and fed to the proxy, on a thread of its own.

use super::situation::Shared;
use crate::source::{Finding, Folder, Scan};
use sluice_crds::{Known, core::Pod};
use sluice_model::spec::{AccessLog, Config, Runtime};
use sluice_proxy::{Feeder, Watch};
use sluice_translate::{Change, Level, Report, Settings, Translator};
use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Until a folder is looked at again in which something changed so lately that it may have changed again unseen.
const SOON: Duration = Duration::from_millis(100);

/// What a configuration has besides what the objects say.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) runtime: Runtime,
    pub(super) access_log: Option<AccessLog>,
}

/// The folder, its translation, and where that goes.
#[derive(Debug)]
pub(super) struct Follower {
    folder: Folder,
    translator: Translator,
    frame: Frame,
    shared: Arc<Shared>,
    /// What was said in the log already.
    said: BTreeSet<Report>,
    found: Vec<Finding>,
    /// As the folder was seen last.
    watched: (Vec<PathBuf>, Vec<PathBuf>),
    look_again: bool,
    /// When it is to be translated again without a change.
    wake_at: Option<Instant>,
}

/// Takes over what the manifests say about the gateway's own pod, where the command line is silent.
pub(super) fn adopt_pod(settings: &mut Settings, scan: &Scan, name: &str) {
    let pods = scan.changes.iter().filter_map(|change| match change {
        Change::Put(held) => Pod::of(held.object()),
        Change::Delete(_) => None,
    });
    let own = pods
        .map(|pod| (pod.name(), pod))
        .find(|(found, _)| found.name == name && found.namespace == settings.pod_namespace);
    let Some((_, pod)) = own else { return };
    if settings.labels.is_empty() {
        settings.labels = pod.metadata.labels.clone().unwrap_or_default();
    }
    settings.topology.node.clone_from(&pod.content.node_name);
}

impl Follower {
    /// Translates what was found first.
    pub(super) fn new(
        folder: Folder,
        first: Scan,
        settings: Settings,
        frame: Frame,
        shared: Arc<Shared>,
    ) -> (Self, Arc<Config>) {
        let mut follower = Self {
            folder,
            translator: Translator::new(settings),
            frame,
            shared,
            said: BTreeSet::new(),
            found: Vec::new(),
            watched: Default::default(),
            look_again: false,
            wake_at: None,
        };
        follower.take(first);
        let config = follower.translate();
        (follower, config)
    }

    /// Follows the folder, and feeds what comes of it, until the process ends.
    pub(super) fn start(self, feeder: Feeder) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = thread::Builder::new().name("sluice-manifests".to_owned());
        thread.spawn(move || runtime.block_on(self.run(feeder))).map(drop)
    }

    async fn run(mut self, feeder: Feeder) {
        let mut watch = Watch::new();
        loop {
            let (folders, links) = &self.watched;
            watch.follow_all(links.iter().map(PathBuf::as_path), folders.iter().map(PathBuf::as_path));
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::time::sleep(SOON), if self.look_again => {}
                () = until(self.wake_at) => {
                    feeder.publish(self.translate());
                    continue;
                }
            }
            match self.folder.scan() {
                Ok(scan) => {
                    let changed = !scan.changes.is_empty();
                    self.take(scan);
                    if changed {
                        feeder.publish(self.translate());
                    }
                }
                Err(error) => {
                    let message = format!("it cannot be read: {error}; its last good state stays in force");
                    self.tell(vec![Finding { file: ".".into(), at: None, message }], Vec::new());
                    self.look_again = true;
                }
            }
        }
    }

    fn take(&mut self, scan: Scan) {
        self.watched = (scan.folders, scan.links);
        self.look_again = scan.look_again;
        self.shared.files(scan.files);
        self.shared.change(&scan.changes);
        for change in scan.changes {
            self.translator.apply(change);
        }
        self.tell(scan.findings, scan.duplicates);
    }

    fn translate(&mut self) -> Arc<Config> {
        let begun = Instant::now();
        let translation = self.translator.translate_at(begun);
        self.wake_at = translation.wake_at;
        let mut config = translation.config;
        config.runtime.clone_from(&self.frame.runtime);
        config.access_log.clone_from(&self.frame.access_log);
        let config = Arc::new(config);
        self.shared.translated(begun.elapsed(), translation.renewed);
        self.shared.publish(config.clone(), translation.reports);
        self.log();
        config
    }

    /// What is wrong with files, and what stands twice.
    fn tell(&mut self, findings: Vec<Finding>, duplicates: Vec<Report>) {
        for finding in findings.iter().filter(|finding| !self.found.contains(finding)) {
            tracing::error!("{}", finding.without_severity());
        }
        self.found.clone_from(&findings);
        self.shared.found(findings, duplicates);
        self.log();
    }

    /// Says what was not said before.
    fn log(&mut self) {
        let reports = self.shared.reports();
        for report in reports.iter().filter(|report| !self.said.contains(report)) {
            let place = report.place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line));
            let (place, text) = (place.unwrap_or_default(), report.without_severity());
            match report.severity {
                Level::Error => tracing::error!("{text}{place}"),
                Level::Warning => tracing::warn!("{text}{place}"),
                Level::Info => tracing::info!("{text}{place}"),
            }
        }
        self.said = reports.into_iter().collect();
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
