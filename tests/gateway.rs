//! `sluice gateway` serves a folder of manifests and follows it.

use serde_json::{Value, json};
use sluice_dsl::{
    Gateway, GatewayRecipe, Http1, Origin, Request, SHOP, SHOP_HOST, Signal, gateway, ingress_manifest,
    service_manifest,
};
use std::{fs, io::Write, net::TcpListener};

/// Another host with another service.
fn blog(service: &str) -> String {
    ingress_manifest("blog", service)
}

fn recipe() -> GatewayRecipe {
    gateway!().argument("--ingress-class-by-name")
}

async fn shop(origin: &Origin) -> Gateway {
    recipe().service("shop/web", &[origin]).manifest("shop.yaml", SHOP).start().await
}

#[tokio::test]
async fn an_ingress_is_served_and_the_access_log_names_it() {
    let origin = Origin::saying("hello").await;
    let mut gateway = shop(&origin).await;

    let reply = gateway.get(SHOP_HOST, "/cart").await;
    assert_eq!((reply.status, reply.text()), (200, "hello"));
    assert_eq!(gateway.get("other.example.com", "/").await.status, 404);

    let entry = gateway.logged("/cart", |entry| entry["path"] == "/cart").await;
    let seen = ["object", "route", "cluster", "endpoint", "response_flags"].map(|key| entry[key].as_str());
    let endpoint = origin.to_string();
    let wanted = ["Ingress shop/web", "prefix /", "shop/web:80", &endpoint, ""].map(Some);
    assert_eq!(seen, wanted, "{entry}");

    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, 0);
}

#[tokio::test]
async fn status_says_what_became_of_each_object_and_metrics_count_them() {
    let origin = Origin::saying("hello").await;
    let foreign = blog("blog").replace("ingressClassName: nginx", "ingressClassName: other");
    let rejected = SHOP.replace("name: web, namespace", "name: bad, namespace").replace("Prefix", "Sideways");
    let gateway = recipe()
        .argument("--publish-status-address=203.0.113.7,lb.example.com")
        .service("shop/web", &[&origin])
        .manifest("shop.yaml", SHOP)
        .manifest("blog.yaml", &foreign)
        .manifest("bad.yaml", &rejected)
        .start()
        .await;
    let addresses = |entry: Value| entry["status"]["loadBalancer"]["ingress"].clone();
    let served = addresses(gateway.status("Ingress shop/web").await);
    assert_eq!(served, json!([{ "ip": "203.0.113.7" }, { "hostname": "lb.example.com" }]));
    assert_eq!(addresses(gateway.status("Ingress shop/blog").await), json!([]), "it is somebody else's");
    let bad = gateway.status("Ingress shop/bad").await;
    let event = &bad["events"][0];
    assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &json!("Invalid")), "{bad:#}");
    assert!(event["message"].as_str().is_some_and(|text| text.contains("bad.yaml:")), "{bad:#}");
    assert!(gateway.status("Service shop/web").await.is_null(), "of others only what is wrong is shown");

    let number = async |name: &str| gateway.proxy().stat(name, &["kind=\"Ingress\""]).await;
    assert_eq!((number("sluice_objects").await, number("sluice_objects_rejected").await), (3.0, 1.0));
    let all = ["manifest_files", "translations_total", "translation_seconds_count"];
    let mut numbers = Vec::new();
    for name in all {
        numbers.push(gateway.proxy().stat(&format!("sluice_{name}"), &[]).await);
    }
    assert_eq!(numbers, [4.0, 1.0, 1.0], "{all:?}");
    assert!(gateway.proxy().admin("/").await.text().contains("/status"), "the help names the page");
}

#[tokio::test]
async fn the_access_log_is_a_text_or_none_where_that_is_wanted() {
    let origin = Origin::saying("hello").await;
    for (form, wanted) in [("text", Some("\"Ingress shop/web\"")), ("off", None)] {
        let argument = format!("--access-log={form}");
        let recipe = recipe().argument(&argument).service("shop/web", &[&origin]).manifest("shop.yaml", SHOP);
        let mut gateway = recipe.start().await;
        assert_eq!(gateway.get(SHOP_HOST, "/seen").await.status, 200);
        match wanted {
            Some(text) => drop(gateway.process_says(text).await),
            None => {
                gateway.signal(Signal::TERM);
                assert_eq!(gateway.ended().await, 0);
                assert!(gateway.said().is_empty(), "{:?}", gateway.said());
            }
        }
    }
}

#[tokio::test]
async fn objects_that_come_change_and_go_are_followed() {
    let [one, two] = [Origin::saying("one").await, Origin::saying("two").await];
    let mut gateway = shop(&one).await;
    gateway.says(SHOP_HOST, "/", "one").await;

    gateway.write("blog/deep/blog.yaml", &blog("blog"));
    gateway
        .until("the blog has no service", &Request::get("/").host("blog.example.com"), |reply| {
            reply.status == 503
        })
        .await;
    gateway.write("blog/service.yml", &service_manifest("shop/blog", &[&two]));
    gateway.says("blog.example.com", "/", "two").await;
    gateway.write("services/shop-web.yaml", &service_manifest("shop/web", &[&two]));
    gateway.says(SHOP_HOST, "/", "two").await;
    fs::remove_dir_all(gateway.manifests().join("blog")).unwrap();
    let gone = Request::get("/").host("blog.example.com");
    gateway.until("the blog is gone", &gone, |reply| reply.status == 404).await;
    gateway.says(SHOP_HOST, "/", "two").await;
}

#[tokio::test]
async fn a_file_that_is_broken_keeps_its_last_good_objects_and_is_named() {
    let [one, two] = [Origin::saying("one").await, Origin::saying("two").await];
    let mut gateway = shop(&one).await;
    gateway.says(SHOP_HOST, "/", "one").await;

    let services = service_manifest("shop/web", &[&two]);
    gateway.write("services/shop-web.yaml", &format!("{services}---\nkind: ]\n"));
    let line = services.lines().count() + 2;
    gateway.process_says(&format!("services/shop-web.yaml:{line}:")).await;
    assert!(gateway.proxy().stat("sluice_manifest_problems", &[]).await >= 1.0);
    gateway.says(SHOP_HOST, "/", "one").await;

    gateway.write("services/shop-web.yaml", &services);
    gateway.says(SHOP_HOST, "/", "two").await;
    gateway.proxy().stat_becomes("sluice_manifest_problems", &[], |count| count == 0.0).await;
}

#[tokio::test]
async fn of_an_object_in_two_files_the_first_is_served_and_an_error_names_the_second() {
    let [one, two] = [Origin::saying("one").await, Origin::saying("two").await];
    let mut gateway = recipe()
        .service("shop/web", &[&one])
        .service("shop/blog", &[&two])
        .manifest("b.yaml", SHOP)
        .start()
        .await;
    gateway.says(SHOP_HOST, "/", "one").await;

    gateway.write("c.yaml", &SHOP.replace("service: { name: web", "service: { name: blog"));
    let duplicate = |entry: &Value| entry["events"][0]["reason"] == "Duplicate";
    let status = gateway.status_becomes("Ingress shop/web", duplicate).await;
    let message = status["events"][0]["message"].as_str().unwrap();
    assert!(message.contains("b.yaml:1") && message.contains("c.yaml:1"), "{message}");
    gateway.says(SHOP_HOST, "/", "one").await;

    gateway.write("a.yaml", &SHOP.replace("service: { name: web", "service: { name: blog"));
    gateway.says(SHOP_HOST, "/", "two").await;
    gateway.remove("a.yaml");
    gateway.says(SHOP_HOST, "/", "one").await;
    gateway.remove("b.yaml");
    gateway.says(SHOP_HOST, "/", "two").await;
    gateway.status_becomes("Ingress shop/web", |entry| entry["events"] == Value::Array(Vec::new())).await;
}

#[tokio::test]
async fn a_port_that_cannot_be_listened_on_stops_no_other_and_is_named() {
    let origin = Origin::saying("hello").await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let own = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{ name: own, namespace: shop }}\nspec:\n  \
         selector: {{ app: gateway }}\n  servers:\n  \
         - {{ port: {{ number: {port}, name: http, protocol: HTTP }}, hosts: [\"*\"] }}\n"
    );
    let mut gateway = recipe()
        .argument("--labels=app=gateway")
        .service("shop/web", &[&origin])
        .manifest("shop.yaml", SHOP)
        .manifest("own.yaml", &own)
        .begin()
        .await;
    gateway.says(SHOP_HOST, "/", "hello").await;
    let said =
        gateway.process_says(&format!("listener `port-{port}` cannot listen on 127.0.0.1:{port}")).await;
    assert!(said.contains("wanted by Gateway shop/own"), "{said}");
    let ready = gateway.proxy().admin("/ready").await;
    assert_eq!((ready.status, ready.text()), (503, "not ready: listeners without their address\n"));
    let name = format!("Listener port-{port}");
    let entry = gateway.status_becomes(&name, |entry| !entry.is_null()).await;
    assert_eq!(entry["events"][0]["reason"], "NotListening", "{entry}");
    assert!(entry["events"][0]["message"].as_str().unwrap().contains("Gateway shop/own"), "{entry}");
    let entry = gateway.status("Gateway shop/own").await;
    let condition = &entry["status"]["conditions"][0];
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&json!("False"), &json!("NotListening")),
        "{entry}"
    );
    let label = format!("listener=\"port-{port}\"");
    assert_eq!(gateway.proxy().stat("sluice_listeners_unbound", &[&label]).await as u64, 1);

    drop(taken);
    gateway.proxy().ready().await;
    assert_eq!(gateway.port(port).await.port(), port);
    gateway.status_becomes(&name, Value::is_null).await;
    let holds = |entry: &Value| entry["status"]["conditions"][0]["status"] == "True";
    gateway.status_becomes("Gateway shop/own", holds).await;

    // Once ready, it stays so, whatever objects ask for.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let next = taken.local_addr().unwrap().port();
    gateway.write("own.yaml", &own.replace(&port.to_string(), &next.to_string()));
    gateway.status_becomes(&format!("Listener port-{next}"), |entry| !entry.is_null()).await;
    gateway.proxy().ready().await;
    drop(taken);
    assert_eq!(gateway.port(next).await.port(), next);
}

#[tokio::test]
async fn the_port_of_admin_is_nobodys_and_keeps_no_other_from_being_served() {
    let origin = Origin::saying("hello").await;
    let mut gateway = recipe()
        .argument("--labels=app=gateway")
        .service("shop/web", &[&origin])
        .manifest("shop.yaml", SHOP)
        .start()
        .await;
    let admin = gateway.proxy().admin_address().port();
    gateway.write(
        "own.yaml",
        &format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{ name: own, namespace: shop }}\nspec:\n  \
             selector: {{ app: gateway }}\n  servers:\n  \
             - {{ port: {{ number: {admin}, name: http, protocol: HTTP }}, hosts: [\"*\"] }}\n"
        ),
    );
    let entry = gateway.status_becomes(&format!("Listener port-{admin}"), |entry| !entry.is_null()).await;
    assert!(entry["events"][0]["message"].as_str().unwrap().contains("--admin"), "{entry}");
    gateway.says(SHOP_HOST, "/", "hello").await;
}

#[tokio::test]
async fn a_file_that_somebody_is_writing_keeps_its_objects_until_it_is_closed() {
    let [one, two] = [Origin::saying("one").await, Origin::saying("two").await];
    let mut gateway = shop(&one).await;
    gateway.says(SHOP_HOST, "/", "one").await;

    let services = service_manifest("shop/web", &[&two]);
    // As `cat >` does: the file is empty, and then half of it is there.
    let mut file = fs::File::create(gateway.manifests().join("shop.yaml")).unwrap();
    gateway.write_in_force("services/shop-web.yaml", &services).await;
    gateway.says(SHOP_HOST, "/", "two").await;
    let (half, rest) = SHOP.split_at(SHOP.find("spec:").unwrap());
    file.write_all(half.as_bytes()).unwrap();
    gateway.write_in_force("blog.yaml", &blog("web")).await;
    gateway.says(SHOP_HOST, "/", "two").await;
    file.write_all(rest.replace(SHOP_HOST, "new.example.com").as_bytes()).unwrap();
    drop(file);
    gateway.says("new.example.com", "/", "two").await;
    assert_eq!(gateway.get(SHOP_HOST, "/").await.status, 404);

    // An empty file has no objects, a moment later.
    drop(fs::File::create(gateway.manifests().join("shop.yaml")).unwrap());
    let gone = Request::get("/").host("new.example.com");
    gateway.until("its objects are gone", &gone, |reply| reply.status == 404).await;
}

#[tokio::test]
async fn a_slip_in_the_kind_of_an_object_keeps_it_and_status_names_the_file() {
    let origin = Origin::saying("hello").await;
    let mut gateway = shop(&origin).await;
    let two = format!("{SHOP}---\n{}", blog("web"));
    gateway.write_in_force("shop.yaml", &two.replacen("kind: Ingress", "kind: Ingres", 1)).await;
    gateway.says("blog.example.com", "/", "hello").await;
    gateway.says(SHOP_HOST, "/", "hello").await;
    let entry = gateway.status("File shop.yaml").await;
    let message = entry["events"][0]["message"].as_str().unwrap();
    for part in
        ["shop.yaml:2:", "`Ingres`", "did you mean `kind: Ingress`", "stays as it was: Ingress shop/web"]
    {
        assert!(message.contains(part), "{part} in {message}");
    }
    gateway.write("shop.yaml", &two);
    gateway.status_becomes("File shop.yaml", Value::is_null).await;
}

#[tokio::test]
async fn health_listens_where_the_flags_of_ingress_nginx_say() {
    let mut gateway = recipe()
        .argument("--healthz-host=127.0.0.1")
        .argument("--healthz-port=0")
        .argument("--health-check-path=/well")
        .manifest("blog.yaml", &blog("web"))
        .start()
        .await;
    let line = gateway.process_says("health on ").await;
    let address = line.rsplit_once(' ').unwrap().1.parse().unwrap();
    for path in ["/well", "/healthz", "/metrics"] {
        assert_eq!(Http1::connect(address).await.get(path).await.status, 200, "{path}");
    }
    // Load balancers ask the ports of Ingresses, under a name that nobody has.
    assert_eq!(gateway.get("10.0.0.1", "/well").await.status, 200);
    assert_eq!(gateway.get("10.0.0.1", "/healthz").await.status, 404);
    assert_eq!(gateway.get("blog.example.com", "/well").await.status, 503, "its host has the path");
}

#[tokio::test]
async fn health_tells_anybody_whether_all_is_well_and_nothing_else() {
    let mut gateway = gateway!().argument("--health=127.0.0.1:0").start().await;
    let line = gateway.process_says("health on ").await;
    let address = line.rsplit_once(' ').unwrap().1.parse().unwrap();
    for path in ["/ready", "/healthz", "/metrics"] {
        // A Service's name is no name of admin.
        let request = Request::get(path).host("sluice.sluice-system.svc");
        let reply = Http1::connect(address).await.send(&request).await;
        assert_eq!(reply.status, 200, "{path}");
        let reply = Http1::connect(address).await.send(&Request::post(path, "")).await;
        assert_eq!((reply.status, reply.field("allow")), (405, "GET, HEAD"), "{path}");
    }
    for path in ["/", "/config_dump", "/status", "/logging", "/stats"] {
        assert_eq!(Http1::connect(address).await.get(path).await.status, 404, "{path}");
    }
    let reply = Http1::connect(address).await.send(&Request::post("/drain", "")).await;
    assert_eq!(reply.status, 404);
    assert_eq!(gateway.proxy().admin("/ready").await.status, 200, "it did not drain");
}
