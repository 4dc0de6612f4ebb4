use crate::*;
use std::cell::RefCell;
use std::rc::Rc;

#[test]
fn later_edits_see_earlier_ones() {
    let fields = vec![("A", "1"), ("b", "2")];
    let mut edits = Edits::new();
    edits.add("a", b"3").expect("a field");
    edits.set("b", b"4").expect("a field");
    edits.add("b", b"5").expect("a field");
    assert_eq!(edits.effective(&fields, "a"), Some(&b"1"[..]));
    assert_eq!(edits.effective(&fields, "b"), Some(&b"4"[..]));
    edits.remove("a").expect("a name");
    assert_eq!(edits.effective(&fields, "a"), None);
    assert_eq!(edits.brought().collect::<Vec<_>>(), [("b", &b"4"[..]), ("b", &b"5"[..])]);
    assert!(edits.drops(b"A") && edits.drops(b"B") && !edits.drops(b"c") && edits.touches(b"B"));
    assert_eq!(edits.iter().count(), 4);
    edits.clear();
    assert!(edits.is_empty() && !edits.drops(b"a"));
}

#[test]
fn what_would_break_a_message_is_not_recorded() {
    let mut edits = Edits::new();
    for (name, value) in
        [("A", "upper case"), ("", "empty"), ("a b", "space"), ("a", "x\r\ny: z"), ("a", "\0")]
    {
        assert_eq!(edits.set(name, value.as_bytes()), Err(InvalidField), "{name:?} {value:?}");
    }
    assert!(edits.is_empty());
    edits.override_path("no-slash");
    edits.override_path("/with space");
    edits.override_authority("a/b");
    edits.override_method("B AD");
    edits.override_status(99);
    assert_eq!((edits.path(), edits.authority(), edits.method(), edits.status()), (None, None, None, None));
    edits.override_path("/p?q");
    edits.override_authority("[::1]:80");
    edits.override_method("PURGE");
    edits.override_status(599);
    assert_eq!(
        (edits.path(), edits.authority(), edits.method(), edits.status()),
        (Some("/p?q"), Some("[::1]:80"), Some("PURGE"), Some(599))
    );
}

#[test]
fn phases_are_a_set() {
    let mask: PhaseMask = [Phase::RequestHead, Phase::Log].into_iter().collect();
    assert!(mask.contains(Phase::Log) && !mask.contains(Phase::ResponseHead));
    assert_eq!(PhaseMask::only(Phase::RequestHead).union(PhaseMask::only(Phase::Log)), mask);
    assert!(PhaseMask::NONE.is_empty());
}

struct Named {
    name: &'static str,
    pauses: bool,
    limit: Option<usize>,
    seen: Rc<RefCell<Vec<String>>>,
}

impl Filter for Named {
    fn phases(&self) -> PhaseMask {
        [Phase::RequestHead, Phase::ResponseHead, Phase::Log].into_iter().collect()
    }
    fn on_request_head(&mut self, _: &mut RequestContext<'_>) -> Verdict {
        self.seen.borrow_mut().push(format!("{} head", self.name));
        if self.pauses {
            return Verdict::Pause(Op::Sleep(std::time::Duration::ZERO));
        }
        self.limit.map_or(Verdict::Continue, Verdict::Buffer)
    }
    fn on_op(&mut self, _: &mut RequestContext<'_>, _: OpResult) -> Verdict {
        self.seen.borrow_mut().push(format!("{} op", self.name));
        Verdict::Continue
    }
    fn on_response_head(&mut self, _: &mut ResponseContext<'_>) -> BodyVerdict {
        self.seen.borrow_mut().push(format!("{} answer", self.name));
        BodyVerdict::Continue
    }
    fn on_log(&mut self, _: &LogContext<'_>) {
        self.seen.borrow_mut().push(format!("{} log", self.name));
    }
}

#[test]
fn requests_pass_forward_answers_backward_and_pauses_go_on_where_they_were() {
    let seen = Rc::default();
    let named = |name, pauses, limit| Named { name, pauses, limit, seen: Rc::clone(&seen) };
    let mut chain =
        Filters::new(vec![named("a", false, Some(9)), named("b", true, None), named("c", false, Some(5))]);
    let (mut edits, mut rng) = (Edits::new(), fastrand::Rng::with_seed(1));
    let mut cx = RequestContext {
        method: "GET",
        scheme: "http",
        authority: "a.example",
        path: "/",
        query: None,
        client: std::net::Ipv4Addr::LOCALHOST.into(),
        grpc: false,
        fields: &NoFields,
        edits: &mut edits,
        rng: &mut rng,
    };
    assert!(matches!(chain.on_request_head(&mut cx), Verdict::Pause(_)));
    assert!(
        matches!(chain.on_op(&mut cx, OpResult::Slept), Verdict::Buffer(5)),
        "the strictest bound counts"
    );
    let (mut edits, mut rng) = (Edits::new(), fastrand::Rng::with_seed(1));
    let mut cx = ResponseContext {
        status: 200,
        request: &NoFields,
        fields: &NoFields,
        edits: &mut edits,
        rng: &mut rng,
    };
    assert!(matches!(chain.on_response_head(&mut cx), BodyVerdict::Continue));
    chain.on_log(&LogContext { status: 200, request: &NoFields, bytes_received: 0, bytes_sent: 0 });
    assert_eq!(
        *seen.borrow(),
        ["a head", "b head", "b op", "c head", "c answer", "b answer", "a answer", "c log", "b log", "a log"]
    );
}
