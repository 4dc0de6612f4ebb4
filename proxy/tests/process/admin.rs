use crate::scene::{Scene, answering, ask, exchange};

#[test]
fn pages_answer() {
    let scene = Scene::start(&answering("web", "hello"));
    scene.get("web", "/");
    for (path, expected) in [
        ("/", "GET  /ready"),
        ("/ready", "ready"),
        ("/healthz", "ok"),
        ("/stats", "sluice_uptime_seconds: "),
        ("/metrics", "# TYPE sluice_requests_total counter"),
        ("/config_dump", "\"route_tables\""),
        ("/clusters", "["),
        ("/listeners", "\"web\""),
    ] {
        let answer = scene.admin(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(expected), "{path}: {}", answer.body);
        let head = ask(scene.proxy().admin_address(), "HEAD", path, "localhost", "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
    let address = scene.proxy().listener_address("web").unwrap().to_string();
    assert_eq!(scene.json("/listeners")[0]["address"], address);
    assert_eq!(scene.admin("/nothing").status, 404);
    assert_eq!(scene.admin("/logging").status, 404, "no log was given");
}

#[test]
fn secrets_do_not_show() {
    let key = "0123456789abcdef0123456789abcdef";
    let yaml = format!(
        "secrets:\n- name: cookie\n  kind: {{ key: {{ inline: {key} }} }}\n{}",
        answering("web", "hello")
    );
    let scene = Scene::start(&yaml);
    let dump = scene.admin("/config_dump").body;
    assert!(dump.contains("cookie") && !dump.contains(key), "{dump}");
}

#[test]
fn changes_need_post_and_foreign_hosts_get_nothing() {
    let scene = Scene::start(&answering("web", "hello"));
    let admin = scene.proxy().admin_address();
    let get = ask(admin, "GET", "/drain", "localhost", "");
    assert_eq!(get.status, 405);
    assert!(get.head.contains("allow: post"), "{}", get.head);
    let post = ask(admin, "POST", "/metrics", "localhost", "content-length: 0\r\n");
    assert_eq!(post.status, 405);
    assert!(post.head.contains("allow: get, head"), "{}", post.head);
    assert_eq!(ask(admin, "GET", "/config_dump", "evil.example", "").status, 403);
    assert_eq!(ask(admin, "POST", "/drain", "rebound.example:15000", "content-length: 0\r\n").status, 403);
    assert_eq!(
        ask(admin, "POST", "/drain", "localhost", "origin: http://evil.example\r\ncontent-length: 0\r\n")
            .status,
        403
    );
    assert_eq!(scene.admin("/ready").status, 200, "nothing of that started a drain");
}

#[test]
fn floods_are_bounded() {
    let scene = Scene::start(&answering("web", "hello"));
    let admin = scene.proxy().admin_address();
    let long = format!("x-long: {}\r\n", "a".repeat(64 * 1024));
    assert_eq!(ask(admin, "GET", "/stats", "localhost", &long).status, 431);
    let body = "b".repeat(32 * 1024);
    let request =
        format!("POST /drain HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    assert_eq!(exchange(admin, request.as_bytes()).status, 413);
    assert_eq!(scene.admin("/ready").status, 200);
}
