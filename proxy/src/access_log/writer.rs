//! The thread that writes access log lines.

use crate::telemetry::SharedCounter;
use sluice_model::spec::AccessLogTarget;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Batches that may wait; with full ones this is 8 MiB.
const QUEUE: usize = 256;
/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What the writer is told.
pub(crate) enum Order {
    Write {
        batch: Vec<u8>,
        lines: u64,
    },
    /// Where lines go from now on. Also opens the same file again, which is what log rotation needs.
    Target(AccessLogTarget),
    /// Says when everything before is written.
    Flushed(SyncSender<()>),
}

/// What became of lines that were queued.
#[derive(Debug, Default)]
pub(crate) struct WriterStats {
    lost: SharedCounter,
}

/// The writer's end in the control task.
pub(crate) struct Writer {
    orders: SyncSender<Order>,
    stats: Arc<WriterStats>,
}

// === impl WriterStats ===

impl WriterStats {
    /// Lines that could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.get()
    }
}

// === impl Writer ===

impl Writer {
    /// Starts the thread. It ends when the last sender is gone.
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, queue) = sync_channel(QUEUE);
        let stats = Arc::<WriterStats>::default();
        let thread_stats = stats.clone();
        thread::Builder::new().name("sluice-log".to_owned()).spawn(move || run(&queue, &thread_stats))?;
        Ok(Self { orders, stats })
    }

    pub(crate) fn orders(&self) -> SyncSender<Order> {
        self.orders.clone()
    }

    pub(crate) fn stats(&self) -> Arc<WriterStats> {
        self.stats.clone()
    }

    /// Sends lines elsewhere, or opens the same file again. `false` where the queue is full; the caller tries later.
    pub(crate) fn set_target(&self, target: &AccessLogTarget) -> bool {
        self.orders.try_send(Order::Target(target.clone())).is_ok()
    }

    /// Waits until what is queued is written, at most a second. Blocks.
    pub(crate) fn flush(&self) {
        let (done, flushed) = sync_channel(1);
        let deadline = Instant::now() + LAST_LINES;
        let mut order = Order::Flushed(done);
        while let Err(error) = self.orders.try_send(order) {
            if Instant::now() >= deadline {
                return;
            }
            order = match error {
                std::sync::mpsc::TrySendError::Full(order) => order,
                std::sync::mpsc::TrySendError::Disconnected(_) => return,
            };
            thread::sleep(Duration::from_millis(1));
        }
        if let Err(RecvTimeoutError::Timeout) =
            flushed.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            tracing::warn!("the last access log lines could not be written in time");
        }
    }
}

enum Sink {
    Stdout,
    Stderr,
    File(File),
    /// The file could not be opened; said once.
    Nowhere,
}

fn run(queue: &Receiver<Order>, stats: &WriterStats) {
    let mut sink = Sink::Stdout;
    let mut failing = false;
    while let Ok(order) = queue.recv() {
        match order {
            Order::Write { batch, lines } => match sink.write(&batch) {
                Ok(()) => failing = false,
                Err(error) => {
                    stats.lost.add(lines);
                    if !failing {
                        tracing::error!(%error, "access log lines cannot be written and are lost");
                    }
                    failing = true;
                }
            },
            Order::Target(target) => {
                sink = Sink::open(&target);
                failing = matches!(sink, Sink::Nowhere);
            }
            Order::Flushed(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

impl Sink {
    fn open(target: &AccessLogTarget) -> Self {
        match target {
            AccessLogTarget::Stdout => Self::Stdout,
            AccessLogTarget::Stderr => Self::Stderr,
            AccessLogTarget::File(path) => match OpenOptions::new().append(true).create(true).open(path) {
                Ok(file) => Self::File(file),
                Err(error) => {
                    tracing::error!(path, %error, "the access log cannot be opened; its lines are lost");
                    Self::Nowhere
                }
            },
        }
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(batch)?;
                out.flush()
            }
            Self::Stderr => io::stderr().lock().write_all(batch),
            Self::File(file) => file.write_all(batch),
            Self::Nowhere => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
