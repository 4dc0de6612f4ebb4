//! Drives one exchange: carries the bytes between a client and an endpoint while `sluice_core`'s state machine decides.
//!
//! Everything happens in the task of the client's connection or stream, in one poll function: both directions move as
//! far as they can, then the task waits for whichever socket or timer is first. Nothing is spawned and, in steady state,
//! nothing is allocated.

mod relay;
mod reply;
mod rest;
mod stall;

use crate::{
    Event as Counted, RequestSummary,
    body::Sink,
    downstream::Downstream,
    fields::HeadFields,
    io::Timer,
    mirror::{CopyHead, Mirrors},
    shard::Accepted,
    upstream::{self, Acquired, Connecting, RequestLine, Upstream, UpstreamStream},
};
use bytes::Bytes;
use relay::Direction;
use rest::Rest;
use sluice_core::{
    exchange::{Action, ConnectFailure, Event, Exchange, Reuse},
    hygiene::{Body, Refusal, RequestFacts},
    snapshot::Listener,
};
use stall::Stall;
use std::{
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

/// Steps of one exchange before other tasks get their turn.
const STEPS: usize = 128;

/// How an exchange begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Opening {
    /// The downstream side has a request.
    Request,
    /// Its codec refused what came, or it did not come in time.
    Refused(Refusal),
}

/// Serves one request and reports it.
pub(crate) async fn run<D: Downstream>(
    accepted: &Rc<Accepted>,
    listener: &Arc<Listener>,
    timer: &Timer,
    down: &mut D,
    opening: Opening,
) {
    let mut driver = Driver {
        accepted,
        listener,
        timer,
        down,
        exchange: accepted.shard.take_exchange(),
        stage: Stage::Waiting,
        up: None,
        connecting: None,
        sends: 0,
        switching: false,
        request: Direction::default(),
        response: Direction::default(),
        head_status: 0,
        interim: 0,
        head_relayed: false,
        replied: 0,
        mirrors: Mirrors::default(),
        sender: Stall::default(),
        reader: Stall::default(),
        taker: Stall::default(),
    };
    driver.open(opening);
    poll_fn(|cx| driver.poll(cx)).await;
    if let Some(rest) = driver.close() {
        rest.read(accepted, timer, down).await;
    }
}

/// Reports a request of which only `facts` are known, and that nobody can be answered for; see [`Event::HeadLost`].
pub(crate) fn lost(accepted: &Accepted, listener: &Listener, facts: RequestFacts<'_>, refusal: Refusal) {
    let shard = &accepted.shard;
    let none = HeadFields::Empty;
    let mut exchange = shard.take_exchange();
    let event = Event::HeadLost { facts, refusal, wall: shard.wall() };
    let action = accepted.with_scene(listener, &none, &none, |now, scene| exchange.on(now, event, scene));
    debug_assert_eq!(action, Action::Done, "nothing follows a head that was lost");
    let record = exchange.record();
    shard.observer.request_finished(&RequestSummary {
        record,
        request: &none,
        response: &none,
        trailers: &none,
    });
    shard.keep_exchange(exchange);
}

struct Driver<'a, D: Downstream> {
    accepted: &'a Rc<Accepted>,
    listener: &'a Arc<Listener>,
    timer: &'a Timer,
    down: &'a mut D,
    exchange: Box<Exchange>,
    stage: Stage,
    up: Option<Upstream>,
    connecting: Option<Connecting>,
    /// How often the request was sent.
    sends: u32,
    /// The request asks for another protocol, so that what follows its head belongs to that.
    switching: bool,
    request: Direction,
    response: Direction,
    /// The status of the upstream's last head.
    head_status: u16,
    /// Interim heads so far.
    interim: u32,
    /// The final head has been handed to the client's side.
    head_relayed: bool,
    /// How much of the local reply's body has been handed over.
    replied: usize,
    mirrors: Mirrors,
    /// The client that sends its body slowly.
    sender: Stall,
    /// The client that reads its answer slowly.
    reader: Stall,
    /// The endpoint that takes the request slowly.
    taker: Stall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A filter, or the next attempt, waits for a timer.
    Waiting,
    /// The body is read, but goes nowhere yet.
    Collecting,
    Connecting,
    Relaying,
    Tunnel,
    /// Our own answer is written.
    Responding,
    Over,
}

/// Tells the exchange what happened; gives its action. A macro, because the event may borrow from one side while the
/// exchange looks at both.
macro_rules! tell {
    ($driver:expr, $event:expr) => {{
        let request = $driver.down.fields();
        let response =
            $driver.up.as_ref().map_or(HeadFields::Empty, $crate::upstream::UpstreamStream::fields);
        let (accepted, listener) = ($driver.accepted, $driver.listener);
        let exchange = &mut $driver.exchange;
        accepted.with_scene(listener, &request, &response, |now, scene| exchange.on(now, $event, scene))
    }};
}
use tell;

impl<D: Downstream> Driver<'_, D> {
    fn open(&mut self, opening: Opening) {
        let wall = self.accepted.shard.wall();
        let action = match opening {
            Opening::Request => {
                let facts = self.down.facts();
                tell!(self, Event::RequestHead { facts, wall })
            }
            Opening::Refused(refusal) => {
                let facts = self.down.facts();
                tell!(self, Event::HeadRefused { facts, refusal, wall })
            }
        };
        self.act(action);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..STEPS {
            if self.accepted.forced() && self.stage != Stage::Over {
                self.give_up();
            }
            let step = match self.stage {
                Stage::Over => return Poll::Ready(()),
                Stage::Waiting => Poll::Pending,
                Stage::Collecting => self.poll_collecting(cx),
                Stage::Connecting => self.poll_connecting(cx),
                Stage::Relaying => self.poll_relaying(cx),
                Stage::Tunnel => self.poll_tunnel(cx),
                Stage::Responding => self.poll_responding(cx),
            };
            let action = match step {
                Poll::Ready(action) => action,
                Poll::Pending => match self.poll_client(cx) {
                    Poll::Ready(action) => action,
                    Poll::Pending => {
                        self.note_stalls();
                        let deadline = self.deadline();
                        if self.timer.poll_until(cx, deadline).is_pending() {
                            return Poll::Pending;
                        }
                        self.on_timer()
                    }
                },
            };
            self.act(action);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Ends whatever is under way.
    fn give_up(&mut self) {
        let _ = tell!(self, Event::Cut);
        self.up = None;
        self.connecting = None;
        self.down.cut();
        self.stage = Stage::Over;
    }

    /// Does what the exchange says, until it waits for something.
    fn act(&mut self, mut action: Action) {
        loop {
            action = match action {
                Action::Wait => return,
                Action::Collect => {
                    self.stage = Stage::Collecting;
                    return;
                }
                Action::Connect => match self.connect() {
                    Some(next) => next,
                    None => return,
                },
                Action::BackOff => {
                    self.up = None;
                    self.connecting = None;
                    self.stage = Stage::Waiting;
                    return;
                }
                Action::Send => return self.send(),
                Action::RelayInformational => return self.relay_informational(),
                Action::RelayHead => return self.relay_head(),
                Action::Tunnel => return self.begin_tunnel(),
                Action::Respond => return self.respond(),
                Action::Abort => {
                    self.up = None;
                    self.connecting = None;
                    self.down.cut();
                    self.stage = Stage::Over;
                    return;
                }
                Action::Done => {
                    self.stage = Stage::Over;
                    return;
                }
                Action::Illegal(what) => {
                    debug_assert!(false, "illegal move: {what}");
                    tracing::error!(what, "an exchange was told something that does not fit its state");
                    return self.give_up();
                }
            };
        }
    }

    // === Connecting ===

    /// Takes or makes a connection for the attempt.
    fn connect(&mut self) -> Option<Action> {
        self.up = None;
        self.connecting = None;
        let Some(attempt) = self.exchange.attempt() else {
            return Some(tell!(self, Event::ConnectFailed(ConnectFailure::Refused)));
        };
        // Whoever asks for another protocol takes the connection for good, or, in HTTP/2, needs a peer whose settings
        // allow it.
        let reuse = if self.exchange.switches() { Reuse::Fresh } else { attempt.reuse };
        match upstream::acquire(&self.accepted.shard, attempt.cluster, attempt.endpoint, reuse) {
            Acquired::Ready(up) => {
                let version = up.version();
                self.up = Some(up);
                Some(tell!(self, Event::Connected { reused: true, version }))
            }
            Acquired::Connecting(connecting) => {
                self.connecting = Some(connecting);
                self.stage = Stage::Connecting;
                None
            }
            Acquired::Failed(failure) => Some(tell!(self, Event::ConnectFailed(failure))),
        }
    }

    fn poll_connecting(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        let Some(connecting) = &mut self.connecting else { return Poll::Pending };
        let connected = ready!(connecting.poll(cx));
        self.connecting = None;
        Poll::Ready(match connected {
            Ok((up, reused)) => {
                let version = up.version();
                self.up = Some(up);
                tell!(self, Event::Connected { reused, version })
            }
            Err(failure) => tell!(self, Event::ConnectFailed(failure)),
        })
    }

    /// Writes the request's head; its body follows while the answer is awaited.
    fn send(&mut self) {
        let Some(up) = &mut self.up else { return };
        let body = self.exchange.request_body();
        let outgoing = self.exchange.outgoing();
        let line = RequestLine {
            method: outgoing.method,
            scheme: outgoing.scheme,
            authority: outgoing.authority,
            target: outgoing.target,
            protocol: outgoing.protocol,
        };
        self.switching = line.protocol.is_some() || line.method == "CONNECT";
        let mut head = up.begin_head(&line, body);
        let request = self.down.fields();
        let exchange = &mut self.exchange;
        self.accepted.with_scene(self.listener, &request, &HeadFields::Empty, |_, scene| {
            exchange.write_request_fields(scene, &mut head);
        });
        // Where the connection is dead already, waiting for the answer finds out how.
        self.request.broken = up.send_head(head).is_err();
        if self.exchange.is_error_page() {
            return self.send_alone();
        }
        if self.sends > 0 {
            if let Some(attempt) = self.exchange.attempt() {
                self.accepted.shard.observer.count(Counted::Retried { cluster: &attempt.cluster.name });
            }
            self.down.rewind();
        } else {
            self.start_mirrors();
        }
        // A body that was collected has been taken before.
        self.request.restart();
        self.sends += 1;
        self.stage = Stage::Relaying;
    }

    /// Ends a request whose head is all of it. Of the client's body nothing more is read.
    fn send_alone(&mut self) {
        if let Some(up) = &mut self.up {
            self.request.broken |= up.finish(HeadFields::Empty).is_err();
        }
        self.request.finished = true;
        self.request.blocked = false;
        self.request.starved = false;
        self.stage = Stage::Relaying;
    }

    /// Begins the copies of the request. One without a body is complete at once.
    fn start_mirrors(&mut self) {
        let body = self.exchange.request_body();
        for index in 0..self.exchange.mirrors().len() {
            let mut head = CopyHead::new(&self.exchange.mirror_outgoing(index));
            let exchange = &mut self.exchange;
            self.accepted.with_scene(self.listener, &self.down.fields(), &HeadFields::Empty, |_, scene| {
                exchange.write_mirror_fields(index, scene, &mut head);
            });
            let copy = &self.exchange.mirrors()[index];
            if let Some(endpoint) = copy.endpoint() {
                self.mirrors.start(&self.accepted.shard, copy.cluster(), endpoint, head, body);
            }
        }
        if body == Body::None {
            self.mirrors.end(HeadFields::Empty);
        }
    }

    // === Waiting ===

    /// Whether a client that goes away would otherwise not be noticed: nothing is being read from it or written to it.
    fn watches_client(&self) -> bool {
        match self.stage {
            Stage::Waiting | Stage::Connecting => true,
            Stage::Relaying => !self.request.starved,
            Stage::Collecting | Stage::Tunnel | Stage::Responding | Stage::Over => false,
        }
    }

    /// Ready when the client is gone.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        if !self.watches_client() {
            return Poll::Pending;
        }
        let error = ready!(self.down.poll_gone(cx));
        Poll::Ready(self.request_failed(error))
    }

    fn note_stalls(&mut self) {
        let now = self.accepted.shard.now();
        let sends = matches!(self.stage, Stage::Collecting | Stage::Relaying) && self.request.starved;
        self.sender.note(now, sends && !self.down.awaits_continue(), self.request.seen);
        let reads = self.stage != Stage::Waiting && self.response.blocked;
        self.reader.note(now, reads, self.down.written());
        let takes = self.stage == Stage::Relaying && self.request.blocked;
        self.taker.note(now, takes, self.request.taken);
        self.exchange.request_blocked(now, self.taker.since());
    }

    fn deadline(&self) -> Option<Instant> {
        let timeouts = &self.listener.spec.timeouts;
        let gone = if self.watches_client() { self.down.gone_at() } else { None };
        [
            self.exchange.deadline(),
            gone,
            self.mirrors.deadline(),
            self.sender.deadline(timeouts.body_idle.limit()),
            self.reader.deadline(timeouts.write_idle.limit()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on_timer(&mut self) -> Action {
        let now = self.accepted.shard.now();
        let timeouts = &self.listener.spec.timeouts;
        if self.reader.deadline(timeouts.write_idle.limit()).is_some_and(|deadline| deadline <= now) {
            return self.client_gone();
        }
        if self.sender.deadline(timeouts.body_idle.limit()).is_some_and(|deadline| deadline <= now) {
            return tell!(self, Event::RequestRefused(Refusal::body_timeout()));
        }
        let waits = self.connecting.as_ref().is_some_and(Connecting::waits);
        if waits && self.exchange.deadline().is_some_and(|deadline| deadline <= now) {
            // Nobody has asked the endpoint so far.
            return tell!(self, Event::ConnectFailed(ConnectFailure::Overflow));
        }
        self.exchange.request_held(self.held());
        tell!(self, Event::Timer)
    }

    // === The end ===

    /// Reports the request, and keeps what can be kept. What is left of its body may still be wanted.
    fn close(self) -> Option<Box<Rest>> {
        let shard = &self.accepted.shard;
        let response = self.up.as_ref().map_or(HeadFields::Empty, |up| up.fields());
        let trailers = self.up.as_ref().map_or(HeadFields::Empty, |up| crate::body::Source::trailers(up));
        shard.observer.request_finished(&RequestSummary {
            record: self.exchange.record(),
            request: &self.down.fields(),
            response: &response,
            trailers: &trailers,
        });
        // What is left of a request that was answered early, its connection judges by itself.
        if self.exchange.request_ended() && !self.exchange.downstream_reusable() {
            self.down.close_after();
        }
        if let Some(up) = self.up
            && self.exchange.upstream_reusable()
            && let Some(attempt) = self.exchange.attempt()
        {
            upstream::release(shard, up, attempt.cluster.id);
        }
        let idle = [self.listener.spec.timeouts.body_idle.limit(), self.exchange.idle_timeout()];
        let rest = (self.exchange.copies_go_on() && self.mirrors.want_body()).then(|| {
            Box::new(Rest {
                mirrors: self.mirrors,
                collected: self.exchange.collected().map(Bytes::copy_from_slice),
                at: self.request.taken,
                most: self.exchange.max_body(),
                idle: idle.into_iter().flatten().min(),
                sender: Stall::default(),
            })
        });
        shard.keep_exchange(self.exchange);
        rest
    }
}
