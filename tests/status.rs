//! What objects are told, and what is shown of them on admin.

#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

#[path = "status/nodes.rs"]
mod nodes;

use serde_json::{Value, json};
use sluice_dsl::{
    ApiServer, Certificate, Fault, Gateway, GatewayRecipe, Origin, Request, Signal, gateway, secret_manifest,
    service_manifest, within,
};

const CLASS: &str = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
";

const ADDRESSES: &str = "--publish-status-address=203.0.113.7,lb.example";

/// An Ingress for a host, to `shop/web`.
fn ingress(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{ name: {name}, namespace: shop, annotations: {{ {annotations} }} }}\n\
         spec:\n  ingressClassName: nginx\n  rules:\n  - host: shop.example\n    http:\n      paths:\n      \
         - {{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}\n"
    )
}

/// An admin page as a document.
async fn page(gateway: &Gateway, path: &str) -> Value {
    let reply = gateway.proxy().admin(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

#[tokio::test]
async fn a_canary_has_the_addresses_of_what_it_stands_beside_and_one_that_stands_alone_has_none() {
    let shop = Origin::saying("shop").await;
    let canary = "nginx.ingress.kubernetes.io/canary: 'true', nginx.ingress.kubernetes.io/canary-weight: '0'";
    let gateway = gateway!()
        .argument(ADDRESSES)
        .service("shop/web", &[&shop])
        .manifest("class.yaml", CLASS)
        .manifest("main.yaml", &ingress("main", ""))
        .manifest("canary.yaml", &ingress("canary", canary))
        .manifest("alone.yaml", &ingress("alone", canary).replace("shop.example", "other.example"))
        .start()
        .await;
    let wanted =
        json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.7" }, { "hostname": "lb.example" }] } });
    for name in ["main", "canary"] {
        assert_eq!(gateway.status(&format!("Ingress shop/{name}")).await["status"], wanted, "{name}");
    }
    let alone = gateway.status("Ingress shop/alone").await;
    assert_eq!(alone["status"], json!({ "loadBalancer": { "ingress": [] } }));
}

#[tokio::test]
async fn the_addresses_are_those_of_the_service_that_is_published() {
    let shop = Origin::saying("shop").await;
    let balanced = |ip: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{ name: edge, namespace: sys }}\n\
             spec: {{ type: LoadBalancer, ports: [{{ port: 80 }}] }}\n\
             status: {{ loadBalancer: {{ ingress: [{{ ip: {ip} }}] }} }}\n"
        )
    };
    let gateway = gateway!()
        .argument("--publish-service=sys/edge")
        .service("shop/web", &[&shop])
        .manifest("class.yaml", CLASS)
        .manifest("edge.yaml", &balanced("203.0.113.1"))
        .manifest("web.yaml", &ingress("web", ""))
        .start()
        .await;
    for ip in ["203.0.113.1", "203.0.113.2"] {
        gateway.write("edge.yaml", &balanced(ip));
        let wanted = json!([{ "ip": ip }]);
        gateway
            .status_becomes("Ingress shop/web", |entry| entry["status"]["loadBalancer"]["ingress"] == wanted)
            .await;
    }
}

#[tokio::test]
async fn what_is_held_is_shown_without_secrets() {
    let shop = Origin::saying("shop").await;
    let gateway = gateway!()
        .service("shop/web", &[&shop])
        .manifest("class.yaml", CLASS)
        .manifest("web.yaml", &ingress("web", ""))
        .manifest("tls.yaml", &secret_manifest("shop/tls", &Certificate::of(&["shop.example"])))
        .start()
        .await;
    let all = page(&gateway, "/debug/objects").await;
    let lines = all.as_array().into_iter().flatten();
    let kinds: Vec<&str> = lines.filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, ["EndpointSlice", "Ingress", "IngressClass", "Secret", "Service"]);
    let one = page(&gateway, "/debug/objects?object=Ingress/shop/web").await;
    assert_eq!(one["object"]["spec"]["rules"][0]["host"], "shop.example");
    assert_eq!(one["file"], "web.yaml:1");
    let secret = gateway.proxy().admin("/debug/objects?object=Secret/shop/tls").await;
    let text = secret.text();
    assert!(text.contains("tls.key") && !text.contains("PRIVATE KEY"), "{text}");
    let unknown = gateway.proxy().admin("/debug/objects?object=Ingress/shop/none").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("no object Ingress/shop/none is held"), "{}", unknown.text());
}

#[tokio::test]
async fn what_an_object_became_is_shown_with_everything_that_names_it() {
    let shop = Origin::saying("shop").await;
    let mut gateway = gateway!()
        .service("shop/web", &[&shop])
        .service("shop/idle", &[&shop])
        .manifest("class.yaml", CLASS)
        .manifest("web.yaml", &ingress("web", "nginx.ingress.kubernetes.io/no-such-thing: x"))
        .start()
        .await;
    for object in ["Ingress/shop/web", "Service/shop/web"] {
        let became = page(&gateway, &format!("/debug/translation?object={object}")).await;
        let mut hosts = became["virtual_hosts"].as_array().into_iter().flatten();
        let host = hosts.find(|host| host["route_table"] == "port-80");
        let host = host.unwrap_or_else(|| panic!("{object} is served at port 80: {became:#}"));
        assert_eq!(host["hosts"], json!(["shop.example"]), "{object}");
        assert_eq!(host["routes"][0]["origin"], "Ingress shop/web", "{object}");
        assert_eq!(became["clusters"][0]["name"], "shop/web:80", "{object}");
        assert_eq!(became["listeners"][0]["name"], "port-80", "{object}");
    }
    let events = &page(&gateway, "/debug/translation?object=Ingress/shop/web").await["events"];
    assert!(events.to_string().contains("no-such-thing"), "{events}");
    let idle = page(&gateway, "/debug/translation?object=Service/shop/idle").await;
    assert_eq!((&idle["virtual_hosts"], &idle["clusters"]), (&json!([]), &json!([])));
    let reply = gateway.send(&Request::get("/").host("shop.example")).await;
    assert_eq!(reply.text(), "shop");
    assert_eq!(gateway.proxy().admin("/healthz").await.status, 200);
}

// --- Written to a cluster.

const VIRTUAL_SERVICE: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: shop }
spec: { hosts: [web], http: [{ route: [{ destination: { host: web } }], timeout: 5s }] }
";

/// An API server with a Service `shop/web` and its class.
async fn cluster(shop: &Origin) -> ApiServer {
    let api = ApiServer::start().await;
    api.put(CLASS);
    api.put(&service_manifest("shop/web", &[shop]));
    api
}

/// A gateway of this cluster that says who it is to the Lease.
fn member(api: &ApiServer) -> GatewayRecipe {
    gateway!().cluster(api).argument(ADDRESSES)
}

fn addresses() -> Value {
    json!([{ "ip": "203.0.113.7" }, { "hostname": "lb.example" }])
}

fn has_addresses(ingress: &Value) -> bool {
    ingress["status"]["loadBalancer"]["ingress"] == addresses()
}

/// Our condition of an object.
fn accepted(object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Accepted")
        .cloned()
        .unwrap_or_default()
}

#[tokio::test]
async fn addresses_are_written_once_and_again_when_somebody_takes_them_away() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    api.put(&ingress("web", ""));
    api.put(&ingress("foreign", "").replace("ingressClassName: nginx", "ingressClassName: other"));
    let gateway = member(&api).start().await;
    let written = api.becomes("Ingress shop/web", has_addresses).await;
    assert_eq!(gateway.status("Ingress shop/web").await["status"], written["status"]);
    // Another change goes through after it, so nothing more is to come for the first one.
    api.put(&ingress("next", "").replace("shop.example", "next.example"));
    api.becomes("Ingress shop/next", has_addresses).await;
    let patches = api.calls("patch ingresses/status");
    let names: Vec<&str> = patches.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["web", "next"]);
    assert!(api.object("Ingress shop/foreign")["status"].is_null());

    let mut taken = api.object("Ingress shop/web");
    taken["status"] = json!({ "loadBalancer": {} });
    api.put_object(taken);
    api.becomes("Ingress shop/web", has_addresses).await;
}

#[tokio::test]
async fn conditions_follow_the_object_and_those_of_others_stay() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    let others = "status: { conditions: [{ type: Reconciled, status: 'True', extra: kept }] }\n";
    api.put(&format!("{VIRTUAL_SERVICE}{others}"));
    let gateway = member(&api).start().await;
    let first = api.becomes("VirtualService shop/web", |object| accepted(object)["status"] == "True").await;
    assert_eq!(first["status"]["conditions"][0]["extra"], "kept");
    assert_eq!(accepted(&first)["observedGeneration"], 1);

    api.put(&VIRTUAL_SERVICE.replace("timeout: 5s", "timeout: soon"));
    let second = api.becomes("VirtualService shop/web", |object| accepted(object)["status"] == "False").await;
    let condition = accepted(&second);
    assert_eq!((&condition["reason"], &condition["observedGeneration"]), (&json!("Invalid"), &json!(2)));
    assert!(
        condition["message"].as_str().is_some_and(|text| text.contains("spec.http[0].timeout")),
        "{condition}"
    );
    assert_eq!(second["status"]["conditions"][0]["extra"], "kept");
    // The page says what is written.
    let mut shown = accepted(&gateway.status("VirtualService shop/web").await);
    shown["lastTransitionTime"] = condition["lastTransitionTime"].clone();
    assert_eq!(shown, condition);
}

#[tokio::test]
async fn there_is_one_event_for_a_problem_however_often_the_object_is_written() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    let problem = "nginx.ingress.kubernetes.io/no-such-thing: x";
    api.put(&ingress("web", problem));
    let gateway = member(&api).start().await;
    let first = api.called("create events", 1).await;
    let event = &first[0].body;
    assert_eq!((&event["type"], &event["regarding"]["name"]), (&json!("Warning"), &json!("web")));
    assert_eq!(event["regarding"]["apiVersion"], "networking.k8s.io/v1");
    let shown = &gateway.status("Ingress shop/web").await["events"][0];
    assert_eq!((&shown["message"], &shown["reason"]), (&event["note"], &event["reason"]));
    // Written again, and then another one with a problem of its own: one Event each.
    api.put(&ingress("web", &format!("{problem}, other: more")));
    api.put(&ingress("next", problem).replace("shop.example", "next.example"));
    api.called("create events", 2).await;
    let events = api.objects("Event");
    assert_eq!(events.len(), 2, "{events:#?}");
}

#[tokio::test]
async fn an_object_with_many_problems_does_not_flood_the_events() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    let problems: Vec<String> =
        (0..30).map(|number| format!("nginx.ingress.kubernetes.io/none-{number}: x")).collect();
    api.put(&ingress("web", &problems.join(", ")));
    let _gateway = member(&api).start().await;
    api.called("create events", 10).await;
    api.put(&ingress("next", &problems[0]).replace("shop.example", "next.example"));
    api.called("create events", 11).await;
    let events = api.objects("Event");
    let of_web = events.iter().filter(|event| event["regarding"]["name"] == "web").count();
    assert_eq!((of_web, events.len()), (10, 11));
}

#[tokio::test]
async fn only_the_holder_of_the_lease_writes_and_another_takes_over_when_it_ends() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    let holder = |api: &ApiServer| api.object("Lease default/sluice-test")["spec"]["holderIdentity"].clone();
    let recipe = || {
        member(&api)
            .argument("--election-id=sluice-test")
            .argument("--election-ttl=10s")
            .argument("--update-status-on-shutdown=false")
            .argument("--enable-metrics")
    };
    let mut first = recipe().start().await;
    api.becomes("Lease default/sluice-test", |lease| !lease["spec"]["holderIdentity"].is_null()).await;
    let one = holder(&api);
    let second = recipe().start().await;
    first.proxy().stat_becomes("sluice_status_leader", &[], |value| value == 1.0).await;
    assert_eq!(second.proxy().stat("sluice_status_leader", &[]).await, 0.0);
    let (leads, lease) = ("nginx_ingress_controller_leader_election_status", ["name=\"sluice-test\""]);
    assert_eq!(
        (first.proxy().stat(leads, &lease).await, second.proxy().stat(leads, &lease).await),
        (1.0, 0.0)
    );
    api.put(&ingress("web", ""));
    api.becomes("Ingress shop/web", has_addresses).await;
    // It counts what it wrote when it is answered.
    let kind = ["kind=\"Ingress\""];
    first.proxy().stat_becomes("sluice_status_writes_total", &kind, |value| value == 1.0).await;
    assert_eq!(second.proxy().stat("sluice_status_writes_total", &[]).await, 0.0);

    first.signal(Signal::TERM);
    assert_eq!(first.ended().await, 0);
    assert!(has_addresses(&api.object("Ingress shop/web")));
    api.becomes("Lease default/sluice-test", |lease| {
        let now = &lease["spec"]["holderIdentity"];
        *now != one && *now != ""
    })
    .await;
    api.put(&ingress("next", "").replace("shop.example", "next.example"));
    api.becomes("Ingress shop/next", has_addresses).await;
    let web = api.calls("patch ingresses/status").iter().filter(|call| call.name == "web").count();
    assert_eq!(web, 1, "what stands there is not written again");
}

#[tokio::test]
async fn addresses_are_taken_away_at_the_end_and_the_lease_is_free() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    api.put(&ingress("web", ""));
    let mut gateway = member(&api).start().await;
    api.becomes("Ingress shop/web", has_addresses).await;
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, 0);
    assert!(api.object("Ingress shop/web")["status"]["loadBalancer"]["ingress"].is_null());
    assert_eq!(api.object("Lease default/ingress-controller-leader")["spec"]["holderIdentity"], "");
}

#[tokio::test]
async fn what_failed_is_written_later_and_a_denial_is_said_once_with_its_way_out() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    api.times(2, "patch ingresses/status", Fault::Status(409));
    api.next("create events", Fault::RetryAfter(0));
    api.put(&ingress("web", "nginx.ingress.kubernetes.io/no-such-thing: x"));
    api.always("patch virtualservices/status", Fault::Status(403));
    api.put(VIRTUAL_SERVICE);
    api.put(&VIRTUAL_SERVICE.replace("name: web", "name: other"));
    let mut gateway = member(&api).start().await;
    api.becomes("Ingress shop/web", has_addresses).await;
    api.called("patch virtualservices/status", 2).await;
    let said = gateway.process_says("virtualservices/status cannot be written").await;
    assert!(
        said.contains("apiGroups: [\"networking.istio.io\"]") && said.contains("verbs: [patch]"),
        "{said}"
    );
    let conflicts =
        gateway.proxy().stat("sluice_status_write_failures_total", &["reason=\"conflict\""]).await;
    assert!((2.0..4.0).contains(&conflicts), "{conflicts}");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, 0);
    let times = gateway.said_on_error().iter().filter(|line| line.contains("cannot be written: ")).count();
    assert_eq!(times, 1);
}

#[tokio::test]
async fn nothing_is_written_where_status_is_off_but_events() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    api.put(&ingress("web", "nginx.ingress.kubernetes.io/no-such-thing: x"));
    let _gateway = member(&api).argument("--update-status=false").start().await;
    api.called("create events", 1).await;
    assert_eq!(api.calls("patch *"), []);
}

#[tokio::test]
async fn a_condition_is_written_in_the_version_that_is_served() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    api.serve("networking.istio.io", &["v1beta1"]);
    api.put(&VIRTUAL_SERVICE.replace("istio.io/v1", "istio.io/v1beta1"));
    let _gateway = member(&api).start().await;
    api.becomes("VirtualService shop/web", |object| accepted(object)["status"] == "True").await;
    let patches = api.calls("patch virtualservices/status");
    assert!(patches.iter().all(|call| call.version == "v1beta1"), "{patches:?}");
}

#[tokio::test]
async fn three_hundred_ingresses_have_addresses_within_half_a_minute() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    let _gateway = member(&api).start().await;
    for number in 0..300 {
        api.put(
            &ingress(&format!("web-{number}"), "").replace("shop.example", &format!("host-{number}.example")),
        );
    }
    // `within` waits for half a minute.
    within("the addresses of every Ingress", async {
        for number in 0..300 {
            api.becomes(&format!("Ingress shop/web-{number}"), has_addresses).await;
        }
    })
    .await;
}
