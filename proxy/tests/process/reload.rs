use crate::scene::{Scene, answering, ask, eventually, table, taken_port};
use std::{fs, os::unix::fs::symlink};

fn body(scene: &Scene) -> String {
    scene.get("web", "/").body
}

#[test]
fn a_changed_file_comes_into_force_and_the_port_stays() {
    let scene = Scene::start(&answering("web", "one"));
    let address = scene.proxy().listener_address("web");
    assert_eq!(body(&scene), "one");
    scene.rewrite(&answering("web", "two"));
    eventually("the second version", || body(&scene) == "two");
    fs::write(scene.path("proxy.yaml"), answering("web", "three")).unwrap();
    eventually("the third version", || body(&scene) == "three");
    assert_eq!(scene.proxy().listener_address("web"), address);
    assert!(scene.stat("sluice_config_reloads_total") >= 2);
}

#[test]
fn a_bad_file_is_reported_and_ignored() {
    let scene = Scene::start(&answering("web", "one"));
    scene.rewrite("listeners: 7\nclustres: []\n");
    eventually("the error", || scene.json("/config_dump")["last_error"]["message"].is_string());
    let message = scene.json("/config_dump")["last_error"]["message"].to_string();
    assert!(message.contains("clustres"), "{message}");
    assert_eq!(body(&scene), "one");
    assert_eq!(scene.stat("sluice_config_reload_failures_total"), 1);
    fs::remove_file(scene.path("proxy.yaml")).unwrap();
    eventually("the second error", || scene.stat("sluice_config_reload_failures_total") == 2);
    assert_eq!(body(&scene), "one");
    scene.rewrite(&answering("web", "two"));
    eventually("the good file", || body(&scene) == "two");
    assert!(scene.json("/config_dump")["last_error"].is_null());
}

#[test]
fn a_swapped_kubernetes_link_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for version in ["one", "two"] {
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("proxy.yaml"), answering("web", version)).unwrap();
    }
    symlink("one", path("..data")).unwrap();
    symlink("..data/proxy.yaml", path("proxy.yaml")).unwrap();
    let proxy = sluice_proxy::Proxy::start(crate::scene::options(path("proxy.yaml"))).unwrap();
    let scene = Scene { folder: tempfile::tempdir().unwrap(), proxy: Some(proxy) };
    assert_eq!(body(&scene), "one");
    symlink("two", path("..tmp")).unwrap();
    fs::rename(path("..tmp"), path("..data")).unwrap();
    eventually("the second version", || body(&scene) == "two");
}

#[test]
fn listeners_come_go_and_are_renamed() {
    let two = format!(
        "listeners:\n- {{ name: web, address: '127.0.0.1:0', route_table: main }}\n- {{ name: other, address: '127.0.0.1:0', route_table: main }}\n{}",
        table("x")
    );
    let scene = Scene::start(&answering("web", "one"));
    let web = scene.proxy().listener_address("web").unwrap();
    scene.rewrite(&two);
    eventually("the second listener", || scene.proxy().listener_address("other").is_some());
    let other = scene.proxy().listener_address("other").unwrap();
    eventually("it answers", || ask(other, "GET", "/", "a", "").status == 200);
    assert_eq!(scene.proxy().listener_address("web"), Some(web));
    scene.rewrite(&answering("web", "two"));
    eventually("it is closed", || std::net::TcpStream::connect(other).is_err());
    assert_eq!(body(&scene), "two");
    let named = |name: &str| {
        format!("listeners:\n- {{ name: {name}, address: '{web}', route_table: main }}\n{}", table(name))
    };
    // The address is asked for by its number now, which is another listener than one with port 0.
    scene.rewrite(&named("web"));
    eventually("an error or the port", || {
        scene.json("/config_dump")["last_error"]["message"].is_string() || body(&scene) == "web"
    });
}

#[test]
fn a_renamed_listener_keeps_its_socket() {
    let port = taken_port().local_addr().unwrap();
    let named = |name: &str| {
        format!("listeners:\n- {{ name: {name}, address: '{port}', route_table: main }}\n{}", table(name))
    };
    let scene = Scene::start(&named("web"));
    assert_eq!(body(&scene), "web");
    scene.rewrite(&named("shop"));
    eventually("the other name", || ask(port, "GET", "/", "a", "").body == "shop");
    assert_eq!(scene.proxy().listener_address("web"), None);
    assert_eq!(scene.proxy().listener_address("shop"), Some(port));
}

#[test]
fn connections_of_a_removed_listener_have_the_time_of_a_drain() {
    use std::io::{Read, Write};
    let two = format!(
        "runtime: {{ drain_timeout: 100ms }}\nlisteners:\n- {{ name: web, address: '127.0.0.1:0', route_table: main }}\n- {{ name: other, address: '127.0.0.1:0', route_table: main }}\n{}",
        table("x")
    );
    let scene = Scene::start(&two);
    let mut stream = std::net::TcpStream::connect(scene.proxy().listener_address("other").unwrap()).unwrap();
    stream.set_read_timeout(Some(crate::scene::LONG)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nho").unwrap();
    eventually("the connection is known", || scene.json("/listeners")[1]["connections"] == 1);
    scene.rewrite(&format!("runtime: {{ drain_timeout: 100ms }}\n{}", answering("web", "x")));
    let mut rest = Vec::new();
    // Ends with a reset or without; what counts is that it ends.
    let _ = stream
        .read_to_end(&mut rest)
        .map_err(|error| assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock));
}

#[test]
fn a_reload_that_cannot_bind_is_refused_whole() {
    let taken = taken_port();
    let scene = Scene::start(&answering("web", "one"));
    scene.rewrite(&format!(
        "listeners:\n- {{ name: web, address: '127.0.0.1:0', route_table: main }}\n- {{ name: other, address: '{}', route_table: main }}\n{}",
        taken.local_addr().unwrap(),
        table("two")
    ));
    eventually("the error", || scene.stat("sluice_config_reload_failures_total") == 1);
    assert!(scene.json("/config_dump")["last_error"]["message"].as_str().unwrap().contains("`other`"));
    assert_eq!(body(&scene), "one");
}

#[test]
fn what_needs_a_restart_is_said() {
    let scene = Scene::start(&answering("web", "one"));
    scene.rewrite(&format!("runtime: {{ accept: handoff }}\n{}", answering("web", "two")));
    eventually("the new body", || body(&scene) == "two");
    assert_eq!(scene.json("/config_dump")["needs_restart"][0], "runtime.accept changed");
}

#[test]
fn reload_by_hand_reads_again() {
    let scene = Scene::start(&answering("web", "one"));
    let before = scene.stat("sluice_config_reloads_total");
    scene.proxy().reload();
    eventually("a reload", || scene.stat("sluice_config_reloads_total") == before + 1);
    assert_eq!(body(&scene), "one");
}

#[test]
fn a_secret_file_is_followed_and_a_bad_one_ignored() {
    let with_key = |body: &str| {
        format!(
            "secrets:\n- {{ name: cookie, kind: {{ key: {{ file: cookie.key }} }} }}\n{}",
            answering("web", body)
        )
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("proxy.yaml"), with_key("one")).unwrap();
    fs::write(folder.path().join("cookie.key"), [7; 32]).unwrap();
    let proxy = sluice_proxy::Proxy::start(crate::scene::options(folder.path().join("proxy.yaml"))).unwrap();
    let scene = Scene { folder, proxy: Some(proxy) };
    fs::write(scene.path("cookie.key"), "short").unwrap();
    eventually("the error", || scene.stat("sluice_config_reload_failures_total") == 1);
    fs::write(scene.path("cookie.key"), [8; 32]).unwrap();
    eventually("the new key", || scene.stat("sluice_config_reloads_total") == 1);
    assert!(scene.json("/config_dump")["last_error"].is_null());
    assert_eq!(body(&scene), "one");
}
