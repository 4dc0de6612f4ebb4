//! Pages of another cluster in the place of errors.

use super::{Context, Exchange, Switching};
use crate::head::{NoFields, WithoutUnderscores, apply};
use crate::snapshot::Cluster;
use crate::template::Facts;
use std::sync::Arc;
use std::time::Instant;

/// The page that was asked for.
#[derive(Debug)]
pub(super) struct Page {
    /// The status of the error that it replaces.
    pub(super) status: u16,
    pub(super) cluster: Arc<Cluster>,
}

impl Exchange {
    /// Asks for a page in the place of an error, where the route has one for it; the next step is then
    /// [`Action::Connect`](super::Action::Connect). `own`: the error is not an upstream's. A page is never replaced, so
    /// there is no more than one.
    pub(super) fn error_page(&mut self, now: Instant, status: u16, own: bool, cx: &mut Context<'_>) -> bool {
        // Whoever is refused for a body that is too large waits for an answer all the same.
        let unwelcome = self.forsaken && status != 413;
        if self.page.is_some() || unwelcome || self.record.grpc || self.asked.switch != Switching::No {
            return false;
        }
        let Some(route) = self.record.route.clone() else { return false };
        let Some(pages) = route.error_pages.as_ref().filter(|pages| pages.replaces(status, own)) else {
            return false;
        };
        let Some(cluster) = cx.snapshot.cluster(pages.cluster) else { return false };
        let mut key = std::mem::take(&mut self.text);
        let picked = self.pick_of(cluster, &[], &mut key, now, cx);
        self.text = key;
        let Some(picked) = picked else { return false };
        self.record.status = status;
        self.page = Some(Page { status, cluster: Arc::clone(cluster) });
        self.reply.clear();
        self.request_edits.clear();
        self.response_edits.clear();
        self.destination_edits = None;
        let fields = WithoutUnderscores(cx.request);
        let facts = Facts {
            record: &self.record,
            request: fields.heeded(&cx.listener.spec.headers),
            response: if own { &NoFields } else { cx.response },
            trailers: &NoFields,
            hostname: &cx.shard.hostname,
        };
        apply(&pages.edits, &facts, &mut self.request_edits, &mut self.text);
        self.aim_at_page();
        // Nothing more of the request is read but for its copies, which go to whoever was asked first.
        if self.sends == 0 {
            self.mirrors.clear();
        }
        if !self.request_ended && !self.copies_go_on() {
            self.close_downstream = true;
        }
        self.deadlines.request = route.timeouts.request.and_then(|request| now.checked_add(request));
        self.endpoint = picked.place;
        self.busy = picked.busy;
        self.endpoint_share = picked.share;
        self.again.reset();
        self.stale = false;
        self.start_try(now);
        true
    }

    fn aim_at_page(&mut self) {
        self.rewritten = false;
        self.target.clear();
        self.target.push(b'/');
        self.target.extend_from_slice(&self.record.path.as_bytes()[self.asked.path_end..]);
    }

    /// Whether a page is asked for in the place of an error: what is sent is then the head of
    /// [`outgoing`](Exchange::outgoing) alone, and nothing more of the request is read or reported.
    pub const fn is_error_page(&self) -> bool {
        self.page.is_some()
    }

    /// Who is asked.
    pub(super) fn towards(&self) -> Option<&Arc<Cluster>> {
        self.page.as_ref().map(|page| &page.cluster).or(self.record.cluster.as_ref())
    }
}
