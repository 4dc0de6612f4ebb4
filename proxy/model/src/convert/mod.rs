//! From a tree to types, by elimination: serde stops at the first mistake, so each mistake is recorded, mended as well as
//! can be guessed, and the conversion runs again until nothing is left. One mistake hides no other.
//!
//! How a mistake is mended decides what else is seen. A misspelt key is read as the one that was meant, so that what
//! stands below it is checked too and the right key is not reported as missing. A single value where a list should be
//! is read as a list of one. An unknown key is left out. Any other bad value becomes a *hole*: something that offers one
//! plausible value after another until the type takes one. Nothing that is said later about a hole is true, so later
//! checks ask [`Repairs::locate`] before they speak.
//!
//! Objects of an API are read with [`Reading::Api`]: what the API would ignore is reported and ignored.
//!
//! A conversion costs one run for each mistake; callers convert the elements of long lists one by one, see
//! [`Repairs::set_aside`].

mod error;
mod hole;
mod node;
mod problem;
mod repairs;

pub use problem::{Found, Problem, Reason, nearest};
pub use repairs::{Place, Reading, Repairs};

pub use problem::brief;
pub(crate) use problem::did_you_mean;

use crate::tree::{NodeId, Path, Tree};
use error::Stop;
use node::NodeDeserializer;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// The most mistakes that are listed for one value.
pub const MAX_PROBLEMS: usize = 1000;

/// The same, of those that cost a run each, for an object of an API: objects are many, and not their reader's own.
pub const MAX_OBJECT_PROBLEMS: usize = 100;

/// Turns the value at `node`, which stands at `path`, into a `T`, and says all that is wrong with it. Where something
/// was wrong, the `T` is a guess that serves to look for further mistakes; it is `None` where no guess was good enough.
pub fn convert<T: DeserializeOwned>(
    tree: &Tree,
    node: NodeId,
    path: &Path,
    repairs: &mut Repairs,
) -> (Option<T>, Vec<Problem>) {
    let mut problems = Vec::new();
    let value = eliminate(tree, node, path, repairs, &mut problems);
    problems.extend(repairs.take_unknown(tree, node, path));
    (value, problems)
}

fn eliminate<T: DeserializeOwned>(
    tree: &Tree,
    node: NodeId,
    path: &Path,
    repairs: &mut Repairs,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let most = match repairs.reading {
        Reading::Type => MAX_PROBLEMS,
        Reading::Api => MAX_OBJECT_PROBLEMS,
    };
    loop {
        let error = match NodeDeserializer::new(tree, repairs, node).seed(PhantomData::<T>) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let Stop { reason, spot, shown, path: below } = *error.0;
        let spot = spot?;
        let shown = shown.unwrap_or(spot.node);
        let progress = repairs.mend(tree, &spot, &reason, shown);
        if spot.hole.is_none() && !repairs.excuses(spot.node, &reason) {
            if problems.len() >= most {
                return None;
            }
            let path = path.join(below.into_iter().rev());
            problems.push(Problem { position: tree.node(shown).position, path, reason });
        }
        if !progress {
            return None;
        }
    }
}

#[cfg(test)]
mod tests;
