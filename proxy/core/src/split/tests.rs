use super::*;
use crate::route::Scheme;
use sluice_model::spec::{Canary as WrittenCanary, HashKey, Sticky};
use std::collections::HashMap;

/// Every name is a cluster; there is one key.
struct AnyName;

impl Names for AnyName {
    fn cluster(&self, _: &str) -> ClusterId {
        ClusterId::UNKNOWN
    }
    fn key(&self, name: &str) -> &[u8] {
        if name == "other" {
            b"another key that is long enough, too"
        } else {
            b"a key that is long enough for HMAC"
        }
    }
}

fn forward(yaml: &str) -> spec::Forward {
    serde_json::from_str(yaml).unwrap()
}

fn compile(forward: &spec::Forward) -> Forward {
    Forward::compile(forward, &AnyName)
}

/// The cluster, why, and the cookie to set.
fn ask(forward: &Forward, fields: &[(&str, &str)], rng: &mut fastrand::Rng) -> (String, Why, Option<String>) {
    let fields = fields.to_vec();
    let request = RequestView {
        method: "GET",
        scheme: Scheme::Http,
        authority: "a",
        host: "a",
        path: "/",
        query: None,
        source: [127, 0, 0, 1].into(),
        port: 80,
        fields: &fields,
    };
    let chosen = forward.choose(&request, rng, &mut MatchScratch::default()).unwrap();
    let cookie = chosen.set_cookie.map(|cookie| {
        let mut out = Vec::new();
        cookie.write(false, &mut out);
        String::from_utf8(out).unwrap()
    });
    (chosen.destination.cluster_name.to_string(), chosen.why, cookie)
}

fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(7)
}

fn counts(forward: &Forward, draws: usize) -> HashMap<String, usize> {
    let mut rng = rng();
    let mut counts = HashMap::new();
    for _ in 0..draws {
        *counts.entry(ask(forward, &[], &mut rng).0).or_default() += 1;
    }
    counts
}

#[test]
fn shares_follow_the_weights_whatever_their_sum() {
    let split = compile(&forward(
        r#"{"destinations":[{"cluster":"a","weight":1},{"cluster":"b","weight":2},{"cluster":"c","weight":0},
            {"cluster":"d","weight":5}]}"#,
    ));
    let counts = counts(&split, 80_000);
    for (cluster, share) in [("a", 10_000_usize), ("b", 20_000), ("d", 50_000)] {
        assert!(counts[cluster].abs_diff(share) < 600, "{cluster}: {counts:?}");
    }
    assert!(!counts.contains_key("c"));
}

#[test]
fn a_canary_takes_its_part_of_the_total() {
    for (weight, total, wanted) in
        [(10, 100, 2_000_usize), (1, 4, 5_000), (0, 100, 0), (100, 100, 20_000), (7, 3, 20_000)]
    {
        let split = compile(&forward(&format!(
            r#"{{"destinations":[{{"cluster":"main"}}],"canary_total":{total},
                "canaries":[{{"cluster":"canary","weight":{weight}}}]}}"#
        )));
        let got = counts(&split, 20_000).get("canary").copied().unwrap_or_default();
        assert!(got.abs_diff(wanted) < 400, "{weight} of {total}: {got}");
        if wanted == 0 || wanted == 20_000 {
            assert_eq!(got, wanted);
        }
    }
}

#[test]
fn header_beats_cookie_beats_weight() {
    let split = compile(&forward(
        r#"{"destinations":[{"cluster":"main"}],"canaries":[
            {"cluster":"canary","weight":100,"header":{"name":"x-canary"},"cookie":"try"}]}"#,
    ));
    for (fields, cluster, why) in [
        (vec![], "canary", Why::Weight),
        (vec![("x-canary", "never")], "main", Why::Weight),
        (vec![("x-canary", "never"), ("cookie", "try=always")], "main", Why::Weight),
        (vec![("x-canary", "always"), ("cookie", "try=never")], "canary", Why::Header),
        (vec![("X-Canary", "Always"), ("cookie", "a=b; try=never")], "main", Why::Weight),
        (vec![("cookie", "a=b; try=always")], "canary", Why::Cookie),
        (vec![("cookie", "xtry=never")], "canary", Why::Weight),
    ] {
        let got = ask(&split, &fields, &mut rng());
        assert_eq!((got.0.as_str(), got.1), (cluster, why), "{fields:?}");
    }
}

#[test]
fn header_rules_decide_by_presence_value_and_pattern() {
    let split = |rule: &str| {
        compile(&forward(&format!(
            r#"{{"destinations":[{{"cluster":"main"}}],"canaries":[
                {{"cluster":"canary","header":{{"name":"x","rule":{rule}}}}}]}}"#
        )))
    };
    for (rule, value, cluster) in [
        (r#""present""#, "", "canary"),
        (r#"{"value":"de"}"#, "de", "canary"),
        (r#"{"value":"de"}"#, "always", "main"),
        (r#"{"regex":"^(de|at)"}"#, "de-CH", "canary"),
        (r#"{"regex":"CH"}"#, "de-CH", "canary"),
        (r#"{"regex":"ch"}"#, "de-CH", "main"),
    ] {
        assert_eq!(ask(&split(rule), &[("x", value)], &mut rng()).0, cluster, "{rule} {value}");
    }
}

#[test]
fn several_canaries_own_neighbouring_shares() {
    let split = compile(&forward(
        r#"{"destinations":[{"cluster":"main"}],"canaries":[
            {"cluster":"one","weight":20},{"cluster":"two","weight":30,"header":{"name":"x"}}]}"#,
    ));
    let counts = counts(&split, 20_000);
    assert!(counts["one"].abs_diff(4_000) < 300 && counts["two"].abs_diff(6_000) < 300, "{counts:?}");
    assert_eq!(ask(&split, &[("x", "always")], &mut rng()).0, "two");
}

/// The side of each of many clients.
fn sides(written: &spec::Forward) -> Vec<String> {
    let split = compile(written);
    (0..2_000).map(|client| ask(&split, &[("x-user", &format!("user-{client}"))], &mut rng()).0).collect()
}

#[test]
fn raising_the_weight_moves_nobody_back() {
    let with = |weight, canary: bool| spec::Forward {
        sticky: Some(Sticky::Hash(HashKey::Header("x-user".parse().unwrap()))),
        canaries: if canary {
            vec![WrittenCanary { weight, ..serde_json::from_str(r#"{"cluster":"canary"}"#).unwrap() }]
        } else {
            Vec::new()
        },
        ..forward(r#"{"destinations":[{"cluster":"a","weight":1},{"cluster":"b","weight":1}]}"#)
    };
    let steps: Vec<Vec<String>> = [0, 10, 20, 60, 100].map(|weight| sides(&with(weight, true))).into();
    for pair in steps.windows(2) {
        for (before, after) in pair[0].iter().zip(&pair[1]) {
            // Onto the canary, or where they were: also between the main destinations nobody moves.
            assert!(after == "canary" || after == before, "{before} to {after}");
        }
    }
    let on_canary = |sides: &[String]| sides.iter().filter(|side| *side == "canary").count();
    assert_eq!(on_canary(&steps[0]), 0);
    assert!(on_canary(&steps[1]).abs_diff(200) < 60);
    assert_eq!(on_canary(&steps[4]), 2_000);
    assert_eq!(sides(&with(0, false)), steps[0], "a removed canary releases everybody to where they were");
    let on_a = steps[0].iter().filter(|side| *side == "a").count();
    assert!(on_a.abs_diff(1_000) < 120, "{on_a}");
}

#[test]
fn a_signed_cookie_keeps_the_position() {
    let sticky = |key: &str| {
        compile(&forward(&format!(
            r#"{{"destinations":[{{"cluster":"main"}}],"canaries":[{{"cluster":"canary","weight":50}}],
                "sticky":{{"cookie":{{"name":"side","key":"{key}","ttl":"1h"}}}}}}"#
        )))
    };
    let split = sticky("key");
    let mut rng = rng();
    let (side, why, cookie) = ask(&split, &[], &mut rng);
    assert_eq!(why, Why::Sticky);
    let cookie = cookie.unwrap();
    let (pair, attributes) = cookie.split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
    for _ in 0..50 {
        let again = ask(&split, &[("cookie", pair)], &mut rng);
        assert_eq!(again, (side.clone(), Why::Sticky, None));
    }
    // What the key did not sign is drawn again and replaced.
    let mut forged = pair.to_owned();
    let last = if forged.ends_with('A') { 'B' } else { 'A' };
    forged.pop();
    forged.push(last);
    for (split, cookie) in
        [(&split, forged.as_str()), (&sticky("other"), pair), (&split, "side="), (&split, "side=x")]
    {
        assert!(ask(split, &[("cookie", cookie)], &mut rng).2.is_some(), "{cookie}");
    }
}

#[test]
fn a_cookie_that_came_over_tls_stays_there() {
    let split = compile(&forward(
        r#"{"destinations":[{"cluster":"main"},{"cluster":"other"}],"sticky":{"cookie":{"name":"side","key":"key"}}}"#,
    ));
    let position = split.sticky.as_ref().and_then(|sticky| sticky.cookie(7)).unwrap();
    let written = |secure| {
        let mut out = Vec::new();
        position.write(secure, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(true), written(false) + "; Secure");
}

#[test]
fn nobody_serves_where_every_weight_is_zero() {
    let split =
        compile(&forward(r#"{"destinations":[{"cluster":"a","weight":0},{"cluster":"b","weight":0}]}"#));
    let fields: Vec<(&str, &str)> = Vec::new();
    let request = RequestView {
        method: "GET",
        scheme: Scheme::Http,
        authority: "",
        host: "",
        path: "/",
        query: None,
        source: [127, 0, 0, 1].into(),
        port: 80,
        fields: &fields,
    };
    assert!(split.choose(&request, &mut rng(), &mut MatchScratch::default()).is_none());
}
