//! The filter trait.

use crate::{
    BodyContext, BodyVerdict, LogContext, OpResult, PhaseMask, RequestContext, ResponseContext,
    TrailersContext, Verdict,
};

/// One filter and what it remembers of one request.
///
/// Every method but [`Filter::phases`] has a default that lets everything pass. A method runs only if its phase is in
/// the mask. After a `Respond` only [`Filter::on_log`] still runs.
pub trait Filter {
    /// The phases that this filter wants. Asked once when the chain is compiled; it does not change afterwards.
    fn phases(&self) -> PhaseMask;

    /// [`Phase::RequestHead`](crate::Phase::RequestHead), once. May edit the head, answer, pause, or ask for the
    /// whole body first.
    fn on_request_head(&mut self, _cx: &mut RequestContext<'_>) -> Verdict {
        Verdict::Continue
    }

    /// An operation that [`Filter::on_request_head`] paused for is done. May do the same again.
    fn on_op(&mut self, _cx: &mut RequestContext<'_>, _result: OpResult) -> Verdict {
        Verdict::Continue
    }

    /// [`Phase::RequestBody`](crate::Phase::RequestBody), once for each piece, also for an empty last one.
    fn on_request_body(&mut self, _cx: &mut BodyContext<'_>) -> BodyVerdict {
        BodyVerdict::Continue
    }

    /// [`Phase::RequestTrailers`](crate::Phase::RequestTrailers), at most once.
    fn on_request_trailers(&mut self, _cx: &mut TrailersContext<'_>) -> BodyVerdict {
        BodyVerdict::Continue
    }

    /// [`Phase::ResponseHead`](crate::Phase::ResponseHead), once, for the final answer only. May edit the head or
    /// answer in the upstream's place.
    fn on_response_head(&mut self, _cx: &mut ResponseContext<'_>) -> BodyVerdict {
        BodyVerdict::Continue
    }

    /// [`Phase::ResponseBody`](crate::Phase::ResponseBody), once for each piece, also for an empty last one.
    fn on_response_body(&mut self, _cx: &mut BodyContext<'_>) -> BodyVerdict {
        BodyVerdict::Continue
    }

    /// [`Phase::ResponseTrailers`](crate::Phase::ResponseTrailers), at most once.
    fn on_response_trailers(&mut self, _cx: &mut TrailersContext<'_>) -> BodyVerdict {
        BodyVerdict::Continue
    }

    /// [`Phase::Log`](crate::Phase::Log), exactly once, also when the client left in the middle.
    fn on_log(&mut self, _cx: &LogContext<'_>) {}
}
