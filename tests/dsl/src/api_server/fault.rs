//! What the server does wrong when it is told to.

use super::call::Call;

/// How a request goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this status, and the reason that servers give with it.
    Status(u16),
    /// It is refused with 429, and may be tried again after so many seconds.
    RetryAfter(u64),
    /// It is answered with 200 and this.
    Nonsense(String),
    /// The answer begins as it should, and is cut off in the middle.
    Half,
    /// The answer begins as it should, and goes on with something that is no chunk of HTTP/1.1.
    BadChunk,
    /// It is never answered.
    Stall,
    /// The connection is closed without an answer.
    Close,
}

/// What happens to watches that are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbance {
    /// They end, as servers end them after some minutes.
    End,
    /// Their connections break.
    Cut,
    /// Something comes that is no chunk of HTTP/1.1.
    BadChunk,
    /// A line comes that is no event.
    Line(String),
    /// They are told that their version is gone.
    Gone,
    /// They are told nothing any more.
    Stall,
}

/// What goes wrong, and how often.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: String,
    pub(super) fault: Fault,
    /// `None` for always.
    pub(super) times: Option<usize>,
}

/// The fault of a request, if it has one.
pub(super) fn fault_of(rules: &mut Vec<Rule>, call: &Call) -> Option<Fault> {
    let place = rules.iter().position(|rule| call.is(&rule.pattern))?;
    let rule = &mut rules[place];
    let fault = rule.fault.clone();
    if let Some(times) = &mut rule.times {
        *times -= 1;
        if *times == 0 {
            rules.remove(place);
        }
    }
    Some(fault)
}
