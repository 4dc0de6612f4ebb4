//! What must not be shown: whatever stands under `secrets`, and whatever might have been meant to.
//!
//! The rule is the safe way round. Values are quoted, and lines are shown, only below the keys that hold no secrets;
//! below `secrets`, and below a key that is none of the known ones (a misspelt `secrets`), nothing is.

use crate::{
    convert::{Problem, Reason},
    tree::{Path, Step},
};

/// The keys of a file below which text may be shown.
const OPEN: [&str; 7] = ["admin", "runtime", "access_log", "dns", "listeners", "route_tables", "clusters"];

/// The keys that a path below `secrets` may show.
const STEPS: [&str; 9] = ["secrets", "name", "kind", "tls", "ca", "key", "certificate", "file", "inline"];

/// Whether a problem's words must not quote the text.
/// `top` is the key of the file below which it stands, as it is read: a misspelt one counts as the one that was meant.
pub(crate) fn hides(problem: &Problem, top: Option<&str>) -> bool {
    match problem.path.steps() {
        [] => !matches!(problem.reason, Reason::Syntax { .. }),
        [Step::Key(_)]
            if matches!(problem.reason, Reason::UnknownField { .. } | Reason::DuplicateKey { .. }) =>
        {
            false
        }
        [Step::Key(_), ..] => {
            let below_inline = problem.path.steps().iter().any(|step| *step == Step::Key("inline".into()));
            below_inline || !top.is_some_and(|top| OPEN.contains(&top))
        }
        [Step::Index(_), ..] => true,
    }
}

/// A path without the keys that a user invented.
pub(crate) fn path(path: &Path) -> String {
    let last = path.steps().len().saturating_sub(1);
    let steps = path.steps().iter().enumerate().map(|(at, step)| match step {
        Step::Key(key) if at > 0 && !STEPS.contains(&&**key) => {
            Step::Key(if at == last { "?" } else { "…" }.into())
        }
        step => step.clone(),
    });
    Path::from(steps.collect::<Vec<_>>()).to_string()
}

/// Which lines of a text may be shown as excerpts.
pub(crate) struct Visible {
    lines: Vec<bool>,
}

impl Visible {
    /// Goes by the keys at the left edge alone, so that it also holds where the text is not YAML. What stands before the
    /// first such key, and texts in flow style, are not shown.
    pub(crate) fn of(text: &str) -> Self {
        let mut open = false;
        let lines = text.lines().map(|line| {
            let edge = line
                .chars()
                .next()
                .is_some_and(|c| c.is_alphanumeric() || matches!(c, '"' | '\'' | '_' | '{'));
            if edge {
                let key = line.split(':').next().unwrap_or_default().trim_matches(['"', '\'', ' ']);
                open = OPEN.contains(&key) && line.contains(':');
            }
            open && !suspicious(line)
        });
        Self { lines: lines.collect() }
    }

    /// Whether a line, counted from 1, may be shown.
    pub(crate) fn shows(&self, line: usize) -> bool {
        line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(false)
    }
}

/// Looks like a secret in the wrong place.
fn suspicious(line: &str) -> bool {
    const LONGEST_WORD: usize = 40;
    let encoded = |word: &str| {
        word.len() > LONGEST_WORD
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
    };
    line.contains("inline")
        || line.contains("secret")
        || line.contains("-----")
        || line.split(char::is_whitespace).any(encoded)
}
