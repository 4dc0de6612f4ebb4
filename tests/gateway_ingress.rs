//! `configs/canary`: what its files say is what a gateway does; and how endpoints of a service are chosen.

use sluice_dsl::{
    Answer, Certificate, Gateway, GatewayRecipe, Http1, Load, Origin, Reply, Request, Seen, TlsClient,
    gateway, secret_manifest, within,
};

/// The version of today, the next one, blue and green.
struct Servers([Origin; 4]);

impl Servers {
    async fn start() -> Self {
        Self([
            Origin::http1(seen_by("stable")).await,
            Origin::http1(seen_by("next")).await,
            Origin::http1(seen_by("blue")).await,
            Origin::http1(seen_by("green")).await,
        ])
    }

    fn recipe(&self) -> GatewayRecipe {
        let recipe = gateway!().example("configs/canary");
        (9001..).zip(&self.0).fold(recipe, |recipe, (port, origin)| recipe.in_place_of(port, origin))
    }
}

/// Says its name, and what it was asked for in a field.
fn seen_by(name: &'static str) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    move |seen| Answer::ok(name).field("x-target", &seen.target)
}

async fn answer(gateway: &mut Gateway, host: &str, field: Option<(&str, &str)>) -> String {
    let mut request = Request::get("/").host(host);
    if let Some((name, value)) = field {
        request = request.field(name, value);
    }
    let reply = gateway.send(&request).await;
    assert_eq!(reply.status, 200, "{host} {field:?}");
    reply.text().to_owned()
}

/// How many of `count` requests are answered by the next version.
async fn share(gateway: &mut Gateway, host: &str, count: usize) -> usize {
    let mut connection = Http1::connect(gateway.port(80).await).await;
    let mut next = 0;
    for _ in 0..count {
        let reply = connection.send(&Request::get("/").host(host)).await;
        assert_eq!(reply.status, 200);
        next += usize::from(reply.text() == "next");
    }
    next
}

#[tokio::test]
async fn headers_and_cookies_choose_the_next_version() {
    let servers = Servers::start().await;
    let mut gateway = servers.recipe().start().await;
    for (host, field, wanted) in [
        ("header", None, "stable"),
        ("header", Some(("x-canary", "always")), "next"),
        ("header", Some(("x-canary", "never")), "stable"),
        ("header-value", Some(("x-user", "ann")), "next"),
        ("header-value", Some(("x-user", "bob")), "stable"),
        ("header-pattern", Some(("x-user", "sales-7")), "next"),
        ("header-pattern", Some(("x-user", "presales-7")), "stable"),
        ("cookie", Some(("cookie", "canary=always")), "next"),
        ("cookie", Some(("cookie", "canary=never")), "stable"),
        ("cookie", None, "stable"),
    ] {
        let host = format!("{host}.canary.example");
        assert_eq!(answer(&mut gateway, &host, field).await, wanted, "{host} {field:?}");
    }
}

#[tokio::test]
async fn users_stay_with_the_version_that_they_got_while_the_share_grows() {
    let servers = Servers::start().await;
    let mut gateway = servers.recipe().start().await;
    let host = "sticky.canary.example";
    let mut got = Vec::new();
    for user in 0..40 {
        got.push(answer(&mut gateway, host, Some(("cookie", &format!("user={user}")))).await);
    }
    let next = got.iter().filter(|version| *version == "next").count();
    assert!((5..=35).contains(&next), "about half of 40: {next}");
    gateway.edit_in_force("sticky.yaml", "canary-weight: \"50\"", "canary-weight: \"80\"").await;
    for (user, before) in got.iter().enumerate() {
        let cookie = format!("user={user}");
        let now = answer(&mut gateway, host, Some(("cookie", &cookie))).await;
        assert!(now == *before || now == "next", "user {user} went back to {now}");
        let beta = format!("{cookie}; group=beta");
        assert_eq!(answer(&mut gateway, host, Some(("cookie", &beta))).await, "next");
    }
}

#[tokio::test]
async fn a_weight_that_steps_up_is_followed_under_load_without_a_lost_request() {
    let servers = Servers::start().await;
    let mut gateway = servers.recipe().start().await;
    let host = "weight.canary.example";
    let tenth = share(&mut gateway, host, 400).await;
    assert!((10..=90).contains(&tenth), "about 40 of 400: {tenth}");

    let load = Load::start(gateway.port(80).await, 2, &Request::get("/load").host(host));
    let mut weight = 10;
    for step in [25, 50, 75, 100] {
        let (from, to) = (format!("canary-weight: \"{weight}\""), format!("canary-weight: \"{step}\""));
        gateway.edit_in_force("weight.yaml", &from, &to).await;
        weight = step;
    }
    assert_eq!(load.share(50, "next").await, 50, "everybody gets the next version");
    gateway.edit_in_force("weight.yaml", "canary-weight: \"100\"", "canary-weight: \"0\"").await;
    assert_eq!(load.share(50, "next").await, 0, "nobody gets it any more");
    load.stop_with_all(200).await;
}

#[tokio::test]
async fn blue_green_switches_with_the_selector_of_the_service() {
    let servers = Servers::start().await;
    let mut gateway = servers.recipe().start().await;
    let host = "blue-green.canary.example";
    assert_eq!(answer(&mut gateway, host, None).await, "blue");
    gateway.edit(
        "blue-green.yaml",
        "selector: { app: shop, version: blue }",
        "selector: { app: shop, version: green }",
    );
    gateway.says(host, "/", "green").await;
}

#[tokio::test]
async fn captures_of_a_path_make_the_path_that_the_server_sees() {
    let servers = Servers::start().await;
    let mut gateway = servers.recipe().start().await;
    let target = |reply: Reply| reply.field("x-target").to_owned();
    let host = "rewrite.canary.example";
    assert_eq!(target(gateway.get(host, "/api/items?page=2").await), "/items?page=2");
    assert_eq!(target(gateway.get(host, "/api").await), "/");
    assert_eq!(gateway.get(host, "/apis").await.status, 404);
}

#[tokio::test]
async fn plain_http_is_sent_to_https_with_the_certificate_of_the_secret_or_a_self_signed_one() {
    let servers = Servers::start().await;
    let mut gateway = servers.recipe().start().await;
    let host = "https.canary.example";
    let plain = gateway.get(host, "/cart?x=1").await;
    assert_eq!((plain.status, plain.field("location")), (308, "https://https.canary.example/cart?x=1"));

    let address = gateway.port(443).await;
    let certificate = Certificate::of(&[host]);
    let client = TlsClient::trusting(&certificate, host, &[]);
    let untrusted = client.handshake(address).await.expect_err("nobody trusts the self-signed certificate");
    assert!(untrusted.to_string().contains("UnknownIssuer"), "{untrusted}");

    gateway.write("secret.yaml", &secret_manifest("shop/https", &certificate));
    within("a handshake with the certificate of the secret", async {
        while client.handshake(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for http2 in [false, true] {
        let alpn: &[&str] = if http2 { &["h2"] } else { &[] };
        let client = TlsClient::trusting(&certificate, host, alpn);
        let reply = gateway.send_tls(&client, http2, &Request::get("/").host(host)).await;
        assert_eq!((reply.status, reply.text()), (200, "stable"));
    }
}

#[tokio::test]
async fn the_server_learns_the_address_of_the_client_and_not_what_it_claims() {
    let servers = Servers::start().await;
    let mut gateway = servers.recipe().start().await;
    let request = Request::get("/").host("address.canary.example").field("x-forwarded-for", "192.0.2.1");
    assert_eq!(gateway.send(&request).await.status, 200);
    let [stable, ..] = &servers.0;
    let seen = &stable.requests()[0];
    assert_eq!(seen.fields.get("x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test]
async fn requests_with_the_same_key_go_to_the_same_endpoint_and_others_to_all() {
    let servers = [Origin::saying("0").await, Origin::saying("1").await, Origin::saying("2").await];
    let [first, second, third] = &servers;
    let manifest = "apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: shop, annotations: { nginx.ingress.kubernetes.io/upstream-hash-by: $http_x_user } }
spec:
  ingressClassName: nginx
  rules: [{ host: hash.example, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }]
";
    let mut gateway =
        gateway!().manifest("web.yaml", manifest).service("shop/web", &[first, second, third]).start().await;
    let mut all = std::collections::BTreeSet::new();
    for user in 0..24 {
        let user = format!("user-{user}");
        let answers = [
            answer(&mut gateway, "hash.example", Some(("x-user", &user))).await,
            answer(&mut gateway, "hash.example", Some(("x-user", &user))).await,
        ];
        assert_eq!(answers[0], answers[1], "{user}");
        all.extend(answers);
    }
    assert_eq!(all.len(), 3, "{all:?}");
}
