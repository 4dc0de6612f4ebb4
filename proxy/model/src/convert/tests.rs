use super::*;
use crate::spec;
use std::fmt::Write;

/// Every type that stands in a list of its own must be guessable, however little of it was written.
#[test]
fn a_hole_becomes_any_resource() {
    fn guess<T: DeserializeOwned>(text: &str) {
        let tree = crate::tree::parse(text).tree;
        let mut repairs = Repairs::new(&tree);
        let (value, problems) = convert::<T>(&tree, tree.root().unwrap(), &Path::root(), &mut repairs);
        assert!(value.is_some(), "{} from {text}: {problems:?}", std::any::type_name::<T>());
    }
    for text in
        ["{}", "5", "text", "[]", "[1]", "{ a: b }", "yes", "1.5", "{ name: x }", "{ kind: { tls: 5 } }"]
    {
        guess::<spec::Listener>(text);
        guess::<spec::RouteTable>(text);
        guess::<spec::VirtualHost>(text);
        guess::<spec::Route>(text);
        guess::<spec::Cluster>(text);
        guess::<spec::Secret>(text);
        guess::<spec::Config>(text);
        guess::<spec::Filter>(text);
        guess::<spec::Mirror>(text);
        guess::<spec::RegexRewrite>(text);
        guess::<spec::DirectResponse>(text);
        guess::<spec::HeaderMatch>(text);
        guess::<spec::Canary>(text);
        guess::<spec::StickyCookie>(text);
        guess::<spec::FaultAbort>(text);
    }
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct Ours {
    weight: u8,
    hosts: Vec<String>,
    inner: Option<Box<Ours>>,
    labels: std::collections::BTreeMap<String, String>,
}

fn read_as_api(text: &str) -> (Option<Ours>, Vec<String>) {
    let tree = crate::tree::parse(text).tree;
    let mut repairs = Repairs::for_api(&tree);
    let (value, problems) = convert(&tree, tree.root().unwrap(), &Path::root(), &mut repairs);
    let told = problems.iter().map(|problem| {
        let suggestion = problem.reason.suggestion(false).unwrap_or_default();
        let message = problem.reason.message(false);
        format!(
            "{}:{}: {}: {message}; {suggestion}",
            problem.position.line, problem.position.column, problem.path
        )
    });
    (value, told.collect())
}

#[test]
fn an_api_reports_and_ignores_what_it_does_not_know() {
    let (value, told) =
        read_as_api("weigth: 5\nhosts: null\ninner: { hosts: [a], wieght: 3, labels: { x: y } }\n");
    let inner = Ours {
        hosts: vec!["a".to_owned()],
        labels: [("x".to_owned(), "y".to_owned())].into(),
        ..Ours::default()
    };
    assert_eq!(value, Some(Ours { inner: Some(Box::new(inner)), ..Ours::default() }));
    assert_eq!(
        told,
        [
            "1:1: weigth: unknown field `weigth`; did you mean `weight`?",
            "3:22: inner.wieght: unknown field `wieght`; did you mean `weight`?"
        ]
    );
}

#[test]
fn unknown_fields_cost_no_run_of_their_own() {
    let mut many = "weight: 300\n".to_owned();
    for index in 0..MAX_PROBLEMS + 10 {
        writeln!(many, "x{index}: 1").unwrap();
    }
    let (value, told) = read_as_api(&many);
    assert!(value.is_some());
    assert_eq!(told.len(), MAX_PROBLEMS + 1);
    assert!(told[0].contains("weight"), "{}", told[0]);
}
