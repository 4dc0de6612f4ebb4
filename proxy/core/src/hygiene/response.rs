//! Answers under the table.

use super::{Refusal, ResponseFacts, Rule};

/// Applies the table to a response head. `switching` says whether the request asked the upstream for another protocol,
/// `confirmed` whether the answer names the same one.
pub fn response(facts: &ResponseFacts, switching: bool, confirmed: bool) -> Result<(), Refusal> {
    if !(100..=599).contains(&facts.status) {
        return Err(Rule::StatusRange.refusal());
    }
    if facts.status == 101 && !(switching && confirmed) {
        return Err(Rule::UnaskedUpgrade.refusal());
    }
    Ok(())
}
