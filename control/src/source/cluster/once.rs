//! A cluster as it is at one moment, for commands that look at it and end.

use super::{Cluster, Options};
use crate::source::News;
use sluice_translate::{Settings, Translator};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// For everything together.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of what is late only so much is named.
const NAMED: usize = 3;

/// The URL of the server, and all objects that count: those that others refer to are found by translating.
pub(crate) fn read_once(options: Options, settings: Settings) -> Result<(String, News), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("a runtime cannot be made: {error}"))?;
    let mut cluster = Cluster::start(options)?;
    let deadline = Instant::from_std(std::time::Instant::now() + PATIENCE);
    let news = runtime.block_on(read(&mut cluster, settings, deadline));
    Ok((cluster.url().to_owned(), news.map_err(|late| format!("cannot read {}: {late}", cluster.url()))?))
}

async fn read(cluster: &mut Cluster, settings: Settings, deadline: Instant) -> Result<News, String> {
    let Ok((mut all, _)) = timeout_at(deadline, cluster.first()).await else {
        let late = cluster.late();
        let more = late.len().saturating_sub(NAMED);
        let mut reasons: Vec<String> =
            late.into_iter().take(NAMED).map(|(what, why)| format!("{what}: {why}")).collect();
        if more > 0 {
            reasons.push(format!("and {more} more"));
        }
        return Err(reasons.join("; "));
    };
    let mut translator = Translator::new(settings);
    let mut applied = 0;
    loop {
        for change in &all.changes[applied..] {
            translator.apply(change.clone());
        }
        applied = all.changes.len();
        translator.translate();
        let more = translator.new_references().is_some_and(|names| cluster.refer(names));
        if all.complete && !more {
            return Ok(all);
        }
        let Ok(news) = timeout_at(deadline, cluster.news()).await else {
            return Err(
                "Secrets, ConfigMaps or Endpoints that objects refer to were not answered in time".to_owned()
            );
        };
        all.changes.extend(news.changes);
        (all.findings, all.complete) = (news.findings, news.complete);
    }
}
