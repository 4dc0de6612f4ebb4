//! Copies of requests that go elsewhere.
//!
//! A copy is a task of its own with a connection of its own. The request's driver hands it every piece of the body that
//! the primary has taken, and goes on. What the copy cannot send yet is held, at most 1 MiB for each copy and the cap of
//! the shard ([`sluice_core::mirror`]); then the copy is reset and counted.
//!
//! # Fairness
//!
//! A long body moves from one fast socket to another without a pause, and a copy whose task and whose server got no turn
//! meanwhile would be reset although it is healthy. So while a copy holds half of what it may, the request pauses until
//! it has sent most of that, but only within [`Patience`]: a copy that stands still costs the request half a second, one
//! that is slower than it a fifth of its time more, and one that keeps up with 100 MB/s is never reset. Only turns count,
//! not the clock, so that a busy machine makes no copy slow. When the primary is through, nobody else is delayed, and the
//! rest of the body waits five seconds.
//!
//! # Ends
//!
//! The copy's answer is read and dropped. A copy ends with the client's body, trailers included, whatever becomes of the
//! primary: after an early answer or a failure the body is read on for the copies alone. A body that the client did not
//! finish, or that was refused, resets the copy. It is never sent again and never carries `expect`; requests for another
//! protocol (Upgrade, CONNECT) are not copied at all.

mod channel;
mod head;
mod patience;
mod send;

pub(crate) use head::CopyHead;

use self::{channel::Channel, patience::Patience};
use crate::{fields::HeadFields, h2, shard::Shard};
use bytes::Bytes;
use sluice_core::{
    hygiene::Body,
    mirror::MOST_HELD,
    snapshot::{Cluster, Endpoint},
};
use std::{
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

/// The copies of one request. Dropping it before [`end`](Self::end) resets them: the client did not finish its request
/// either.
#[derive(Debug, Default)]
pub(crate) struct Mirrors {
    channels: Vec<Rc<Channel>>,
    patience: Patience,
    /// Bytes of the body that the copies have been given: a retry of the request gives them none of it again.
    given: u64,
}

impl Mirrors {
    /// Begins a copy. `body` is what the request declares.
    pub(crate) fn start(
        &mut self,
        shard: &Rc<Shard>,
        cluster: &Arc<Cluster>,
        endpoint: &Endpoint,
        head: CopyHead,
        body: Body,
    ) {
        let channel = Rc::new(Channel::new(shard.mirror_budget.open()));
        self.channels.push(Rc::clone(&channel));
        send::spawn(shard, Arc::clone(cluster), endpoint.clone(), head, body, channel);
    }

    /// Whether some copy has not come to its end, so that it wants the rest of the body.
    pub(crate) fn want_body(&self) -> bool {
        self.channels.iter().any(|channel| channel.is_open())
    }

    /// The same, and the task is woken when a copy is over.
    pub(crate) fn poll_unwanted(&self, cx: &Context<'_>) -> Poll<()> {
        for channel in &self.channels {
            channel.watch(cx);
        }
        if self.want_body() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Where in a piece of the body that begins `at` the part starts that the copies have not been given.
    pub(crate) fn missing(&self, at: u64, length: usize) -> usize {
        usize::try_from(self.given.saturating_sub(at)).map_or(length, |known| known.min(length))
    }

    /// More of the body.
    pub(crate) fn give(&mut self, piece: &Bytes) {
        self.given += piece.len() as u64;
        for channel in &self.channels {
            channel.push(piece);
        }
        self.patience.earn(piece.len());
    }

    /// Pending while the request had better let a copy catch up; see the module's documentation.
    pub(crate) fn poll_fair(&mut self, cx: &Context<'_>, now: Instant) -> Poll<()> {
        let threshold = if self.patience.is_waiting() { MOST_HELD / 8 } else { MOST_HELD / 2 };
        let mut behind = self.channels.iter().filter(|channel| channel.held() > threshold).peekable();
        if behind.peek().is_none() {
            self.patience.rest(now);
            return Poll::Ready(());
        }
        for channel in behind {
            channel.watch(cx);
        }
        self.patience.wait(now)
    }

    /// The primary is through: what comes now is for the copies alone.
    pub(crate) fn alone(&mut self) {
        self.patience.alone();
    }

    /// When [`poll_fair`](Self::poll_fair) is to be asked again, at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.patience.deadline()
    }

    /// The body is complete: the copies go on by themselves.
    pub(crate) fn end(&mut self, trailers: HeadFields<'_>) {
        for channel in self.channels.drain(..) {
            channel.end(h2::trailers(trailers));
        }
    }
}

impl Drop for Mirrors {
    fn drop(&mut self) {
        for channel in &self.channels {
            channel.cut();
        }
    }
}
