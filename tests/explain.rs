//! `sluice explain` says what the proxy would do.

use sluice_dsl::{Origin, Request, cli, sluice};

const CONFIG: &str = r#"
listeners:
  - { name: web, address: "127.0.0.1:8080", route_table: main }
  - { name: inside, address: "127.0.0.1:9090", route_table: inside }
route_tables:
  - name: main
    virtual_hosts:
      - name: shop
        hosts: [shop.test, "*.shop.test"]
        routes:
          - name: cart
            match: [{ path: { prefix: /cart }, methods: [GET] }]
            action:
              forward:
                destinations: [{ cluster: v1 }]
                canaries: [{ cluster: v2, weight: 10, header: { name: x-canary }, cookie: canary }]
            rewrite: { path: { prefix: /basket } }
            mirrors: [{ cluster: audit, percent: 5 }]
          - name: admin
            match: [{ path: { prefix: /admin }, source: [10.0.0.0/8] }]
            action: { respond: { status: 200, body: admin } }
          - name: old
            match: [{ path: { exact: /old } }]
            action: { redirect: { path: { whole: /new }, code: 308 } }
  - name: inside
    virtual_hosts:
      - { name: all, hosts: ["*"], routes: [{ name: all, action: { forward: { destinations: [{ cluster: v1 }] } } }] }
clusters:
  - { name: v1, endpoints: [{ address: "10.0.0.1:80" }] }
  - { name: v2, endpoints: [{ address: "v2.shop.internal:80" }] }
  - { name: audit }
"#;

async fn explain<const N: usize>(question: [&str; N]) -> String {
    let arguments = ["explain", "shop.yaml"].into_iter().chain(question);
    let output = cli!().file("shop.yaml", CONFIG).run(arguments).await;
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    output.stdout
}

fn assert_says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is missing:\n{text}");
    }
}

#[tokio::test]
async fn it_names_listener_host_route_and_shares() {
    let text = explain(["--host", "shop.test", "--path", "/cart/1?x=y"]).await;
    assert_says(&text, &["listener   web", "shop (shop.test, *.shop.test)", "route      cart", "by weight"]);
    assert_says(&text, &["90 % v1 at 10.0.0.1:80", "10 % v2 at v2.shop.internal:80"]);
    assert_says(&text, &["path /basket/1", "5 % to audit"]);
}

#[tokio::test]
async fn it_knows_why_a_canary_is_taken() {
    let by_header = explain(["--host=shop.test", "--path=/cart", "--header", "x-canary: always"]).await;
    assert_says(&by_header, &["header rule decides", "100 % v2"]);
    let by_cookie = explain(["--host=shop.test", "--path=/cart", "--cookie", "canary=never"]).await;
    assert_says(&by_cookie, &["100 % v1"]);
}

#[tokio::test]
async fn it_says_what_the_nearest_others_lacked() {
    let text = explain(["--host=shop.test", "--path=/admin/users", "--source=192.168.0.1"]).await;
    assert_says(&text, &["404 NR", "nearest others", "admin: "]);
    let inside = explain(["--host=shop.test", "--path=/admin/users", "--source=10.1.2.3"]).await;
    assert_says(&inside, &["route      admin", "200 with 5 bytes"]);
}

#[tokio::test]
async fn it_shows_redirects_unknown_hosts_and_other_listeners() {
    assert_says(&explain(["--host=shop.test", "--path=/old"]).await, &["308 to http://shop.test/new"]);
    assert_says(&explain(["--host=elsewhere.test"]).await, &["404 NR: no virtual host"]);
    assert_says(
        &explain(["--host=elsewhere.test", "--port=9090"]).await,
        &["listener   inside", "route      all"],
    );
    assert_says(&explain(["--listener=inside"]).await, &["listener   inside"]);
}

#[tokio::test]
async fn the_proxy_does_what_explain_says() {
    let (one, two) = (Origin::saying("v1").await, Origin::saying("v2").await);
    let config = CONFIG
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:9090", "127.0.0.1:0")
        .replace("10.0.0.1:80", &one.to_string())
        .replace("v2.shop.internal:80", &two.to_string());
    let proxy = sluice!().config(&config).start().await;
    let ask = |path: &str| Request::get(path).host("shop.test");
    assert_eq!(proxy.send(&ask("/cart/1").field("x-canary", "always")).await.text(), "v2");
    assert_eq!(two.requests()[0].target, "/basket/1");
    assert_eq!(proxy.send(&ask("/cart").field("cookie", "canary=never")).await.text(), "v1");
    let old = proxy.send(&ask("/old")).await;
    assert_eq!((old.status, old.field("location")), (308, "http://shop.test/new"));
    assert_eq!(proxy.send(&ask("/admin/users")).await.status, 404);
    assert_eq!(proxy.send(&ask("/").host("elsewhere.test")).await.status, 404);
}

#[tokio::test]
async fn for_many_requests_explain_names_the_route_that_serves_them() {
    const ROUTES: &str = r#"
- { name: exact, match: [{ path: { exact: /a/b } }], action: { respond: { status: 200, body: exact } } }
- { name: posts, match: [{ path: { prefix: /a }, methods: [POST] }], action: { respond: { status: 200, body: posts } } }
- { name: gold, match: [{ path: { prefix: /a }, headers: [{ name: x-tier, value: { prefix: go } }] }], action: { respond: { status: 200, body: gold } } }
- { name: cookie, match: [{ path: { prefix: / }, cookies: [{ name: c, value: present }] }], action: { respond: { status: 200, body: cookie } } }
- { name: regex, match: [{ path: { regex: { pattern: "/.*[0-9]" } } }], action: { respond: { status: 200, body: regex } } }
- { name: query, match: [{ query: [{ name: q, value: { exact: "1" } }] }], action: { respond: { status: 200, body: query } } }
"#;
    let indented: Vec<String> = ROUTES.lines().map(|line| format!("          {line}\n")).collect();
    let text = format!(
        "listeners: [{{ name: web, address: '127.0.0.1:0', route_table: main }}]\nroute_tables:\n  - name: main\n    \
         virtual_hosts:\n      - name: all\n        hosts: ['*.test']\n        routes:\n{}",
        indented.concat()
    );
    let proxy = sluice!().config(&text).start().await;
    let mut met = std::collections::BTreeSet::new();
    for method in ["GET", "POST"] {
        for target in ["/a/b", "/a/./b?q=1", "/a/c/7", "/x?q=1", "/x/../a"] {
            for field in [("x-tier", "gold"), ("cookie", "c=1"), ("x", "y")] {
                let host = if field.0 == "x" && method == "POST" { "shop.org" } else { "shop.test" };
                let asked = Request::new(method, target).host(host).field(field.0, field.1);
                let reply = proxy.send(&asked).await;
                let header = format!("{}: {}", field.0, field.1);
                let arguments = ["explain", "a.yaml", "--method", method, "--host", host, "--path", target];
                let said = cli!()
                    .file("a.yaml", &text)
                    .run(arguments.into_iter().chain(["--header", &header]))
                    .await
                    .stdout;
                let wanted = match reply.status {
                    200 => format!("route      {}\n", reply.text()),
                    _ => "404 NR".to_owned(),
                };
                assert!(
                    said.contains(&wanted),
                    "{method} {target} at {host} with {header} meets {wanted}:\n{said}"
                );
                met.insert(wanted);
            }
        }
    }
    assert_eq!(met.len(), 7, "every route and 404 serve some of the requests: {met:?}");
}
