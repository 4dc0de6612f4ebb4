//! `sluice gateway` serves Gateways and VirtualServices.

use sluice_dsl::{
    Answer, Certificate, Deaf, Gateway, GatewayRecipe, Http1, Nobody, Origin, Request, TlsClient, gateway,
    secret_manifest,
};

/// One Gateway for plain HTTP, and services whose versions are told apart by a header.
const SHOP: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec:
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.example.com'] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: shop }
spec:
  hosts: [shop.example.com]
  gateways: [web]
  http:
  - name: next
    match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: next } }]
  - name: missing
    match: [{ uri: { prefix: /missing } }]
    route: [{ destination: { host: nobody } }]
  - name: idle
    match: [{ uri: { prefix: /idle } }]
    route: [{ destination: { host: idle } }]
  - name: stable
    route: [{ destination: { host: stable } }]
";

const HOST: &str = "shop.example.com";

fn recipe(stable: &Origin, next: &Origin) -> GatewayRecipe {
    gateway!()
        .service("shop/stable", &[stable])
        .service("shop/next", &[next])
        .service("shop/idle", &[])
        .manifest("shop.yaml", SHOP)
}

async fn flags(gateway: &mut Gateway, path: &str) -> (u16, String, String) {
    let status = gateway.get(HOST, path).await.status;
    let entry = gateway.logged(path, |entry| entry["path"] == path).await;
    let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("object"), "VirtualService shop/shop", "{entry}");
    (status, text("response_flags"), text("cluster"))
}

#[tokio::test]
async fn a_virtual_service_routes_by_header_and_says_what_is_missing() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let mut gateway = recipe(&stable, &next).start().await;

    gateway.says(HOST, "/", "stable").await;
    let reply = gateway.send(&Request::get("/").host(HOST).field("end-user", "jason")).await;
    assert_eq!(reply.text(), "next");
    assert_eq!(gateway.get("other.example.com", "/").await.status, 404);

    let missing = flags(&mut gateway, "/missing").await;
    assert_eq!(missing, (503, "NC".to_owned(), "outbound|80||nobody.shop.svc.cluster.local".to_owned()));
    let idle = flags(&mut gateway, "/idle").await;
    assert_eq!(idle, (503, "UH".to_owned(), "outbound|80||idle.shop.svc.cluster.local".to_owned()));

    gateway.edit("shop.yaml", "host: stable", "host: next");
    gateway.says(HOST, "/", "next").await;
}

#[tokio::test]
async fn a_server_that_asks_for_client_certificates_is_shut_and_its_neighbour_serves() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let certificate = Certificate::of(&["shop.example.com", "mutual.example.com"]);
    let indent = |pem: &str| pem.replace('\n', "\n    ");
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: web, namespace: default }}\nstringData:\n  cert: |\n    {}\n  key: |\n    {}\n",
        indent(&certificate.chain_pem),
        indent(&certificate.key_pem)
    );
    let servers = "
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.example.com'], tls: { httpsRedirect: true } }
  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: SIMPLE, credentialName: web } }
  - { port: { number: 443, name: mutual, protocol: HTTPS }, hosts: [mutual.example.com], tls: { mode: MUTUAL, credentialName: web } }
";
    let plain = "
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.example.com'] }]
";
    let secure = SHOP.replace(plain, servers);
    assert_ne!(secure, SHOP);
    let mut gateway = recipe(&stable, &next)
        .port(443)
        .manifest("shop.yaml", &secure)
        .manifest("secret.yaml", &secret)
        .start()
        .await;

    let moved = gateway.get(HOST, "/cart?a=b").await;
    assert_eq!(moved.status, 301);
    assert_eq!(moved.field("location"), "https://shop.example.com/cart?a=b");

    let client = |name: &str| TlsClient::trusting(&certificate, name, &["h2"]);
    let reply = gateway.send_tls(&client(HOST), true, &Request::get("/").host(HOST)).await;
    assert_eq!((reply.status, reply.text()), (200, "stable"));
    let other = Request::get("/").host("mutual.example.com");
    assert_eq!(gateway.send_tls(&client(HOST), true, &other).await.status, 421);
    let address = gateway.port(443).await;
    assert!(client("mutual.example.com").handshake(address).await.is_err());
}

#[tokio::test]
async fn a_policy_that_selects_the_gateway_closes_it_for_as_long_as_it_is_there() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let mut gateway = recipe(&stable, &next).start().await;
    gateway.says(HOST, "/", "stable").await;
    let policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: some, namespace: default }\n\
         spec: { rules: [{ to: [{ operation: { paths: [/public] } }] }] }\n";
    gateway.write("policy.yaml", policy);
    gateway.until("503", &Request::get("/").host(HOST), |reply| reply.status == 503).await;
    // What the policy would allow is closed too: nobody looks at requests yet.
    let public = Request::get("/public").host(HOST).field("end-user", "jason");
    for request in [Request::get("/public").host(HOST), public] {
        assert_eq!(gateway.send(&request).await.status, 503);
    }
    let reached = |origin: &Origin| origin.requests().iter().any(|seen| seen.target == "/public");
    assert!(!reached(&stable) && !reached(&next));
    let status = gateway.status("AuthorizationPolicy default/some").await;
    let condition = &status["status"]["conditions"][0];
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&"False".into(), &"FailsClosed".into()),
        "{status}"
    );
    // That of other pods is theirs to enforce.
    gateway.edit("policy.yaml", "rules:", "selector: { matchLabels: { app: web } }, rules:");
    gateway.says(HOST, "/", "stable").await;
    assert_eq!(gateway.get(HOST, "/public").await.text(), "stable");
}

#[tokio::test]
async fn a_change_of_the_mesh_config_takes_effect_at_once() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let mut gateway = recipe(&stable, &next).start().await;
    gateway.says(HOST, "/", "stable").await;
    let mesh = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\n\
         data: { mesh: \"defaultVirtualServiceExportTo: ['.']\\nnoSuchField: 1\" }\n";
    gateway.write("mesh.yaml", mesh);
    gateway.until("404", &Request::get("/").host(HOST), |reply| reply.status == 404).await;
    let unknown = |status: &serde_json::Value| status.to_string().contains("noSuchField");
    gateway.status_becomes("ConfigMap istio-system/istio", unknown).await;
    gateway.remove("mesh.yaml");
    gateway.says(HOST, "/", "stable").await;
}

#[tokio::test]
async fn ports_are_those_of_the_pod_and_redirects_speak_of_those_of_the_gateway() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let service = "apiVersion: v1\nkind: Service\nmetadata: { name: gateway, namespace: default }\n\
         spec: { selector: { app: gateway }, ports: [{ name: http, port: 8000, targetPort: 8080 }] }\n";
    let moved = "  - match: [{ uri: { prefix: /moved } }]\n    redirect: { uri: /new, derivePort: FROM_REQUEST_PORT }\n";
    let shop = SHOP
        .replace("number: 80,", "number: 8000,")
        .replace("  - name: stable\n", &format!("{moved}  - name: stable\n"));
    assert!(shop.contains("number: 8000") && shop.contains("/moved"));
    let mut gateway = recipe(&stable, &next)
        .argument("--labels=app=gateway")
        .port(8080)
        .manifest("shop.yaml", &shop)
        .manifest("gateway.yaml", service)
        .start()
        .await;
    let address = gateway.port(8080).await;
    let reply = Http1::connect(address).await.send(&Request::get("/moved").host(HOST)).await;
    assert_eq!((reply.status, reply.field("location")), (301, "http://shop.example.com:8000/new"));
    let open = gateway.proxy().admin("/listeners").await.json();
    let names: Vec<&str> =
        open.as_array().into_iter().flatten().filter_map(|listener| listener["name"].as_str()).collect();
    assert_eq!(names, ["port-8080"], "the Service's own port is not opened beside that of the pod: {open}");
}

#[tokio::test]
async fn a_key_that_does_not_belong_to_its_certificate_shuts_its_server_alone() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let (good, other) = (Certificate::of(&[HOST]), Certificate::of(&["broken.example.com"]));
    let texts = [secret_manifest("default/broken", &other), secret_manifest("default/broken", &good)];
    let [(certificate, _), (_, key)] =
        texts.each_ref().map(|text| text.split_once("  tls.key:").unwrap_or_default());
    let broken = format!("{certificate}  tls.key:{key}");
    let plain = "servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.example.com'] }]";
    let servers = "servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.example.com'] }
  - { port: { number: 443, name: good, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: SIMPLE, credentialName: good } }
  - { port: { number: 443, name: broken, protocol: HTTPS }, hosts: [broken.example.com], tls: { mode: SIMPLE, credentialName: broken } }";
    let shop = SHOP.replace(plain, servers);
    assert_ne!(shop, SHOP);
    let mut gateway = recipe(&stable, &next)
        .port(443)
        .manifest("shop.yaml", &shop)
        .manifest("good.yaml", &secret_manifest("default/good", &good))
        .manifest("broken.yaml", &broken)
        .start()
        .await;
    let client = TlsClient::trusting(&good, HOST, &[]);
    let reply = gateway.send_tls(&client, false, &Request::get("/").host(HOST)).await;
    assert_eq!((reply.status, reply.text()), (200, "stable"));
    let address = gateway.port(443).await;
    assert!(TlsClient::trusting(&other, "broken.example.com", &[]).handshake(address).await.is_err());
    let status = gateway.status("Gateway shop/web").await.to_string();
    assert!(status.contains("Secret default/broken: "), "{status}");
    // It was nothing but the key.
    gateway.write_in_force("broken.yaml", &secret_manifest("default/broken", &other)).await;
    let mended = TlsClient::trusting(&other, "broken.example.com", &[]).handshake(address).await;
    assert!(mended.is_ok(), "{:?}", mended.err());
}

#[tokio::test]
async fn what_became_of_an_object_that_makes_no_route_is_shown_too() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let more = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: stable, namespace: shop }
spec: { host: stable, trafficPolicy: { connectionPool: { tcp: { connectTimeout: 3s } } } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: shop }
spec: { hosts: [outside.test], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: 127.0.0.1 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: outside, namespace: shop }
spec: { hosts: [outside.example.com], gateways: [web], http: [{ name: out, route: [{ destination: { host: outside.test } }] }] }
";
    let policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: shut, namespace: default }\n\
         spec: { action: DENY, rules: [{ to: [{ operation: { hosts: [outside.example.com] } }] }] }\n";
    let mut gateway = recipe(&stable, &next).manifest("more.yaml", more).start().await;
    gateway.says(HOST, "/", "stable").await;
    let of = async |gateway: &Gateway, object: &str| {
        gateway.proxy().admin(&format!("/debug/translation?object={object}")).await.json()
    };
    let list = |page: &serde_json::Value, part: &str, key: &str| -> Vec<String> {
        let entries = page[part].as_array().into_iter().flatten();
        entries.map(|entry| entry[key].as_str().unwrap_or_default().to_owned()).collect()
    };
    for (object, hosts, cluster) in [
        ("DestinationRule/shop/stable", &[HOST][..], "outbound|80||stable.shop.svc.cluster.local"),
        ("ServiceEntry/shop/outside", &["outside.example.com"], "outbound|80||outside.test"),
        ("Gateway/shop/web", &["outside.example.com", HOST], "outbound|80||outside.test"),
    ] {
        let page = of(&gateway, object).await;
        assert_eq!(list(&page, "virtual_hosts", "name"), hosts, "{object}: {page:#}");
        assert_eq!(list(&page, "listeners", "name"), ["port-80"], "{object}: {page:#}");
        assert!(list(&page, "clusters", "name").iter().any(|name| name == cluster), "{object}: {page:#}");
    }
    gateway.write_in_force("policy.yaml", policy).await;
    let page = of(&gateway, "AuthorizationPolicy/default/shut").await;
    assert_eq!(list(&page, "virtual_hosts", "name"), ["outside.example.com"], "{page:#}");
    assert_eq!(page["virtual_hosts"][0]["routes"][0]["action"]["respond"]["status"], 503, "{page:#}");
}

#[tokio::test]
async fn a_destination_rule_keeps_a_user_at_an_endpoint() {
    let [one, two, next] =
        [Origin::saying("one").await, Origin::saying("two").await, Origin::saying("next").await];
    let rule = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: stable, namespace: shop }
spec:
  host: stable
  trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: end-user } } }
";
    let mut gateway = gateway!()
        .service("shop/stable", &[&one, &two])
        .service("shop/next", &[&next])
        .service("shop/idle", &[])
        .manifest("shop.yaml", SHOP)
        .manifest("rule.yaml", rule)
        .start()
        .await;
    let mut answers = std::collections::BTreeSet::new();
    for user in 0..16 {
        let request = Request::get("/").host(HOST).field("end-user", &format!("user-{user}"));
        let first = gateway.send(&request).await.text().to_owned();
        for _ in 0..3 {
            assert_eq!(gateway.send(&request).await.text(), first, "user {user}");
        }
        answers.insert(first);
    }
    assert_eq!(answers.len(), 2, "sixteen users are at both: {answers:?}");
}

#[tokio::test]
async fn servers_are_told_of_clients_as_by_a_gateway_of_istio() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let mut gateway = recipe(&stable, &next).start().await;
    let request = Request::get("/")
        .host(HOST)
        .field("x-forwarded-for", "203.0.113.9")
        .field("x-envoy-external-address", "6.6.6.6")
        .field("x-envoy-upstream-rq-timeout-ms", "1");
    let reply = gateway.send(&request).await;
    assert_eq!((reply.status, reply.text()), (200, "stable"));
    assert!(reply.field("x-envoy-upstream-service-time").parse::<u64>().is_ok());
    let seen = &stable.saw(1).await[0];
    for (name, value) in [
        ("x-forwarded-for", Some("203.0.113.9, 127.0.0.1")),
        ("x-envoy-external-address", Some("127.0.0.1")),
        ("x-envoy-attempt-count", Some("1")),
        ("x-envoy-upstream-rq-timeout-ms", None),
        ("x-forwarded-port", Some("80")),
    ] {
        assert_eq!(seen.fields.get(name), value, "{name}");
    }
    let entry = gateway.logged("the client", |entry| entry["path"] == "/").await;
    assert!(
        entry["client"].as_str().unwrap_or_default().starts_with("127.0.0.1:"),
        "nobody is believed: {entry}"
    );

    let mesh = "
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    defaultConfig: { gatewayTopology: { numTrustedProxies: 1 } }
";
    gateway.write("mesh.yaml", mesh);
    let mut asked = 1;
    loop {
        assert_eq!(gateway.send(&request).await.status, 200);
        asked += 1;
        let seen = &stable.saw(asked).await[asked - 1];
        if seen.fields.get("x-envoy-external-address") == Some("203.0.113.9") {
            break;
        }
    }
}

#[tokio::test]
async fn a_host_that_is_an_address_is_served_however_a_client_spells_it() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let by_address =
        SHOP.replace("'*.example.com'", "'2001:db8::1'").replace("[shop.example.com]", "['2001:db8::1']");
    let mut gateway = recipe(&stable, &next).manifest("shop.yaml", &by_address).start().await;
    for host in ["[2001:db8::1]", "[2001:DB8:0::1]:80", "[2001:db8::0:1]:8080"] {
        assert_eq!(gateway.send(&Request::get("/").host(host)).await.status, 200, "{host}");
    }
    assert_eq!(gateway.send(&Request::get("/").host("[2001:db8::2]")).await.status, 404);
}

#[tokio::test]
async fn the_only_server_of_a_service_is_asked_again_after_a_failed_connect() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let nowhere = Nobody::new();
    let mut gateway = recipe(&stable, &next).service("shop/idle", &[&nowhere]).start().await;
    assert_eq!(gateway.get(HOST, "/idle").await.status, 503);
    let entry = gateway.logged("the request", |entry| entry["path"] == "/idle").await;
    assert_eq!(entry["attempts"], 3, "once, and twice again: {entry}");
    assert_eq!(entry["response_flags"], "UF,URX", "{entry}");
}

/// The rule that is meant for everybody, with a policy for its servers.
fn with_policy(retries: &str, policy: &str) -> String {
    let rule = "route: [{ destination: { host: stable } }]";
    assert!(SHOP.contains(rule));
    format!(
        "{}---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{ name: stable, namespace: shop }}\nspec: {{ host: stable, trafficPolicy: {{ {policy} }} }}\n",
        SHOP.replace(rule, &format!("{rule}\n    retries: {retries}"))
    )
}

#[tokio::test]
async fn a_try_that_takes_too_long_is_made_again_at_another_server() {
    let next = Origin::saying("next").await;
    let stable = Origin::saying("stable").await;
    let deaf = Deaf::new().await;
    let policy = with_policy(
        "{ attempts: 5, perTryTimeout: 300ms, retryOn: 5xx }",
        "outlierDetection: { consecutive5xxErrors: 0 }",
    );
    let mut gateway = recipe(&stable, &next)
        .service("shop/stable", &[&stable, &deaf])
        .manifest("shop.yaml", &policy)
        .start()
        .await;
    // Which of two is asked first is a matter of chance.
    for _ in 0..20 {
        gateway.says(HOST, "/", "stable").await;
    }
    gateway.logged("a second try", |entry| entry["attempts"].as_u64().is_some_and(|tries| tries > 1)).await;
}

#[tokio::test]
async fn a_server_that_fails_is_left_out_as_its_destination_rule_says() {
    let next = Origin::saying("next").await;
    let well = Origin::saying("well").await;
    let ill = Origin::http1(|_| Answer::status(500)).await;
    let policy = with_policy(
        "{ attempts: 0 }",
        "outlierDetection: { consecutive5xxErrors: 1, baseEjectionTime: 10m, maxEjectionPercent: 100 }",
    );
    let mut gateway = recipe(&well, &next)
        .service("shop/stable", &[&well, &ill])
        .manifest("shop.yaml", &policy)
        .start()
        .await;
    while gateway.get(HOST, "/").await.status == 200 {}
    for _ in 0..30 {
        assert_eq!(gateway.get(HOST, "/").await.text(), "well");
    }
    assert_eq!(ill.requests().len(), 1, "it was asked once");
}
