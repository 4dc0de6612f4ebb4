//! Paths into a document, `route_tables[0].name`.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a map.
    Key(Box<str>),
    /// Into a list, from 0.
    Index(usize),
}

/// The way from the root of a document to a value. Prints as `route_tables[0].virtual_hosts[1].hosts[0]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Path(Vec<Step>);

impl Path {
    /// The document itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Step by step from the root.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// One step further.
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// One step back.
    pub fn pop(&mut self) -> Option<Step> {
        self.0.pop()
    }

    /// One step further, into a map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.join([Step::Key(key.into())])
    }

    /// One step further, into a list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.join([Step::Index(index)])
    }

    /// Several steps further.
    #[must_use]
    pub fn join(&self, steps: impl IntoIterator<Item = Step>) -> Self {
        Self(self.0.iter().cloned().chain(steps).collect())
    }
}

impl From<Vec<Step>> for Path {
    fn from(steps: Vec<Step>) -> Self {
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(at) => write!(out, "[{at}]")?,
                Step::Key(key) => {
                    let simple =
                        key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
                    match (simple && !key.is_empty(), index) {
                        (true, 0) => out.write_str(key)?,
                        (true, _) => write!(out, ".{key}")?,
                        (false, _) => write!(out, "[{:?}]", crate::convert::brief(key))?,
                    }
                }
            }
        }
        Ok(())
    }
}
