use super::*;
use std::collections::HashMap;

mod golden;
mod original_destination;
mod properties;
mod resilience;
mod scopes;
mod secrets;

/// Files in memory.
#[derive(Default)]
struct Files(HashMap<&'static str, &'static str>);

impl ReadFile for Files {
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        self.0
            .get(path)
            .map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

fn read(text: &str) -> Result<Loaded, Diagnostics> {
    load(&Source::new("f.yaml", text), &NoFiles)
}

/// The diagnostics of a text, one for each line, without the file name.
fn say(text: &str) -> String {
    let diagnostics = match read(text) {
        Ok(loaded) => loaded.warnings,
        Err(diagnostics) => diagnostics,
    };
    diagnostics.iter().map(|diagnostic| diagnostic.to_string().replace("f.yaml:", "") + "\n").collect()
}

/// The same of routes in an otherwise good file; places are left out.
fn say_routes(routes: &str) -> String {
    let text = format!(
        "listeners: [{{ name: l, address: 127.0.0.1:80, route_table: t }}]
clusters: [{{ name: c, endpoints: [{{ address: 127.0.0.1:81 }}] }}]
route_tables:
- name: t
  virtual_hosts:
  - name: h
    hosts: ['*']
    routes:
{}",
        routes.lines().map(|line| ["    ", line, "\n"].concat()).collect::<String>()
    );
    let said = say(&text).replace("route_tables[0].virtual_hosts[0].", "");
    let lines = said.lines().map(|line| line.split_once(": ").map_or(line, |(_, line)| line));
    lines.filter(|line| !line.starts_with("info: clusters[0]: ")).map(|line| [line, "\n"].concat()).collect()
}

const GOOD: &str = "
listeners:
  - { name: web, address: 127.0.0.1:8080, route_table: shop }
route_tables:
  - name: shop
    virtual_hosts:
      - name: all
        hosts: ['*']
        routes:
          - name: rest
            action: { forward: { destinations: [{ cluster: reviews }] } }
clusters:
  - name: reviews
    endpoints: [{ address: 127.0.0.1:9000 }]
";

#[test]
fn a_good_file_says_nothing() {
    let loaded = read(GOOD).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert_eq!(loaded.config.listener("web").unwrap().route_table, "shop");
    assert_eq!(loaded.config.route_tables()[0].virtual_hosts()[0].routes.len(), 1);
    assert!(loaded.config.cluster("ratings").is_none());
}

#[test]
fn what_is_printed_loads_as_the_same() {
    let spec = read(GOOD).unwrap().config.to_spec();
    let json = serde_json::to_string_pretty(&spec).unwrap();
    assert_eq!(read(&json).unwrap().config.to_spec(), spec);
}

#[test]
fn json_is_yaml_too() {
    assert!(read(r#"{"listeners": [], "clusters": []}"#).is_ok());
}

#[test]
fn an_empty_file_is_refused() {
    for text in ["", "# nothing\n", "---\n", "~"] {
        assert_eq!(say(text), "1:1: error: the file is empty\n", "{text:?}");
    }
}

#[test]
fn validating_a_written_form_checks_the_same_rules() {
    let mut spec = read(GOOD).unwrap().config.to_spec();
    assert!(validate("memory", spec.clone(), &NoFiles).is_ok());
    Arc::make_mut(&mut spec.clusters[0]).name = "review".to_owned();
    let diagnostics = validate("memory", spec, &NoFiles).unwrap_err();
    assert!(diagnostics.to_string().contains(
        "memory:1:1: error: route_tables[0].virtual_hosts[0].routes[0].action.forward.destinations[0].cluster: unknown \
         cluster `reviews`; did you mean `review`?"
    ));
}

#[test]
fn a_broken_condition_shadows_nothing() {
    const REST: &str = "
- { name: b, action: { forward: { destinations: [{ cluster: c }] } } }
- { name: d, match: [{ path: { exact: / } }], action: { respond: { status: 200 } } }";
    let respond = "action: { respond: { status: 200 } }";
    for broken in [
        "match: [{ path: { prefix: 5 5, x: y } }]",
        "match: [{ methods: {} }]",
        "match: [{ nonsense: 1 }]",
        "match: [{ headers: [{ name: x }] }]",
        "match: 5",
        "conditions: [{ path: / }]",
    ] {
        let said = say_routes(&format!("- {{ name: a, {broken}, {respond} }}{REST}"));
        assert!(said.contains("error: routes[0]"), "{broken}: {said}");
        assert!(!said.contains("never reached"), "{broken}: {said}");
    }
    for good in
        ["match: [{ port: 80 }], action: { respond: { status: 5 } }", &format!("match: [], {respond}")]
    {
        let said = say_routes(&format!("- {{ name: a, {good} }}\n- {{ name: b, {good} }}"));
        assert!(said.contains("routes[1]: never reached: route `a` above has the same conditions"), "{said}");
    }
}

#[test]
fn a_broken_condition_does_not_make_a_prefix_useless() {
    let rewritten = |path: &str| {
        say_routes(&format!(
            "- name: a\n  match: [{{ path: {path} }}]\n  rewrite: {{ path: {{ prefix: /b }} }}\n  action: {{ forward: {{ \
             destinations: [{{ cluster: c }}] }} }}"
        ))
    };
    assert!(rewritten("{ exact: /a }").contains("no path condition of the route is a prefix"));
    assert!(!rewritten("{ nonsense: /a }").contains("no path condition of the route is a prefix"));
}

/// What a configuration is refused for, without and with one before it that shares its other parts.
fn refused(change: impl Fn(&mut spec::Config)) -> [Vec<String>; 2] {
    let mut written = read(GOOD).unwrap().config.to_spec();
    let old = validate("memory", written.clone(), &NoFiles).unwrap().config;
    change(&mut written);
    [None, Some(&old)].map(|old| {
        let found = validate_after(old, "memory", written.clone(), &NoFiles).err().unwrap_or_default();
        let errors = found.iter().filter(|found| found.severity == Severity::Error);
        errors.map(ToString::to_string).collect()
    })
}

#[test]
fn parts_that_were_in_order_are_refused_for_what_they_name_and_for_where_they_stand() {
    type Change<'a> = (&'a str, &'a dyn Fn(&mut spec::Config));
    let changes: [Change<'_>; 7] = [
        ("a cluster is gone", &|config| config.clusters.clear()),
        ("a cluster has another name", &|config| {
            "other".clone_into(&mut Arc::make_mut(&mut config.clusters[0]).name);
        }),
        ("a cluster stands there twice", &|config| config.clusters.push(Arc::clone(&config.clusters[0]))),
        ("a table is gone", &|config| config.route_tables.clear()),
        ("a host stands there twice", &|config| {
            let hosts = &mut Arc::make_mut(&mut config.route_tables[0]).virtual_hosts;
            hosts.push(Arc::clone(&hosts[0]));
        }),
        ("a table stands there twice", &|config| {
            config.route_tables.push(Arc::clone(&config.route_tables[0]));
        }),
        ("a listener stands there twice", &|config| config.listeners.push(Arc::clone(&config.listeners[0]))),
    ];
    for (what, change) in changes {
        let [alone, after] = refused(change);
        assert!(!alone.is_empty(), "{what}");
        assert_eq!(alone, after, "{what}");
    }
    assert_eq!(refused(|_| ()), [Vec::<String>::new(), Vec::new()]);
}
