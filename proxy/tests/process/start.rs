use crate::scene::{Scene, answering, ask, options, table, taken_port};
use sluice_proxy::{ConfigSource, Exit, Proxy, StartError};

#[test]
fn a_text_is_a_configuration_too() {
    let mut options = options("unused".into());
    options.source = ConfigSource::Text {
        name: "embedded".to_owned(),
        text: answering("web", "hello"),
        folder: ".".into(),
    };
    let proxy = Proxy::start(options).unwrap();
    let [(name, address)] = &proxy.listener_addresses()[..] else { panic!("one listener") };
    assert_eq!(name, "web");
    assert_ne!(address.port(), 0);
    assert_eq!(ask(proxy.admin_address(), "GET", "/ready", "localhost", "").status, 200);
}

#[test]
fn listeners_answer_in_both_accept_modes() {
    for accept in ["reuseport", "handoff"] {
        let yaml = format!("runtime: {{ accept: {accept} }}\n{}", answering("web", "hello"));
        let scene = Scene::start(&yaml);
        for _ in 0..20 {
            let answer = scene.get("web", "/");
            assert_eq!((answer.status, answer.body.as_str()), (200, "hello"), "{accept}");
        }
        assert_eq!(scene.stat("sluice_connections_total"), 20, "{accept}");
    }
}

#[test]
fn a_taken_port_is_named() {
    let taken = taken_port();
    let address = taken.local_addr().unwrap();
    let yaml =
        format!("listeners:\n- {{ name: web, address: '{address}', route_table: main }}\n{}", table("x"));
    let Err(error) = Scene::try_start(&yaml) else { panic!("started on a taken port") };
    assert_eq!(error.exit_code(), 3);
    let message = error.to_string();
    assert!(message.contains("`web`") && message.contains(&address.to_string()), "{message}");
    assert!(message.contains("another process holds it"), "{message}");
}

#[test]
fn a_taken_admin_port_is_named() {
    let taken = taken_port();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("proxy.yaml"), answering("web", "x")).unwrap();
    let mut options = options(folder.path().join("proxy.yaml"));
    options.overrides.admin = taken.local_addr().ok();
    let Err(error) = Proxy::start(options) else { panic!("started on a taken port") };
    assert!(matches!(error, StartError::Admin { .. }), "{error}");
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn a_bad_or_missing_file_is_refused() {
    let Err(error) = Scene::try_start("listeners: 7\nclustres: []\n") else { panic!("started") };
    let StartError::Config(diagnostics) = &error else { panic!("{error}") };
    assert!(diagnostics.len() >= 2, "{error}");
    assert_eq!(error.exit_code(), 1);
    let Err(error) = Proxy::start(options("/nowhere/proxy.yaml".into())) else { panic!("started") };
    assert!(matches!(error, StartError::Read { .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
}

#[test]
fn overrides_move_a_listener() {
    let folder = tempfile::tempdir().unwrap();
    let taken = taken_port();
    let yaml = format!(
        "listeners:\n- {{ name: web, address: '{}', route_table: main }}\n{}",
        taken.local_addr().unwrap(),
        table("x")
    );
    std::fs::write(folder.path().join("proxy.yaml"), yaml).unwrap();
    let mut options = options(folder.path().join("proxy.yaml"));
    options.overrides.listeners.insert("web".to_owned(), "127.0.0.1:0".parse().unwrap());
    let proxy = Proxy::start(options).unwrap();
    assert_eq!(ask(proxy.listener_address("web").unwrap(), "GET", "/", "a", "").status, 200);
    proxy.shutdown();
    assert_eq!(proxy.wait(), Exit::Drained);
}

#[test]
fn handoff_spreads_connections_evenly() {
    use std::io::{Read, Write};
    let log = tempfile::tempdir().unwrap();
    let file = log.path().join("access.log");
    let yaml = format!(
        "runtime: {{ accept: handoff }}\naccess_log: {{ target: {{ file: '{}' }} }}\n{}",
        file.display(),
        answering("web", "hello")
    );
    let scene = Scene::start(&yaml);
    let address = scene.proxy().listener_address("web").unwrap();
    let held: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream
        })
        .collect();
    let lines = || std::fs::read_to_string(&file).unwrap_or_default();
    crate::scene::eventually("all lines", || lines().lines().count() == held.len());
    let shard = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["connection"].as_u64().unwrap() >> 48
    };
    let on_first = lines().lines().filter(|line| shard(line) == 0).count();
    assert_eq!(on_first, 4, "of eight");
}
