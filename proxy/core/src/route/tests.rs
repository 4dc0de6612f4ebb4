//! The index agrees with a plain reading of the rules.

use super::{precedence::Precedence, *};
use crate::explain::path_holds;
use proptest::prelude::*;
use sluice_model::spec::{
    HeaderMatch, PathMatch, PathRegex, QueryMatch, RegexAnchor, RouteMatch, ValueMatch,
};

/// Few texts, so that conditions and requests meet often.
fn path() -> impl Strategy<Value = String> {
    "(/(a|b|ab|A)){0,4}/?".prop_map(|path| if path.starts_with('/') { path } else { format!("/{path}") })
}

fn path_match() -> impl Strategy<Value = Option<PathMatch>> {
    let regex = (prop::sample::select(vec!["/a.*", "/(a|b)+", "b/?", "/a/[ab]"]), 0..3_usize).prop_map(
        |(text, anchor)| {
            PathMatch::Regex(PathRegex {
                pattern: text.parse().unwrap(),
                anchor: [RegexAnchor::Full, RegexAnchor::Start, RegexAnchor::Search][anchor],
            })
        },
    );
    prop_oneof![
        Just(None),
        path().prop_map(|path| Some(PathMatch::Exact(path))),
        path().prop_map(|path| Some(PathMatch::Prefix(path))),
        path().prop_map(|path| Some(PathMatch::StringPrefix(path))),
        regex.prop_map(Some),
    ]
}

fn value_match() -> impl Strategy<Value = ValueMatch> {
    prop_oneof![
        Just(ValueMatch::Present),
        Just(ValueMatch::Absent),
        "[xy]{0,2}".prop_map(ValueMatch::Exact),
        "[xy]{0,1}".prop_map(ValueMatch::Prefix),
        "[xy]{0,1}".prop_map(ValueMatch::Suffix),
        "[xy]{1,2}".prop_map(ValueMatch::Contains),
        Just(ValueMatch::Regex("x+y?".parse().unwrap())),
    ]
}

prop_compose! {
    fn route_match()(
        path in path_match(),
        ignore_path_case in any::<bool>(),
        methods in prop::collection::vec(prop::sample::select(vec!["GET".to_owned(), "POST".to_owned()]), 0..2),
        header in prop::option::of((value_match(), any::<bool>(), any::<bool>(), any::<bool>())),
        query in prop::option::of((value_match(), any::<bool>())),
    ) -> RouteMatch {
        RouteMatch {
            path,
            ignore_path_case,
            methods,
            headers: header
                .into_iter()
                .map(|(value, invert, missing_as_empty, ignore_case)| HeaderMatch {
                    name: "h".parse().unwrap(),
                    value,
                    invert,
                    missing_as_empty,
                    ignore_case,
                })
                .collect(),
            query: query.into_iter().map(|(value, invert)| QueryMatch { name: "q".into(), value, invert }).collect(),
            ..RouteMatch::default()
        }
    }
}

fn value_holds(test: &ValueMatch, value: Option<&str>) -> bool {
    match (test, value) {
        (ValueMatch::Absent, value) => value.is_none(),
        (_, None) => false,
        (ValueMatch::Present, Some(_)) => true,
        (ValueMatch::Exact(text), Some(value)) => value == text,
        (ValueMatch::Prefix(text), Some(value)) => value.starts_with(text.as_str()),
        (ValueMatch::Suffix(text), Some(value)) => value.ends_with(text.as_str()),
        (ValueMatch::Contains(text), Some(value)) => value.contains(text.as_str()),
        (ValueMatch::Regex(_), Some(value)) => {
            let rest = value.trim_start_matches('x');
            rest.len() < value.len() && (rest.is_empty() || rest == "y")
        }
    }
}

/// A linear reading of one match.
fn holds(matching: &RouteMatch, request: &RequestView<'_, Vec<(&str, &str)>>) -> bool {
    let header = |of: &HeaderMatch| {
        let values: Vec<&str> = request.fields.iter().map(|(_, value)| *value).collect();
        let joined = (!values.is_empty()).then(|| values.join(",")).or(of.missing_as_empty.then(String::new));
        let single = matches!(&of.value, ValueMatch::Exact(text) if values.contains(&text.as_str()));
        (single || value_holds(&of.value, joined.as_deref())) != of.invert
    };
    let query = |of: &QueryMatch| {
        let value =
            request.query.and_then(|query| query.strip_prefix('q')).map(|rest| rest.trim_start_matches('='));
        value_holds(&of.value, value) != of.invert
    };
    path_holds(matching, request.path)
        && (matching.methods.is_empty() || matching.methods.iter().any(|method| method == request.method))
        && matching.headers.iter().all(header)
        && matching.query.iter().all(query)
}

fn virtual_host(order: spec::RouteOrder, routes: &[Vec<RouteMatch>]) -> VirtualHost {
    let respond = spec::Action::Respond(spec::DirectResponse {
        status: sluice_model::value::StatusCode::new(200).unwrap(),
        body: String::new(),
        content_type: None,
    });
    let written = spec::Config {
        listeners: vec![
            serde_json::from_str(r#"{"name":"l","address":"127.0.0.1:1","route_table":"t"}"#).unwrap(),
        ],
        route_tables: vec![Arc::new(spec::RouteTable {
            name: "t".into(),
            virtual_hosts: vec![Arc::new(spec::VirtualHost {
                name: "v".into(),
                hosts: vec!["*".parse().unwrap()],
                order,
                routes: routes
                    .iter()
                    .enumerate()
                    .map(|(number, matches)| {
                        let mut route: spec::Route =
                            serde_json::from_str(r#"{"name":"r","action":{"respond":{"status":200}}}"#)
                                .unwrap();
                        route.name = format!("r{number}");
                        route.action = respond.clone();
                        route.matches.clone_from(matches);
                        route
                    })
                    .collect(),
            })],
        })],
        ..spec::Config::default()
    };
    let source =
        sluice_model::Source { name: "test".into(), text: serde_json::to_string(&written).unwrap().into() };
    let config = match sluice_model::load(&source, &NoFiles) {
        Ok(loaded) => loaded.config,
        Err(found) => panic!("{found}"),
    };
    let snapshot = crate::snapshot::compile(None, &config, &crate::snapshot::NoChains);
    let table = Arc::clone(&snapshot.tables()[0]);
    drop(snapshot);
    let host = Arc::clone(&table.virtual_hosts()[0]);
    drop(table);
    Arc::into_inner(host).unwrap()
}

struct NoFiles;

impl sluice_model::ReadFile for NoFiles {
    fn read(&self, _: &str) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_plain_reading(
        routes in prop::collection::vec(prop::collection::vec(route_match(), 1..3), 1..8),
        explicit in any::<bool>(),
        requests in prop::collection::vec(
            (path(), any::<bool>(), prop::collection::vec("[xyX]{0,3}", 0..3), prop::option::of("q(=[xy]{0,2})?")),
            1..8,
        ),
    ) {
        let order = if explicit { spec::RouteOrder::Explicit } else { spec::RouteOrder::Precedence };
        // Case folding of header values is for the unit test of conditions.
        let routes: Vec<Vec<RouteMatch>> = routes
            .into_iter()
            .map(|matches| {
                matches
                    .into_iter()
                    .map(|mut matching| {
                        matching.headers.iter_mut().for_each(|header| header.ignore_case = false);
                        matching
                    })
                    .collect()
            })
            .collect();
        let host = virtual_host(order, &routes);
        let mut rules: Vec<((usize, usize), &RouteMatch)> = routes
            .iter()
            .enumerate()
            .flat_map(|(route, matches)| matches.iter().enumerate().map(move |(index, m)| ((route, index), m)))
            .collect();
        if !explicit {
            rules.sort_by_key(|(written, matching)| Precedence::of(matching, *written));
        }
        let mut scratch = MatchScratch::default();
        for (path, post, values, query) in &requests {
            let fields: Vec<(&str, &str)> = values.iter().map(|value| ("h", value.as_str())).collect();
            let request = RequestView {
                method: if *post { "POST" } else { "GET" },
                scheme: Scheme::Http,
                authority: "a",
                host: "a",
                path,
                query: query.as_deref(),
                source: [127, 0, 0, 1].into(),
                port: 1,
                fields: &fields,
            };
            let wanted = rules.iter().find(|(_, matching)| holds(matching, &request)).map(|(written, _)| *written);
            let found = host
                .find(&request, &mut scratch)
                .map(|(route, info)| (route.name[1..].parse::<usize>().unwrap(), info.index));
            prop_assert_eq!(found, wanted, "{:?}", request);
        }
    }

    #[test]
    fn precedence_is_total(left in route_match(), right in route_match(), third in route_match()) {
        let of = |matching, place| Precedence::of(matching, (0, place));
        let (a, b, c) = (of(&left, 0), of(&right, 1), of(&third, 2));
        prop_assert_ne!(a, b);
        prop_assert_eq!(a < b, b > a);
        prop_assert!(!(a < b && b < c) || a < c);
    }
}

#[test]
fn conditions_fold_case_only_where_asked() {
    let fields = vec![("X-Tier", "Gold")];
    let request = RequestView {
        method: "GET",
        scheme: Scheme::Https,
        authority: "shop.test:8443",
        host: "shop.test",
        path: "/",
        query: Some("a=1&a=2&b"),
        source: "::ffff:10.1.2.3".parse().unwrap(),
        port: 8443,
        fields: &fields,
    };
    let holds = |yaml: &str| {
        let matching: RouteMatch = serde_json::from_str(yaml).unwrap();
        condition::Condition::compile(&matching).iter().all(|condition| {
            condition.holds(
                &request,
                &mut pattern::PatternCaches::default(),
                &mut condition::ValueScratch::default(),
            )
        })
    };
    for (wanted, matching) in [
        (true, r#"{"headers":[{"name":"x-tier","value":{"exact":"Gold"}}]}"#),
        (false, r#"{"headers":[{"name":"x-tier","value":{"exact":"gold"}}]}"#),
        (true, r#"{"headers":[{"name":"x-tier","value":{"exact":"gold"},"ignore_case":true}]}"#),
        (true, r#"{"headers":[{"name":"x-tier","value":{"regex":"g.*D"},"ignore_case":true}]}"#),
        (false, r#"{"headers":[{"name":"x-tier","value":{"regex":"Gol"}}]}"#),
        (true, r#"{"headers":[{"name":"host","value":{"exact":"shop.test:8443"}}]}"#),
        (true, r#"{"query":[{"name":"a","value":{"exact":"1"}},{"name":"b","value":{"exact":""}}]}"#),
        (false, r#"{"query":[{"name":"c","value":"present"}]}"#),
        (true, r#"{"source":["10.0.0.0/8"],"port":8443,"scheme":"https"}"#),
        (false, r#"{"source":["10.0.0.0/16"]}"#),
        (true, r#"{"authority":{"suffix":".TEST:8443"}}"#),
    ] {
        assert_eq!(holds(matching), wanted, "{matching}");
    }
}
