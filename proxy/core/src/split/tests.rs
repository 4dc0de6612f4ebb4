use super::*;
use crate::route::Scheme;
use proptest::prelude::*;
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
    let chosen = forward.choose(&plain(&fields), rng, &mut MatchScratch::default()).unwrap();
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
fn a_value_of_a_cookie_takes_the_canary_and_no_other_one_decides() {
    let split = compile(&forward(
        r#"{"destinations":[{"cluster":"main"}],"canaries":[
            {"cluster":"canary","weight":100,"cookie":"group","cookie_value":"beta"}]}"#,
    ));
    for (cookie, why) in
        [("group=beta", Why::Cookie), ("group=never", Why::Weight), ("group=always", Why::Weight)]
    {
        let got = ask(&split, &[("cookie", cookie)], &mut rng());
        assert_eq!((got.0.as_str(), got.1), ("canary", why), "{cookie}");
    }
}

#[test]
fn a_header_that_rules_out_leaves_neither_cookie_nor_weight() {
    let split = compile(&forward(
        r#"{"destinations":[{"cluster":"main"}],"canaries":[
            {"cluster":"canary","weight":100,"cookie":"c","header":{"name":"x","rule":"never"}}]}"#,
    ));
    assert_eq!(ask(&split, &[("x", "y"), ("cookie", "c=always")], &mut rng()).0, "main");
    assert_eq!(ask(&split, &[("cookie", "c=always")], &mut rng()).0, "canary");
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
        (r#""never""#, "always", "main"),
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

fn plain<'a>(fields: &'a Vec<(&'a str, &'a str)>) -> RequestView<'a, Vec<(&'a str, &'a str)>> {
    RequestView {
        method: "GET",
        scheme: Scheme::Http,
        authority: "a",
        host: "a",
        path: "/",
        query: None,
        source: [127, 0, 0, 1].into(),
        port: 80,
        fields,
    }
}

#[test]
fn nobody_serves_where_every_weight_is_zero() {
    let split =
        compile(&forward(r#"{"destinations":[{"cluster":"a","weight":0},{"cluster":"b","weight":0}]}"#));
    let fields = Vec::new();
    assert!(split.choose(&plain(&fields), &mut rng(), &mut MatchScratch::default()).is_none());
    let shares = split.shares(&plain(&fields), &mut MatchScratch::default());
    assert!(shares.to.is_empty() && shares.nobody > 0.99, "{shares:?}");
}

#[test]
fn a_canary_keeps_its_share_where_all_destinations_weigh_nothing() {
    let split = compile(&forward(
        r#"{"destinations":[{"cluster":"a","weight":0},{"cluster":"b","weight":0}],
            "canaries":[{"cluster":"c","weight":25,"header":{"name":"x"}}]}"#,
    ));
    for (field, wanted, nobody) in
        [("other", Some(0.25), 0.75), ("always", Some(1.0), 0.0), ("never", None, 1.0)]
    {
        let fields = vec![("x", field)];
        let shares = split.shares(&plain(&fields), &mut MatchScratch::default());
        let to: Vec<f64> = shares.to.iter().map(|(_, share)| *share).collect();
        assert_eq!((to, shares.nobody), (Vec::from_iter(wanted), nobody), "{field}");
    }
}

proptest! {
    /// What `explain` says of a request is what requests like it meet.
    #[test]
    fn shares_are_what_draws_come_to(
        destinations in prop::collection::vec(0..3_u32, 1..4),
        canaries in prop::collection::vec((0..40_u32, any::<bool>(), any::<bool>()), 0..4),
        sticky in 0..3_usize,
        header in prop::option::of(prop::sample::select(vec!["always", "never", "other"])),
        cookie in prop::option::of(prop::sample::select(vec!["c=always", "c=never", "c=x", "k=17"])),
        seed in any::<u64>(),
    ) {
        let mut written = forward(r#"{"destinations":[]}"#);
        written.destinations = destinations
            .iter()
            .enumerate()
            .map(|(number, weight)| spec::Destination {
                cluster: format!("d{number}"),
                weight: *weight,
                headers: spec::RouteHeaders::default(),
            })
            .collect();
        written.canaries = canaries
            .iter()
            .enumerate()
            .map(|(number, (weight, header, cookie))| WrittenCanary {
                weight: *weight,
                header: header.then(|| serde_json::from_str(r#"{"name":"x"}"#).unwrap()),
                cookie: cookie.then(|| "c".to_owned()),
                ..serde_json::from_str(&format!(r#"{{"cluster":"c{number}"}}"#)).unwrap()
            })
            .collect();
        written.sticky = match sticky {
            0 => None,
            1 => Some(Sticky::Hash(HashKey::Cookie("k".into()))),
            _ => Some(serde_json::from_str(r#"{"cookie":{"name":"side","key":"key"}}"#).unwrap()),
        };
        let split = compile(&written);
        let fields: Vec<(&str, &str)> =
            header.map(|value| ("x", value)).into_iter().chain(cookie.map(|value| ("cookie", value))).collect();
        let mut scratch = MatchScratch::default();
        let shares = split.shares(&plain(&fields), &mut scratch);
        let sum: f64 = shares.to.iter().map(|(_, share)| share).sum::<f64>() + shares.nobody;
        prop_assert!((sum - 1.0).abs() < 1e-9, "{shares:?}");

        let mut rng = fastrand::Rng::with_seed(seed);
        let mut met: HashMap<Option<&str>, u32> = HashMap::new();
        for _ in 0..2000 {
            let chosen = split.choose(&plain(&fields), &mut rng, &mut scratch);
            if let Some(chosen) = &chosen {
                prop_assert_eq!(chosen.why, shares.why);
            }
            *met.entry(chosen.map(|chosen| &*chosen.destination.cluster_name)).or_default() += 1;
        }
        let said = shares.to.iter().map(|(destination, share)| (Some(&*destination.cluster_name), *share));
        for (cluster, share) in said.chain([(None, shares.nobody)]) {
            let met = f64::from(met.remove(&cluster).unwrap_or_default()) / 2000.0;
            prop_assert!((met - share).abs() < 0.08, "{cluster:?} meets {met} of {share}");
        }
        prop_assert!(met.is_empty(), "{met:?} are not said");
    }
}
