//! The task that sends one copy.

use super::{
    CopyHead,
    channel::{Channel, CopyBody},
};
use crate::{
    Event,
    body::{Front, Sink, Source},
    io::Timer,
    shard::{Phase, Shard},
    upstream::{self, Acquired, Upstream, UpstreamStream},
};
use sluice_core::{
    exchange::Reuse,
    hygiene::Body,
    snapshot::{Cluster, Endpoint},
};
use std::{
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// How long the endpoint may neither take nor send a byte.
const STALL: Duration = Duration::from_secs(15);

/// How long its answer may take once the copy is whole.
const ANSWER: Duration = Duration::from_mins(1);

/// Sends a copy in a task of its own; says how it went.
pub(super) fn spawn(
    shard: &Rc<Shard>,
    cluster: Arc<Cluster>,
    endpoint: Endpoint,
    head: CopyHead,
    length: Body,
    channel: Rc<Channel>,
) {
    let shard = Rc::clone(shard);
    tokio::task::spawn_local(async move {
        let sent = {
            let mut sending = pin!(send(&shard, &cluster, &endpoint, &head, length, &channel));
            poll_fn(|cx| {
                shard.timers.look_at_clock();
                // Whatever it waits for, a copy that is given up ends now.
                channel.listen(cx);
                match channel.given_up() {
                    Some(reason) => Poll::Ready(Err(reason)),
                    None => sending.as_mut().poll(cx),
                }
            })
            .await
        };
        channel.close();
        shard.observer.count(match sent {
            Ok(()) => Event::MirrorSent { cluster: &cluster.name },
            Err(reason) => Event::MirrorReset { cluster: &cluster.name, reason },
        });
    });
}

async fn send(
    shard: &Rc<Shard>,
    cluster: &Arc<Cluster>,
    endpoint: &Endpoint,
    head: &CopyHead,
    length: Body,
    channel: &Rc<Channel>,
) -> Result<(), &'static str> {
    let timer = shard.timers.timer();
    let mut upstream = connect(shard, cluster, endpoint, &timer).await?;
    let mut written = upstream.begin_head(&head.line(), length);
    head.write(&mut written);
    upstream.send_head(written).map_err(|_| "upstream closed")?;
    let mut copy = Copy {
        upstream,
        body: CopyBody::new(Rc::clone(channel), length),
        finished: length == Body::None,
        answered: false,
        answer_ended: false,
        moved: shard.now(),
        ended: None,
    };
    poll_fn(|cx| copy.poll(cx, shard, &timer)).await?;
    upstream::release(shard, copy.upstream, cluster.id);
    Ok(())
}

async fn connect(
    shard: &Rc<Shard>,
    cluster: &Arc<Cluster>,
    endpoint: &Endpoint,
    timer: &Timer,
) -> Result<Upstream, &'static str> {
    // A copy is not sent again, so it rides what a request that must not be sent again may ride.
    let reuse = Reuse::IdleLessThan(cluster.spec.keep_alive.unsafe_reuse_within.get());
    let mut connecting = match upstream::acquire(shard, cluster, endpoint, reuse) {
        Acquired::Ready(upstream) => return Ok(upstream),
        Acquired::Connecting(connecting) => connecting,
        Acquired::Failed(_) => return Err("connect failed"),
    };
    let deadline = cluster.spec.connect_timeout.limit().map(|limit| shard.now() + limit);
    poll_fn(|cx| match connecting.poll(cx) {
        Poll::Ready(connected) => {
            Poll::Ready(connected.map(|(upstream, _)| upstream).map_err(|_| "connect failed"))
        }
        Poll::Pending if shard.phase() == Phase::Forced => Poll::Ready(Err("drained")),
        Poll::Pending => timer.poll_until(cx, deadline).map(|()| Err("connect timed out")),
    })
    .await
}

struct Copy {
    upstream: Upstream,
    body: CopyBody,
    /// The whole request has been handed over.
    finished: bool,
    /// The final head of the answer has come.
    answered: bool,
    answer_ended: bool,
    /// When the endpoint took or sent something.
    moved: Instant,
    /// When the request was handed over.
    ended: Option<Instant>,
}

impl Copy {
    fn poll(&mut self, cx: &mut Context<'_>, shard: &Shard, timer: &Timer) -> Poll<Result<(), &'static str>> {
        let now = shard.now();
        if shard.phase() == Phase::Forced {
            return Poll::Ready(Err("drained"));
        }
        let starved = self.poll_request(cx, now)?;
        let flushed = match self.upstream.poll_flush(cx) {
            Poll::Ready(flushed) => flushed.map(|()| true).map_err(|_| "upstream closed")?,
            Poll::Pending => false,
        };
        self.poll_answer(cx, now)?;
        if self.finished && flushed {
            if self.answer_ended {
                return Poll::Ready(Ok(()));
            }
            self.ended.get_or_insert(now);
        }
        // While the client sends nothing there is nothing to take.
        let stall = (!starved || !flushed || self.finished).then(|| self.moved + STALL);
        let answer = self.ended.map(|ended| ended + ANSWER);
        timer.poll_until(cx, [stall, answer].into_iter().flatten().min()).map(|()| Err("timed out"))
    }

    /// Moves the body up; says whether there is none at the moment.
    fn poll_request(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, &'static str> {
        while !self.finished {
            match self.body.poll_front(cx) {
                Poll::Ready(Ok(Front::Data)) => match self.upstream.poll_push(cx, &self.body) {
                    Poll::Ready(pushed) => {
                        self.body.consume(pushed.map_err(|_| "upstream closed")?);
                        self.moved = now;
                    }
                    Poll::Pending => return Ok(false),
                },
                Poll::Ready(Ok(Front::End)) => {
                    self.upstream.finish(self.body.trailers()).map_err(|_| "upstream closed")?;
                    self.finished = true;
                    self.moved = now;
                }
                Poll::Ready(Err(_)) => return Err("client cut the body"),
                Poll::Pending => return Ok(true),
            }
        }
        Ok(true)
    }

    /// Reads the answer and drops it.
    fn poll_answer(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), &'static str> {
        while !self.answered {
            match self.upstream.poll_head(cx) {
                Poll::Ready(Ok(facts)) => self.answered = facts.status >= 200,
                Poll::Ready(Err(_)) => return Err("upstream failed"),
                Poll::Pending => return Ok(()),
            }
            self.moved = now;
        }
        while !self.answer_ended {
            match self.upstream.poll_front(cx) {
                Poll::Ready(Ok(Front::Data)) => {
                    let length = self.upstream.data().len();
                    self.upstream.consume(length);
                }
                Poll::Ready(Ok(Front::End)) => self.answer_ended = true,
                Poll::Ready(Err(_)) => return Err("upstream failed"),
                Poll::Pending => return Ok(()),
            }
            self.moved = now;
        }
        Ok(())
    }
}
