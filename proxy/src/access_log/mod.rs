//! One line for each finished request. The shard makes the text in a buffer of its own; a writer thread takes whole
//! batches from a bounded queue, so a slow disk or a blocked pipe costs lines (which are counted), never time.

mod json;
mod writer;

pub(crate) use json::rfc3339;
pub(crate) use writer::{Order, Writer, WriterStats};

use crate::telemetry::ShardStats;
use rustix::system::uname;
use sluice_core::template::{Facts, Missing, evaluate};
use sluice_model::{spec, template::Template};
use sluice_net::RequestSummary;
use std::{
    cell::{Cell, RefCell},
    sync::{Arc, mpsc::SyncSender},
    time::Duration,
};
use tokio::sync::Notify;

/// Lines are handed to the writer when so many bytes have come together, or after [`PATIENCE`].
const BATCH_BYTES: usize = 32 * 1024;
/// The longest that a line waits for others.
const PATIENCE: Duration = Duration::from_millis(50);

/// How lines look, compiled.
#[derive(Debug)]
pub(crate) enum Format {
    /// All fields, as an object.
    Json,
    /// A format string.
    Text {
        template: Template,
        /// The machine's name.
        hostname: String,
    },
}

/// What a shard has written and not handed over yet.
pub(crate) struct ShardLog {
    format: RefCell<Option<Arc<Format>>>,
    batch: RefCell<Vec<u8>>,
    lines: Cell<u64>,
    writer: SyncSender<Order>,
    /// There is a first line in the batch.
    begun: Notify,
}

// === impl Format ===

impl Format {
    /// `None` where the access log is off. The text has been checked with the configuration.
    pub(crate) fn compile(spec: Option<&spec::AccessLog>) -> Option<Arc<Self>> {
        Some(Arc::new(match &spec?.format {
            spec::AccessLogFormat::Json => Self::Json,
            spec::AccessLogFormat::Text(text) => Self::Text {
                template: text.parse().ok()?,
                hostname: uname().nodename().to_string_lossy().into_owned(),
            },
        }))
    }
}

/// Appends a line of a format string, without the newline. Control characters of clients cannot make another line.
fn text(template: &Template, hostname: &str, request: &RequestSummary<'_>, out: &mut Vec<u8>) {
    let RequestSummary { record, request, response, trailers } = *request;
    let start = out.len();
    evaluate(template, &Facts { record, request, response, trailers, hostname }, Missing::Dash, out);
    for byte in &mut out[start..] {
        if byte.is_ascii_control() {
            *byte = b'?';
        }
    }
}

// === impl ShardLog ===

impl ShardLog {
    pub(crate) fn new(writer: SyncSender<Order>, format: Option<Arc<Format>>) -> Self {
        Self {
            format: RefCell::new(format),
            batch: RefCell::default(),
            lines: Cell::new(0),
            writer,
            begun: Notify::new(),
        }
    }

    pub(crate) fn set_format(&self, format: Option<Arc<Format>>) {
        *self.format.borrow_mut() = format;
    }

    /// Adds a line, if the access log is on.
    pub(crate) fn write(&self, request: &RequestSummary<'_>, stats: &ShardStats) {
        let format = self.format.borrow();
        let Some(format) = &*format else { return };
        let mut batch = self.batch.borrow_mut();
        match &**format {
            Format::Json => json::line(request, &mut batch),
            Format::Text { template, hostname } => text(template, hostname, request, &mut batch),
        }
        batch.push(b'\n');
        stats.log_lines.add(1);
        self.lines.set(self.lines.get() + 1);
        if batch.len() >= BATCH_BYTES {
            drop(batch);
            self.hand_over(stats);
        } else if self.lines.get() == 1 {
            self.begun.notify_one();
        }
    }

    /// Gives the batch to the writer; where its queue is full the lines are lost and counted.
    pub(crate) fn hand_over(&self, stats: &ShardStats) {
        let lines = self.lines.take();
        if lines == 0 {
            return;
        }
        let batch = std::mem::take(&mut *self.batch.borrow_mut());
        if self.writer.try_send(Order::Write { batch, lines }).is_err() {
            stats.log_dropped.add(lines);
        }
    }

    /// Hands over what did not fill a batch in time. A task of the shard.
    pub(crate) async fn flush_in_time(&self, stats: &ShardStats) {
        loop {
            self.begun.notified().await;
            tokio::time::sleep(PATIENCE).await;
            self.hand_over(stats);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_core::record::Record;
    use sluice_filter::NoFields;
    use std::{sync::mpsc::sync_channel, time::Instant};

    fn write(log: &ShardLog, stats: &ShardStats, path: &str) {
        let mut record = Record::new(Instant::now());
        record.path.push_str(path);
        let none = &NoFields;
        log.write(&RequestSummary { record: &record, request: none, response: none, trailers: none }, stats);
    }

    fn text_format(format: &str) -> Option<Arc<Format>> {
        let format = spec::AccessLogFormat::Text(format.to_owned());
        Format::compile(Some(&spec::AccessLog { format, ..spec::AccessLog::default() }))
    }

    #[test]
    fn nothing_waits_for_a_full_queue() {
        let (orders, queue) = sync_channel(1);
        let log = ShardLog::new(orders, text_format("%REQ(:PATH)%"));
        let stats = ShardStats::default();
        let long = "x".repeat(BATCH_BYTES);
        for _ in 0..3 {
            write(&log, &stats, &long);
        }
        assert_eq!((stats.log_lines.get(), stats.log_dropped.get()), (3, 2));
        assert!(matches!(queue.try_recv(), Ok(Order::Write { lines: 1, .. })));
    }

    #[test]
    fn lines_come_in_batches_and_off_is_off() {
        let (orders, queue) = sync_channel(8);
        let log = ShardLog::new(orders, text_format("%REQ(:PATH)%"));
        let stats = ShardStats::default();
        write(&log, &stats, "/one");
        write(&log, &stats, "/two\n/three");
        log.set_format(None);
        write(&log, &stats, "/four");
        log.hand_over(&stats);
        log.hand_over(&stats);
        let Ok(Order::Write { batch, lines }) = queue.try_recv() else { panic!("one batch") };
        assert_eq!((batch.as_slice(), lines), (&b"/one\n/two?/three\n"[..], 2));
        assert!(queue.try_recv().is_err());
    }
}
