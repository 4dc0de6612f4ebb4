//! Follows a source of objects: what changes there is translated and fed to the proxy, on a thread of its own.

use super::situation::Shared;
use crate::source::{Finding, News, OwnPod, Source};
use sluice_model::spec::{Config, Runtime};
use sluice_proxy::Feeder;
use sluice_translate::{Level, Report, Role, Settings, Topology, Translation, Translator};
use std::{collections::BTreeSet, io, sync::Arc, thread, time::Instant};
use tokio::time::sleep_until;

/// A source and where its translation goes.
#[derive(Debug)]
pub(super) struct Follower {
    source: Source,
    settings: Settings,
    telling: Telling,
}

/// From objects to a configuration, with everything that is said on the way.
#[derive(Debug)]
struct Telling {
    /// What a configuration has besides what the objects say.
    frame: Config,
    shared: Arc<Shared>,
    /// What was said in the log already: by the translation, and about objects that stand in several places.
    said: (Arc<[Report]>, Vec<Report>),
    found: Vec<Finding>,
}

// === impl Follower ===

impl Follower {
    pub(super) fn new(source: Source, settings: Settings, frame: Config, shared: Arc<Shared>) -> Self {
        let telling = Telling { frame, shared, said: Default::default(), found: Vec::new() };
        Self { source, settings, telling }
    }

    /// Follows the source, and feeds what comes of it, until the process ends.
    pub(super) fn start(self, feeder: Feeder) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("sluice-objects".to_owned());
        let following = self.telling.shared.following();
        let run = move || {
            let _following = following;
            runtime.block_on(self.run(feeder));
        };
        thread.spawn(run).map(drop)
    }

    async fn run(self, feeder: Feeder) {
        let Self { mut source, mut settings, mut telling } = self;
        let (first, own) = source.first().await;
        adopt(&mut settings, own);
        let mut translator = Translator::new(settings);
        let mut news = Some(first);
        let mut served = false;
        let mut wake_at = None;
        loop {
            let changed = news.as_ref().is_none_or(|news| !news.changes.is_empty());
            if let Some(news) = news.take() {
                telling.take(&mut translator, news);
            }
            // The first state is served when all that it names was looked up. Later, the translation itself lets what would
            // miss something go on as it was, for a moment.
            if changed || !served {
                let translation = telling.translate(&mut translator, served.then(Instant::now));
                wake_at = translation.wake_at;
                if served {
                    telling.publish(&feeder, translation);
                    refer(&mut source, &mut translator);
                } else {
                    refer(&mut source, &mut translator);
                    served = source.has_looked_up();
                    if served {
                        telling.publish(&feeder, translation);
                    }
                }
            }
            news = tokio::select! {
                news = source.news() => Some(news),
                () = until(wake_at) => None,
            };
        }
    }
}

/// Takes over what is known about the pod of this process, where the command line is silent.
fn adopt(settings: &mut Settings, own: Option<OwnPod>) {
    let Some(OwnPod { labels, topology }) = own else { return };
    // The labels of a sidecar's pod are followed by the translation itself.
    if settings.labels.is_empty() && settings.role == Role::Gateway {
        settings.labels = labels;
    }
    settings.topology = Topology { hints: settings.topology.hints, ..topology };
}

fn refer(source: &mut Source, translator: &mut Translator) {
    if let Some(names) = translator.new_references() {
        source.refer(names);
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

// === impl Telling ===

impl Telling {
    fn take(&mut self, translator: &mut Translator, news: News) {
        self.shared.take(&news);
        for change in news.changes {
            translator.apply(change);
        }
        for finding in news.findings.iter().filter(|finding| !self.found.contains(finding)) {
            tracing::error!("{}", finding.without_severity());
        }
        self.found = news.findings;
        self.log();
    }

    /// `now` where something is served already.
    fn translate(&mut self, translator: &mut Translator, now: Option<Instant>) -> Translation {
        let begun = Instant::now();
        let mut translation = match now {
            Some(now) => translator.translate_at(now),
            None => translator.translate(),
        };
        let drain_timeout = translation.config.runtime.drain_timeout;
        translation.config.runtime = Runtime { drain_timeout, ..self.frame.runtime.clone() };
        translation.config.access_log.clone_from(&self.frame.access_log);
        self.shared.translated(begun.elapsed(), translation.renewed);
        translation
    }

    fn publish(&mut self, feeder: &Feeder, translation: Translation) {
        let Translation { config, reports, ingresses, facts, .. } = translation;
        let config = Arc::new(config);
        self.shared.publish(config.clone(), reports, ingresses, facts);
        self.log();
        feeder.publish(config);
    }

    /// Says what was not said before.
    fn log(&mut self) {
        let (reports, duplicates) = self.shared.reports();
        if Arc::ptr_eq(&reports, &self.said.0) && duplicates == self.said.1 {
            return;
        }
        let said: BTreeSet<&Report> = self.said.0.iter().chain(&self.said.1).collect();
        for report in reports.iter().chain(&duplicates).filter(|report| !said.contains(report)) {
            let place = report.place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line));
            let (place, text) = (place.unwrap_or_default(), report.without_severity());
            match report.severity {
                Level::Error => tracing::error!("{text}{place}"),
                Level::Warning => tracing::warn!("{text}{place}"),
                Level::Info => tracing::info!("{text}{place}"),
            }
        }
        self.said = (reports, duplicates);
    }
}
