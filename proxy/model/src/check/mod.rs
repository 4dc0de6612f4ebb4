//! Rules between fields: everything that a single value cannot know about itself. All of them are checked, always; what
//! was already wrong when it was read is kept apart by [`crate::convert::Repairs::locate`].

mod balancer;
mod before;
mod cluster;
mod edits;
mod listener;
mod matching;
mod names;
mod original_destination;
mod pem;
mod process;
mod references;
mod replacement;
mod resilience;
mod response;
mod route;
mod scope;
mod secret;
mod shadow;
mod split;
mod table;
mod text;

use crate::{
    Config, Secret, Severity,
    kept::Kept,
    spec,
    tree::{Path, Step},
};
use before::Before;
use names::Names;
use std::sync::Arc;

/// Something that a check found.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) path: Path,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    /// Other places that it draws conclusions from: where one of them was not read as written, the finding may be but a
    /// consequence of that.
    pub(crate) rests_on: Vec<Path>,
}

/// What the checks say, and the content of the secrets.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) findings: Vec<Finding>,
    /// Those that could be read.
    pub(crate) secrets: Vec<Arc<Secret>>,
    /// What it has in common with the one before.
    pub(crate) kept: Kept,
    /// The files that were read.
    pub(crate) files: Vec<String>,
}

/// How much of a configuration was read as it was written. Where something was not, a name that nothing has, or that
/// nothing uses, may only be a consequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sound {
    /// All of it.
    pub(crate) whole: bool,
    /// Which route tables there are.
    pub(crate) route_tables: bool,
    /// Which clusters there are.
    pub(crate) clusters: bool,
    /// Which secrets there are.
    pub(crate) secrets: bool,
}

impl Sound {
    /// Everything was.
    pub(crate) const ALL: Self = Self { whole: true, route_tables: true, clusters: true, secrets: true };
}

/// Checks everything but the parts that `old` has too: these are in order, and what is odd about them was said.
pub(crate) fn check(
    config: &spec::Config,
    files: &dyn crate::ReadFile,
    sound: Sound,
    old: Option<&Config>,
) -> Checked {
    let kept = Kept::new(config, old.map(|old| (old.written(), old.indexes())));
    let before = old.map(|old| Before::new(config, old, &kept));
    let names = Names::of(config, kept.indexes.clone());
    let mut cx = Context { findings: Vec::new(), names, sound, before };
    let root = At::root();
    process::check(&mut cx, config, root);
    listener::check(&mut cx, config, root);
    table::check(&mut cx, config, root);
    cluster::check(&mut cx, config, root);
    let (secrets, files) = secret::check(&mut cx, config, root, files);
    if cx.before.is_none() {
        names::check_use(&mut cx, config, root);
    }
    let findings = cx.findings;
    Checked { findings, secrets, kept, files }
}

/// What the checks share.
struct Context<'a> {
    findings: Vec<Finding>,
    names: Names<'a>,
    sound: Sound,
    /// What need not be checked again.
    before: Option<Before<'a>>,
}

impl Context<'_> {
    fn error(&mut self, at: At<'_>, message: impl Into<String>) -> &mut Finding {
        self.find(Severity::Error, at, message.into())
    }

    fn warning(&mut self, at: At<'_>, message: impl Into<String>) -> &mut Finding {
        self.find(Severity::Warning, at, message.into())
    }

    fn info(&mut self, at: At<'_>, message: impl Into<String>) -> &mut Finding {
        self.find(Severity::Info, at, message.into())
    }

    fn find(&mut self, severity: Severity, at: At<'_>, message: String) -> &mut Finding {
        let finding = Finding { severity, path: at.path(), message, suggestion: None, rests_on: Vec::new() };
        let index = self.findings.len();
        self.findings.push(finding);
        &mut self.findings[index]
    }
}

impl Finding {
    fn rests_on(&mut self, at: At<'_>) -> &mut Self {
        self.rests_on.push(at.path());
        self
    }

    fn suggest(&mut self, suggestion: impl Into<String>) {
        self.suggestion = Some(suggestion.into());
    }
}

/// Where a check stands: a path on the stack, made into a real one only when there is something to say.
#[derive(Clone, Copy)]
struct At<'a> {
    above: Option<&'a At<'a>>,
    step: Bit,
}

#[derive(Clone, Copy)]
enum Bit {
    Root,
    Key(&'static str),
    Index(usize),
}

impl At<'_> {
    const fn root() -> At<'static> {
        At { above: None, step: Bit::Root }
    }

    const fn key(&self, key: &'static str) -> At<'_> {
        At { above: Some(self), step: Bit::Key(key) }
    }

    const fn index(&self, index: usize) -> At<'_> {
        At { above: Some(self), step: Bit::Index(index) }
    }

    fn path(&self) -> Path {
        let mut path = self.above.map(At::path).unwrap_or_default();
        match self.step {
            Bit::Root => {}
            Bit::Key(key) => path.push(Step::Key(key.into())),
            Bit::Index(index) => path.push(Step::Index(index)),
        }
        path
    }
}
