//! What objects are told: in `GET /status` and, by one replica, in the cluster: status, conditions, Events.
//!
//! ```text
//! objects, reports ─▶ answer: what each object is told ─┬─▶ GET /status
//!                                                       └─▶ book: what does not stand there ─▶ writer ─▶ API server
//! lease ─▶ election: who writes ─────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Everything that decides is free of clocks and sockets; `election` and `writer` do what was decided.

mod address;
mod answer;
mod book;
mod clock;
mod election;
mod event;
mod forbidden;
mod lease;
mod limit;
mod patch;
mod tally;
mod writer;

pub(crate) use address::{Address, Origin};
pub(crate) use answer::{Facts, shown_event};
pub(crate) use tally::Tally;

use crate::{api_server::Access, nginx_flags::NginxFlags, plane::Shared};
use election::Election;
use forbidden::Forbidden;
use lease::Candidate;
use sluice_translate::NamespacedName;
use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{oneshot, watch};
use writer::{Manner, Writer};

/// The status writer of a process, on a thread of its own.
#[derive(Debug)]
pub(crate) struct StatusThread {
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl StatusThread {
    /// Begins to write to this API server, as the flags say. `pod` is this pod, and `namespace` the one where
    /// the Lease is.
    pub(crate) fn start(
        access: Access,
        shared: Arc<Shared>,
        flags: &NginxFlags,
        pod: Option<NamespacedName>,
        namespace: &str,
    ) -> io::Result<Self> {
        let identity = pod.as_ref().map_or_else(nameless, |pod| pod.name.clone());
        let manner = Manner {
            statuses: flags.update_status(),
            clear_at_end: flags.update_status_on_shutdown(),
            interval: flags.status_update_interval(),
            nodes: match flags.address_origin(namespace) {
                Origin::Nodes { internal } if flags.update_status() => Some(internal),
                _ => None,
            },
            pod,
            identity: identity.clone(),
        };
        let lease = NamespacedName { namespace: namespace.to_owned(), name: flags.election_id() };
        let candidate = flags.election_ttl().map(|ttl| Candidate::new(identity, ttl));
        let tally = Arc::new(Tally::new(candidate.as_ref().map(|_| lease.name.clone())));
        shared.writes(tally.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, ends) = oneshot::channel();
        let work = async move {
            let api = match access.api().await {
                Ok((api, _)) => api,
                // The watches use the same one, so it is hardly possible.
                Err(why) => return tracing::error!("no status can be written: {why}"),
            };
            let forbidden = Arc::new(Forbidden::default());
            let (leads, led) = watch::channel(None);
            let writer = Writer::new(api.clone(), shared, manner, tally, forbidden.clone());
            let Some(candidate) = candidate else {
                // Nobody else writes: that is what `--disable-leader-election` says.
                leads.send_replace(Instant::now().checked_add(FOREVER));
                return writer.run(led, ends).await;
            };
            let election = Election { api, lease, candidate, leads, forbidden };
            let (stop, stops) = oneshot::channel();
            let election = tokio::spawn(election.run(stops));
            writer.run(led, ends).await;
            let _ = stop.send(());
            let _ = election.await;
        };
        let thread =
            thread::Builder::new().name("sluice-status".to_owned()).spawn(move || runtime.block_on(work))?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }

    /// Takes the addresses away from Ingresses where this is the last pod, gives the Lease away, and ends; all of it within
    /// seconds.
    pub(crate) fn end(mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Longer than any process runs.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 100);

/// For a process that is in no pod.
fn nameless() -> String {
    format!("sluice-{:016x}", fastrand::u64(..))
}
