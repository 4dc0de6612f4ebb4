//! What a route does: forward, redirect, answer; rewrites and header edits on the way.

use sluice_dsl::{Answer, Fields, Http2, Origin, Request, Sluice, sluice};

/// Routes from rows of a path prefix and what stands behind the match.
fn routes(rows: &[(&str, &str)]) -> String {
    let route = |(name, (path, rest)): (usize, &(&str, &str))| {
        format!("- {{ name: r{name}, match: [{{ path: {{ {path} }} }}], {rest} }}\n")
    };
    let routes: Vec<String> = rows.iter().enumerate().map(route).collect();
    routes.concat()
}

const FORWARD: &str = "action: { forward: { destinations: [{ cluster: origin }] } }";

/// An origin that answers with the host and the target that it saw.
async fn telling() -> Origin {
    Origin::http1(|seen| Answer::ok(format!("{} {}", seen.host, seen.target))).await
}

async fn same(proxy: &Sluice, request: &Request) -> sluice_dsl::Reply {
    let [one, two] = proxy.both(request).await;
    assert_eq!(
        (one.status, &one.body),
        (two.status, &two.body),
        "HTTP/1.1 and HTTP/2 differ for {request:?}"
    );
    one
}

// === Forward ===

#[tokio::test]
async fn a_weighted_forward_gives_each_destination_its_part() {
    let (one, two, five, none) = (
        Origin::saying("one").await,
        Origin::saying("two").await,
        Origin::saying("five").await,
        Origin::saying("none").await,
    );
    let proxy = sluice!()
        .cluster("one", &one)
        .cluster("two", &two)
        .cluster("five", &five)
        .cluster("none", &none)
        .routes(
            "- name: split
  action:
    forward:
      destinations:
        - { cluster: one, weight: 1 }
        - { cluster: none, weight: 0 }
        - { cluster: two, weight: 2 }
        - { cluster: five, weight: 5 }",
        )
        .start()
        .await;
    let client = Http2::connect(proxy.address()).await;
    for _ in 0..800 {
        assert_eq!(client.get("/").await.status, 200);
    }
    // Six standard deviations on either side.
    for (origin, wanted, most) in [(&one, 100, 57), (&two, 200, 74), (&five, 500, 83), (&none, 0, 0)] {
        let got = origin.requests().len();
        assert!(got.abs_diff(wanted) <= most, "{got} of 800 where {wanted} are meant");
    }
}

// === Redirect ===

#[tokio::test]
async fn a_redirect_changes_what_it_names_and_keeps_the_rest() {
    let redirect = |settings: &str| format!("action: {{ redirect: {{ {settings} }} }}");
    let rows = [
        ("prefix: /scheme", redirect("scheme: https")),
        ("prefix: /host", redirect("host: www.test")),
        ("prefix: /hostport", redirect("host: 'www.test:81'")),
        ("prefix: /port", redirect("port: 8443")),
        ("prefix: /both", redirect("scheme: https, port: 443")),
        ("prefix: /old", redirect("path: { prefix: /new }")),
        ("prefix: /up", redirect("path: { prefix: / }")),
        ("string_prefix: /str", redirect("path: { prefix: /new- }")),
        ("prefix: /whole", redirect("path: { whole: /there }")),
        ("prefix: /query", redirect("path: { whole: '/there?b=2' }")),
        ("prefix: /strip", redirect("path: { prefix: /s }, strip_query: true")),
        (
            "prefix: /all",
            redirect("scheme: https, host: www.test, port: 8443, path: { whole: /x }, code: 308"),
        ),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(path, rest)| (*path, &**rest)).collect();
    let proxy = sluice!().routes(&routes(&rows)).start().await;
    for (host, target, wanted) in [
        ("a.test", "/scheme/x?q=1", "https://a.test/scheme/x?q=1"),
        ("a.test:80", "/scheme", "https://a.test/scheme"),
        ("a.test:8080", "/scheme", "https://a.test:8080/scheme"),
        ("[::1]:80", "/scheme", "https://[::1]/scheme"),
        ("a.test:8080", "/host/x?q", "http://www.test/host/x?q"),
        ("a.test", "/hostport", "http://www.test:81/hostport"),
        ("a.test:8080", "/port", "http://a.test:8443/port"),
        ("a.test:8080", "/both", "https://a.test/both"),
        ("a.test", "/old", "http://a.test/new"),
        ("a.test", "/old/x/?q=1", "http://a.test/new/x/?q=1"),
        ("a.test", "/up/x", "http://a.test/x"),
        ("a.test", "/strong", "http://a.test/new-ong"),
        ("a.test", "/whole/x?q=1", "http://a.test/there?q=1"),
        ("a.test", "/query/x?q=1", "http://a.test/there?b=2"),
        ("a.test", "/strip/x?q=1", "http://a.test/s/x"),
        ("a.test", "/all?q", "https://www.test:8443/x?q"),
    ] {
        let status = if target.starts_with("/all") { 308 } else { 301 };
        for reply in proxy.both(&Request::get(target).host(host)).await {
            assert_eq!((reply.status, reply.field("location")), (status, wanted), "{host}{target}");
        }
    }
}

#[tokio::test]
async fn a_redirect_has_the_code_that_was_asked_for() {
    let codes = [301, 302, 303, 307, 308];
    let rows = codes.map(|code| {
        (format!("exact: /{code}"), format!("action: {{ redirect: {{ host: b.test, code: {code} }} }}"))
    });
    let rows: Vec<(&str, &str)> = rows.iter().map(|(path, rest)| (&**path, &**rest)).collect();
    let proxy = sluice!().routes(&routes(&rows)).start().await;
    for code in codes {
        let request = Request::post(&format!("/{code}"), "body");
        for reply in proxy.both(&request).await {
            assert_eq!((reply.status, &*reply.body), (code, &b""[..]), "{code}");
            assert_eq!(reply.field("location"), format!("http://b.test/{code}"));
        }
    }
}

// === Direct response ===

#[tokio::test]
async fn a_direct_response_has_its_status_body_and_type() {
    let rows = [
        ("exact: /plain", "action: { respond: { status: 200, body: hello } }"),
        ("exact: /json", "action: { respond: { status: 503, body: '{}', content_type: application/json } }"),
        ("exact: /empty", "action: { respond: { status: 204 } }"),
        ("exact: /not", "action: { respond: { status: 404 } }"),
    ];
    let proxy = sluice!().routes(&routes(&rows)).start().await;
    for (method, path, status, body, kind) in [
        ("GET", "/plain", 200, "hello", "text/plain"),
        ("HEAD", "/plain", 200, "", "text/plain"),
        ("POST", "/json", 503, "{}", "application/json"),
        ("GET", "/empty", 204, "", ""),
        ("GET", "/not", 404, "", ""),
    ] {
        for reply in proxy.both(&Request::new(method, path)).await {
            let found = (reply.status, reply.text(), reply.field("content-type"));
            assert_eq!(found, (status, body, kind), "{method} {path} over {}", reply.version);
        }
    }
}

// === Rewrites ===

#[tokio::test]
async fn a_rewrite_replaces_a_prefix_the_whole_path_or_what_an_expression_finds() {
    let rewrite = |path: &str| format!("{FORWARD}, rewrite: {{ path: {{ {path} }} }}");
    let regex = |settings: &str| rewrite(&format!("regex: {{ {settings} }}"));
    let rows = [
        ("prefix: /api", rewrite("prefix: /v2")),
        ("prefix: /up", rewrite("prefix: /")),
        ("prefix: /slash", rewrite("prefix: /s/")),
        ("string_prefix: /str", rewrite("prefix: /x-")),
        ("prefix: /whole", rewrite("whole: /one")),
        ("prefix: /swap", regex(r"pattern: '^/swap/(\w+)/(\w+)', replacement: '/\2/\1'")),
        ("prefix: /every", regex("pattern: 'a', replacement: b")),
        ("prefix: /zero", regex(r"pattern: '[0-9]+', replacement: '(\0)\\'")),
        ("prefix: /case", regex("pattern: 'ABC', replacement: x, ignore_case: true")),
        ("prefix: /target", regex(r"pattern: '/target(/|$)(.*)', replacement: '/\2', replace_whole: true")),
        ("prefix: /miss", regex("pattern: 'nothing', replacement: x")),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(path, rest)| (*path, &**rest)).collect();
    let origin = telling().await;
    let proxy = sluice!().cluster("origin", &origin).routes(&routes(&rows)).start().await;
    for (sent, wanted) in [
        ("/api", "/v2"),
        ("/api/", "/v2/"),
        ("/api/x?api=/api", "/v2/x?api=/api"),
        ("/up", "/"),
        ("/up/x/y", "/x/y"),
        ("/slash/x", "/s/x"),
        ("/strong", "/x-ong"),
        ("/whole/x?q", "/one?q"),
        ("/swap/a/b/c", "/b/a/c"),
        ("/swap/a", "/swap/a"),
        ("/every/banana", "/every/bbnbnb"),
        ("/zero/12/3", "/zero/(12)\\/(3)\\"),
        ("/case/aBc", "/case/x"),
        ("/target", "/"),
        ("/target/x/y", "/x/y"),
        ("/miss/x", "/miss/x"),
    ] {
        let reply = same(&proxy, &Request::get(sent)).await;
        assert_eq!(reply.text(), format!("sluice.test {wanted}"), "{sent}");
        let last = origin.requests().pop();
        let original = last.as_ref().and_then(|seen| seen.fields.get("x-envoy-original-path"));
        let changed = (!sent.starts_with("/miss") && sent != "/swap/a").then_some(sent);
        assert_eq!(original, changed, "{sent}");
    }
}

#[tokio::test]
async fn a_host_rewrite_takes_a_name_or_that_of_the_endpoint_and_forwards_the_old_one() {
    let rows = [
        ("prefix: /literal", format!("{FORWARD}, rewrite: {{ host: {{ literal: 'inner.test:99' }} }}")),
        ("prefix: /endpoint", format!("{FORWARD}, rewrite: {{ host: endpoint }}")),
        (
            "prefix: /header",
            format!("{FORWARD}, headers: {{ request: {{ set: [{{ name: host, value: set.test }}] }} }}"),
        ),
        ("prefix: /kept", FORWARD.to_owned()),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(path, rest)| (*path, &**rest)).collect();
    let one = telling().await;
    let proxy = sluice!().cluster("origin", &one).routes(&routes(&rows)).start().await;
    let endpoint = one.to_string();
    for (path, wanted) in [
        ("/literal", "inner.test:99"),
        ("/endpoint", &*endpoint),
        ("/header", "set.test"),
        ("/kept", "Shop.test:8080"),
    ] {
        let reply = same(&proxy, &Request::get(path).host("Shop.test:8080")).await;
        assert_eq!(reply.text(), format!("{wanted} {path}"));
        for seen in one.requests().iter().filter(|seen| seen.target == path) {
            assert_eq!(seen.fields.get("x-forwarded-host"), Some("Shop.test:8080"), "{path}");
        }
    }
}

// === Header edits ===

const EDITS: &str = r#"
- name: edited
  match: [{ path: { prefix: /edited } }]
  action:
    forward:
      destinations:
        - cluster: origin
          headers:
            request:
              remove: [x-gone-too]
              set: [{ name: x-both, value: destination }, { name: x-destination, value: "%UPSTREAM_CLUSTER%" }]
              add: [{ name: x-list, value: destination }]
            response:
              remove: [x-secret-too]
              set: [{ name: x-both, value: destination }]
              add: [{ name: x-list, value: destination }]
  headers:
    request:
      remove: [x-gone]
      set:
        - { name: x-both, value: route }
        - { name: x-set, value: new }
        - { name: x-user, value: "%REQ(x-set)%/%REQ(x-absent?x-list)%" }
        - { name: x-line, value: "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)% %PROTOCOL%" }
        - { name: x-client, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" }
        - { name: x-names, value: "%LISTENER_NAME% %VIRTUAL_HOST_NAME% %ROUTE_NAME%" }
        - { name: x-sign, value: "100%%" }
        - { name: x-nothing, value: "%REQ(x-absent)%" }
      add: [{ name: x-list, value: route }]
    response:
      remove: [x-secret]
      set:
        - { name: x-both, value: route }
        - { name: x-set, value: "%RESP(x-set)% and new" }
        - { name: x-seen, value: "%RESPONSE_CODE% %UPSTREAM_HOST% %REQ(x-list)%" }
      add: [{ name: x-list, value: route }]
- name: answered
  match: [{ path: { prefix: /answered } }]
  action: { respond: { status: 200, body: here } }
  headers: { response: { set: [{ name: x-route, value: "%ROUTE_NAME%" }] } }
- name: moved
  match: [{ path: { prefix: /moved } }]
  action: { redirect: { host: b.test } }
  headers: { response: { set: [{ name: x-route, value: "%ROUTE_NAME%" }] } }
"#;

#[tokio::test]
async fn headers_are_removed_set_and_added_by_destination_and_then_by_route() {
    let origin = Origin::http1(|_| {
        let answer = Answer::ok("").field("x-secret", "1").field("x-secret-too", "1").field("x-kept", "1");
        answer.field("x-set", "old").field("x-both", "old").field("x-list", "origin")
    })
    .await;
    let proxy = sluice!().cluster("origin", &origin).routes(EDITS).start().await;
    let request =
        Request::get("/edited?q").field("x-gone", "1").field("x-gone-too", "1").field("x-kept", "1");
    let request = request.field("x-set", "old").field("x-both", "old").field("x-list", "client");
    let replies = proxy.both(&request).await;

    let requests = origin.requests();
    assert_eq!(requests.len(), 2);
    for seen in &requests {
        let check =
            |name: &str, wanted: &[&str]| assert_eq!(seen.fields.all(name), wanted, "{name} in {seen:?}");
        check("x-gone", &[]);
        check("x-gone-too", &[]);
        check("x-kept", &["1"]);
        check("x-both", &["route"]);
        check("x-destination", &["origin"]);
        check("x-set", &["new"]);
        check("x-list", &["client", "destination", "route"]);
        // Variables see the request as it arrived.
        check("x-user", &["old/client"]);
        check("x-client", &["127.0.0.1"]);
        check("x-names", &["web all edited"]);
        check("x-sign", &["100%"]);
        check("x-nothing", &[]);
    }
    let mut lines: Vec<&str> = requests.iter().flat_map(|seen| seen.fields.all("x-line")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["GET /edited?q sluice.test http HTTP/1.1", "GET /edited?q sluice.test http HTTP/2"]);

    for reply in &replies {
        let check =
            |name: &str, wanted: &[&str]| assert_eq!(reply.fields.all(name), wanted, "{name} in {reply:?}");
        check("x-secret", &[]);
        check("x-secret-too", &[]);
        check("x-kept", &["1"]);
        check("x-both", &["route"]);
        check("x-set", &["old and new"]);
        check("x-list", &["origin", "destination", "route"]);
        check("x-seen", &[&format!("200 {origin} client")]);
    }
}

#[tokio::test]
async fn response_edits_apply_to_answers_that_the_proxy_makes() {
    let origin = Origin::saying("").await;
    let proxy = sluice!().cluster("origin", &origin).routes(EDITS).start().await;
    for (path, wanted) in [("/answered", "answered"), ("/moved", "moved")] {
        for reply in proxy.both(&Request::get(path)).await {
            let route = |fields: &Fields| fields.get("x-route").map(str::to_owned);
            assert_eq!(route(&reply.fields).as_deref(), Some(wanted), "{path}");
        }
    }
}
