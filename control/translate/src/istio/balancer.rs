//! `trafficPolicy.loadBalancer`: which endpoint of a destination is next.

use super::notes::Notes;
use crate::{report::Reason, settings::Role};
use sluice_crds::istio::{ConsistentHashLb, HttpCookie, LoadBalancerSettings, SimpleLb};
use sluice_model::{
    convert::brief,
    spec::{
        Balancer, BalancerCookie, BalancerKey, CookieAttribute, LeastRequest, MadeCookie, Maglev, RingHash,
    },
    value::{Duration, HeaderName, is_token_byte},
};

/// How an endpoint is chosen; `None` where the block leaves that to everybody's default.
pub(super) fn balancer(written: &LoadBalancerSettings) -> Option<Balancer> {
    if let Some(hash) = &written.consistent_hash {
        return keyed(hash);
    }
    match written.simple? {
        SimpleLb::RoundRobin => Some(Balancer::RoundRobin),
        SimpleLb::Random => Some(Balancer::Random),
        SimpleLb::LeastConn | SimpleLb::LeastRequest => Some(Balancer::LeastRequest(LeastRequest::default())),
        SimpleLb::Unspecified | SimpleLb::Passthrough => None,
    }
}

/// Whether connections go on to the address that they were on their way to.
pub(super) fn passes_through(written: &LoadBalancerSettings) -> bool {
    written.simple == Some(SimpleLb::Passthrough)
}

fn keyed(hash: &ConsistentHashLb) -> Option<Balancer> {
    let key = key(hash)?;
    let size = hash.maglev.as_ref().map(|maglev| maglev.table_size);
    Some(match size {
        None => Balancer::RingHash(RingHash { key }),
        Some(size) => {
            let size = u32::try_from(size).ok().filter(|size| *size > 0);
            Balancer::Maglev(Maglev { key, table_size: size.unwrap_or(Maglev::TABLE_SIZE) })
        }
    })
}

fn key(hash: &ConsistentHashLb) -> Option<BalancerKey> {
    if let Some(name) = &hash.http_header_name {
        return name.parse().ok().map(BalancerKey::Header);
    }
    if let Some(name) = &hash.http_query_parameter_name {
        return Some(BalancerKey::Query(name.clone()));
    }
    if let Some(cookie) = &hash.http_cookie {
        return Some(BalancerKey::Cookie(self::cookie(cookie)));
    }
    (hash.use_source_ip == Some(true)).then_some(BalancerKey::SourceIp)
}

fn cookie(written: &HttpCookie) -> BalancerCookie {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let make = written.ttl.map(|ttl| MadeCookie {
        ttl: Some(Duration::from_secs(ttl.get().as_secs())).filter(|ttl| !ttl.is_zero()),
        path: text(&written.path),
        attributes: written
            .attributes
            .iter()
            .map(|written| CookieAttribute { name: written.name.clone(), value: text(&written.value) })
            .collect(),
    });
    BalancerCookie { name: written.name.clone(), make }
}

/// What is wrong with a block, and what has no effect in this role.
pub(super) fn check(written: &LoadBalancerSettings, at: &str, notes: &mut Notes<'_>) {
    let Some(hash) = &written.consistent_hash else { return };
    let at = format!("{at}.consistentHash");
    if let Some(name) = hash.http_header_name.as_ref().filter(|name| name.parse::<HeaderName>().is_err()) {
        let message = format!("`{}` is not the name of a header field", brief(name));
        notes.invalid(&format!("{at}.httpHeaderName"), message);
    }
    if hash.http_query_parameter_name.as_deref() == Some("") {
        notes.invalid(&format!("{at}.httpQueryParameterName"), "a parameter needs a name");
    }
    if let Some(cookie) = &hash.http_cookie {
        check_cookie(cookie, &format!("{at}.httpCookie"), notes);
    }
    if let Some(maglev) = &hash.maglev
        && maglev.table_size > 0
        && !u32::try_from(maglev.table_size).is_ok_and(Maglev::is_size)
    {
        let message = format!("a table's size is a prime number below {}", Maglev::MAX_TABLE_SIZE);
        notes.invalid(&format!("{at}.maglev.tableSize"), message);
    }
    let keys = [
        hash.http_header_name.is_some(),
        hash.http_query_parameter_name.is_some(),
        hash.http_cookie.is_some(),
        hash.use_source_ip.is_some(),
    ];
    if !keys.contains(&true) {
        notes.invalid(
            &at,
            "needs a key: one of `httpHeaderName`, `httpCookie`, `useSourceIp` and `httpQueryParameterName`",
        );
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn check_cookie(cookie: &HttpCookie, at: &str, notes: &mut Notes<'_>) {
    if !is_token(&cookie.name) {
        notes.invalid(&format!("{at}.name"), format!("`{}` is not a cookie's name", brief(&cookie.name)));
    }
    let unfit = |text: &str| text.bytes().any(|byte| !(b' '..0x7f).contains(&byte) || byte == b';');
    let path = cookie.path.as_str();
    if !path.is_empty()
        && (!path.starts_with('/') || unfit(path) || path.contains([' ', '"', '<', '>', '#', '?']))
    {
        notes.invalid(&format!("{at}.path"), format!("`{}` is not a cookie's path", brief(&cookie.path)));
    }
    for (index, attribute) in cookie.attributes.iter().enumerate() {
        let at = format!("{at}.attributes[{index}]");
        if !is_token(&attribute.name) {
            let message = format!("`{}` is not the name of an attribute", brief(&attribute.name));
            notes.invalid(&format!("{at}.name"), message);
        }
        if unfit(&attribute.value) {
            let message = format!("`{}` is not the value of an attribute", brief(&attribute.value));
            notes.invalid(&format!("{at}.value"), message);
        }
    }
}

/// Says where a block does nothing in this role.
pub(super) fn odd(written: &LoadBalancerSettings, role: &Role, at: &str, notes: &mut Notes<'_>) {
    if passes_through(written) && !role.knows_destinations() {
        let message = "nobody says here where connections were on their way to, so endpoints get requests in turn; a sidecar \
                       with `--original-dst` knows it";
        notes.odd(Reason::NoEffect, &format!("{at}.simple"), message);
    }
    if let Some(hash) = &written.consistent_hash
        && hash.use_source_ip == Some(false)
        && key(hash).is_none()
    {
        let at = format!("{at}.consistentHash.useSourceIp");
        notes.odd(Reason::NoEffect, &at, "without a key, endpoints get requests in turn");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Held;
    use serde_json::json;
    use sluice_crds::{Manifest, manifest::EntryContent};

    fn written(block: &serde_json::Value) -> LoadBalancerSettings {
        serde_json::from_value(block.clone()).expect("a block")
    }

    /// What is wrong with a block, one line each.
    fn wrong(block: &serde_json::Value) -> Vec<String> {
        let text = "apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: shop }\nspec: {}\n";
        let EntryContent::Object(object) = Manifest::read(text).entries.remove(0).content else {
            panic!("an object")
        };
        let held = Held::new(object, None, 0);
        let mut notes = Notes::about(&held);
        check(&written(block), "lb", &mut notes);
        notes.reports.iter().map(|report| format!("{}: {}", report.field, report.message)).collect()
    }

    #[test]
    fn every_way_to_choose_has_its_balancer() {
        let keyed = |key| Some(Balancer::RingHash(RingHash { key }));
        for (block, wanted) in [
            (json!({ "simple": "ROUND_ROBIN" }), Some(Balancer::RoundRobin)),
            (json!({ "simple": "RANDOM" }), Some(Balancer::Random)),
            (json!({ "simple": "LEAST_CONN" }), Some(Balancer::LeastRequest(LeastRequest::default()))),
            (json!({ "simple": "LEAST_REQUEST" }), Some(Balancer::LeastRequest(LeastRequest::default()))),
            (json!({ "simple": "UNSPECIFIED" }), None),
            (json!({ "simple": "PASSTHROUGH" }), None),
            (json!({}), None),
            (json!({ "consistentHash": { "useSourceIp": true } }), keyed(BalancerKey::SourceIp)),
            (json!({ "consistentHash": { "useSourceIp": false } }), None),
            (
                json!({ "consistentHash": { "httpQueryParameterName": "user" } }),
                keyed(BalancerKey::Query("user".into())),
            ),
            (
                json!({ "consistentHash": { "httpCookie": { "name": "at" } } }),
                keyed(BalancerKey::Cookie(BalancerCookie { name: "at".into(), make: None })),
            ),
            (
                json!({ "consistentHash": { "httpCookie": { "name": "at", "ttl": "0s" } } }),
                keyed(BalancerKey::Cookie(BalancerCookie {
                    name: "at".into(),
                    make: Some(MadeCookie::default()),
                })),
            ),
            (
                json!({ "consistentHash": { "useSourceIp": true, "maglev": {} } }),
                Some(Balancer::Maglev(Maglev { key: BalancerKey::SourceIp, table_size: Maglev::TABLE_SIZE })),
            ),
        ] {
            assert_eq!(balancer(&written(&block)), wanted, "{block}");
            let good = wrong(&block).is_empty();
            assert!(good, "{block}: {:?}", wrong(&block));
        }
    }

    #[test]
    fn what_cannot_be_a_key_or_a_table_is_said_with_its_field() {
        for (block, field) in [
            (json!({ "consistentHash": {} }), "lb.consistentHash"),
            (json!({ "consistentHash": { "httpHeaderName": "a b" } }), "lb.consistentHash.httpHeaderName"),
            (
                json!({ "consistentHash": { "httpQueryParameterName": "" } }),
                "lb.consistentHash.httpQueryParameterName",
            ),
            (
                json!({ "consistentHash": { "httpCookie": { "name": "" } } }),
                "lb.consistentHash.httpCookie.name",
            ),
            (
                json!({ "consistentHash": { "httpCookie": { "name": "a", "path": "/;x" } } }),
                "lb.consistentHash.httpCookie.path",
            ),
            (
                json!({ "consistentHash": { "httpCookie": { "name": "a", "attributes": [{ "name": "a", "value": "x;y" }] } } }),
                "lb.consistentHash.httpCookie.attributes[0].value",
            ),
            (
                json!({ "consistentHash": { "useSourceIp": true, "maglev": { "tableSize": 100 } } }),
                "lb.consistentHash.maglev.tableSize",
            ),
        ] {
            let wrong = wrong(&block);
            assert!(wrong.len() == 1 && wrong[0].starts_with(&format!("{field}: ")), "{block}: {wrong:?}");
        }
    }
}
