//! The composition root: builds the parts of a proxy and starts them.

use crate::{
    access_log::{Format, ShardLog, Writer},
    admin::{self, Audience},
    config::{ReadError, Refusal, prepare},
    control::{Beginning, Command, Control, listen_for_signals},
    listen::{self, bind},
    options::{Exit, Options, StartError},
    shard::{Seed, ShardThread},
    state::{Published, State},
};
use sluice_model::spec::{self, AcceptMode};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, SystemTime},
};
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::{mpsc, mpsc::error::TrySendError},
    task::spawn_local,
};

/// Commands that may wait for the control task.
const COMMANDS: usize = 16;

/// The whole process.
#[derive(Debug)]
pub struct Proxy;

/// A proxy that runs on threads of its own. Dropping it ends it at once.
pub struct RunningProxy {
    admin: SocketAddr,
    health: Option<SocketAddr>,
    state: Arc<State>,
    control: Option<thread::JoinHandle<Exit>>,
    in_force: Mutex<Receiver<()>>,
}

// === impl Proxy ===

impl Proxy {
    /// Loads the configuration, binds every address, starts the threads, and returns when traffic is accepted: after
    /// the first answers about DNS names, or when they take too long. The caller's thread stays free. Where a feed has
    /// published nothing yet, only admin answers then, see [`RunningProxy::first_in_force`].
    pub fn start(mut options: Options) -> Result<RunningProxy, StartError> {
        options.source.begin();
        let (prepared, contents) = prepare(&options.source, None);
        let prepared = prepared.map_err(refused)?;
        let config = &prepared.config;
        raise_descriptor_limit();

        let address = options.overrides.admin.unwrap_or(config.admin().address);
        let (admin_socket, admin) =
            bind_one(address).map_err(|source| StartError::Admin { address, source })?;
        let health = options
            .health
            .map(|address| bind_one(address).map_err(|source| StartError::Health { address, source }));
        let (health_socket, health) = health.transpose()?.unzip();

        let shards = shard_count(options.overrides.shards, config.runtime());
        let sockets = match config.runtime().accept {
            AcceptMode::Reuseport => usize::from(shards),
            AcceptMode::Handoff => 1,
        };
        let mut next_socket = 0;
        let plan = listen::plan(
            &[],
            config,
            &options.overrides.listeners,
            sockets,
            &mut next_socket,
            options.source.has_many_authors(),
        )?;

        let writer = Writer::start()
            .map_err(|source| StartError::System { action: "start the log writer".into(), source })?;
        let shards = (0..shards)
            .map(|number| {
                let (log, format) = (writer.orders(), Format::compile(config.access_log()));
                ShardThread::start(Seed {
                    number,
                    generation: prepared.generation.clone(),
                    mirror_buffer: config.runtime().mirror_buffer_per_shard.as_usize(),
                    log: Box::new(move || ShardLog::new(log, format)),
                    dialects: options.dialects.clone(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;

        let (commands, inbox) = mpsc::channel(COMMANDS);
        let published = Published {
            config: config.clone(),
            generation: prepared.generation.clone(),
            since: SystemTime::now(),
            listeners: Vec::new(),
            needs_restart: Vec::new(),
            hash: OnceLock::new(),
        };
        let stats = shards.iter().map(|shard| shard.stats.clone()).collect();
        let (logging, extension) = (options.logging.clone(), options.extension.clone());
        let dialects = options.dialects.clone();
        let state = State::new(published, stats, writer.stats(), logging, extension, dialects, commands);
        let state = Arc::new(state);
        let (started, starts) = sync_channel(1);
        let (standing, stands) = sync_channel(1);
        let (in_force_sender, in_force) = sync_channel(1);
        let beginning = Beginning {
            options,
            state: state.clone(),
            commands: inbox,
            shards,
            writer,
            prepared,
            plan,
            next_socket,
            contents,
            started,
            in_force: in_force_sender,
            own: [Some(admin), health].into_iter().flatten().collect(),
        };
        let control = thread::Builder::new()
            .name("sluice-control".to_owned())
            .spawn(move || run_control(beginning, admin_socket, health_socket, &standing))
            .map_err(|source| StartError::System { action: "start the control thread".into(), source })?;
        stands
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the thread ended")))
            .map_err(|source| StartError::System { action: "start the control runtime".into(), source })?;
        // An error means that it was told to end before it began to serve; `wait` will say so.
        let _ = starts.recv();
        Ok(RunningProxy { admin, health, state, control: Some(control), in_force: Mutex::new(in_force) })
    }
}

/// One socket, and where it really listens.
fn bind_one(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = bind(address, 1)?.pop().ok_or(io::ErrorKind::Other)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

fn refused(refusal: Refusal) -> StartError {
    match refusal {
        Refusal::Read(ReadError::File { path, source }) => StartError::Read { path, source },
        Refusal::Read(ReadError::Refused(diagnostics)) => StartError::Config(diagnostics),
        Refusal::Tls(_) => StartError::Tls(refusal.to_string()),
    }
}

/// One data thread for each CPU that the cgroup grants, unless somebody says otherwise.
fn shard_count(wanted: Option<u16>, runtime: &spec::Runtime) -> u16 {
    wanted
        .or(runtime.shards)
        .unwrap_or_else(|| {
            thread::available_parallelism().map_or(1, |cpus| u16::try_from(cpus.get()).unwrap_or(u16::MAX))
        })
        .max(1)
}

/// A proxy needs two descriptors for a request; the soft limit is 1,024 on most machines.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, ?current, "the limit of file descriptors stays low");
    }
}

fn run_control(
    beginning: Beginning,
    admin: TcpListener,
    health: Option<TcpListener>,
    standing: &SyncSender<io::Result<()>>,
) -> Exit {
    let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = standing.send(Err(error));
            return Exit::Broken;
        }
    };
    let exit = runtime.block_on(async {
        let state = beginning.state.clone();
        if beginning.options.signals {
            match listen_for_signals(state.commands.clone()) {
                Ok(signals) => drop(spawn_local(signals)),
                Err(error) => {
                    let _ = standing.send(Err(error));
                    return Exit::Broken;
                }
            }
        }
        let anybody = Audience::Anybody { healthz: beginning.options.health_path.clone() };
        let sockets = [(Some(admin), Audience::Operator), (health, anybody)];
        for (socket, audience) in sockets {
            let Some(socket) = socket else { continue };
            match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => drop(spawn_local(admin::serve(socket, state.clone(), audience))),
                Err(error) => {
                    let _ = standing.send(Err(error));
                    return Exit::Broken;
                }
            }
        }
        let control = Control::new(beginning);
        let _ = standing.send(Ok(()));
        control.run().await
    });
    // A configuration that is still being compiled is nobody's business any more.
    runtime.shutdown_background();
    exit
}

// === impl RunningProxy ===

impl RunningProxy {
    /// Where the admin endpoint listens; the real port where 0 was configured.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Where the health endpoint listens, if there is one; the real port where 0 was asked for.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health
    }

    /// Names and bound addresses of the listeners as they are now, in the order of the configuration.
    pub fn listener_addresses(&self) -> Vec<(String, SocketAddr)> {
        let published = self.state.published();
        published.listeners.iter().map(|listener| (listener.name.to_string(), listener.address)).collect()
    }

    /// The bound address of one listener.
    pub fn listener_address(&self, name: &str) -> Option<SocketAddr> {
        self.listener_addresses()
            .into_iter()
            .find(|(listener, _)| listener == name)
            .map(|(_, address)| address)
    }

    /// Waits until the first configuration is in force, of a feed the first that was published; at once on a second call.
    /// Gives up when the proxy ends before that.
    pub fn first_in_force(&self) {
        let _ = self.in_force.lock().unwrap_or_else(PoisonError::into_inner).recv();
    }

    /// Reads the configuration again and opens log files again, as SIGHUP does. Returns at once.
    pub fn reload(&self) {
        self.command(Command::Reload);
    }

    /// Starts the drain, as SIGTERM does. Returns at once; a second call changes nothing.
    pub fn shutdown(&self) {
        self.command(Command::Drain);
    }

    /// Works inside and outside of a runtime; the control task takes commands at once.
    fn command(&self, command: Command) {
        while let Err(TrySendError::Full(_)) = self.state.commands.try_send(command) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the proxy has ended.
    pub fn wait(mut self) -> Exit {
        self.control.take().map_or(Exit::Broken, |control| control.join().unwrap_or(Exit::Broken))
    }
}

impl Drop for RunningProxy {
    fn drop(&mut self) {
        if let Some(control) = self.control.take() {
            self.command(Command::End);
            let _ = control.join();
        }
    }
}

impl std::fmt::Debug for RunningProxy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RunningProxy")
            .field("admin", &self.admin)
            .field("listeners", &self.listener_addresses())
            .finish_non_exhaustive()
    }
}
