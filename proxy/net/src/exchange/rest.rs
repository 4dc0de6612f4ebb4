//! What is left of a request's body when the request itself is over: answered before its end, or failed. Its copies get
//! it nevertheless.
//!
//! The exchange has been reported by then and its upstream let go. The bounds are those of any body: the route's size, the
//! client's silence, and what a copy may hold. A copy that is too slow delays the client's next request a few seconds at
//! most ([`Mirrors::alone`]). It ends where no copy is left that wants more; an HTTP/1 connection then goes on, or
//! ends, as after any other early answer.

use super::{STEPS, reply::Slice, stall::Stall};
use crate::{
    body::{Front, Source},
    downstream::Downstream,
    fields::HeadFields,
    io::Timer,
    mirror::Mirrors,
    shard::Accepted,
};
use bytes::{Buf, Bytes};
use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

/// The rest of a body, and who wants it.
pub(super) struct Rest {
    pub(super) mirrors: Mirrors,
    /// The whole body where a filter had collected it: nothing more is read then.
    pub(super) collected: Option<Bytes>,
    /// Bytes of the body in front of what comes next.
    pub(super) at: u64,
    /// Bytes that the body may have.
    pub(super) most: Option<u64>,
    /// How long the client may be silent.
    pub(super) idle: Option<Duration>,
    pub(super) sender: Stall,
}

/// The copies have the whole body, or it comes to nothing.
struct Over;

impl Rest {
    /// Reads to the end of the body, or until it comes to nothing; dropping the copies then resets them.
    pub(super) async fn read<D: Downstream>(
        mut self: Box<Self>,
        accepted: &Accepted,
        timer: &Timer,
        down: &mut D,
    ) {
        if let Some(collected) = &mut self.collected {
            collected.advance(usize::try_from(self.at).map_or(collected.len(), |at| at.min(collected.len())));
        } else if down.awaits_continue() {
            // An answer without 100 has told the client that nobody needs its body.
            return;
        }
        self.mirrors.alone();
        poll_fn(|cx| self.poll(cx, accepted, timer, down)).await;
    }

    fn poll<D: Downstream>(
        &mut self,
        cx: &mut Context<'_>,
        accepted: &Accepted,
        timer: &Timer,
        down: &mut D,
    ) -> Poll<()> {
        for _ in 0..STEPS {
            if accepted.forced() || self.mirrors.poll_unwanted(cx).is_ready() {
                return Poll::Ready(());
            }
            let now = accepted.shard.now();
            let fair = self.mirrors.poll_fair(cx, now);
            let step = if fair.is_ready() { self.poll_piece(cx, down) } else { Poll::Pending };
            match step {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Over)) => return Poll::Ready(()),
                Poll::Pending => {
                    self.sender.note(now, fair.is_ready(), self.at);
                    let silence = self.sender.deadline(self.idle);
                    let deadline = [silence, self.mirrors.deadline()].into_iter().flatten().min();
                    if timer.poll_until(cx, deadline).is_pending() {
                        return Poll::Pending;
                    }
                    if silence.is_some_and(|deadline| deadline <= now) {
                        return Poll::Ready(());
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gives the copies the piece at the front.
    fn poll_piece<D: Downstream>(&mut self, cx: &mut Context<'_>, down: &mut D) -> Poll<Result<(), Over>> {
        if let Some(collected) = &mut self.collected {
            let piece = collected.split_to(Slice::front(collected).data().len());
            if piece.is_empty() {
                self.mirrors.end(HeadFields::Empty);
                return Poll::Ready(Err(Over));
            }
            self.give(&piece);
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(match std::task::ready!(down.poll_front(cx)) {
            Ok(Front::Data) => {
                let length = down.data().len();
                if self.most.is_some_and(|most| self.at + length as u64 > most) {
                    return Poll::Ready(Err(Over));
                }
                self.give(&down.share(length));
                down.consume(length);
                Ok(())
            }
            Ok(Front::End) => {
                self.mirrors.end(down.trailers());
                Err(Over)
            }
            Err(_) => Err(Over),
        })
    }

    fn give(&mut self, piece: &Bytes) {
        let known = self.mirrors.missing(self.at, piece.len());
        self.mirrors.give(&piece.slice(known..));
        self.at += piece.len() as u64;
    }
}
