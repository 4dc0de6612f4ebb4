//! What has to be written so that an object's status says what it should, and nothing of others is lost.

use super::{
    address::Address,
    answer::{ACCEPTED, Condition, Standing, Status},
};
use serde_json::{Value, json};

/// Whether the status says already what it should.
pub(super) fn stands(standing: Standing<'_>, wanted: &Status) -> bool {
    match (standing, wanted) {
        (Standing::Ingress(status), Status::Addresses(wanted)) => {
            let sorted = |mut addresses: Vec<Address>| {
                addresses.sort();
                addresses
            };
            sorted(Address::standing(&status.load_balancer)) == sorted(wanted.clone())
        }
        (Standing::Istio(status), Status::Condition(wanted)) => {
            status.conditions.iter().any(|condition| condition.r#type == ACCEPTED && wanted.stands(condition))
        }
        // An answer is of the kind of its object.
        _ => true,
    }
}

/// The merge patch (RFC 7396) for the addresses of an Ingress in this version; nobody else writes them.
pub(super) fn addresses(version: &str, addresses: &[Address]) -> Value {
    let addresses: Vec<Value> = addresses.iter().map(Address::written).collect();
    json!({
        "metadata": { "resourceVersion": version },
        "status": { "loadBalancer": { "ingress": addresses } },
    })
}

/// The merge patch that takes the addresses of an Ingress away, whatever else happened to it.
pub(super) fn no_addresses() -> Value {
    json!({ "status": { "loadBalancer": { "ingress": null } } })
}

/// The merge patch for our condition of an object as the server has it now; `None` where it stands there already. A merge
/// patch replaces lists as a whole, so the conditions of others are written again as they are, and the version sees to it
/// that they are still so.
pub(super) fn condition(object: &Value, wanted: &Condition, now: &str) -> Option<Value> {
    let none = Vec::new();
    let all = object["status"]["conditions"].as_array().unwrap_or(&none);
    let is_ours = |condition: &&Value| condition["type"] == ACCEPTED;
    let old = all.iter().find(is_ours);
    let mut ours = wanted.written();
    let since =
        old.filter(|old| old["status"] == ours["status"]).map(|old| old["lastTransitionTime"].clone());
    ours["lastTransitionTime"] = since.filter(|since| !since.is_null()).unwrap_or_else(|| json!(now));
    if old == Some(&ours) {
        return None;
    }
    let mut conditions: Vec<Value> = all.iter().filter(|condition| !is_ours(condition)).cloned().collect();
    conditions.push(ours);
    Some(json!({
        "metadata": { "resourceVersion": object["metadata"]["resourceVersion"] },
        "status": { "conditions": conditions },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_of_others_stay_and_the_time_is_that_of_the_last_change() {
        let theirs = json!({ "type": "Reconciled", "status": "True", "extra": { "kept": true } });
        let mut object = json!({
            "metadata": { "resourceVersion": "7" },
            "status": { "conditions": [theirs], "validationMessages": [{ "code": "IST0101" }] },
        });
        let wanted =
            Condition { holds: false, reason: "Invalid", message: "no".to_owned(), generation: Some(3) };
        let patch = condition(&object, &wanted, "2026-01-01T00:00:00Z").expect("a patch");
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        assert_eq!(
            patch["status"].as_object().map(serde_json::Map::len),
            Some(1),
            "only conditions are ours"
        );
        assert_eq!(patch["status"]["conditions"][0], theirs);
        let ours = &patch["status"]["conditions"][1];
        assert_eq!((&ours["status"], &ours["observedGeneration"]), (&json!("False"), &json!(3)));
        assert_eq!(ours["lastTransitionTime"], "2026-01-01T00:00:00Z");

        object["status"]["conditions"] = patch["status"]["conditions"].clone();
        assert_eq!(condition(&object, &wanted, "2026-01-02T00:00:00Z"), None, "it stands there");
        let other = Condition { message: "still not".to_owned(), ..wanted.clone() };
        let patch = condition(&object, &other, "2026-01-03T00:00:00Z").expect("a patch");
        assert_eq!(patch["status"]["conditions"][1]["lastTransitionTime"], "2026-01-01T00:00:00Z");
        let other = Condition { holds: true, ..wanted };
        let patch = condition(&object, &other, "2026-01-04T00:00:00Z").expect("a patch");
        assert_eq!(patch["status"]["conditions"][1]["lastTransitionTime"], "2026-01-04T00:00:00Z");
    }
}
