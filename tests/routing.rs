//! Which virtual host and which route serve a request.

use sluice_dsl::{Recipe, Request, Sluice, sluice};

/// A virtual host whose routes answer with their names. Each comes with its match; none matches everything.
fn host(name: &str, patterns: &str, order: &str, routes: &[(&str, &str)]) -> String {
    let route = |(route, matching): &(&str, &str)| {
        let matching =
            if matching.is_empty() { String::new() } else { format!("match: [{{ {matching} }}], ") };
        format!(
            "    - {{ name: {route}, {matching}action: {{ respond: {{ status: 200, body: {route} }} }} }}\n"
        )
    };
    let routes: Vec<String> = routes.iter().map(route).collect();
    format!("- name: {name}\n  hosts: [{patterns}]\n  order: {order}\n  routes:\n{}", routes.concat())
}

/// The name of the route that answers, or the status; the same over HTTP/1.1 and HTTP/2.
async fn asked(proxy: &Sluice, request: &Request) -> String {
    let [one, two] = proxy.both(request).await.map(|reply| match reply.status {
        200 => reply.text().to_owned(),
        status => status.to_string(),
    });
    assert_eq!(one, two, "HTTP/1.1 and HTTP/2 differ for {request:?}");
    one
}

#[tokio::test]
async fn the_most_specific_host_pattern_wins() {
    let one = |name, patterns: &str| host(name, patterns, "precedence", &[(name, "")]);
    let proxy = sluice!()
        .hosts(
            &[
                one("any", "'*'"),
                one("vowel", r"'~[aeiou]+[0-9]\.example'"),
                one("example", r"'~.*\.example'"),
                one("admin", "'admin.*'"),
                one("admin-e", "'admin.e*'"),
                one("api", "'*-api.test'"),
                one("many", "'*.shop.test'"),
                one("deeper", "'*.eu.shop.test'"),
                one("single", "'?.shop.test'"),
                one("shop", "shop.test, '[::1]'"),
                host("strict", "strict.shop.test", "precedence", &[("strict", "path: { exact: /only }")]),
            ]
            .concat(),
        )
        .start()
        .await;
    for (sent, wanted) in [
        ("shop.test", "shop"),
        ("SHOP.Test", "shop"),
        ("shop.test:8080", "shop"),
        ("shop.test.", "shop"),
        ("[::1]:80", "shop"),
        ("a.shop.test", "single"),
        ("a.b.shop.test", "many"),
        ("a.b.c.shop.test", "many"),
        ("eu.shop.test", "single"),
        ("a.eu.shop.test", "deeper"),
        ("a.b.eu.shop.test", "deeper"),
        ("web-api.test", "api"),
        ("v1.web-api.test", "api"),
        ("-api.test", "any"),
        ("api.test", "any"),
        ("admin.org", "admin"),
        ("admin.edu", "admin-e"),
        ("administrator.org", "any"),
        ("admin.shop.test", "single"),
        ("admin.example", "admin-e"),
        ("a1.example", "vowel"),
        ("b1.example", "example"),
        ("a1.example.org", "any"),
        ("nobody.org", "any"),
        // A virtual host is final: where none of its routes matches, no other one is asked.
        ("strict.shop.test", "404"),
    ] {
        assert_eq!(asked(&proxy, &Request::get("/").host(sent)).await, wanted, "{sent}");
    }
}

#[tokio::test]
async fn a_host_that_nobody_serves_gets_404_with_its_flag() {
    let hosts = host("shop", "shop.test, '*.shop.test'", "precedence", &[("in", "path: { prefix: /in }")]);
    let proxy = sluice!().hosts(&hosts).start().await;
    assert_eq!(asked(&proxy, &Request::get("/in").host("a.shop.test")).await, "in");
    for (sent, path) in [("else.test", "/in?host"), ("shop.test", "/out?route"), ("-shop.test", "/in?dash")] {
        assert_eq!(asked(&proxy, &Request::get(path).host(sent)).await, "404", "{sent}{path}");
        let entry = proxy.logged_path(path).await;
        assert_eq!(
            (entry["response_flags"].as_str(), entry["route"].as_str()),
            (Some("NR"), Some("")),
            "{entry}"
        );
    }
}

/// Path conditions: what each matches, and what it does not.
const PATHS: &[(&str, &[&str], &[&str])] = &[
    ("path: { exact: /a/b }", &["/a/b", "/a/b?q=/x"], &["/", "/a", "/a/b/", "/a/bc", "/A/b"]),
    ("path: { exact: /a/B }, ignore_path_case: true", &["/a/b", "/A/B"], &["/a/b/", "/a"]),
    ("path: { prefix: /a/b }", &["/a/b", "/a/b/", "/a/b/c", "/a/b?q"], &["/a", "/a/bc", "/A/b/c", "/x/a/b"]),
    ("path: { prefix: /a/b/ }", &["/a/b", "/a/b/", "/a/b/c"], &["/a/bc", "/a"]),
    ("path: { prefix: / }", &["/", "/a", "/a/b/"], &[]),
    ("path: { prefix: /a/b }, ignore_path_case: true", &["/A/b", "/a/B/C"], &["/A/bc"]),
    ("path: { string_prefix: /a/b }", &["/a/b", "/a/bc", "/a/b/c"], &["/a", "/a/B", "/x/a/b"]),
    ("path: { string_prefix: /a/B }, ignore_path_case: true", &["/A/bc", "/a/b"], &["/a"]),
    ("path: { regex: { pattern: '/v[0-9]+' } }", &["/v1", "/v23"], &["/v", "/v1/", "/x/v1", "/V1"]),
    ("path: { regex: { pattern: '/v[0-9]|/w' } }", &["/v1", "/w"], &["/v1x", "/x/w", "/wx"]),
    ("path: { regex: { pattern: '/v[0-9]', anchor: start } }", &["/v1", "/v12", "/v1/x"], &["/x/v1", "/v"]),
    ("path: { regex: { pattern: '/v|/w', anchor: start } }", &["/vx", "/wx"], &["/x/w"]),
    ("path: { regex: { pattern: '/v[0-9]', anchor: search } }", &["/v1", "/x/v1/y"], &["/v", "/xv1"]),
    ("path: { regex: { pattern: 'v1$', anchor: search } }", &["/x/v1"], &["/v1/x"]),
    ("path: { regex: { pattern: '/[a-c]+' } }, ignore_path_case: true", &["/aBC", "/c"], &["/d", "/ab/"]),
    ("path: { regex: { pattern: '/B', anchor: start } }, ignore_path_case: true", &["/bx", "/Bx"], &["/a/b"]),
    ("path: { regex: { pattern: 'B', anchor: search } }, ignore_path_case: true", &["/a/b"], &["/a"]),
    ("ignore_path_case: false", &["/", "/anything"], &[]),
];

#[tokio::test]
async fn a_path_is_compared_exactly_by_segments_by_bytes_or_by_expression() {
    let hosts: Vec<String> = PATHS
        .iter()
        .enumerate()
        .map(|(number, (condition, ..))| {
            let name = format!("p{number}");
            host(&name, &format!("{name}.test"), "precedence", &[("yes", condition)])
        })
        .collect();
    let proxy = sluice!().hosts(&hosts.concat()).start().await;
    for (number, (condition, matching, others)) in PATHS.iter().enumerate() {
        let matching = matching.iter().map(|path| (path, "yes"));
        for (path, wanted) in matching.chain(others.iter().map(|path| (path, "404"))) {
            let request = Request::get(path).host(&format!("p{number}.test"));
            assert_eq!(asked(&proxy, &request).await, wanted, "{condition} and {path}");
        }
    }
}

/// Pairs that both match [`crowded`]: the first is more specific, and is written second.
const PRECEDENCE: &[(&str, &str)] = &[
    ("path: { exact: /a/b }", "path: { prefix: /a/b }"),
    ("path: { prefix: /a }", "path: { string_prefix: /a/b }"),
    ("path: { string_prefix: /a }", "path: { regex: { pattern: '/a/b|/long/expression' } }"),
    ("path: { regex: { pattern: '.*' } }", "methods: [GET], headers: [{ name: h, value: present }]"),
    ("path: { prefix: /a/b }", "path: { prefix: /a }, methods: [GET]"),
    ("path: { string_prefix: /a/ }", "path: { string_prefix: /a }, methods: [GET]"),
    ("path: { regex: { pattern: '/./.' } }", "path: { regex: { pattern: '/.*' } }, methods: [GET]"),
    (
        "path: { prefix: /a }, methods: [GET]",
        "path: { prefix: /a/ }, headers: [{ name: h, value: present }, { name: i, value: present }]",
    ),
    (
        "headers: [{ name: h, value: present }, { name: i, value: present }]",
        "headers: [{ name: h, value: present }], query: [{ name: q, value: present }]",
    ),
    (
        "headers: [{ name: h, value: present }]",
        "query: [{ name: q, value: present }, { name: r, value: present }]",
    ),
    ("query: [{ name: q, value: present }]", "cookies: [{ name: c, value: present }]"),
    ("cookies: [{ name: c, value: present }]", "source: [127.0.0.0/8], port: ${port}"),
    ("source: [127.0.0.0/8]", "port: ${port}, scheme: http"),
    ("port: ${port}", "scheme: http, authority: present"),
    ("scheme: http", "authority: present"),
    ("authority: present", ""),
];

fn crowded(host: &str) -> Request {
    let request = Request::get("/a/b?q=1&r=2").host(host);
    request.field("h", "x").field("i", "x").field("cookie", "c=1")
}

fn pairs(recipe: Recipe) -> Recipe {
    let both = |number: usize, order: &str, routes: [(&str, &str); 2]| {
        let name = format!("{order}{number}");
        host(&name, &format!("{name}.test"), order, &routes)
    };
    let hosts: Vec<String> = PRECEDENCE
        .iter()
        .enumerate()
        .flat_map(|(number, (specific, general))| {
            let routes = [("general", *general), ("specific", *specific)];
            [both(number, "precedence", routes), both(number, "explicit", routes)]
        })
        .chain([
            both(99, "precedence", [("first", "path: { prefix: /a }"), ("second", "path: { prefix: /a/ }")]),
            // Of several matches of a route each counts by itself.
            host(
                "several",
                "several.test",
                "precedence",
                &[
                    ("middle", "path: { prefix: /a }"),
                    ("outer", "path: { exact: /x } }, { path: { exact: /a/b }"),
                ],
            ),
        ])
        .collect();
    recipe.hosts(&hosts.concat())
}

#[tokio::test]
async fn precedence_is_total_and_an_explicit_order_is_kept() {
    // The port is known once the listener is there.
    let mut proxy = sluice!().start().await;
    let port = proxy.address().port();
    proxy.change(|recipe| pairs(recipe.value("port", &port))).await;
    for (number, (specific, general)) in PRECEDENCE.iter().enumerate() {
        let found = asked(&proxy, &crowded(&format!("precedence{number}.test"))).await;
        assert_eq!(found, "specific", "`{specific}` comes before `{general}`");
        let found = asked(&proxy, &crowded(&format!("explicit{number}.test"))).await;
        assert_eq!(found, "general", "`{general}` is written above `{specific}`");
    }
    assert_eq!(asked(&proxy, &crowded("precedence99.test")).await, "first", "of equal ones the first wins");
    assert_eq!(asked(&proxy, &crowded("several.test")).await, "outer", "one of the matches is enough");
}
