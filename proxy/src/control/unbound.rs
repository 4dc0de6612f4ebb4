//! Listeners whose address cannot be had: another process holds it, or the interface is not there yet.
//!
//! Nobody tells when an address becomes free, so it is tried again, 100 ms later at first and then after twice the time, up
//! to 5 s. Where listeners belong to different people (a feed), the configuration is in force without the ones that wait;
//! where one file says all of it, the whole configuration waits and the last good one serves on.

use super::Control;
use crate::{
    admin::Unbound,
    listen::{Plan, plan},
    options::StartError,
};
use sluice_model::Config;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Until the first of the next attempts.
const FIRST: Duration = Duration::from_millis(100);
/// The longest time between two.
const LONGEST: Duration = Duration::from_secs(5);

/// The next attempt.
#[derive(Debug)]
pub(super) struct Again {
    at: Instant,
    delay: Duration,
    what: What,
    /// It is being made.
    trying: bool,
}

/// What waits for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Listeners of the configuration in force.
    Listeners,
    /// A configuration that is refused as a whole.
    Configuration,
}

// === impl Again ===

impl Again {
    fn first(what: What) -> Self {
        Self { at: Instant::now() + FIRST, delay: FIRST, what, trying: false }
    }

    pub(super) fn at(&self) -> Instant {
        self.at
    }

    fn later(&mut self) {
        self.delay = (self.delay * 2).min(LONGEST);
        self.at = Instant::now() + self.delay;
    }
}

impl Control {
    /// Binds what a configuration has and is not open yet.
    pub(super) fn plan(&mut self, config: &Config) -> Result<Plan, StartError> {
        let sockets = if self.handoff.is_some() { 1 } else { self.shards.len() };
        plan(
            &self.listeners,
            config,
            &self.options.overrides.listeners,
            sockets,
            &mut self.next_socket,
            self.options.source.has_many_authors(),
        )
    }

    /// From now on [`do_without`](Self::do_without) decides about readiness.
    pub(super) fn await_listeners(&mut self) {
        self.unready = Some(self.state.readiness.hold("listeners without their address"));
    }

    /// The configuration in force has to do without these listeners, until they can be bound.
    pub(super) fn do_without(&mut self, failed: &[StartError]) {
        let before = self.state.unbound.load_full();
        let unbound: Vec<Unbound> = failed.iter().filter_map(|error| self.unbound(error)).collect();
        let extension = self.state.extension.as_deref();
        for new in unbound.iter().filter(|new| !before.contains(new)) {
            let wanted = extension.map(|added| added.wanted_by(&new.name)).unwrap_or_default();
            let wanted = if wanted.is_empty() { wanted } else { format!("; wanted by {wanted}") };
            tracing::error!("{}{wanted}; it is tried again, and the other listeners serve on", new.why);
        }
        for bound in &self.listeners {
            if before.iter().any(|unbound| unbound.name == *bound.name) {
                tracing::info!("listener `{}` listens on {} now", bound.name, bound.address);
            }
        }
        // Whoever asks for the port of admin waits for ever, which must not keep others waiting at every start.
        let hopeless = |unbound: &Unbound| self.is_own(unbound.address);
        if unbound.iter().all(hopeless) && (unbound.is_empty() || !self.listeners.is_empty()) {
            self.unready = None;
        }
        if unbound.is_empty() {
            self.again = None;
        } else if self.again.as_ref().is_none_or(|again| again.what != What::Listeners) || unbound != *before
        {
            self.again = Some(Again::first(What::Listeners));
        }
        if unbound != *before {
            if let Some(extension) = extension {
                extension.unbound(&unbound);
            }
            self.state.unbound.store(Arc::new(unbound));
        }
    }

    /// A configuration of one author cannot have all of its addresses.
    pub(super) fn refuse_for_now(&mut self, error: &StartError) {
        let message = error.to_string();
        let last = self.state.reloads.last_error();
        let again = self.again.as_mut().is_some_and(|again| std::mem::take(&mut again.trying));
        // Attempts say the same each time.
        if !again || last.is_none_or(|last| last.message != message) {
            tracing::error!(
                "the changed configuration is not used, the last good one stays in force: {message}; it is tried again"
            );
            self.state.reloads.error(message);
            self.again = Some(Again::first(What::Configuration));
        }
    }

    /// The configuration that waited for an address is not what is wanted any more.
    pub(super) fn wait_for_no_configuration(&mut self) {
        self.again.take_if(|again| again.what == What::Configuration);
    }

    /// The time for another attempt has come.
    pub(super) async fn bind_again(&mut self) {
        let Some(again) = &mut self.again else { return };
        again.later();
        // A configuration that is on its way is an attempt as well.
        if self.loading.is_some() || self.staged.is_some() {
            return;
        }
        if again.what == What::Configuration {
            again.trying = true;
            return self.load(true);
        }
        let published = self.state.published();
        let Ok(mut plan) = self.plan(&published.config) else { return };
        let failed = std::mem::take(&mut plan.failed);
        if !plan.opened.is_empty() {
            self.listeners = plan.bound;
            self.state.publish(self.published(
                published.config.clone(),
                published.generation.clone(),
                published.needs_restart.clone(),
            ));
            self.open(plan.opened).await;
        }
        self.do_without(&failed);
    }

    fn unbound(&self, error: &StartError) -> Option<Unbound> {
        let StartError::Listener { listener, address, source } = error else { return None };
        let why = if source.kind() == io::ErrorKind::AddrInUse && self.is_own(*address) {
            format!(
                "listener `{listener}` cannot listen on {address}: the admin or health endpoint of this process is there; move \
                 that (--admin, --health), or choose another port"
            )
        } else {
            error.to_string()
        };
        Some(Unbound { name: listener.clone(), address: *address, why })
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        self.own.iter().any(|own| {
            let overlaps = |one: SocketAddr, other: SocketAddr| {
                one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified()
            };
            own.port() == address.port() && overlaps(*own, address)
        })
    }
}
