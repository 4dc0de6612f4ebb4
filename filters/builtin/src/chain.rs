//! From written filters to chains.

use crate::fault::Fault;
use sluice_core::snapshot::ChainCompiler;
use sluice_filter::{Chain, ChainState, Filter, Filters, OpResult, PhaseMask, RequestContext, Verdict};
use sluice_model::spec;
use std::sync::Arc;

/// Compiles the filters that ship with Sluice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Builtin;

/// The filters of a route, in the order in which requests pass them.
#[derive(Debug)]
struct BuiltinChain {
    filters: Box<[BuiltinFilter]>,
    phases: PhaseMask,
}

/// One filter with its settings, and what it remembers of a request.
#[derive(Debug, Clone)]
enum BuiltinFilter {
    Fault(Fault),
}

// === impl Builtin ===

impl ChainCompiler for Builtin {
    fn compile(&self, filters: &[spec::Filter]) -> Option<Arc<dyn Chain>> {
        let filters: Box<[_]> = filters
            .iter()
            .filter_map(|filter| match filter {
                spec::Filter::Fault(fault) => Fault::new(fault).map(BuiltinFilter::Fault),
            })
            .collect();
        let phases = filters.iter().fold(PhaseMask::NONE, |mask, filter| mask.union(filter.phases()));
        (!phases.is_empty()).then(|| Arc::new(BuiltinChain { filters, phases }) as Arc<dyn Chain>)
    }
}

// === impl BuiltinChain ===

impl Chain for BuiltinChain {
    fn phases(&self) -> PhaseMask {
        self.phases
    }

    fn open(&self) -> Box<dyn ChainState> {
        Box::new(Filters::new(self.filters.to_vec()))
    }
}

// === impl BuiltinFilter ===

impl Filter for BuiltinFilter {
    fn phases(&self) -> PhaseMask {
        match self {
            Self::Fault(fault) => fault.phases(),
        }
    }

    fn on_request_head(&mut self, cx: &mut RequestContext<'_>) -> Verdict {
        match self {
            Self::Fault(fault) => fault.on_request_head(cx),
        }
    }

    fn on_op(&mut self, cx: &mut RequestContext<'_>, result: OpResult) -> Verdict {
        match self {
            Self::Fault(fault) => fault.on_op(cx, result),
        }
    }
}
