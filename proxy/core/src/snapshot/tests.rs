use super::*;
use crate::{
    explain::{Question, explain},
    route::{MatchScratch, Outcome, RequestView, Scheme},
};
use sluice_filter::NoFields;
use sluice_model::{Config, ReadFile, Source, spec};
use std::{fmt::Write, io};

struct NoFiles;

impl ReadFile for NoFiles {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn load(text: &str) -> Config {
    let source = Source { name: "test.yaml".into(), text: text.into() };
    match sluice_model::load(&source, &NoFiles) {
        Ok(loaded) => loaded.config,
        Err(found) => panic!("{found}"),
    }
}

/// Two hosts, two clusters; the second host's route and the second cluster's endpoint can be changed.
fn two_hosts(prefix: &str, endpoint: &str) -> Config {
    load(&format!(
        r#"
listeners:
  - {{ name: web, address: "127.0.0.1:80", route_table: main }}
route_tables:
  - name: main
    virtual_hosts:
      - name: one
        hosts: [one.test]
        routes:
          - name: all
            action: {{ forward: {{ destinations: [{{ cluster: a }}] }} }}
      - name: two
        hosts: [two.test]
        routes:
          - name: some
            match: [{{ path: {{ prefix: {prefix} }} }}]
            action: {{ forward: {{ destinations: [{{ cluster: b }}] }} }}
clusters:
  - {{ name: a, endpoints: [{{ address: "127.0.0.1:1001" }}] }}
  - {{ name: b, endpoints: [{{ address: "{endpoint}" }}] }}
"#
    ))
}

#[test]
fn a_change_rebuilds_what_it_touches_and_nothing_else() {
    let first = compile(None, &two_hosts("/x", "127.0.0.1:1002"), &NoChains);
    let same = compile(Some(&first), &two_hosts("/x", "127.0.0.1:1002"), &NoChains);
    assert_eq!((first.version(), same.version()), (1, 2));
    assert!(Arc::ptr_eq(&first.tables()[0], &same.tables()[0]));
    assert!(Arc::ptr_eq(first.listener("web").unwrap(), same.listener("web").unwrap()));

    let route = compile(Some(&same), &two_hosts("/y", "127.0.0.1:1002"), &NoChains);
    let hosts = |snapshot: &Snapshot| snapshot.tables()[0].virtual_hosts().to_vec();
    assert!(Arc::ptr_eq(&hosts(&same)[0], &hosts(&route)[0]));
    assert!(!Arc::ptr_eq(&hosts(&same)[1], &hosts(&route)[1]));
    let cluster = |snapshot: &Snapshot, name| Arc::clone(snapshot.cluster_named(name).unwrap());
    assert!(Arc::ptr_eq(&cluster(&same, "b"), &cluster(&route, "b")));

    let moved = compile(Some(&route), &two_hosts("/y", "127.0.0.1:1003"), &NoChains);
    assert!(Arc::ptr_eq(&route.tables()[0], &moved.tables()[0]));
    assert!(Arc::ptr_eq(&cluster(&route, "a"), &cluster(&moved, "a")));
    assert_eq!(cluster(&moved, "b").endpoints.endpoints()[0].address.port(), 1003);
    assert_eq!(cluster(&route, "b").id, cluster(&moved, "b").id);
}

#[test]
fn what_two_configurations_share_is_neither_checked_nor_compiled_again() {
    let check = |old: Option<&Config>, written: &spec::Config| {
        sluice_model::validate_after(old, "test", written.clone(), &NoFiles).unwrap().config
    };
    let mut written = two_hosts("/x", "127.0.0.1:1002").to_spec();
    let first = check(None, &written);
    let compiled = compile(None, &first, &NoChains);

    Arc::make_mut(&mut written.clusters[1]).endpoints.clear();
    let second = check(Some(&first), &written);
    assert!(Arc::ptr_eq(&first.route_tables()[0], &second.route_tables()[0]));
    assert!(Arc::ptr_eq(&first.clusters()[0], &second.clusters()[0]));
    assert!(second.clusters()[1].endpoints.is_empty());
    let moved = compile(Some(&compiled), &second, &NoChains);
    assert!(Arc::ptr_eq(&compiled.tables()[0], &moved.tables()[0]));
    assert!(Arc::ptr_eq(&compiled.listeners()[0], &moved.listeners()[0]));
    let cluster = |snapshot: &Snapshot, name| Arc::clone(snapshot.cluster_named(name).unwrap());
    assert!(Arc::ptr_eq(&cluster(&compiled, "a"), &cluster(&moved, "a")));
    assert!(cluster(&moved, "b").endpoints.endpoints().is_empty());

    let table = Arc::make_mut(&mut written.route_tables[0]);
    let host = Arc::make_mut(&mut table.virtual_hosts[0]);
    "other".clone_into(&mut host.routes[0].name);
    let third = check(Some(&second), &written);
    let hosts = |config: &Config| config.route_tables()[0].virtual_hosts().to_vec();
    assert!(!Arc::ptr_eq(&hosts(&second)[0], &hosts(&third)[0]));
    assert!(Arc::ptr_eq(&hosts(&second)[1], &hosts(&third)[1]));
    let routed = compile(Some(&moved), &third, &NoChains);
    let hosts = |snapshot: &Snapshot| snapshot.tables()[0].virtual_hosts().to_vec();
    assert!(Arc::ptr_eq(&hosts(&moved)[1], &hosts(&routed)[1]));
    assert_eq!(&*hosts(&routed)[0].routes()[0].name, "other");

    // The host that comes takes the place of the one that stays.
    let mut new = (*written.route_tables[0].virtual_hosts[1]).clone();
    (new.name, new.hosts) = ("zero".to_owned(), vec!["zero.test".parse().unwrap()]);
    Arc::make_mut(&mut written.route_tables[0]).virtual_hosts.insert(0, Arc::new(new));
    let wider = compile(Some(&routed), &check(Some(&third), &written), &NoChains);
    assert!(Arc::ptr_eq(&hosts(&routed)[0], &hosts(&wider)[1]));
    let found = |host| {
        let host = wider.tables()[0].virtual_host(host, &mut MatchScratch::default());
        host.map(|host| host.name().to_string())
    };
    assert_eq!(
        [found("zero.test"), found("one.test"), found("two.test"), found("no.test")],
        [Some("zero".to_owned()), Some("one".to_owned()), Some("two".to_owned()), None]
    );
}

#[test]
fn endpoints_change_without_the_rest() {
    let first = compile(None, &two_hosts("/x", "name.test:1002"), &NoChains);
    let old = first.cluster_named("b").unwrap();
    assert!(old.endpoints.endpoints().is_empty());
    let addresses = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let set = EndpointSet::resolve(&old.spec, |name| (name == "name.test").then_some(&addresses[..]));
    let second = first.with_endpoints(old.id, Arc::new(set));
    assert!(Arc::ptr_eq(&first.tables()[0], &second.tables()[0]));
    let cluster = second.cluster(old.id).unwrap();
    let seen: Vec<_> =
        cluster.endpoints.endpoints().iter().map(|e| (e.address.to_string(), &*e.authority)).collect();
    assert_eq!(seen, [("127.0.0.1:1002".into(), "name.test:1002"), ("[::1]:1002".into(), "name.test:1002")]);
    // A reload that changes the cluster keeps the answers until new ones come.
    let mut text = two_hosts("/x", "name.test:1002").to_spec();
    Arc::make_mut(&mut text.clusters[1]).connect_timeout = sluice_model::value::Duration::from_secs(1);
    let config = load(&serde_json::to_string(&text).unwrap());
    let third = compile(Some(&second), &config, &NoChains);
    assert_eq!(third.cluster(old.id).unwrap().endpoints.endpoints().len(), 2);
}

#[test]
fn an_old_id_never_finds_another_cluster() {
    let first = compile(None, &two_hosts("/x", "127.0.0.1:1002"), &NoChains);
    let id = first.cluster_named("b").unwrap().id;
    let rename = |config: &Config, name: &str| {
        let text = serde_json::to_string(&config.to_spec()).unwrap();
        load(
            &text
                .replace(r#""cluster":"b""#, &format!(r#""cluster":"{name}""#))
                .replace(r#""name":"b""#, &format!(r#""name":"{name}""#)),
        )
    };
    let second = compile(Some(&first), &rename(&two_hosts("/x", "127.0.0.1:1002"), "c"), &NoChains);
    assert!(second.cluster(id).is_none());
    assert!(second.cluster_named("c").is_some());
    let third = compile(Some(&second), &two_hosts("/x", "127.0.0.1:1002"), &NoChains);
    assert!(third.cluster(id).is_none(), "the slot is used again under another generation");
    assert!(third.cluster(third.cluster_named("b").unwrap().id).is_some());
}

#[test]
fn what_is_unavailable_is_no_cluster_until_it_is() {
    let text = |unavailable: bool| {
        let config = two_hosts("/x", "127.0.0.1:1002").to_spec();
        let mut clusters = config.clusters.clone();
        Arc::make_mut(&mut clusters[1]).unavailable = unavailable;
        load(&serde_json::to_string(&spec::Config { clusters, ..config }).unwrap())
    };
    let first = compile(None, &text(true), &NoChains);
    assert!(first.cluster_named("b").is_none() && first.cluster_named("a").is_some());
    let second = compile(Some(&first), &text(false), &NoChains);
    let id = second.cluster_named("b").unwrap().id;
    assert!(!Arc::ptr_eq(&first.tables()[0], &second.tables()[0]), "the route knows the cluster now");
    let third = compile(Some(&second), &text(true), &NoChains);
    assert!(third.cluster(id).is_none());
}

#[test]
fn a_connection_is_served_by_what_stands_for_its_destination() {
    let config = |address: &str| {
        load(&format!(
            "listeners:
- {{ name: a, address: '127.0.0.1:1', route_table: a, original_destination: {{ trusted: ['::/0'], port: 80, other_ports: rest }} }}
- {{ name: b, address: '127.0.0.1:2', route_table: b, original_destination: {{ trusted: ['::/0'], port: 81,
    addresses: [{{ address: {address}, route_table: own }}] }} }}
- {{ name: c, address: '127.0.0.1:3', route_table: b }}
route_tables: [{{ name: a }}, {{ name: b }}, {{ name: own }}, {{ name: rest }}]
"
        ))
    };
    let first = compile(None, &config("10.0.0.1"), &NoChains);
    let table = |snapshot: &Snapshot, name: &str, destination: Option<&str>| {
        let destination = destination.map(|destination| destination.parse().unwrap());
        snapshot.serving(name, destination).map(|listener| listener.table.name().to_string())
    };
    for (name, destination, served) in [
        ("a", None, Some("a")),
        ("a", Some("10.0.0.2:80"), Some("a")),
        ("b", Some("10.0.0.2:80"), Some("a")),
        ("c", Some("10.0.0.2:80"), Some("a")),
        ("a", Some("10.0.0.2:81"), Some("b")),
        ("a", Some("10.0.0.1:81"), Some("own")),
        ("a", Some("[::ffff:10.0.0.1]:81"), Some("own")),
        ("a", Some("10.0.0.1:82"), Some("rest")),
        ("b", Some("10.0.0.1:82"), None),
        ("c", Some("10.0.0.1:82"), None),
        ("d", None, None),
    ] {
        assert_eq!(table(&first, name, destination).as_deref(), served, "{name} {destination:?}");
    }
    let same = compile(Some(&first), &config("10.0.0.1"), &NoChains);
    assert!(Arc::ptr_eq(first.listener("b").unwrap(), same.listener("b").unwrap()));
    let moved = compile(Some(&first), &config("10.0.0.3"), &NoChains);
    assert_eq!(table(&moved, "a", Some("10.0.0.1:81")).as_deref(), Some("b"));
    assert_eq!(table(&moved, "a", Some("10.0.0.3:81")).as_deref(), Some("own"));
}

#[test]
fn many_hosts_and_paths_are_found() {
    let mut text = String::from(
        "listeners: [{ name: web, address: '127.0.0.1:80', route_table: main }]\nclusters: [{ name: a }]\n\
         route_tables:\n  - name: main\n    virtual_hosts:\n",
    );
    for number in 0..500 {
        writeln!(
            text,
            "      - {{ name: h{number}, hosts: ['h{number}.test'], routes: [{{ name: r{number}, match: [{{ path: \
             {{ prefix: /p{number} }} }}], action: {{ respond: {{ status: 200 }} }} }}] }}"
        )
        .unwrap();
    }
    let snapshot = compile(None, &load(&text), &NoChains);
    let mut scratch = MatchScratch::default();
    for number in 0..500 {
        let host = format!("h{number}.test");
        let path = format!("/p{number}/x");
        let request = RequestView {
            method: "GET",
            scheme: Scheme::Http,
            authority: &host,
            host: &host,
            path: &path,
            query: None,
            source: [127, 0, 0, 1].into(),
            port: 80,
            fields: &NoFields,
        };
        let outcome = snapshot.tables()[0].find(&request, &mut scratch);
        assert!(matches!(outcome, Outcome::Found(route, _) if *route.name == format!("r{number}")));
    }
}

#[test]
fn explains_the_winner_and_why_the_nearest_others_lose() {
    let config = load(
        r#"
listeners: [{ name: web, address: "127.0.0.1:80", route_table: main }]
route_tables:
  - name: main
    virtual_hosts:
      - name: shop
        hosts: ["*.shop.test"]
        routes:
          - name: staff
            match: [{ path: { prefix: /cart }, headers: [{ name: x-staff, value: present }] }]
            action: { respond: { status: 204 } }
          - name: cart
            match: [{ path: { prefix: /cart } }]
            rewrite: { path: { prefix: /basket } }
            action:
              forward:
                destinations: [{ cluster: a }]
                canaries: [{ cluster: b, weight: 25, header: { name: x-canary } }]
          - name: all
            action: { redirect: { scheme: https } }
          - name: other
            match: [{ path: { exact: /other } }]
            action: { respond: { status: 200 } }
clusters:
  - { name: a, endpoints: [{ address: "127.0.0.1:1001" }] }
  - { name: b, endpoints: [{ address: "127.0.0.1:1002" }] }
"#,
    );
    let snapshot = compile(None, &config, &NoChains);
    let ask = |authority: &str, target: &str, fields: &[(&str, &str)]| {
        let question = Question {
            listener: None,
            port: None,
            bound: std::collections::BTreeMap::new(),
            method: "GET".into(),
            authority: authority.into(),
            server_name: None,
            target: target.into(),
            fields: fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            source: [127, 0, 0, 1].into(),
        };
        explain(&snapshot, &question).to_string()
    };
    assert_eq!(
        ask("eu.shop.test:80", "/cart/../cart/1?x=y", &[]),
        "listener   web
path       /cart/1
host       shop (*.shop.test)
route      cart
because    path `/cart` or below it
forward    by weight
           25 % b at 127.0.0.1:1002
           75 % a at 127.0.0.1:1001
rewrite    path /basket/1

nearest others
  all: it matches too, but is asked later
  staff: this does not hold: header `x-staff` present
  other: the path is not exactly `/other`
"
    );
    assert!(ask("eu.shop.test", "/cart", &[("x-canary", "always")]).contains("100 % b"));
    assert!(ask("eu.shop.test", "/x?y", &[]).contains("redirect   301 to https://eu.shop.test/x?y"));
    assert!(ask("shop.test", "/", &[]).contains("404 NR: no virtual host"));
}
