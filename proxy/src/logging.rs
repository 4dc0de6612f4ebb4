//! The process's own log: what goes to standard error, and how its levels change while running.
//!
//! Lines go through a bounded queue to a thread of their own: a terminal that is paused or a pipe that nobody reads
//! costs lines, never a shard's time.

use crate::telemetry::SharedCounter;
use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};
use tracing_subscriber::{
    EnvFilter, Registry,
    filter::ParseError,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

/// Lines that may wait.
const QUEUE: usize = 4096;
/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The process-wide log on standard error. Installed once, by the binary; libraries and tests may leave it out.
#[derive(Clone)]
pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    queue: Queue,
}

/// Why levels cannot be changed or the log cannot be installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// Not a filter such as `info` or `warn,sluice_proxy::dns=debug`.
    #[error("not a log filter: {0}")]
    Filter(#[from] ParseError),
    /// The process has a log already.
    #[error("a log is installed already")]
    Installed,
    /// The thread that writes cannot be started.
    #[error("the log's thread cannot be started: {0}")]
    Thread(io::Error),
}

/// The way of lines to the thread that writes them.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Order>,
    dropped: Arc<SharedCounter>,
}

enum Order {
    Line(Vec<u8>),
    /// Says when everything before is written.
    Flush(SyncSender<()>),
}

// === impl Logging ===

impl Logging {
    /// Sends events to standard error, one line each; the filter has the form of `RUST_LOG`
    /// (`info,sluice_proxy::dns=debug`).
    pub fn install(filter: &str) -> Result<Self, LoggingError> {
        let (filter, handle) = reload::Layer::new(EnvFilter::try_new(filter)?);
        let (lines, orders) = sync_channel(QUEUE);
        let queue = Queue { lines, dropped: Arc::default() };
        thread::Builder::new()
            .name("sluice-stderr".to_owned())
            .spawn(move || write_lines(&orders))
            .map_err(LoggingError::Thread)?;
        let lines = fmt::layer().with_writer(queue.clone()).with_ansi(io::stderr().is_terminal());
        tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .try_init()
            .map_err(|_| LoggingError::Installed)?;
        Ok(Self { filter: handle, queue })
    }

    /// The filter in force, in the form of `RUST_LOG`.
    pub fn levels(&self) -> String {
        self.filter.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Puts another filter in force.
    pub fn set_levels(&self, filter: &str) -> Result<(), LoggingError> {
        let filter = EnvFilter::try_new(filter)?;
        self.filter.reload(filter).map_err(|_| LoggingError::Installed)
    }

    /// Waits, not for long, until the lines so far are written. Before the process exits.
    pub fn flush(&self) {
        let (done, flushed) = sync_channel(1);
        if self.queue.lines.try_send(Order::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(LAST_LINES);
        }
    }

    /// Lines that did not fit the queue.
    pub(crate) fn dropped(&self) -> u64 {
        self.queue.dropped.get()
    }
}

impl std::fmt::Debug for Logging {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Logging").field("levels", &self.levels()).finish_non_exhaustive()
    }
}

fn write_lines(orders: &Receiver<Order>) {
    while let Ok(order) = orders.recv() {
        match order {
            // Nobody is left to be told that standard error is broken.
            Order::Line(line) => drop(io::stderr().lock().write_all(&line)),
            Order::Flush(done) => drop(done.try_send(())),
        }
    }
}

// === impl Queue ===

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

/// The subscriber writes an event with one call.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Order::Line(line.to_vec())).is_err() {
            self.dropped.add(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (lines, orders) = sync_channel(1);
        let queue = Queue { lines, dropped: Arc::default() };
        for _ in 0..3 {
            queue.make_writer().write_all(b"line\n").unwrap();
        }
        assert_eq!(queue.dropped.get(), 2);
        assert!(matches!(orders.try_recv(), Ok(Order::Line(line)) if line == b"line\n"));
    }
}
