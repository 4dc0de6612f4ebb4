//! What holds for every text. The bodies are plain functions, so that a fuzzer can run them too.

use super::{GOOD, read};
use crate::{MAX_DIAGNOSTICS, NoFiles, Source, load, spec};
use proptest::prelude::*;
use std::fmt::Write;

/// Arbitrary text is answered, never with more than the bound, and never with an error that has no place in it.
fn any_text(text: &str) {
    let source = Source::new("f", text);
    let diagnostics = match load(&source, &NoFiles) {
        Ok(loaded) => {
            let spec = loaded.config.to_spec();
            let printed = serde_json::to_string(&spec).unwrap();
            if spec.secrets.is_empty() {
                assert_eq!(read(&printed).unwrap().config.to_spec(), spec);
            }
            loaded.warnings
        }
        Err(diagnostics) => {
            assert!(diagnostics.has_errors());
            diagnostics
        }
    };
    assert!(diagnostics.len() <= MAX_DIAGNOSTICS + 1);
    // To YAML, a carriage return alone ends a line too; errors at the end may stand on the next one.
    let lines = text.replace("\r\n", "\n").replace('\r', "\n").lines().count() + 1;
    for diagnostic in &diagnostics {
        assert!((1..=lines.max(1)).contains(&diagnostic.line), "{diagnostic}");
        assert!(diagnostic.column >= 1 && !diagnostic.message.is_empty());
        assert!(!diagnostic.to_string().contains('\n'), "{diagnostic}");
    }
    let _ = diagnostics.with_excerpts(&source).to_string();
}

#[test]
fn bombs_are_bounded() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = level - 1;
        writeln!(laughs, "a{level}: &a{level} [{}]", vec![format!("*a{below}"); 10].join(", ")).unwrap();
    }
    let text = read(&laughs).unwrap_err().to_string();
    assert!(text.contains("aliases stand for more than 100000 values"), "{text}");
    for deep in ["[".repeat(10_000), "- ".repeat(10_000), "{a: ".repeat(10_000), "? ".repeat(10_000)] {
        any_text(&deep);
    }
    any_text(&"a: &a [*a, *a]\n".repeat(200));
    any_text(&"x: 1\n".repeat(100_000));
    any_text(&"- *a\n".repeat(2_000));
    any_text(&format!("listeners: [{}]", "{},".repeat(5_000)));
    any_text(&format!("clusters: [{}]", "{ name: a, x: 1 },".repeat(5_000)));
    any_text(&"\u{feff}".repeat(10));
}

#[test]
fn the_list_of_diagnostics_ends_with_how_many_were_left_out() {
    let diagnostics = read(&format!("clusters: [{}]", "{ name: a }, ".repeat(1_500))).unwrap_err();
    assert_eq!(diagnostics.len(), MAX_DIAGNOSTICS + 1);
    assert!(diagnostics.to_string().ends_with("more are not listed"));
}

/// Ten thousand hosts load in a time that leaves no room for anything quadratic, even in a debug build.
#[test]
fn ten_thousand_hosts_are_no_trouble() {
    let mut text = "listeners: [{ name: l, address: 127.0.0.1:80, route_table: t }]\nclusters:\n".to_owned();
    for index in 0..10_000 {
        writeln!(text, "  - {{ name: c{index}, endpoints: [{{ address: 10.0.0.1:8080 }}] }}").unwrap();
    }
    text += "route_tables:\n  - name: t\n    virtual_hosts:\n";
    for index in 0..10_000 {
        writeln!(
            text,
            "      - name: h{index}
        hosts: [h{index}.example.com]
        routes:
          - name: r
            match: [{{ path: {{ prefix: /api }} }}]
            action: {{ forward: {{ destinations: [{{ cluster: c{index} }}] }} }}"
        )
        .unwrap();
    }
    let loaded = read(&text).unwrap();
    assert_eq!(loaded.config.route_tables()[0].virtual_hosts().len(), 10_000);
    assert!(loaded.warnings.is_empty());
    // And with a mistake in each of them.
    let diagnostics = read(&text.replace("prefix: /api", "prefx: /api")).unwrap_err();
    assert_eq!(diagnostics.len(), MAX_DIAGNOSTICS);
}

/// Text that is nearly a configuration.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "listeners|route_tables|clusters|secrets|admin|dns|name|address|virtual_hosts|routes|match|action|forward|hosts",
        "destinations|cluster|weight|path|prefix|exact|redirect|respond|status|headers|set|value|endpoints|tls|kind|key",
        "127.0.0.1:80|'\\*'|\\*|\\*a|&a|/x|1|0|-1|1.5|5s|true|yes|null|~|%REQ\\(x\\)%|\"|'|\\||>|!!str|!x|@|`",
        "\\n|\\n  |\\n    |\\n      |\\n  - |\\n    - |\\t|---\\n|\\.\\.\\.|#",
        ": |- |\\{|\\}|\\[|\\]|,|:|\\?|<<",
        "\\PC{0,4}",
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// A good file with a piece cut out, doubled or replaced.
fn mangled() -> impl Strategy<Value = String> {
    (0..GOOD.len(), 0..40_usize, "\\PC{0,6}", any::<bool>()).prop_map(|(at, length, insert, double)| {
        let (start, end) = (at, (at + length).min(GOOD.len()));
        let again = if double { &GOOD[start..end] } else { "" };
        format!("{}{insert}{again}{}", &GOOD[..start], &GOOD[end..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_answered(text in "\\PC{0,60}") {
        any_text(&text);
    }

    #[test]
    fn nearly_a_configuration_is_answered(text in nearly()) {
        any_text(&text);
    }

    #[test]
    fn mangled_configurations_are_answered(text in mangled()) {
        any_text(&text);
    }

    #[test]
    fn a_mistake_hides_no_other(broken in proptest::collection::btree_set(0_usize..8, 1..8)) {
        let mistakes = [
            ("address: 127.0.0.1:8080", "address: here"),
            ("route_table: shop", "route_tabel: shop"),
            ("hosts: ['*']", "hosts: ['a b']"),
            ("name: rest", "name: 5"),
            ("cluster: reviews }", "cluster: reviews, weight: many }"),
            ("name: all", "name: all\n        order: random"),
            ("address: 127.0.0.1:9000", "address: 127.0.0.1"),
            ("name: web", "name: ''"),
        ];
        let mut text = GOOD.to_owned();
        for index in &broken {
            text = text.replace(mistakes[*index].0, mistakes[*index].1);
        }
        let diagnostics = read(&text).unwrap_err();
        prop_assert_eq!(diagnostics.len(), broken.len(), "{}", diagnostics);
    }
}

#[test]
fn defaults_are_a_configuration_without_listeners() {
    let spec = read("admin: {}").unwrap().config.to_spec();
    assert_eq!(spec, spec::Config::default());
}
