//! Delays and errors on purpose.

use bytes::Bytes;
use sluice_filter::{Filter, LocalResponse, Op, OpResult, Phase, PhaseMask, RequestContext, Verdict};
use sluice_model::spec::{self, FaultAbortStatus};
use sluice_model::value::Percent;
use std::time::Duration;

/// Holds a share of the requests back, then answers a share of them with an error. Both are drawn independently, the
/// delay first, each exact to one in a million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    delay: Option<(Duration, Percent)>,
    abort: Option<(FaultAbortStatus, Percent)>,
}

// === impl Fault ===

impl Fault {
    /// `None` where nothing would ever happen.
    pub fn new(spec: &spec::Fault) -> Option<Self> {
        let happens = |percent: Percent| percent != Percent::NONE;
        let delay = spec
            .delay
            .as_ref()
            .and_then(|delay| Some((delay.fixed.limit()?, delay.percent)))
            .filter(|(_, percent)| happens(*percent));
        let abort = spec
            .abort
            .as_ref()
            .map(|abort| (abort.status, abort.percent))
            .filter(|(_, percent)| happens(*percent));
        (delay.is_some() || abort.is_some()).then_some(Self { delay, abort })
    }

    fn abort(&self, rng: &mut fastrand::Rng) -> Verdict {
        match self.abort {
            Some((status, percent)) if draw(percent, rng) => Verdict::Respond(Box::new(response(status))),
            _ => Verdict::Continue,
        }
    }
}

fn draw(percent: Percent, rng: &mut fastrand::Rng) -> bool {
    rng.u32(..Percent::ALL.millionths()) < percent.millionths()
}

fn response(status: FaultAbortStatus) -> LocalResponse {
    let (status, grpc_status) = match status {
        FaultAbortStatus::Http(status) => (status.get(), None),
        FaultAbortStatus::Grpc(status) => (200, Some(status)),
    };
    LocalResponse {
        status,
        fields: Vec::new(),
        body: Bytes::from_static(b"fault filter abort"),
        grpc_status,
        details: "fault_filter_abort",
        fault: true,
    }
}

impl Filter for Fault {
    fn phases(&self) -> PhaseMask {
        PhaseMask::only(Phase::RequestHead)
    }

    fn on_request_head(&mut self, cx: &mut RequestContext<'_>) -> Verdict {
        match self.delay {
            Some((fixed, percent)) if draw(percent, cx.rng) => Verdict::Pause(Op::Sleep(fixed)),
            _ => self.abort(cx.rng),
        }
    }

    fn on_op(&mut self, cx: &mut RequestContext<'_>, _: OpResult) -> Verdict {
        self.abort(cx.rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_filter::{Edits, NoFields};
    use sluice_model::spec::{FaultAbort, FaultDelay};
    use sluice_model::value;

    fn fault(delay: Option<f64>, abort: Option<(FaultAbortStatus, f64)>) -> Fault {
        let percent = |percent| Percent::from_percent(percent).expect("a percentage");
        Fault::new(&spec::Fault {
            delay: delay
                .map(|share| FaultDelay { fixed: value::Duration::from_secs(1), percent: percent(share) }),
            abort: abort.map(|(status, share)| FaultAbort { status, percent: percent(share) }),
        })
        .expect("something happens")
    }

    fn http(status: u16) -> FaultAbortStatus {
        FaultAbortStatus::Http(value::StatusCode::new(status).expect("a status"))
    }

    fn with_request<T>(rng: &mut fastrand::Rng, run: impl FnOnce(&mut RequestContext<'_>) -> T) -> T {
        run(&mut RequestContext {
            method: "GET",
            scheme: "http",
            authority: "example.com",
            path: "/",
            query: None,
            client: std::net::Ipv4Addr::LOCALHOST.into(),
            grpc: false,
            fields: &NoFields,
            edits: &mut Edits::new(),
            rng,
        })
    }

    #[test]
    fn the_delay_comes_first_and_then_the_abort() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut fault = fault(Some(100.0), Some((http(418), 100.0)));
        let verdict = with_request(&mut rng, |cx| fault.on_request_head(cx));
        assert!(matches!(verdict, Verdict::Pause(Op::Sleep(time)) if time == Duration::from_secs(1)));
        match with_request(&mut rng, |cx| fault.on_op(cx, OpResult::Slept)) {
            Verdict::Respond(response) => {
                assert_eq!(
                    (response.status, &*response.body, response.fault),
                    (418, &b"fault filter abort"[..], true)
                );
            }
            other => panic!("no abort but {other:?}"),
        }
    }

    #[test]
    fn a_grpc_abort_names_its_status() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut fault = fault(None, Some((FaultAbortStatus::Grpc(14), 100.0)));
        match with_request(&mut rng, |cx| fault.on_request_head(cx)) {
            Verdict::Respond(response) => {
                assert_eq!((response.status, response.grpc_status), (200, Some(14)));
            }
            other => panic!("no abort but {other:?}"),
        }
    }

    #[test]
    fn both_are_drawn_independently() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut fault = fault(Some(50.0), Some((http(503), 20.0)));
        let (mut delayed, mut aborted, mut both) = (0, 0, 0);
        for _ in 0..20_000 {
            let verdict = with_request(&mut rng, |cx| fault.on_request_head(cx));
            let paused = matches!(verdict, Verdict::Pause(_));
            let verdict =
                if paused { with_request(&mut rng, |cx| fault.on_op(cx, OpResult::Slept)) } else { verdict };
            let responded = matches!(verdict, Verdict::Respond(_));
            delayed += u32::from(paused);
            aborted += u32::from(responded);
            both += u32::from(paused && responded);
        }
        assert!((9_700..10_300).contains(&delayed), "{delayed}");
        assert!((3_800..4_200).contains(&aborted), "{aborted}");
        assert!((1_850..2_150).contains(&both), "{both}");
    }

    #[test]
    fn a_share_is_exact_to_a_millionth() {
        let mut rng = fastrand::Rng::with_seed(11);
        let hits = (0..10_000_000)
            .filter(|_| draw(Percent::from_percent(0.0001).expect("a percentage"), &mut rng))
            .count();
        assert!((2..=25).contains(&hits), "about ten in ten million, not {hits}");
    }

    #[test]
    fn a_fault_that_never_happens_is_no_filter() {
        assert_eq!(Fault::new(&spec::Fault::default()), None);
        let never = FaultAbort { status: http(500), percent: Percent::NONE };
        assert_eq!(Fault::new(&spec::Fault { delay: None, abort: Some(never) }), None);
    }
}
