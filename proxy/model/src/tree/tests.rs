use super::*;

fn one(text: &str) -> Content {
    let Parsed { mut tree, problems } = parse(text);
    assert!(problems.is_empty(), "{problems:?}");
    let root = tree.root.0 as usize;
    tree.nodes.swap_remove(root).content
}

fn position(text: &str, path: &Path) -> (usize, usize) {
    let tree = parse(text).tree;
    let place = crate::convert::Repairs::new(&tree).locate(&tree, path).unwrap();
    (place.position.line, place.position.column)
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    for text in ["null", "~", "Null", "NULL"] {
        assert!(matches!(one(text), Content::Null), "{text}");
    }
    for (text, value) in [("true", true), ("True", true), ("FALSE", false)] {
        assert!(matches!(one(text), Content::Bool(found) if found == value), "{text}");
    }
    for (text, value) in [("0", 0), ("-17", -17), ("+5", 5), ("017", 17), ("0o17", 15), ("0xfF", 255)] {
        assert!(matches!(one(text), Content::Integer(found) if found == value), "{text}");
    }
    for (text, value) in [
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1.5E-1", 0.15),
        ("-.inf", f64::NEG_INFINITY),
    ] {
        assert!(matches!(one(text), Content::Float(found) if found.total_cmp(&value).is_eq()), "{text}");
    }
    assert!(matches!(one(".NaN"), Content::Float(found) if found.is_nan()));
    for text in [
        "yes",
        "no",
        "on",
        "off",
        "Yes",
        "tRue",
        "nULL",
        "12:30",
        "1_000",
        "0b1",
        "0o8",
        "0x",
        "+",
        "-x",
        ".",
        "1e",
        "1.2.3",
        "infinity",
        "nan",
        "2026-01-01",
        "'1'",
        "\"true\"",
        "!!str 5",
        "'~'",
        "+0x1",
    ] {
        assert!(matches!(one(text), Content::Text(_)), "{text}");
    }
    assert!(matches!(one("!!int 5"), Content::Integer(5)));
    assert!(matches!(one("!!float 5"), Content::Float(5.0)));
}

#[test]
fn positions_are_those_of_values_in_characters() {
    let text = "a:\n  - é: x\n    b: [1, two]\nc: >\n  text\n";
    let root = Path::root();
    assert_eq!(position(text, &root.key("a")), (2, 3));
    assert_eq!(position(text, &root.key("a").index(0).key("é")), (2, 8));
    assert_eq!(position(text, &root.key("a").index(0).key("b").index(1)), (3, 12));
    assert_eq!(position(text, &root.key("c")), (5, 3));
    // What is not there is where it would have to be.
    assert_eq!(position(text, &root.key("a").index(0).key("z").key("y")), (2, 5));
}

#[test]
fn aliases_share_what_they_stand_for() {
    let Parsed { tree, problems } = parse("a: &x { b: 1 }\nc: *x\n");
    assert!(problems.is_empty());
    let root = tree.root().unwrap();
    assert_eq!(tree.get(root, "a"), tree.get(root, "c"));
}

#[test]
fn duplicate_keys_are_found_in_long_maps_too() {
    use std::fmt::Write;
    let mut text = String::new();
    for index in 0..100 {
        writeln!(text, "k{index}: 1").unwrap();
    }
    text += "k3: 2\nk99: 2\n";
    let lines: Vec<usize> = parse(&text).problems.iter().map(|problem| problem.position.line).collect();
    assert_eq!(lines, [101, 102]);
}

#[test]
fn what_stands_before_a_syntax_error_is_kept() {
    let Parsed { tree, problems } = parse("a: { b: 1 }\nc:\n  - d\n  e: f\n");
    assert_eq!(problems.len(), 1);
    let root = tree.root().unwrap();
    assert!(tree.get(root, "a").is_some());
    assert_eq!(tree.elements(tree.get(root, "c").unwrap()).unwrap().len(), 1);
}

#[test]
fn paths_print_so_that_they_can_be_read_back_by_people() {
    let path = Path::root().key("route_tables").index(0).key("odd key").key("x-y");
    assert_eq!(path.to_string(), "route_tables[0][\"odd key\"].x-y");
}

#[test]
fn documents_of_one_text_keep_their_lines() {
    let parsed = parse_documents("a: 1\n---\n# nothing\n---\nb: *\nc: [1\n");
    assert_eq!(parsed.len(), 3);
    assert!(parsed[0].problems.is_empty() && parsed[1].problems.is_empty());
    let lines: Vec<usize> = parsed[2].problems.iter().map(|problem| problem.position.line).collect();
    assert_eq!(lines.first(), Some(&5), "{:?}", parsed[2].problems);
    let root = parsed[0].tree.root().unwrap();
    assert!(parsed[0].tree.get(root, "a").is_some());
    assert!(parse_documents("")[0].tree.root().is_none());
}

#[test]
fn json_with_tabs_is_read_like_yaml() {
    let Parsed { tree, problems } = parse("{\n\t\"a\": [\n\t\t1,\n\t\t\"x\\u00e9\\/\"\n\t]\n}\n");
    assert!(problems.is_empty(), "{problems:?}");
    let list = tree.get(tree.root().unwrap(), "a").unwrap();
    assert_eq!(tree.elements(list).map(<[_]>::len), Some(2));
    assert_eq!(tree.text(tree.elements(list).unwrap()[1]), Some("xé/"));
}

#[test]
fn what_serde_reads_becomes_the_same_tree() {
    let text = r#"{"a": [1, -2, 1.5, null, true, "x"], "b": {"c": {}}}"#;
    let read: Tree = serde_json::from_str(text).unwrap();
    assert_eq!(
        outline(&read, read.root().unwrap()),
        outline(&parse(text).tree, parse(text).tree.root().unwrap())
    );
    let last: Tree = serde_json::from_str(r#"{"a": 1, "b": 2, "a": 3}"#).unwrap();
    assert_eq!(outline(&last, last.root().unwrap()), "{b: Integer(2), a: Integer(3), }");
    let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    assert!(serde_json::from_str::<Tree>(&deep).unwrap_err().to_string().contains("nest deeper"));
}

fn outline(tree: &Tree, node: NodeId) -> String {
    match &tree.node(node).content {
        Content::Sequence(elements) => {
            let elements: String = elements.iter().map(|element| outline(tree, *element) + ", ").collect();
            format!("[{elements}]")
        }
        Content::Mapping(entries) => {
            let entry = |(key, value): &(NodeId, NodeId)| {
                format!("{}: {}, ", tree.text(*key).unwrap(), outline(tree, *value))
            };
            format!("{{{}}}", entries.iter().map(entry).collect::<String>())
        }
        content => format!("{content:?}"),
    }
}
