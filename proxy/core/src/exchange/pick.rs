//! Which endpoint of a cluster gets the request, or a copy of it.

use super::{Context, Exchange};
use crate::balance::{Busy, MadeCookie};
use crate::head::{NoFields, WithoutUnderscores};
use crate::route::Scheme;
use crate::shared::{Held, Limit};
use crate::snapshot::Cluster;
use crate::template::Facts;
use std::sync::Arc;
use std::time::Instant;

/// How often another shard may have been faster at an endpoint that had room for one more request.
const RACES: usize = 8;

/// An endpoint that was picked.
pub(super) struct Picked {
    /// Its place in the cluster's set.
    pub(super) place: usize,
    /// Counts the request there until it is dropped.
    pub(super) busy: Option<Busy>,
    /// The same where the endpoint has a limit.
    pub(super) share: Option<Held>,
    made: Option<MadeCookie>,
}

impl Exchange {
    /// The next endpoint; with `another`, none that was tried. `false` where there is none.
    pub(super) fn pick(&mut self, now: Instant, another: bool, cx: &mut Context<'_>) -> bool {
        // The attempt before this one is over.
        self.busy = None;
        self.endpoint_share = None;
        let mut key = std::mem::take(&mut self.text);
        let tried: &[usize] = if another { &self.again.tried } else { &[] };
        let picked = self.towards().and_then(|cluster| self.pick_of(cluster, tried, &mut key, now, cx));
        self.text = key;
        let Some(picked) = picked else { return false };
        if self.page.is_none() {
            self.made_cookie = picked.made;
            let endpoints = self.record.cluster.as_ref().map(|cluster| cluster.endpoints.endpoints());
            let endpoint = endpoints.and_then(|endpoints| endpoints.get(picked.place));
            self.record.endpoint = endpoint.map(|endpoint| endpoint.address);
        }
        self.endpoint = picked.place;
        self.busy = picked.busy;
        self.endpoint_share = picked.share;
        self.start_try(now);
        true
    }

    /// An endpoint of any cluster, for what the request says. `key` is written on.
    pub(super) fn pick_of(
        &self,
        cluster: &Arc<Cluster>,
        tried: &[usize],
        key: &mut Vec<u8>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Picked> {
        key.clear();
        let mut made = None;
        if let Some(reader) = cluster.balance.key() {
            let fields = WithoutUnderscores(cx.request);
            let facts = Facts {
                record: &self.record,
                request: fields.heeded(&cx.listener.spec.headers),
                response: &NoFields,
                trailers: &NoFields,
                hostname: &cx.shard.hostname,
            };
            let client = match self.asked.client_text.as_str() {
                "" => cx.connection.peer_text(),
                client => client,
            };
            reader.read(&facts, client, key);
            if key.is_empty() {
                // A later attempt goes where the cookie leads that the first one made.
                made = self.made_cookie.or_else(|| reader.make(&mut cx.shard.rng));
                if let Some(made) = made {
                    made.write(key);
                }
            }
        }
        let key = (!key.is_empty()).then_some(&**key);
        let most = cluster.spec.endpoint_limits.requests;
        for _ in 0..RACES {
            let place = cx.shard.balancers.pick(cluster, tried, key, now, &mut cx.shard.rng)?;
            let mut share = None;
            if most > 0 {
                share =
                    cluster.shared.endpoint(place).and_then(|endpoint| endpoint.hold(Limit::Requests, most));
                if share.is_none() {
                    continue;
                }
            }
            return Some(Picked { place, busy: cluster.balance.occupy(place), share, made });
        }
        None
    }

    /// Gives the client the cookie that keeps it at its endpoint, where one was made.
    pub(super) fn give_cookie(&mut self) {
        let Some(made) = self.made_cookie else { return };
        let Some(key) = self.record.cluster.as_ref().and_then(|cluster| cluster.balance.key()) else {
            return;
        };
        self.text.clear();
        key.set_cookie(made, self.asked.scheme == Scheme::Https, &mut self.text);
        // The cookie's parts were checked when the configuration was read.
        let _ = self.response_edits.add("set-cookie", &self.text);
    }
}
