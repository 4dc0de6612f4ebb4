//! The filters of a route, and their run over one request.

use crate::{
    BodyContext, BodyVerdict, Filter, LogContext, OpResult, Phase, PhaseMask, RequestContext,
    ResponseContext, TrailersContext, Verdict,
};

/// What a route carries: its filters, compiled. Shared by all shards and immutable.
pub trait Chain: Send + Sync {
    /// The phases that any of the filters wants.
    fn phases(&self) -> PhaseMask;

    /// The state for one request.
    fn open(&self) -> Box<dyn ChainState>;
}

/// The filters of one request. One virtual call for the whole chain and phase. It remembers where it paused.
pub trait ChainState {
    /// Runs the filters over the request head until one does not continue.
    fn on_request_head(&mut self, cx: &mut RequestContext<'_>) -> Verdict;
    /// Gives the result to the filter that paused, then runs the filters behind it.
    fn on_op(&mut self, cx: &mut RequestContext<'_>, result: OpResult) -> Verdict;
    /// Runs the filters over a piece of the request body.
    fn on_request_body(&mut self, cx: &mut BodyContext<'_>) -> BodyVerdict;
    /// Runs the filters over the request's trailers.
    fn on_request_trailers(&mut self, cx: &mut TrailersContext<'_>) -> BodyVerdict;
    /// Runs the filters over the response head, last filter first.
    fn on_response_head(&mut self, cx: &mut ResponseContext<'_>) -> BodyVerdict;
    /// Runs the filters over a piece of the response body, last filter first.
    fn on_response_body(&mut self, cx: &mut BodyContext<'_>) -> BodyVerdict;
    /// Runs the filters over the response's trailers, last filter first.
    fn on_response_trailers(&mut self, cx: &mut TrailersContext<'_>) -> BodyVerdict;
    /// Tells every filter that the exchange is over.
    fn on_log(&mut self, cx: &LogContext<'_>);
}

/// [`ChainState`] over any list of filters: the order, and where a pause goes on.
#[derive(Debug)]
pub struct Filters<F> {
    filters: Vec<F>,
    /// The filter that runs next over the request head; the one that paused while an operation is under way.
    next: usize,
    /// The strictest bound that a filter of this request put on buffering.
    buffer: Option<usize>,
}

// === impl Filters ===

impl<F: Filter> Filters<F> {
    /// The filters in the order in which requests pass them.
    pub const fn new(filters: Vec<F>) -> Self {
        Self { filters, next: 0, buffer: None }
    }

    fn request_head(&mut self, cx: &mut RequestContext<'_>, mut result: Option<OpResult>) -> Verdict {
        while let Some(filter) = self.filters.get_mut(self.next) {
            let verdict = match result.take() {
                Some(result) => filter.on_op(cx, result),
                None if filter.phases().contains(Phase::RequestHead) => filter.on_request_head(cx),
                None => Verdict::Continue,
            };
            match verdict {
                Verdict::Continue => {}
                Verdict::Buffer(limit) => {
                    self.buffer = Some(self.buffer.map_or(limit, |other| other.min(limit)));
                }
                Verdict::Pause(op) => return Verdict::Pause(op),
                Verdict::Respond(response) => {
                    self.next = self.filters.len();
                    return Verdict::Respond(response);
                }
            }
            self.next += 1;
        }
        self.buffer.take().map_or(Verdict::Continue, Verdict::Buffer)
    }

    fn forward(&mut self, phase: Phase, mut run: impl FnMut(&mut F) -> BodyVerdict) -> BodyVerdict {
        first_response(self.filters.iter_mut().filter(|filter| filter.phases().contains(phase)), &mut run)
    }

    fn backward(&mut self, phase: Phase, mut run: impl FnMut(&mut F) -> BodyVerdict) -> BodyVerdict {
        first_response(
            self.filters.iter_mut().rev().filter(|filter| filter.phases().contains(phase)),
            &mut run,
        )
    }
}

fn first_response<'a, F: 'a>(
    filters: impl Iterator<Item = &'a mut F>,
    run: &mut impl FnMut(&mut F) -> BodyVerdict,
) -> BodyVerdict {
    for filter in filters {
        if let BodyVerdict::Respond(response) = run(filter) {
            return BodyVerdict::Respond(response);
        }
    }
    BodyVerdict::Continue
}

impl<F: Filter> ChainState for Filters<F> {
    fn on_request_head(&mut self, cx: &mut RequestContext<'_>) -> Verdict {
        self.request_head(cx, None)
    }
    fn on_op(&mut self, cx: &mut RequestContext<'_>, result: OpResult) -> Verdict {
        self.request_head(cx, Some(result))
    }
    fn on_request_body(&mut self, cx: &mut BodyContext<'_>) -> BodyVerdict {
        self.forward(Phase::RequestBody, |filter| filter.on_request_body(cx))
    }
    fn on_request_trailers(&mut self, cx: &mut TrailersContext<'_>) -> BodyVerdict {
        self.forward(Phase::RequestTrailers, |filter| filter.on_request_trailers(cx))
    }
    fn on_response_head(&mut self, cx: &mut ResponseContext<'_>) -> BodyVerdict {
        self.backward(Phase::ResponseHead, |filter| filter.on_response_head(cx))
    }
    fn on_response_body(&mut self, cx: &mut BodyContext<'_>) -> BodyVerdict {
        self.backward(Phase::ResponseBody, |filter| filter.on_response_body(cx))
    }
    fn on_response_trailers(&mut self, cx: &mut TrailersContext<'_>) -> BodyVerdict {
        self.backward(Phase::ResponseTrailers, |filter| filter.on_response_trailers(cx))
    }
    fn on_log(&mut self, cx: &LogContext<'_>) {
        for filter in self.filters.iter_mut().rev().filter(|filter| filter.phases().contains(Phase::Log)) {
            filter.on_log(cx);
        }
    }
}
