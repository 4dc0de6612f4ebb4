//! What is done and said when a request came to nothing.

use super::Watched;
use crate::api_server::Trouble;
use std::time::Duration;
use tokio::time::sleep;

/// The longest wait for a server that is gone, and for a kind that nobody may read or that is not there.
pub(super) const BACK_SOON: Duration = Duration::from_secs(10);
const BACK_LATER: Duration = Duration::from_secs(30);
/// The shortest wait where we may not read.
const FORBIDDEN: Duration = Duration::from_secs(2);
/// How often a kind of which there were objects has to be missing before that is believed: while an API server starts, it
/// may not know its own kinds.
const BELIEVED: u32 = 3;

impl Watched {
    /// Says what is wrong, does what is to be done about it, and waits before the next attempt. `listing` says that nothing of
    /// the list is known.
    pub(super) async fn fail(&mut self, trouble: &Trouble, listing: bool) {
        let resource = self.target.resource;
        let inbox = self.cluster.inbox.clone();
        self.cluster.stats.error(resource.kind, trouble.word());
        self.tell(trouble);
        let absent = resource.optional && trouble.code() == Some(404);
        let forbidden = trouble.code() == Some(403);
        self.absences = if absent { self.absences + 1 } else { 0 };
        if listing && absent && (self.known.is_empty() || self.absences >= BELIEVED) {
            self.replace(Vec::new());
        } else if self.may_be_forbidden(trouble) {
            inbox.lacks(self.label(), self.words(trouble));
            inbox.arrived(&self.label());
        } else {
            inbox.delayed(&self.label(), self.words(trouble));
        }
        if forbidden {
            self.progress.send_modify(|progress| progress.forbidden = true);
        }
        let believed = self.absences >= BELIEVED || self.known.is_empty();
        let later = forbidden || absent && believed;
        self.backoff.bound(if later { BACK_LATER } else { BACK_SOON });
        // Nobody grants a right within a moment.
        let at_least = if forbidden { Some(FORBIDDEN) } else { trouble.retry_after() };
        sleep(self.backoff.delay(fastrand::f64(), at_least)).await;
    }

    /// Whether everything goes on without the objects, where we are forbidden to read them.
    fn may_be_forbidden(&self, trouble: &Trouble) -> bool {
        trouble.code() == Some(403) && (self.target.resource.optional || self.target.reports)
    }

    fn words(&self, trouble: &Trouble) -> String {
        let target = self.label();
        match trouble.code() {
            Some(403) => {
                let place = match &self.target.namespace {
                    Some(namespace) => format!("a Role in namespace {namespace}"),
                    None => "a ClusterRole".to_owned(),
                };
                format!(
                    "cannot list and watch {target}: {trouble}; allow the verbs `list` and `watch` on `{}` in {place} that is \
                     bound to the service account of this process",
                    self.target.resource.name(),
                )
            }
            Some(404) if self.target.resource.optional => {
                format!(
                    "there are no {target} in this cluster; they are picked up when their CRD is installed"
                )
            }
            _ => format!(
                "cannot read {target}: {trouble}; what is known of them stays in force, and it is tried again"
            ),
        }
    }

    /// Once for each kind of trouble.
    fn tell(&mut self, trouble: &Trouble) {
        let words = self.words(trouble);
        if self.said == Some(trouble.word()) || self.may_be_forbidden(trouble) {
            self.said = Some(trouble.word());
            return tracing::debug!("{words}");
        }
        self.said = Some(trouble.word());
        match trouble.code() {
            Some(403) => tracing::error!("{words}"),
            Some(404) if self.target.resource.optional => tracing::info!("{words}"),
            Some(410) => tracing::info!("{} are listed again: {trouble}", self.label()),
            _ => tracing::warn!("{words}"),
        }
    }

    pub(super) fn recovered(&mut self) {
        if self.said.take().is_some() {
            self.cluster.inbox.has_again(&self.label());
            tracing::info!("{} are read again", self.label());
        }
    }
}
