//! The conditions of a route besides its path.

#![allow(clippy::expect_used, reason = "a test")]

use sluice_dsl::{Certificate, Http1, Http2, Request, Sluice, TlsClient, sluice};

/// A condition, requests that it holds for, and requests that it does not hold for.
struct Case {
    condition: &'static str,
    holds: Vec<Request>,
    fails: Vec<Request>,
}

fn case(condition: &'static str, holds: Vec<Request>, fails: Vec<Request>) -> Case {
    Case { condition, holds, fails }
}

fn get() -> Request {
    Request::get("/")
}

fn header(value: &str) -> Request {
    get().field("x-tier", value)
}

fn query(query: &str) -> Request {
    Request::get(&format!("/?{query}"))
}

fn cookie(value: &str) -> Request {
    get().field("cookie", value)
}

fn from(address: &str) -> Request {
    get().field("x-forwarded-for", address)
}

/// Asks everything over both versions of HTTP, each case at a virtual host of its own.
async fn check(cases: Vec<Case>) {
    let hosts: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| {
            format!(
                "- name: h{number}\n  hosts: [h{number}.test]\n  routes:\n    \
                 - {{ name: r, match: [{{ {} }}], action: {{ respond: {{ status: 204 }} }} }}\n",
                case.condition
            )
        })
        .collect();
    let proxy =
        sluice!().listener("forwarded: { trusted: [127.0.0.0/8] }").hosts(&hosts.concat()).start().await;
    for (number, Case { condition, holds, fails }) in cases.into_iter().enumerate() {
        assert!(!holds.is_empty() && !fails.is_empty(), "{condition} can hold and fail");
        let asked = |request: Request| request.host(&format!("h{number}.test"));
        for (request, status) in holds
            .into_iter()
            .map(|request| (request, 204))
            .chain(fails.into_iter().map(|request| (request, 404)))
        {
            let request = asked(request);
            let statuses = proxy.both(&request).await.map(|reply| reply.status);
            assert_eq!(statuses, [status; 2], "{condition} and {request:?}");
        }
    }
}

#[tokio::test]
async fn methods_are_compared_as_sent() {
    let method = |method| Request::new(method, "/");
    check(vec![
        case("methods: [POST]", vec![method("POST")], vec![method("GET"), method("PUT"), method("post")]),
        case("methods: [GET, PURGE]", vec![method("GET"), method("PURGE")], vec![method("DELETE")]),
    ])
    .await;
}

#[tokio::test]
async fn a_header_condition_tests_the_value_its_presence_or_its_absence() {
    check(vec![
        case(
            "headers: [{ name: X-Tier, value: { exact: gold } }]",
            vec![header("gold"), get().field("X-TIER", "gold"), header("blue").field("x-tier", "gold")],
            vec![get(), header("Gold"), header("golden"), header("")],
        ),
        case(
            "headers: [{ name: x-tier, value: { exact: gold }, ignore_case: true }]",
            vec![header("GOLD")],
            vec![header("golden")],
        ),
        case(
            "headers: [{ name: x-tier, value: { prefix: go } }]",
            vec![header("go"), header("gold")],
            vec![header("Gold"), header("ago"), get()],
        ),
        case(
            "headers: [{ name: x-tier, value: { prefix: go }, ignore_case: true }]",
            vec![header("Gold")],
            vec![header("ago")],
        ),
        case(
            "headers: [{ name: x-tier, value: { suffix: ld } }]",
            vec![header("gold"), header("ld")],
            vec![header("golden"), header("GOLD")],
        ),
        case(
            "headers: [{ name: x-tier, value: { contains: ol } }]",
            vec![header("gold"), header("ol"), header("red").field("x-tier", "gold")],
            vec![header("gld"), header("gOLd"), get()],
        ),
        case(
            "headers: [{ name: x-tier, value: { contains: ol }, ignore_case: true }]",
            vec![header("gOLd")],
            vec![header("gld")],
        ),
        case(
            "headers: [{ name: x-tier, value: { regex: 'g.*d|v[0-9]' } }]",
            vec![header("gold"), header("v1")],
            vec![header("golden"), header("a gold"), header("v12"), get()],
        ),
        case(
            "headers: [{ name: x-tier, value: present }]",
            vec![header("gold"), header("")],
            vec![get(), get().field("x-tiers", "gold")],
        ),
        case("headers: [{ name: x-tier, value: absent }]", vec![get()], vec![header("gold"), header("")]),
        case(
            "headers: [{ name: x-tier, value: { exact: gold }, invert: true }]",
            vec![header("blue"), get()],
            vec![header("gold")],
        ),
        case("headers: [{ name: x-tier, value: present, invert: true }]", vec![get()], vec![header("gold")]),
        case(
            "headers: [{ name: x-tier, value: { regex: 'g?' }, missing_as_empty: true }]",
            vec![get(), header(""), header("g")],
            vec![header("gold")],
        ),
        case(
            "headers: [{ name: x-tier, value: { exact: gold } }, { name: x-region, value: { exact: eu } }]",
            vec![header("gold").field("x-region", "eu")],
            vec![header("gold"), header("gold").field("x-region", "us")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn spaces_around_a_header_value_are_no_part_of_it_and_not_allowed_in_http2() {
    let routes = "
- { name: gold, match: [{ headers: [{ name: x-tier, value: { exact: gold } }] }], action: { respond: { status: 204 } } }
";
    let proxy = sluice!().routes(routes).start().await;
    let statuses = proxy.both(&header(" gold\t")).await.map(|reply| reply.status);
    assert_eq!(statuses, [204, 400]);
}

#[tokio::test]
async fn query_parameters_are_compared_as_sent_and_by_their_first_value() {
    check(vec![
        case(
            "query: [{ name: q, value: { exact: a } }]",
            vec![query("q=a"), query("x=1&q=a"), query("q=a&q=b")],
            vec![
                get(),
                query("q=b"),
                query("q=b&q=a"),
                query("q=A"),
                query("q=%61"),
                query("Q=a"),
                query("qq=a"),
            ],
        ),
        case(
            "query: [{ name: q, value: { exact: '' } }]",
            vec![query("q"), query("q=")],
            vec![get(), query("q=a"), query("")],
        ),
        case(
            "query: [{ name: q, value: present }]",
            vec![query("q"), query("q=1")],
            vec![get(), query("p=q")],
        ),
        case("query: [{ name: q, value: absent }]", vec![get(), query("p=q")], vec![query("q")]),
        case("query: [{ name: q, value: { prefix: ab } }]", vec![query("q=abc")], vec![query("q=cab")]),
        case("query: [{ name: q, value: { suffix: ab } }]", vec![query("q=cab")], vec![query("q=abc")]),
        case("query: [{ name: q, value: { contains: b } }]", vec![query("q=abc")], vec![query("q=ac&p=b")]),
        case(
            "query: [{ name: q, value: { regex: '[0-9]+' } }]",
            vec![query("q=42")],
            vec![query("q=42x"), query("q"), get()],
        ),
        case(
            "query: [{ name: q, value: { exact: a }, invert: true }]",
            vec![query("q=b"), get()],
            vec![query("q=a")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn cookies_are_found_in_every_cookie_field() {
    check(vec![
        case(
            "cookies: [{ name: c, value: { exact: a } }]",
            vec![
                cookie("c=a"),
                cookie("b=1; c=a; d=2"),
                cookie("b=1").field("cookie", "c=a"),
                cookie("c=a; c=b"),
            ],
            vec![get(), cookie("c=b"), cookie("C=a"), cookie("cc=a"), cookie("c=b; c=a")],
        ),
        case("cookies: [{ name: c, value: present }]", vec![cookie("c=")], vec![get(), cookie("b=c")]),
        case("cookies: [{ name: c, value: absent }]", vec![get(), cookie("b=c")], vec![cookie("a=1; c=2")]),
        case("cookies: [{ name: c, value: { prefix: s- } }]", vec![cookie("c=s-1")], vec![cookie("c=1-s-")]),
        case("cookies: [{ name: c, value: { suffix: -s } }]", vec![cookie("c=1-s")], vec![cookie("c=-s1")]),
        case(
            "cookies: [{ name: c, value: { contains: x } }]",
            vec![cookie("c=axb")],
            vec![cookie("c=ab; x=x")],
        ),
        case("cookies: [{ name: c, value: { regex: 'v[12]' } }]", vec![cookie("c=v2")], vec![cookie("c=v3")]),
        case(
            "cookies: [{ name: c, value: { exact: a }, invert: true }]",
            vec![cookie("c=b"), get()],
            vec![cookie("c=a")],
        ),
        case(
            "headers: [{ name: cookie, value: { exact: a=1; b=2 } }]",
            vec![cookie("a=1; b=2"), cookie("a=1").field("cookie", "b=2")],
            vec![cookie("b=2; a=1")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn source_and_scheme_are_what_a_trusted_proxy_says() {
    let scheme = |scheme| get().field("x-forwarded-proto", scheme);
    check(vec![
        case(
            "source: [10.0.0.0/8, '2001:db8::/32']",
            vec![from("10.1.2.3"), from("2001:db8::1"), from("::ffff:10.1.2.3")],
            vec![get(), from("11.0.0.1"), from("2001:db9::1")],
        ),
        case("source: [127.0.0.1]", vec![get()], vec![from("127.0.0.2, 10.0.0.1"), from("10.0.0.1")]),
        case("scheme: https", vec![scheme("https")], vec![get(), scheme("http")]),
        case("scheme: http", vec![get(), scheme("http")], vec![scheme("https")]),
    ])
    .await;
}

#[tokio::test]
async fn the_authority_is_compared_as_sent_with_its_port_and_in_lower_case() {
    let hosts = "
- name: shop
  hosts: [shop.test]
  routes:
    - { name: port, match: [{ authority: { exact: 'SHOP.test:8080' } }], action: { respond: { status: 200, body: port } } }
    - { name: high, match: [{ authority: { regex: '.*:9[0-9]+' } }], action: { respond: { status: 200, body: high } } }
    - { name: dot, match: [{ authority: { suffix: . } }], action: { respond: { status: 200, body: dot } } }
    - { name: bare, match: [{ authority: { exact: shop.test } }], action: { respond: { status: 200, body: bare } } }
";
    let proxy = sluice!().hosts(hosts).start().await;
    for (sent, status, wanted) in [
        ("shop.test", 200, "bare"),
        ("Shop.Test", 200, "bare"),
        ("shop.test:8080", 200, "port"),
        ("Shop.test:8080", 200, "port"),
        ("shop.test:9443", 200, "high"),
        ("shop.test.", 200, "dot"),
        ("shop.test:80", 404, ""),
    ] {
        for reply in proxy.both(&Request::get("/").host(sent)).await {
            assert_eq!((reply.status, reply.text()), (status, wanted), "{sent} over {}", reply.version);
        }
    }
}

const LISTENERS: &str = "
listeners:
  - { name: plain, address: '127.0.0.1:0', route_table: main }
  - { name: second, address: '127.0.0.1:0', route_table: main }
  - { name: tls, address: '127.0.0.1:0', route_table: main, tls: { certificates: [shop] } }
secrets:
  - { name: shop, kind: { tls: { certificate: { file: shop.pem }, key: { file: shop.key } } } }
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: ['*']
        routes:
";

/// Without anybody to trust: what the connection itself says.
async fn routed(proxy: &Sluice, request: &Request, listener: &str, tls: Option<&Certificate>) -> String {
    let address = proxy.listener(listener);
    let (one, two) = match tls {
        None => {
            let two = Http2::connect(address).await.send(request).await.expect("an answer");
            (Http1::connect(address).await.send(request).await, two)
        }
        Some(certificate) => {
            let client = |alpn| TlsClient::trusting(certificate, "shop.test", &[alpn]);
            let two =
                Http2::connect_tls(address, &client("h2")).await.send(request).await.expect("an answer");
            (Http1::connect_tls(address, &client("http/1.1")).await.send(request).await, two)
        }
    };
    assert_eq!(one.text(), two.text(), "HTTP/1.1 and HTTP/2 differ at {listener}");
    one.text().to_owned()
}

#[tokio::test]
async fn without_trust_port_scheme_and_source_are_those_of_the_connection() {
    let certificate = Certificate::of(&["shop.test"]);
    let config = |routes: &str| format!("{LISTENERS}{routes}");
    let respond = |name: &str, condition: &str| {
        format!(
            "          - {{ name: {name}, match: [{{ {condition} }}], action: {{ respond: {{ status: 200, body: \
             {name} }} }} }}\n"
        )
    };
    let mut proxy =
        sluice!().certificate("shop", &certificate).config(&config(&respond("any", ""))).start().await;
    let port = proxy.listener("second").port();
    let routes = [
        respond("port", &format!("methods: [GET], port: {port}")),
        respond("secure", "methods: [GET], scheme: https"),
        respond("ten", "source: [10.0.0.0/8]"),
        respond("local", "source: [127.0.0.0/8]"),
    ];
    proxy.reload(&config(&routes.concat())).await;
    let claim = Request::get("/").host("shop.test").field("x-forwarded-proto", "https");
    let claim = claim.field("x-forwarded-for", "10.0.0.1").field("x-forwarded-port", &port.to_string());
    for (listener, tls, wanted) in
        [("plain", None, "local"), ("second", None, "port"), ("tls", Some(&certificate), "secure")]
    {
        assert_eq!(routed(&proxy, &claim, listener, tls).await, wanted, "{listener}");
    }
}
