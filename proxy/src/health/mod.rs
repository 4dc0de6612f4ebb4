//! Health checks: each endpoint of each cluster that has one is asked on the control thread, once for the process.
//!
//! What comes of it is written to the endpoint's state, which all shards read. An endpoint that stays goes on being asked with what
//! is known of it; one that goes, or is not to be asked any more, is taken for healthy again.

mod probe;

use crate::state::State;
use probe::{Target, Unwell};
use sluice_core::{
    shared::{EndpointState, Verdict},
    snapshot::{Cluster, Endpoint},
};
use std::{collections::HashMap, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, spawn_local},
    time,
};

/// Checks under way at once: many endpoints begin together where a configuration does.
const AT_ONCE: usize = 256;

/// The checks that go on.
pub(crate) struct HealthChecks {
    state: Arc<State>,
    running: HashMap<(Arc<str>, SocketAddr), Running>,
    turns: Rc<Semaphore>,
}

struct Running {
    spec: Arc<sluice_model::Cluster>,
    host: Arc<str>,
    endpoint: Arc<EndpointState>,
    task: AbortHandle,
}

impl HealthChecks {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state, running: HashMap::new(), turns: Rc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Checks what the published configuration says, and nothing else.
    pub(crate) fn follow(&mut self) {
        let published = self.state.published();
        let mut before = std::mem::take(&mut self.running);
        for cluster in published.generation.snapshot.clusters() {
            if cluster.spec.health_check.is_none() || cluster.spec.original_destination {
                continue;
            }
            for (place, endpoint) in cluster.endpoints.endpoints().iter().enumerate() {
                let Some(state) = cluster.shared.endpoint(place) else { continue };
                let key = (Arc::clone(&cluster.name), endpoint.address);
                let known = before.remove(&key).filter(|known| known.is(cluster, endpoint, state));
                let running = known.unwrap_or_else(|| self.start(cluster, endpoint, state));
                self.running.insert(key, running);
            }
        }
        for gone in before.into_values() {
            // Nobody would take it for healthy again.
            gone.endpoint.set_healthy(true);
        }
    }

    fn start(&self, cluster: &Arc<Cluster>, endpoint: &Endpoint, state: &Arc<EndpointState>) -> Running {
        let target = Target {
            cluster: Arc::clone(&cluster.name),
            spec: Arc::clone(&cluster.spec),
            endpoint: endpoint.clone(),
        };
        let checked = check(target, Arc::clone(state), Arc::clone(&self.state), Rc::clone(&self.turns));
        Running {
            spec: Arc::clone(&cluster.spec),
            host: Arc::clone(&endpoint.host),
            endpoint: Arc::clone(state),
            task: spawn_local(checked).abort_handle(),
        }
    }
}

impl Running {
    /// Whether this endpoint is asked in just the way that it would be.
    fn is(&self, cluster: &Cluster, endpoint: &Endpoint, state: &Arc<EndpointState>) -> bool {
        let same = |one: &sluice_model::Cluster, other: &sluice_model::Cluster| {
            one.health_check == other.health_check && one.tls == other.tls && one.protocol == other.protocol
        };
        Arc::ptr_eq(&self.endpoint, state)
            && self.host == endpoint.host
            && (Arc::ptr_eq(&self.spec, &cluster.spec) || same(&self.spec, &cluster.spec))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks an endpoint again and again.
async fn check(target: Target, endpoint: Arc<EndpointState>, state: Arc<State>, turns: Rc<Semaphore>) {
    let Some(check) = &target.spec.health_check else { return };
    let mut verdict = Verdict::default();
    loop {
        let outcome = {
            let Ok(_turn) = turns.acquire().await else { return };
            let tls = Arc::clone(&state.published().generation.tls);
            let answer = time::timeout(check.timeout.get(), probe::probe(&target, check, &tls)).await;
            answer.unwrap_or_else(|_| Err(Unwell::new(format!("no answer within {}", check.timeout))))
        };
        if let Some(healthy) = verdict.answer(check, outcome.is_ok()) {
            endpoint.set_healthy(healthy);
            let (cluster, address) = (&*target.cluster, target.endpoint.address);
            match outcome {
                Ok(()) => tracing::info!(cluster, %address, "an endpoint is healthy"),
                Err(why) => tracing::warn!(cluster, %address, %why, "an endpoint is unhealthy"),
            }
        }
        time::sleep(pause(check)).await;
    }
}

/// Longer by chance, so that endpoints that came together are not asked together.
fn pause(check: &sluice_model::spec::HealthCheck) -> Duration {
    let interval = check.interval.get();
    let most = interval.as_nanos() * u128::from(check.jitter.millionths()) / 1_000_000;
    let more = fastrand::u64(..=u64::try_from(most).unwrap_or(u64::MAX));
    interval.saturating_add(Duration::from_nanos(more))
}
