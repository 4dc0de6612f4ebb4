//! Follows a source of objects: what changes there is translated and fed to the proxy, on a thread of its own.

use super::situation::Shared;
use crate::source::{Finding, News, Source};
use sluice_model::spec::{Config, Runtime};
use sluice_proxy::{Feeder, IstioMetrics};
use sluice_translate::{Change, Level, NamespacedName, Report, Settings, Translation, Translator};
use std::{collections::BTreeSet, io, sync::Arc, thread, time::Instant};
use tokio::time::sleep_until;

/// Kinds that are read where others refer to them.
const REFERRED: [&str; 3] = ["Secret", "ConfigMap", "Endpoints"];

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
    /// The pod of this process and what metrics say of it, where both are known.
    own: Option<(NamespacedName, Arc<IstioMetrics>)>,
}

// === impl Follower ===

impl Follower {
    pub(super) fn new(source: Source, settings: Settings, frame: Config, shared: Arc<Shared>) -> Self {
        let telling = Telling { frame, shared, said: Default::default(), found: Vec::new(), own: None };
        Self { source, settings, telling }
    }

    /// Metrics say of their source what the object of this pod says.
    pub(super) fn naming(mut self, pod: Option<NamespacedName>, metrics: Option<Arc<IstioMetrics>>) -> Self {
        self.telling.own = pod.zip(metrics);
        self
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
        let (first, zone) = source.first().await;
        settings.topology.zone = zone;
        let mut translator = Translator::new(settings);
        let mut news = Some(first);
        let (mut served, mut complete) = (false, false);
        let mut wake_at = None;
        loop {
            let changed = news.as_ref().is_none_or(|news| !news.changes.is_empty());
            let mut refers = false;
            if let Some(news) = news.take() {
                complete = news.complete;
                refers = !served && news.changes.iter().any(may_refer);
                telling.take(&mut translator, news);
            }
            // The first state is served when all that it names was looked up; part of that is not worth a translation. Later,
            // the translation itself lets what would miss something go on as it was, for a moment.
            if changed && served {
                let translation = telling.translate(&mut translator, Some(Instant::now()));
                wake_at = translation.wake_at;
                telling.publish(&feeder, translation);
                refer(&mut source, &mut translator);
            } else if !served && (complete || refers) {
                let translation = telling.translate(&mut translator, None);
                let more = refer(&mut source, &mut translator);
                served = complete && !more;
                if served {
                    telling.publish(&feeder, translation);
                    log_unclaimed(&translator);
                }
            }
            news = tokio::select! {
                news = source.news() => Some(news),
                () = until(wake_at) => None,
            };
        }
    }
}

fn may_refer(change: &Change) -> bool {
    let kind = match change {
        Change::Put(held) => held.object().name().kind,
        Change::Delete(name) => name.kind,
    };
    !REFERRED.contains(&kind)
}

/// Whether objects are referred to that have yet to be looked for.
fn refer(source: &mut Source, translator: &mut Translator) -> bool {
    translator.new_references().is_some_and(|names| source.refer(names))
}

/// How many Ingresses are nobody's here, once: in a cluster they are often another controller's.
fn log_unclaimed(translator: &Translator) {
    let unclaimed = translator.unclaimed();
    if let Some(first) = unclaimed.first() {
        let others = unclaimed.len() - 1;
        tracing::info!("{}; {others} more are of no class of this gateway", first.without_severity());
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
        if let Some((pod, metrics)) = &self.own
            && let Some(workload) = translator.workload(pod)
        {
            metrics.set_source(workload);
        }
        self.shared.translated(begun.elapsed(), translation.renewed);
        translation
    }

    fn publish(&mut self, feeder: &Feeder, mut translation: Translation) {
        let config = Arc::new(std::mem::take(&mut translation.config));
        self.shared.publish(config.clone(), translation);
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
