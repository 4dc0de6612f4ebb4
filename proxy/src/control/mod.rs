//! The control task: everything that happens to the process as a whole, in one place and one after the other.
//!
//! ```text
//! files, feed, SIGHUP ─▶ read and compile (blocking pool) ─▶ wait for new names ─▶ bind ─▶ publish ─▶ shards
//! DNS answers ───────────────────────────────────────────────────────────────────▶ publish ─▶ shards
//! an address that was taken ─▶ bind again ─▶ shards
//! SIGTERM, POST /drain ─▶ Serving ─▶ Grace ─▶ Draining ─▶ every shard ended ─▶ exit
//!                                                 └─ deadline, second signal ─▶ Forced ─▶ exit
//! ```

mod drain;
mod publish;
mod signals;
mod unbound;

pub(crate) use signals::listen as listen_for_signals;

use crate::{
    access_log::Writer,
    config::{Contents, Outcome, Prepared, Refusal, Watch, prepare},
    dns::{Names, Resolution},
    health::HealthChecks,
    listen::{Accepting, Bound, Handoff, Plan},
    options::{Exit, Options},
    readiness::Token,
    shard::{Message, ShardThread, SocketId},
    state::State,
};
use drain::Phase;
use sluice_model::{
    Config,
    spec::{AcceptMode, AccessLogTarget},
};
use sluice_net::ListenerState;
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, mpsc::error::TrySendError, oneshot},
    task::{JoinHandle, spawn_blocking, spawn_local},
    time::{self, Instant},
};
use unbound::Again;

/// How long a shard may leave its queue full before a message to it is given up.
const STUCK: Duration = Duration::from_secs(5);

/// What the control task is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Read the configuration again and open log files again.
    Reload,
    /// Start to drain; a second time changes nothing.
    Drain,
    /// SIGTERM or SIGINT: the first drains, the second ends.
    Signal(i32),
    /// End now.
    End,
}

/// What the control task begins with.
pub(crate) struct Beginning {
    pub(crate) options: Options,
    pub(crate) state: Arc<State>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) shards: Vec<ShardThread>,
    pub(crate) writer: Writer,
    pub(crate) prepared: Prepared,
    pub(crate) plan: Plan,
    pub(crate) next_socket: SocketId,
    pub(crate) contents: Contents,
    /// Told when the process is up.
    pub(crate) started: std::sync::mpsc::SyncSender<()>,
    /// Told when the first configuration that is more than a frame is in force.
    pub(crate) in_force: std::sync::mpsc::SyncSender<()>,
    /// Where admin and health listen.
    pub(crate) own: Vec<SocketAddr>,
}

/// The control task.
pub(crate) struct Control {
    options: Options,
    state: Arc<State>,
    commands: mpsc::Receiver<Command>,
    shards: Vec<ShardThread>,
    /// Number of the shard that ended, and the connections it cut; `None` where it broke.
    ended: mpsc::Receiver<(usize, Option<usize>)>,
    writer: Writer,
    /// As started with; what needs a restart is compared with it.
    initial: Config,
    listeners: Vec<Bound>,
    next_socket: SocketId,
    handoff: Option<Acceptors>,
    names: Names,
    checks: HealthChecks,
    outcomes: mpsc::Receiver<Resolution>,
    watch: Watch,
    contents: Contents,
    loading: Option<JoinHandle<Option<Outcome>>>,
    /// Something changed while a configuration was being read, or (`true`) somebody asked for another reading.
    load_again: Option<bool>,
    staged: Option<Staged>,
    phase: Phase,
    signalled: bool,
    cut: usize,
    running: usize,
    exit: Option<Exit>,
    draining: Option<Token>,
    /// What was odd about the latest configuration, by path.
    remarks: BTreeSet<(String, String)>,
    log_target: Option<AccessLogTarget>,
    /// Until the first configuration that is more than a frame is in force.
    expecting: Option<Expecting>,
    /// Until every listener of that one listens.
    unready: Option<Token>,
    /// The next attempt to listen on addresses that could not be had.
    again: Option<Again>,
    /// Addresses of this process that no listener can have.
    own: Vec<SocketAddr>,
    /// Listeners that are gone, and when their connections have to be.
    leaving: VecDeque<(Instant, Arc<ListenerState>)>,
}

/// Who waits for the first configuration that is more than a frame.
struct Expecting {
    _ready: Token,
    in_force: std::sync::mpsc::SyncSender<()>,
}

/// What accepts on the control thread, and for which sockets.
type Acceptors = (Rc<RefCell<Handoff>>, HashMap<SocketId, Accepting>);

/// A configuration that waits for the first answers about its names.
struct Staged {
    prepared: Prepared,
    /// Sockets that are bound already.
    plan: Option<Plan>,
    deadline: Instant,
    /// Told when this one, the first, is in force.
    first: Option<std::sync::mpsc::SyncSender<()>>,
}

// === impl Control ===

impl Control {
    pub(crate) fn new(beginning: Beginning) -> Self {
        let Beginning {
            options,
            state,
            commands,
            mut shards,
            writer,
            prepared,
            plan,
            next_socket,
            contents,
            started,
            in_force,
            own,
        } = beginning;
        let (sender, outcomes) = mpsc::channel(64);
        let (ends, ended) = mpsc::channel(shards.len().max(1));
        for (number, shard) in shards.iter_mut().enumerate() {
            if let Some(ended) = shard.ended.take() {
                spawn_local(watch_shard(number, ended, ends.clone()));
            }
        }
        let handoff = (prepared.config.runtime().accept == AcceptMode::Handoff).then(|| {
            let senders = shards.iter().map(|shard| (shard.messages.clone(), shard.stats.clone()));
            (Handoff::new(senders, &state.acceptors), HashMap::new())
        });
        let checks = HealthChecks::new(Arc::clone(&state));
        let expecting = Expecting { _ready: state.readiness.hold("first configuration"), in_force };
        let mut control = Self {
            initial: prepared.config.clone(),
            running: shards.len(),
            options,
            state,
            commands,
            shards,
            ended,
            writer,
            listeners: Vec::new(),
            next_socket,
            handoff,
            names: Names::new(sender),
            checks,
            outcomes,
            watch: Watch::new(),
            contents,
            loading: None,
            load_again: None,
            staged: None,
            phase: Phase::Serving,
            signalled: false,
            cut: 0,
            exit: None,
            draining: None,
            remarks: BTreeSet::new(),
            log_target: None,
            expecting: Some(expecting),
            unready: None,
            again: None,
            own,
            leaving: VecDeque::new(),
        };
        control.watch.follow(control.contents.paths());
        control.stage(prepared, Some(plan), Some(started));
        control
    }

    /// Runs until the process is to end.
    pub(crate) async fn run(mut self) -> Exit {
        loop {
            self.apply_when_ready().await;
            if self.running == 0 {
                break;
            }
            let staged = self.staged.as_ref().map(|staged| staged.deadline);
            let phase = self.phase.deadline();
            let leaving = self.leaving.front().map(|(deadline, _)| *deadline);
            let again = self.again.as_ref().map(Again::at).filter(|_| self.phase.is_serving());
            tokio::select! {
                Some(command) = self.commands.recv() => self.follow(command).await,
                Some((number, cut)) = self.ended.recv() => self.shard_ended(number, cut).await,
                Some(outcome) = self.outcomes.recv() => self.learn(outcome).await,
                () = self.watch.changed() => self.load(false),
                () = self.options.source.changed() => self.load(true),
                outcome = read(&mut self.loading), if self.loading.is_some() => {
                    self.loading = None;
                    self.loaded(outcome).await;
                }
                () = until(staged), if staged.is_some() => {}
                () = until(again), if again.is_some() => self.bind_again().await,
                () = until(leaving), if leaving.is_some() => self.cut_leaving().await,
                () = until(phase), if phase.is_some() => self.next_phase().await,
            }
        }
        self.writer.flush();
        if let Some(logging) = &self.options.logging {
            logging.flush();
        }
        self.exit.unwrap_or(if self.cut > 0 { Exit::Cut(self.cut) } else { Exit::Drained })
    }

    async fn follow(&mut self, command: Command) {
        match command {
            Command::Reload => {
                self.names.forget_system_settings();
                self.reopen_log();
                self.load(true);
            }
            Command::Drain => self.begin_drain().await,
            // After `POST /drain` (a preStop hook, say) SIGTERM is still the first signal.
            Command::Signal(number) if !std::mem::replace(&mut self.signalled, true) => {
                tracing::info!(signal = number, "draining; a second signal ends at once");
                self.begin_drain().await;
            }
            Command::Signal(number) => self.end(Exit::Signal(number)).await,
            Command::End => self.end(Exit::Cut(0)).await,
        }
    }

    /// Reads the configuration on the blocking pool, if it changed or if somebody asked for it.
    pub(super) fn load(&mut self, asked: bool) {
        if !self.phase.is_serving() {
            return;
        }
        // One at a time: versions of snapshots count on from the one before.
        if self.loading.is_some() || self.staged.is_some() {
            self.load_again = Some(asked || self.load_again == Some(true));
            return;
        }
        let (source, contents) = (self.options.source.clone(), self.contents.clone());
        let old = self.state.published();
        self.loading = Some(spawn_blocking(move || {
            let prepared = || prepare(&source, Some((&old.config, &old.generation)));
            (asked || !contents.still_hold()).then(prepared)
        }));
    }

    async fn loaded(&mut self, outcome: Option<Outcome>) {
        if let Some((result, contents)) = outcome {
            self.contents = contents;
            match result {
                Ok(prepared) => self.stage(prepared, None, None),
                Err(refusal) => self.refuse(&refusal),
            }
        }
        // The folders may be others now, even where the contents are the same.
        self.watch.follow(self.contents.paths());
        if let Some(asked) = self.load_again.take() {
            self.load(asked);
        }
        self.refresh_addresses().await;
    }

    /// The configuration in force stays.
    fn refuse(&mut self, refusal: &Refusal) {
        self.wait_for_no_configuration();
        let message = match refusal {
            Refusal::Read(crate::config::ReadError::Refused(diagnostics)) => {
                for diagnostic in diagnostics {
                    tracing::error!("{diagnostic}");
                }
                diagnostics.to_string()
            }
            other => other.to_string(),
        };
        tracing::error!(
            "the changed configuration is not used, the last good one stays in force{}",
            if matches!(refusal, Refusal::Read(crate::config::ReadError::Refused(_))) {
                String::new()
            } else {
                format!(": {message}")
            }
        );
        self.state.reloads.error(message);
    }

    async fn shard_ended(&mut self, number: usize, cut: Option<usize>) {
        self.running -= 1;
        match cut {
            Some(cut) => self.cut += cut,
            None => tracing::error!(shard = number, "a shard broke; its connections are lost"),
        }
        if self.phase.is_serving() {
            self.exit = Some(Exit::Broken);
            self.begin_drain().await;
        }
    }

    /// Tells one shard something. A shard that takes nothing for seconds is left alone.
    async fn tell(&self, shard: usize, message: Message) {
        let messages = &self.shards[shard].messages;
        // A message that fits goes without giving way to other tasks.
        let Err(TrySendError::Full(message)) = messages.try_send(message) else { return };
        if time::timeout(STUCK, messages.send(message)).await.is_err() {
            tracing::error!(shard, "a shard does not take messages");
        }
    }

    async fn tell_all(&self, message: impl Fn() -> Message) {
        for shard in 0..self.shards.len() {
            self.tell(shard, message()).await;
        }
    }
}

async fn watch_shard(
    number: usize,
    ended: oneshot::Receiver<usize>,
    ends: mpsc::Sender<(usize, Option<usize>)>,
) {
    let cut = ended.await.ok();
    let _ = ends.send((number, cut)).await;
}

async fn read(loading: &mut Option<JoinHandle<Option<Outcome>>>) -> Option<Outcome> {
    match loading {
        Some(task) => task
            .await
            .inspect_err(|error| tracing::error!(%error, "reading the configuration broke off"))
            .ok()
            .flatten(),
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
