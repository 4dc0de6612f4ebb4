//! The scripted API server itself, seen by a client of bytes.

use super::{ApiServer, Disturbance, Fault};
use crate::{Http1, Reply, Request, Wire};
use serde_json::{Value, json};

const INGRESS: &str = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: shop, labels: { app: web, tier: front } }
spec: { ingressClassName: nginx }
";

const INGRESSES: &str = "/apis/networking.k8s.io/v1/ingresses";
const WEB: &str = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web";

async fn get(api: &ApiServer, path: &str) -> Reply {
    send(api, Request::get(path)).await
}

async fn send(api: &ApiServer, request: Request) -> Reply {
    Http1::connect(api.address()).await.send(&request).await
}

async fn patch(api: &ApiServer, path: &str, patch: Value) -> Reply {
    let request = Request::new("PATCH", path).body(patch.to_string());
    send(api, request.field("content-type", "application/merge-patch+json")).await
}

/// An open watch.
struct Watching(Wire);

impl Watching {
    async fn begin(api: &ApiServer, path: &str) -> Self {
        let mut wire = Wire::connect(api.address()).await;
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: api\r\n\r\n")).await;
        assert!(wire.read_head().await.starts_with("HTTP/1.1 200 "));
        Self(wire)
    }

    async fn line(&mut self) -> String {
        String::from_utf8(self.0.read_until("\r\n").await).expect("text")
    }

    async fn next(&mut self) -> Value {
        let length = self.line().await;
        let length = usize::from_str_radix(length.trim(), 16).expect("a chunk");
        let event = self.0.read(length).await;
        self.0.expect("\r\n").await;
        serde_json::from_slice(&event).expect("an event")
    }

    /// `ADDED web`.
    async fn brief(&mut self) -> String {
        let event = self.next().await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{} {}", text(&event["type"]), text(&event["object"]["metadata"]["name"]))
            .trim_end()
            .to_owned()
    }
}

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["metadata"]["name"].as_str())
        .collect()
}

#[tokio::test]
async fn kinds_are_discovered_while_they_are_served() {
    let api = ApiServer::start().await;
    let group = "/apis/networking.istio.io";
    assert_eq!(get(&api, group).await.json()["preferredVersion"]["version"], "v1");
    api.serve("networking.istio.io", &["v1beta1"]);
    assert_eq!(get(&api, group).await.json()["preferredVersion"]["version"], "v1beta1");
    assert_eq!(get(&api, "/apis/networking.istio.io/v1/gateways").await.status, 404);
    assert_eq!(get(&api, "/apis/networking.istio.io/v1beta1/gateways").await.status, 200);
    api.serve("networking.istio.io", &[]);
    assert_eq!(get(&api, group).await.status, 404);
    let kinds = get(&api, "/api/v1").await.json();
    assert!(
        kinds["resources"].as_array().into_iter().flatten().any(|kind| kind["name"] == "services/status")
    );
}

#[tokio::test]
async fn lists_select_and_go_on_by_pages() {
    let api = ApiServer::start().await;
    for name in ["a", "b", "c"] {
        api.put(&INGRESS.replace("web", name));
    }
    assert_eq!(
        names(&get(&api, &format!("{INGRESSES}?fieldSelector=metadata.name%3Db")).await.json()),
        ["b"]
    );
    let labels = format!("{INGRESSES}?labelSelector=app+in+(a,c),tier%3Dfront,!gone,app!%3Dc");
    assert_eq!(names(&get(&api, &labels).await.json()), ["a"]);
    assert_eq!(get(&api, &format!("{INGRESSES}?fieldSelector=spec.x%3D1")).await.status, 400);

    let page = get(&api, &format!("{INGRESSES}?limit=2")).await.json();
    assert_eq!((names(&page), &page["metadata"]["remainingItemCount"]), (vec!["a", "b"], &json!(1)));
    // What comes meanwhile is not in the list that was begun.
    api.put(&INGRESS.replace("web", "d"));
    let next = format!("{INGRESSES}?limit=2&continue={}", page["metadata"]["continue"].as_str().unwrap());
    assert_eq!(names(&get(&api, &next).await.json()), ["c"]);
    assert_eq!(get(&api, &next).await.status, 410);

    let brief = Request::get(INGRESSES)
        .field("accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    let brief = send(&api, brief).await.json();
    assert_eq!(
        (&brief["kind"], &brief["items"][0]["spec"]),
        (&json!("PartialObjectMetadataList"), &Value::Null)
    );
    assert!(api.calls("list ingresses").last().unwrap().wants_metadata());
}

#[tokio::test]
async fn watches_tell_what_happens_from_a_version_on() {
    let api = ApiServer::start().await;
    api.put(INGRESS);
    let version =
        get(&api, INGRESSES).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    api.put(&INGRESS.replace("name: web", "name: other"));
    let path = format!("{INGRESSES}?watch=true&labelSelector=tier%3Dfront&resourceVersion={version}");
    let mut watching = Watching::begin(&api, &path).await;
    assert_eq!(watching.brief().await, "ADDED other");
    api.put(&INGRESS.replace("nginx", "shop"));
    assert_eq!(watching.brief().await, "MODIFIED web");
    api.put(&INGRESS.replace("front", "back"));
    assert_eq!(watching.brief().await, "DELETED web");
    api.delete("Ingress shop/other");
    assert_eq!(watching.brief().await, "DELETED other");

    api.forget();
    let mut late = Watching::begin(&api, &path).await;
    assert_eq!(late.next().await["object"]["code"], 410);
}

#[tokio::test]
async fn a_streaming_list_ends_with_its_bookmark() {
    let api = ApiServer::start().await;
    api.put(INGRESS);
    let path = format!(
        "{INGRESSES}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    );
    let mut watching = Watching::begin(&api, &path).await;
    assert_eq!(watching.brief().await, "ADDED web");
    let end = watching.next().await;
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    api.bookmark();
    assert_eq!(watching.brief().await, "BOOKMARK");
    api.disturb("ingresses", Disturbance::Gone);
    assert_eq!(watching.next().await["object"]["code"], 410);
    let api = api.without_streaming_lists();
    assert_eq!(get(&api, &path).await.status, 422);
}

#[tokio::test]
async fn the_status_is_written_on_its_own_and_conflicts_are_seen() {
    let api = ApiServer::start().await;
    api.put(INGRESS);
    let status = json!({ "loadBalancer": { "ingress": [{ "ip": "127.0.0.1" }] } });
    let both = json!({ "spec": { "ingressClassName": "other" }, "status": status });
    let path = format!("{WEB}/status");
    let first = patch(&api, &path, both.clone()).await;
    assert_eq!((first.status, &first.json()["status"]), (200, &status));
    assert_eq!(
        (&first.json()["spec"]["ingressClassName"], &first.json()["metadata"]["generation"]),
        (&json!("nginx"), &json!(1))
    );
    let second =
        patch(&api, WEB, json!({ "spec": { "ingressClassName": "other" }, "status": null })).await.json();
    assert_eq!((&second["status"], &second["metadata"]["generation"]), (&status, &json!(2)));

    let version = &first.json()["metadata"]["resourceVersion"];
    let late = patch(&api, &path, json!({ "metadata": { "resourceVersion": version }, "status": {} })).await;
    assert_eq!((late.status, &late.json()["reason"]), (409, &json!("Conflict")));
    // Nothing new is no new version.
    let again = patch(&api, &path, both).await.json();
    assert_eq!(again["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn objects_are_created_once_and_replaced_only_by_those_who_know_them() {
    let api = ApiServer::start().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/shop/leases";
    let lease = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "leader" }, "spec": { "holderIdentity": "one" } });
    let post = || Request::post(leases, lease.to_string()).field("content-type", "application/json");
    let created = send(&api, post()).await;
    assert_eq!(created.status, 201);
    assert_eq!(send(&api, post()).await.json()["reason"], "AlreadyExists");
    let mut mine = created.json();
    mine["spec"]["holderIdentity"] = json!("two");
    let put = |lease: &Value| Request::new("PUT", &format!("{leases}/leader")).body(lease.to_string());
    assert_eq!(send(&api, put(&mine)).await.status, 200);
    assert_eq!(send(&api, put(&mine)).await.status, 409);
    assert_eq!(api.object("Lease shop/leader")["spec"]["holderIdentity"], "two");

    let applied = Request::new("PATCH", &format!("{leases}/applied?fieldManager=test"))
        .body("kind: Lease\nspec: { holderIdentity: three }\n");
    assert_eq!(send(&api, applied.field("content-type", "application/apply-patch+yaml")).await.status, 201);
    let gone = send(&api, Request::new("DELETE", &format!("{leases}/applied"))).await;
    assert_eq!((gone.status, api.objects("Lease").len()), (200, 1));
}

#[tokio::test]
async fn requests_go_wrong_as_often_as_they_should() {
    let api = ApiServer::start().await;
    api.put(INGRESS);
    api.next("list *", Fault::RetryAfter(3));
    let refused = get(&api, INGRESSES).await;
    assert_eq!((refused.status, refused.field("retry-after")), (429, "3"));
    assert_eq!(get(&api, INGRESSES).await.status, 200);
    api.always("get ingresses", Fault::Status(403));
    let refused = get(&api, WEB).await.json();
    assert!(
        refused["message"].as_str().unwrap().contains(
            "cannot get resource \"ingresses\" in API group \"networking.k8s.io\" in the namespace \"shop\""
        ),
        "{refused}"
    );
    api.heal();
    assert_eq!(get(&api, WEB).await.status, 200);
    let codes: Vec<Option<u16>> = api.calls("get ingresses").iter().map(|call| call.answered).collect();
    assert_eq!(codes, [Some(403), Some(200)]);
}

#[tokio::test]
async fn answers_break_off_in_the_middle_and_chunks_are_bad() {
    let api = ApiServer::start().await;
    api.put(INGRESS);
    for (fault, end) in [(Fault::Half, ""), (Fault::BadChunk, "zz\r\nthis is no chunk\r\n")] {
        api.next("list ingresses", fault);
        let mut wire = Wire::connect(api.address()).await;
        wire.send(format!("GET {INGRESSES} HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n")).await;
        let text = String::from_utf8(wire.read_to_close().await).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("apiVersion"), "{text}");
        // Neither the end of the document nor that of the body.
        assert!(text.ends_with(end) && !text.contains("}]}") && !text.ends_with("\r\n0\r\n\r\n"), "{text}");
    }
    let mut watching = Watching::begin(&api, &format!("{INGRESSES}?watch=true")).await;
    assert_eq!(watching.brief().await, "ADDED web");
    api.disturb("*", Disturbance::Line("no event".to_owned()));
    watching.0.expect("9\r\nno event\n\r\n").await;
    api.disturb("*", Disturbance::BadChunk);
    watching.0.expect("zz\r\n").await;
}

#[tokio::test]
async fn a_server_that_was_away_has_its_objects_still() {
    let mut api = ApiServer::start().await;
    api.put(INGRESS);
    let mut watching = Watching::begin(&api, &format!("{INGRESSES}?watch=true")).await;
    watching.next().await;
    api.stop().await;
    watching.0.read_to_close().await;
    assert!(Wire::connect_if_open(api.address()).await.is_none());
    api.resume().await;
    assert_eq!(names(&get(&api, INGRESSES).await.json()), ["web"]);
    let config: Value = serde_json::from_slice(&std::fs::read(api.kubeconfig()).unwrap()).unwrap();
    assert_eq!(config["clusters"][0]["cluster"]["server"], format!("http://{}", api.address()));
}

#[tokio::test]
async fn secrets_are_kept_as_servers_keep_them() {
    let api = ApiServer::start().await;
    api.put("apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData: { a: hello }\n");
    let secret = api.object("Secret default/s");
    assert_eq!(
        (&secret["data"]["a"], &secret["type"], &secret["stringData"]),
        (&json!("aGVsbG8="), &json!("Opaque"), &Value::Null)
    );
    let typed = "/api/v1/secrets?fieldSelector=type%3DOpaque";
    assert_eq!(names(&get(&api, typed).await.json()), ["s"]);
}
