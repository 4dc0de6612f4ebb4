//! `sluice explain` says what the proxy would do.

use sluice_dsl::{GatewayRecipe, Nobody, Origin, Request, cli, gateway, sluice};

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

// --- Kubernetes objects.

const OBJECTS: &str = r#"
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z" }
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example
    http:
      paths:
      - { path: /, pathType: Prefix, backend: { service: { name: v1, port: { number: 80 } } } }
      - { path: /cart, pathType: Exact, backend: { service: { name: v1, port: { number: 80 } } } }
      - { path: /cart, pathType: Prefix, backend: { service: { name: v2, port: { number: 80 } } } }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web-canary
  namespace: shop
  creationTimestamp: "2026-01-02T00:00:00Z"
  annotations:
    nginx.ingress.kubernetes.io/canary: "true"
    nginx.ingress.kubernetes.io/canary-by-header: x-canary
    nginx.ingress.kubernetes.io/canary-by-cookie: canary
    nginx.ingress.kubernetes.io/canary-weight: "10"
spec:
  ingressClassName: nginx
  rules:
  - { host: shop.example, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: v2, port: { number: 80 } } } }] } }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: thief, namespace: other, creationTimestamp: "2026-01-03T00:00:00Z" }
spec:
  ingressClassName: nginx
  rules:
  - { host: shop.example, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: v1, port: { number: 80 } } } }] } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front, namespace: shop }
spec: { selector: { istio: gateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*.istio.example", shop.example] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews.istio.example]
  gateways: [front]
  http:
  - name: jason
    match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: v2 } }]
  - name: nowhere
    match: [{ uri: { prefix: /nowhere } }]
    route: [{ destination: { host: nobody } }]
  - name: refused
    match: [{ uri: { prefix: /refused } }]
    route: [{ destination: { host: v2, subset: mutual } }]
  - name: everybody
    route: [{ destination: { host: v1 }, weight: 75 }, { destination: { host: v2 }, weight: 25 }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: team, namespace: shop }
spec: { hosts: [team.istio.example], gateways: [front], http: [{ name: all, delegate: { name: leaf } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: leaf, namespace: shop }
spec: { http: [{ name: of-leaf, route: [{ destination: { host: v1 } }] }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: one, namespace: shop }
spec: { host: v1, trafficPolicy: { connectionPool: { tcp: { connectTimeout: 3s } } } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: mutual, namespace: shop }
spec: { host: v2, subsets: [{ name: mutual, trafficPolicy: { tls: { mode: MUTUAL } } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: latecomer, namespace: shop }
spec:
  hosts: [shop.example]
  gateways: [front]
  http: [{ route: [{ destination: { host: v2 } }] }]
"#;

fn objects(one: &Origin, two: &Origin) -> GatewayRecipe {
    let recipe = gateway!().service("shop/v1", &[one]).service("shop/v2", &[two]).service("other/v1", &[one]);
    recipe.manifest("objects.yaml", OBJECTS).argument("--labels=istio=gateway")
}

/// What is said of the folder and of the gateway that serves it: the same.
async fn explain_objects(question: &[&str]) -> String {
    let (one, two) = (Origin::saying("v1").await, Origin::saying("v2").await);
    let gateway = objects(&one, &two).start().await;
    let folder = gateway.manifests().display().to_string();
    let told = ["explain", &folder, "--labels=istio=gateway", "--port=80"];
    let of_folder = cli!().run(told.into_iter().chain(question.iter().copied())).await;
    let admin = gateway.proxy().admin_address().to_string();
    let live = ["explain", "--admin", &admin, "--listener=port-80"];
    let of_gateway = cli!().run(live.into_iter().chain(question.iter().copied())).await;
    assert_eq!((of_gateway.code, of_gateway.stderr.as_str()), (0, ""));
    assert_eq!(of_folder.stdout, of_gateway.stdout);
    of_gateway.stdout.replace(&one.to_string(), "ONE").replace(&two.to_string(), "TWO")
}

#[tokio::test]
async fn the_canary_of_an_ingress_is_named_with_the_rule_that_decides() {
    let by_header = explain_objects(&["--host=shop.example", "--header", "x-canary: always"]).await;
    assert_says(
        &by_header,
        &["route      prefix / (from Ingress shop/web)", "a canary's header rule decides"],
    );
    assert_says(&by_header, &["100 % shop/v2:80 at TWO (from Ingress shop/web-canary)"]);
    let by_cookie = explain_objects(&["--host=shop.example", "--cookie", "canary=never"]).await;
    assert_says(
        &by_cookie,
        &[
            "100 % shop/v1:80 at ONE (from Ingress shop/web)",
            "not shop/v2:80 (from Ingress shop/web-canary): a header or cookie rule",
        ],
    );
    let by_weight = explain_objects(&["--host=shop.example"]).await;
    assert_says(
        &by_weight,
        &[
            "by weight",
            "90 % shop/v1:80 at ONE (from Ingress shop/web)",
            "10 % shop/v2:80 at TWO (from Ingress shop/web-canary)",
        ],
    );
}

#[tokio::test]
async fn a_port_is_that_of_objects_or_the_local_one() {
    let (one, two) = (Origin::saying("v1").await, Origin::saying("v2").await);
    let mut gateway = objects(&one, &two).start().await;
    let local = gateway.port(443).await.port().to_string();
    let admin = gateway.proxy().admin_address().to_string();
    for (port, listener) in [("80", "port-80"), ("443", "port-443"), (&local, "port-443")] {
        let output = cli!().run(["explain", "--admin", &admin, "--port", port]).await;
        assert_says(&output.stdout, &[&format!("listener   {listener}\n")]);
    }
    let folder = gateway.manifests().display().to_string();
    let ask = async |more: &[&str]| {
        cli!().run(["explain", &folder].into_iter().chain(more.iter().copied())).await.stdout
    };
    let none = ask(&["--port=7", "--port-map=80=8080,443=80"]).await;
    assert_says(
        &none,
        &[
            "none fits",
            "port-80 (port 80 of objects, at 0.0.0.0:8080)\n",
            "port-443 (port 443 of objects, at 0.0.0.0:80)\n",
        ],
    );
    let both = ask(&["--port=80", "--port-map=80=8080,443=80"]).await;
    assert_says(&both, &["several fit; name one with --listener", "port-80 (", "port-443 ("]);
    let local = ask(&["--port=8080", "--port-map=80=8080,443=80", "--host=shop.example"]).await;
    assert_says(&local, &["listener   port-80\n", "Ingress shop/web"]);
}

#[tokio::test]
async fn a_handshake_that_is_refused_is_said_with_the_object_that_wants_it() {
    let closed = r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: bank
  namespace: shop
  annotations: { nginx.ingress.kubernetes.io/auth-tls-secret: shop/clients }
spec:
  ingressClassName: nginx
  tls: [{ hosts: [bank.example], secretName: bank }]
  rules:
  - { host: bank.example, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: v1, port: { number: 80 } } } }] } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: vault, namespace: shop }
spec:
  selector: { istio: gateway }
  servers:
  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [vault.example], tls: { mode: MUTUAL, credentialName: vault } }
";
    let cli = cli!().file("shop/objects.yaml", OBJECTS).file("shop/closed.yaml", closed);
    for (host, object) in [("bank.example", "Ingress shop/bank: "), ("vault.example", "Gateway shop/vault: ")]
    {
        let output =
            cli.run(["explain", "shop", "--labels=istio=gateway", "--port=443", "--host", host]).await;
        let picked = format!("picked by `{host}`, has no certificate");
        assert_says(&output.stdout, &["handshake  refused: scope ", &picked, object]);
    }
}

#[tokio::test]
async fn a_gateway_that_is_selected_by_its_pod_is_explained_beside_it() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: { name: gateway-1, namespace: edge, labels: { istio: gateway } }\n";
    let cli = cli!().file("shop/objects.yaml", OBJECTS).file("shop/pod.yaml", pod);
    let question = ["explain", "shop", "--host=reviews.istio.example"];
    let nobody = cli.run(question).await;
    assert_says(&nobody.stdout, &["404 NR"]);
    let own = cli.run(question.into_iter().chain(["--pod-name=gateway-1", "--pod-namespace=edge"])).await;
    assert_says(&own.stdout, &["route      everybody (from VirtualService shop/reviews)"]);
}

#[tokio::test]
async fn paths_of_an_ingress_lose_to_nearer_ones() {
    let exact = explain_objects(&["--host=shop.example", "--path=/cart"]).await;
    assert_says(&exact, &["route      exact /cart (from Ingress shop/web)", "path exactly `/cart`"]);
    assert_says(&exact, &["prefix /cart (from Ingress shop/web): it matches too, but is asked later"]);
    let below = explain_objects(&["--host=shop.example", "--path=/cart/7"]).await;
    assert_says(
        &below,
        &["route      prefix /cart", "exact /cart (from Ingress shop/web): the path is not exactly"],
    );
}

#[tokio::test]
async fn objects_that_lost_a_host_are_named_with_those_that_have_it() {
    let text = explain_objects(&["--host=shop.example:80"]).await;
    assert_says(&text, &["objects of this host that are not served as written"]);
    assert_says(
        &text,
        &["Ingress other/thief: ", "Ingress shop/web has path `/` of host `shop.example` already"],
    );
    assert_says(&text, &["VirtualService shop/latecomer: "]);
    let elsewhere = explain_objects(&["--host=reviews.istio.example"]).await;
    assert!(!elsewhere.contains("thief") && !elsewhere.contains("latecomer"), "{elsewhere}");
}

#[tokio::test]
async fn rules_of_a_virtual_service_are_named_with_what_they_lacked() {
    let text = explain_objects(&["--host=reviews.istio.example"]).await;
    assert_says(
        &text,
        &["route      everybody (from VirtualService shop/reviews)", "it matches every request"],
    );
    assert_says(
        &text,
        &[
            "75 % outbound|80||v1.shop.svc.cluster.local at ONE (from Service shop/v1, DestinationRule shop/one)\n",
            "25 % outbound|80||v2.shop.svc.cluster.local at TWO (from Service shop/v2, DestinationRule shop/mutual)\n",
        ],
    );
    let nowhere = explain_objects(&["--host=reviews.istio.example", "--path=/nowhere"]).await;
    assert_says(&nowhere, &["outbound|80||nobody.shop.svc.cluster.local at nothing", "503 NC"]);
    assert_says(
        &nowhere,
        &["VirtualService shop/reviews: ", "there is no service `nobody.shop.svc.cluster.local`"],
    );
    let refused = explain_objects(&["--host=reviews.istio.example", "--path=/refused"]).await;
    assert_says(&refused, &["503 NC (from Service shop/v2, DestinationRule shop/mutual)"]);
    assert_says(&text, &["jason (from VirtualService shop/reviews): this does not hold: "]);
    let team = explain_objects(&["--host=team.istio.example"]).await;
    let written = "all-of-leaf (from VirtualService shop/team, written in VirtualService shop/leaf)\n";
    assert_says(&team, &[written]);
    let jason = explain_objects(&["--host=reviews.istio.example", "--header", "end-user: jason"]).await;
    assert_says(
        &jason,
        &["route      jason", "everybody (from VirtualService shop/reviews): it matches too"],
    );
}

#[tokio::test]
async fn nobody_at_the_admin_address_is_said_with_the_way_out() {
    let nobody = Nobody::new().address();
    let output = cli!().run(["explain", "--admin", &nobody.to_string()]).await;
    assert_eq!(output.code, 4);
    assert_says(&output.stderr, &[&nobody.to_string(), "--admin"]);
    let wrong = cli!().run(["explain", "--admin", "nonsense"]).await;
    assert_eq!(wrong.code, 2);
    assert_says(&wrong.stderr, &["write HOST:PORT"]);
}
