//! From a prepared configuration to shards that serve it.

use super::{Control, Staged};
use crate::{
    access_log::Format,
    config::{Prepared, with_addresses},
    dns::Resolution,
    listen::{Accepting, Plan},
    shard::{Change, Message, SocketId},
    state::{BoundListener, Published},
};
use sluice_model::{Config, Diagnostics, Severity, spec};
use sluice_net::Generation;
use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// The longest that a configuration waits for the first answers about its names, whatever the look-up timeout.
const FIRST_ANSWERS: Duration = Duration::from_secs(10);

impl Control {
    /// Asks for the names of a configuration; it comes into force when every one had an outcome.
    pub(super) fn stage(
        &mut self,
        prepared: Prepared,
        plan: Option<Plan>,
        first: Option<std::sync::mpsc::SyncSender<()>>,
    ) {
        // A frame serves nothing, which nobody needs to be warned of.
        if !prepared.frame {
            self.remark(&prepared.warnings);
        }
        let dns = prepared.config.dns();
        // Names in force stay known: this configuration may still be refused.
        let published = self.state.published();
        let (now, then) = (prepared.config.endpoint_names(), published.config.endpoint_names());
        if Arc::ptr_eq(now, then) {
            self.resolve(dns, now);
        } else {
            self.resolve(dns, &now.union(then).cloned().collect());
        }
        let patience = dns.timeout.limit().unwrap_or(FIRST_ANSWERS).min(FIRST_ANSWERS);
        self.staged = Some(Staged { prepared, plan, deadline: Instant::now() + patience, first });
    }

    /// Says what is odd about a configuration and was not about the one before.
    fn remark(&mut self, found: &Diagnostics) {
        let mut remarks = BTreeSet::new();
        for diagnostic in found {
            // Where it stands in a file is nothing new.
            let remark = (diagnostic.path.clone(), diagnostic.message.clone());
            if !self.remarks.contains(&remark) {
                match diagnostic.severity {
                    Severity::Info => tracing::info!("{diagnostic}"),
                    Severity::Warning | Severity::Error => tracing::warn!("{diagnostic}"),
                }
            }
            remarks.insert(remark);
        }
        self.remarks = remarks;
    }

    /// Brings the staged configuration into force if it need not wait any more.
    pub(super) async fn apply_when_ready(&mut self) {
        let ready = |staged: &mut Staged| self.names.all_asked() || staged.deadline <= Instant::now();
        let Some(staged) = self.staged.take_if(ready) else { return };
        if !self.phase.is_serving() {
            return;
        }
        let Staged { prepared, plan: bound, first, .. } = staged;
        let Prepared { config, generation, frame, warnings: _ } = prepared;
        let planned = match bound {
            Some(plan) => Ok(plan),
            None => self.plan(&config),
        };
        match planned {
            Ok(mut plan) => {
                let failed = std::mem::take(&mut plan.failed);
                self.put_in_force(config, generation, plan).await;
                let expecting = self.expecting.take_if(|_| !frame);
                if expecting.is_some() {
                    self.await_listeners();
                }
                self.do_without(&failed);
                let begins = first.is_some() || expecting.is_some();
                if let Some(expecting) = expecting {
                    let _ = expecting.in_force.try_send(());
                }
                if let Some(started) = first {
                    let _ = started.try_send(());
                }
                if !begins {
                    self.state.reloads.ok();
                    let version = self.state.published().generation.snapshot.version();
                    tracing::info!(version, "another configuration is in force");
                }
            }
            Err(error) => {
                let published = self.state.published();
                self.resolve(published.config.dns(), published.config.endpoint_names());
                self.refuse_for_now(&error);
            }
        }
        if let Some(asked) = self.load_again.take() {
            self.load(asked);
        }
    }

    fn resolve(&mut self, dns: &spec::Dns, wanted: &BTreeSet<Arc<str>>) {
        let mut dns = dns.clone();
        if let Some(server) = self.options.overrides.name_server {
            dns.servers = vec![server];
        }
        if let Err(error) = self.names.resolve(&dns, wanted) {
            tracing::error!(%error, "names cannot be resolved");
        }
    }

    async fn put_in_force(&mut self, config: Config, mut generation: Generation, plan: Plan) {
        self.resolve(config.dns(), config.endpoint_names());
        if let Some(snapshot) = with_addresses(&generation.snapshot, |name| self.names.addresses(name)) {
            generation.snapshot = snapshot;
        }
        let needs_restart = needs_restart(&self.initial, &config, &self.options);
        let timeout = config.runtime().drain_timeout.limit();
        for change in &needs_restart {
            tracing::warn!("{change}: this takes effect with the next start");
        }
        let Plan { bound, opened, renamed, removed, failed: _ } = plan;
        // First the connections of a listener learn that it goes, then it goes.
        for bound in &removed {
            bound.state.drain();
        }
        let ending = !renamed.is_empty() || !removed.is_empty();
        self.listeners = bound;
        let names: Vec<_> = renamed.iter().filter_map(|(id, _)| Some((*id, self.state_of(*id)?))).collect();
        self.set_log_target(&config);
        let format = Format::compile(config.access_log());
        self.state.publish(self.published(config, generation.clone(), needs_restart));
        self.checks.follow();
        self.state.dns.store(Arc::new(self.names.iter().filter_map(|(_, latest)| latest.cloned()).collect()));
        let change = Change { generation, format, renamed: names.clone() };
        self.tell_all(|| Message::Publish(change.clone())).await;
        if let Some((_, accepting)) = &self.handoff {
            for (id, listener) in names {
                if let Some(accepting) = accepting.get(&id) {
                    *accepting.listener.borrow_mut() = listener;
                }
            }
        }
        for (_, before) in renamed {
            before.drain();
            self.leave(before, timeout);
        }
        self.open(opened).await;
        for bound in removed {
            self.leave(bound.state.clone(), timeout);
            if let Some((_, accepting)) = &mut self.handoff {
                if let Some(accepting) = accepting.remove(&bound.id) {
                    // No wait: the next configuration may want the address back.
                    accepting.stop(Duration::ZERO);
                    accepting.stopped().await;
                }
            } else {
                self.tell_all(|| Message::Unlisten { id: bound.id }).await;
            }
        }
        if ending {
            self.tell_all(|| Message::Wake).await;
        }
    }

    /// Accepts from new sockets of listeners that are known already.
    pub(super) async fn open(&mut self, opened: Vec<(SocketId, Vec<TcpListener>)>) {
        for (id, sockets) in opened {
            let Some(listener) = self.state_of(id) else { continue };
            if let Some((handoff, accepting)) = &mut self.handoff {
                for socket in sockets {
                    accepting.insert(id, Accepting::start(socket, listener.clone(), handoff.clone()));
                }
            } else {
                for (shard, socket) in sockets.into_iter().enumerate() {
                    self.tell(shard, Message::Listen { id, socket, listener: listener.clone() }).await;
                }
            }
        }
    }

    fn state_of(&self, id: u64) -> Option<Arc<sluice_net::ListenerState>> {
        self.listeners.iter().find(|bound| bound.id == id).map(|bound| bound.state.clone())
    }

    pub(super) fn published(
        &self,
        config: Config,
        generation: Generation,
        needs_restart: Vec<String>,
    ) -> Published {
        let listeners = self
            .listeners
            .iter()
            .map(|bound| BoundListener {
                name: bound.name.clone(),
                address: bound.address,
                state: bound.state.clone(),
            })
            .collect();
        Published {
            config,
            generation,
            since: SystemTime::now(),
            listeners,
            needs_restart,
            hash: OnceLock::new(),
        }
    }

    /// An answer about a name.
    pub(super) async fn learn(&mut self, outcome: Resolution) {
        let failed = outcome.error.clone();
        let name = outcome.name.clone();
        if !self.names.learn(outcome) {
            return;
        }
        match failed {
            Some(error) => {
                self.state.dns_failures.add(1);
                tracing::warn!(%name, %error, "a name cannot be resolved; the last good answer stays in use");
            }
            None => tracing::debug!(%name, addresses = ?self.names.addresses(&name), "a name was resolved"),
        }
        self.refresh_addresses().await;
    }

    /// Publishes changed addresses, unless a configuration is on its way that will bring them along.
    pub(super) async fn refresh_addresses(&mut self) {
        if self.loading.is_some() || self.staged.is_some() || !self.phase.is_serving() {
            return;
        }
        self.state.dns.store(Arc::new(self.names.iter().filter_map(|(_, latest)| latest.cloned()).collect()));
        let published = self.state.published();
        let addresses = |name: &str| self.names.addresses(name);
        let Some(snapshot) = with_addresses(&published.generation.snapshot, addresses) else { return };
        let generation = Generation { snapshot, tls: published.generation.tls.clone() };
        let format = Format::compile(published.config.access_log());
        self.state.publish(self.published(
            published.config.clone(),
            generation.clone(),
            published.needs_restart.clone(),
        ));
        self.checks.follow();
        let change = Change { generation, format, renamed: Vec::new() };
        self.tell_all(|| Message::Publish(change.clone())).await;
    }

    /// Opens the log file again, for rotation.
    pub(super) fn reopen_log(&mut self) {
        let published = self.state.published();
        if let Some(log) = published.config.access_log()
            && !self.writer.set_target(&log.target)
        {
            tracing::error!("the access log cannot be opened again: its queue is full");
        }
    }

    fn set_log_target(&mut self, config: &Config) {
        let Some(log) = config.access_log() else { return };
        if self.log_target.as_ref() != Some(&log.target) {
            if self.writer.set_target(&log.target) {
                self.log_target = Some(log.target.clone());
            } else {
                tracing::error!("the access log cannot go elsewhere: its queue is full");
            }
        }
    }
}

/// What of a changed configuration has no effect before the next start.
fn needs_restart(initial: &Config, config: &Config, options: &crate::options::Options) -> Vec<String> {
    let (before, after) = (initial.runtime(), config.runtime());
    let overrides = &options.overrides;
    let changes = [
        (
            overrides.admin.is_none() && initial.admin().address != config.admin().address,
            "admin.address changed",
        ),
        (overrides.shards.is_none() && before.shards != after.shards, "runtime.shards changed"),
        (before.accept != after.accept, "runtime.accept changed"),
        (
            before.mirror_buffer_per_shard != after.mirror_buffer_per_shard,
            "runtime.mirror_buffer_per_shard changed",
        ),
    ];
    changes.into_iter().filter(|(changed, _)| *changed).map(|(_, what)| what.to_owned()).collect()
}
