//! Make before break, in virtual time.

use super::PATIENCE;
use crate::{Change, Settings, Translation, Translator, settings::CertificateReader, tests};
use sluice_crds::ObjectName;
use sluice_model::spec::{Action, Cluster, Route, ServerVerification};
use std::time::{Duration, Instant};

/// Beside what each test brings: a gateway, and a service with a pod of each of two versions.
const SHOP: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec: { servers: [{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: one, namespace: shop, labels: { app: reviews, version: v1 } }
status: { phase: Running, podIP: 127.0.0.1 }
---
apiVersion: v1
kind: Pod
metadata: { name: two, namespace: shop, labels: { app: reviews, version: v2 } }
status: { phase: Running, podIP: 127.0.0.2 }
";

/// How the name of a cluster of the service begins and ends.
const OUTBOUND: (&str, &str) = ("outbound|80|", "|reviews.shop.svc.cluster.local");

/// A translator, and the time as the test has it.
struct Scene {
    translator: Translator,
    now: Instant,
    last: Translation,
}

impl Scene {
    fn new(objects: &str) -> Self {
        let mut settings = tests::settings();
        settings.pod_namespace = "istio-system".to_owned();
        settings.certificates = CertificateReader(|_, _| Ok(vec!["a.test".to_owned()]));
        Self::with(settings, &format!("{SHOP}{objects}"))
    }

    fn with(settings: Settings, objects: &str) -> Self {
        let mut translator = Translator::new(settings);
        let now = Instant::now();
        for change in tests::changes(objects) {
            translator.apply(change);
        }
        let last = translator.translate_at(now);
        Self { translator, now, last }
    }

    /// Objects are written, a moment later.
    fn write(&mut self, objects: &str) {
        for change in tests::changes(objects) {
            self.translator.apply(change);
        }
        self.after(Duration::from_millis(10));
    }

    fn delete(&mut self, kind: &'static str, namespace: &str, name: &str) {
        let name = ObjectName { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        self.translator.apply(Change::Delete(name));
        self.after(Duration::from_millis(10));
    }

    fn after(&mut self, time: Duration) {
        self.now += time;
        self.last = self.translator.translate_at(self.now);
        let checked = sluice_model::validate("test", self.last.config.clone(), &sluice_model::NoFiles);
        assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }

    /// As it will be when all that waits has waited long enough; before that it stays as it is, and says when it is over.
    fn in_the_end(&mut self) {
        let (config, reports) = (self.last.config.clone(), self.last.reports.clone());
        let until = self.last.wake_at.expect("something waits");
        let rest = until - self.now;
        assert!(rest <= PATIENCE, "{rest:?}");
        self.after(rest.saturating_sub(Duration::from_millis(1)));
        assert_eq!((&self.last.config, &self.last.reports), (&config, &reports), "it stays until then");
        self.after(Duration::from_millis(1));
        assert_eq!(self.last.wake_at, None);
        let fresh = self.translator.translate();
        assert_eq!((&self.last.config, &self.last.reports), (&fresh.config, &fresh.reports));
    }

    fn routes(&self) -> impl Iterator<Item = &Route> {
        let hosts = self.last.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
        hosts.flat_map(|host| &host.routes)
    }

    /// The subsets that routes lead to, each with its endpoints: `v1 127.0.0.1:80`, or `v1 missing`.
    fn leads_to(&self) -> Vec<String> {
        let forwards = self.routes().filter_map(|route| match &route.action {
            Action::Forward(forward) => Some(&forward.destinations),
            _ => None,
        });
        forwards.flatten().map(|destination| describe(self.cluster(&destination.cluster))).collect()
    }

    fn cluster(&self, name: &str) -> &Cluster {
        let found = self.last.config.clusters.iter().find(|cluster| cluster.name == name);
        found.unwrap_or_else(|| panic!("no cluster {name}"))
    }

    fn says(&self, text: &str) -> bool {
        self.last.reports.iter().any(|report| report.to_string().contains(text))
    }
}

fn describe(cluster: &Cluster) -> String {
    let name = cluster.name.strip_prefix(OUTBOUND.0).and_then(|name| name.strip_suffix(OUTBOUND.1));
    let name = name.unwrap_or(&cluster.name);
    if cluster.unavailable {
        return format!("{name} missing");
    }
    let addresses = cluster.endpoints.iter().map(|endpoint| endpoint.address.to_string());
    format!("{name} {}", addresses.collect::<Vec<_>>().join(","))
}

/// A VirtualService that leads to a subset.
fn routes_to(subset: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: reviews, namespace: shop }}
spec: {{ hosts: [a.test], gateways: [web], http: [{{ route: [{{ destination: {{ host: reviews, subset: {subset} }} }}] }}] }}
"
    )
}

/// A DestinationRule with these subsets, whose names are the versions of their pods.
fn has(subsets: &[&str]) -> String {
    let subsets: Vec<String> =
        subsets.iter().map(|name| format!("{{ name: {name}, labels: {{ version: {name} }} }}")).collect();
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: reviews, namespace: shop }}
spec: {{ host: reviews, subsets: [{}] }}
",
        subsets.join(", ")
    )
}

#[test]
fn a_route_that_names_a_missing_subset_goes_on_as_it_was_and_is_missing_a_second_later() {
    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
    scene.write(&routes_to("v2"));
    assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
    assert!(!scene.says("subset `v2`"), "{:?}", scene.last.reports);
    assert_eq!(scene.last.wake_at, Some(scene.now + PATIENCE));
    scene.in_the_end();
    assert_eq!(scene.leads_to(), ["v2 missing"]);
    assert!(scene.says("has a subset `v2`; what goes there answers 503"), "{:?}", scene.last.reports);
}

#[test]
fn a_subset_that_is_gone_stays_while_a_route_names_it_for_a_second() {
    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
    scene.write(&has(&["v2"]));
    assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
    scene.in_the_end();
    assert_eq!(scene.leads_to(), ["v1 missing"]);
}

#[test]
fn two_objects_written_one_after_the_other_in_either_order_are_one_change() {
    for order in [[routes_to("v2"), has(&["v2"])], [has(&["v2"]), routes_to("v2")]] {
        let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
        scene.write(&order[0]);
        assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
        scene.write(&order[1]);
        assert_eq!(scene.leads_to(), ["v2 127.0.0.2:80"]);
        assert_eq!((scene.last.wake_at, scene.last.reports.len()), (None, 0), "{:?}", scene.last.reports);
        let named: Vec<&str> = scene.last.config.clusters.iter().map(|cluster| &*cluster.name).collect();
        assert_eq!(named, ["outbound|80|v2|reviews.shop.svc.cluster.local"]);
    }
}

#[test]
fn a_service_that_is_gone_stays_while_a_route_names_it_for_a_second() {
    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
    scene.delete("Service", "shop", "reviews");
    assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
    scene.in_the_end();
    assert_eq!(scene.leads_to(), ["v1 missing"]);
    assert!(scene.says("there is no service `reviews.shop.svc.cluster.local`"), "{:?}", scene.last.reports);
}

#[test]
fn what_misses_something_from_the_beginning_waits_for_nothing() {
    let mut scene = Scene::new(&(routes_to("v2") + &has(&["v1"])));
    assert_eq!((scene.leads_to(), scene.last.wake_at), (vec!["v2 missing".to_owned()], None));
    // Nor does a host that comes later, nor one that missed it already.
    scene.write(&routes_to("v3").replace("name: reviews, n", "name: other, n").replace("a.test", "b.test"));
    assert_eq!(
        (scene.leads_to(), scene.last.wake_at),
        (vec!["v2 missing".into(), "v3 missing".into()], None)
    );
    scene.write(&routes_to("v2").replace("http: [{", "http: [{ timeout: 1s,"));
    assert_eq!(scene.last.wake_at, None);
}

#[test]
fn endpoints_are_followed_while_a_unit_goes_on_as_it_was() {
    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
    let rules = "http: [{ match: [{ uri: { prefix: /new } }], route: [{ destination: { host: reviews, subset: v2 } }] },";
    scene.write(&routes_to("v1").replace("http: [", rules));
    assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
    scene.write(&SHOP.replace("127.0.0.1", "127.0.0.9"));
    assert_eq!(scene.leads_to(), ["v1 127.0.0.9:80"], "the route goes on as it was, the cluster is as it is");
    scene.in_the_end();
    assert_eq!(scene.leads_to(), ["v2 missing", "v1 127.0.0.9:80"]);
}

#[test]
fn a_second_is_counted_from_the_last_time_that_one_of_the_objects_was_written() {
    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
    scene.write(&routes_to("v2"));
    let until = scene.last.wake_at;
    scene.after(Duration::from_millis(600));
    // The pod changes nothing about that, a write of the VirtualService or of the DestinationRule does.
    scene.write(&SHOP.replace("127.0.0.2", "127.0.0.8"));
    assert_eq!(scene.last.wake_at, until);
    for written in [has(&["v1", "v3"]), routes_to("v2").replace("http: [{", "http: [{ timeout: 1s,")] {
        scene.after(Duration::from_millis(300));
        scene.write(&written);
        assert_eq!(scene.last.wake_at, Some(scene.now + PATIENCE));
        assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
    }
    scene.in_the_end();
}

#[test]
fn somebody_else_who_writes_all_the_time_keeps_nothing_waiting() {
    let other = |weight: u32| {
        format!(
            "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: steps, namespace: shop }}
spec:
  hosts: [a.test]
  gateways: [web]
  http: [{{ match: [{{ uri: {{ prefix: /x }} }}], timeout: {weight}s, route: [{{ destination: {{ host: reviews }} }}] }}]
"
        )
    };
    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"]) + &other(1)));
    scene.write(&routes_to("v2"));
    for weight in 2..10 {
        scene.after(Duration::from_millis(100));
        scene.write(&other(weight));
        assert!(scene.leads_to().contains(&"v1 127.0.0.1:80".to_owned()), "{weight}: {:?}", scene.leads_to());
    }
    scene.after(Duration::from_millis(120));
    assert!(scene.leads_to().contains(&"v2 missing".to_owned()), "{:?}", scene.leads_to());
}

#[test]
fn what_may_not_be_spoken_to_in_clear_is_refused_at_once() {
    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
    let mutual = "host: reviews, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }";
    scene.write(&has(&["v1"]).replace("host: reviews", mutual));
    assert_eq!((scene.leads_to(), scene.last.wake_at), (vec!["v1 missing".to_owned()], None));
}

#[test]
fn a_protection_that_is_asked_for_holds_at_once_for_what_only_the_old_version_names() {
    let with_tls = |tls: &str| {
        has(&["v3"]).replace("host: reviews", &format!("host: reviews, trafficPolicy: {{ tls: {tls} }}"))
    };
    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
    scene.write(&routes_to("v2"));
    scene.write(&has(&["v3"]));
    assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
    scene.write(&with_tls("{ mode: SIMPLE, sni: reviews.test }"));
    assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
    let cluster = |scene: &Scene| scene.cluster(&format!("{}v1{}", OUTBOUND.0, OUTBOUND.1)).clone();
    let name = cluster(&scene).tls.and_then(|tls| tls.server_name);
    assert_eq!(name.as_deref(), Some("reviews.test"), "nothing is sent in clear any more");
    scene.write(&with_tls("{ mode: DISABLE }"));
    assert!(cluster(&scene).tls.is_some(), "less than before is asked for: that waits");
    scene.write(&with_tls("{ mode: ISTIO_MUTUAL }"));
    assert_eq!(scene.leads_to(), ["v1 missing"]);
    assert!(scene.last.wake_at.is_some(), "the routes wait nevertheless");
    scene.in_the_end();
}

#[test]
fn trust_anchors_may_come_after_the_rule_that_names_them_but_nothing_goes_on_without_any() {
    let rule = |credential: &str| {
        let tls = format!("{{ mode: SIMPLE, sni: reviews.test, credentialName: {credential} }}");
        has(&["v1"]).replace("host: reviews", &format!("host: reviews, trafficPolicy: {{ tls: {tls} }}"))
    };
    let anchors = |name: &str| {
        format!(
            "
---
apiVersion: v1
kind: Secret
metadata: {{ name: {name}, namespace: istio-system }}
stringData: {{ ca.crt: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\" }}
"
        )
    };
    let verified = |scene: &Scene| {
        let cluster = scene.cluster(&format!("{}v1{}", OUTBOUND.0, OUTBOUND.1));
        match cluster.tls.as_ref().map(|tls| tls.verify.clone()) {
            Some(ServerVerification::Ca(name)) => name,
            other => panic!("{other:?}: {cluster:?}"),
        }
    };
    let mut scene = Scene::new(&(routes_to("v1") + &rule("one") + &anchors("one")));
    assert_eq!(verified(&scene), "istio-system/one anchors");
    scene.write(&rule("two"));
    assert_eq!(verified(&scene), "istio-system/one anchors");
    scene.write(&anchors("two"));
    assert_eq!((verified(&scene).as_str(), scene.last.wake_at), ("istio-system/two anchors", None));
    scene.delete("Secret", "istio-system", "two");
    assert_eq!(verified(&scene), "istio-system/two anchors");
    scene.in_the_end();
    assert_eq!(scene.leads_to(), ["v1 missing"]);

    let mut scene = Scene::new(&(routes_to("v1") + &has(&["v1"])));
    scene.write(&rule("one"));
    assert_eq!(scene.leads_to(), ["v1 missing"], "in clear nothing goes on");
    scene.write(&anchors("one"));
    assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
}

#[test]
fn a_delegate_that_is_not_there_yet_is_waited_for() {
    let root = |leaf: &str| {
        format!(
            "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: root, namespace: shop }}
spec: {{ hosts: [a.test], gateways: [web], http: [{{ delegate: {{ name: {leaf} }} }}] }}
"
        )
    };
    let leaf = |name: &str| {
        routes_to("v1")
            .replace("name: reviews, n", &format!("name: {name}, n"))
            .replace("hosts: [a.test], gateways: [web], ", "")
    };
    let mut scene = Scene::new(&(root("one") + &leaf("one") + &has(&["v1"])));
    scene.write(&root("two"));
    assert_eq!(scene.leads_to(), ["v1 127.0.0.1:80"]);
    scene.write(&leaf("two"));
    assert_eq!((scene.leads_to(), scene.last.wake_at), (vec!["v1 127.0.0.1:80".to_owned()], None));
    scene.write(&root("three"));
    scene.in_the_end();
    assert_eq!(scene.leads_to(), [""; 0]);
}

fn ingress(service: &str, annotations: &str) -> String {
    format!(
        "
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ name: web, namespace: shop, annotations: {{ {annotations} }} }}
spec:
  tls: [{{ hosts: [a.test], secretName: one }}]
  rules: [{{ host: a.test, http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}] }} }}]
"
    )
}

fn service(name: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: shop }}
spec: {{ selector: {{ app: reviews }}, ports: [{{ name: http, port: 80 }}] }}
"
    )
}

#[test]
fn an_ingress_and_its_service_may_come_in_either_order() {
    let one = "shop/one:80 127.0.0.1:80,127.0.0.2:80";
    let mut scene = Scene::new(&(ingress("one", "") + &service("one") + &secret("shop", "one")));
    assert_eq!(scene.leads_to(), [one], "with TLS; without it there is a redirect");
    scene.write(&ingress("two", ""));
    assert_eq!(scene.leads_to(), [one]);
    scene.delete("Service", "shop", "one");
    assert_eq!(scene.leads_to(), [one]);
    scene.write(&service("two"));
    assert_eq!(scene.leads_to(), ["shop/two:80 127.0.0.1:80,127.0.0.2:80"]);
    assert_eq!(scene.last.wake_at, None);
    scene.delete("Service", "shop", "two");
    scene.in_the_end();
    assert_eq!(scene.leads_to(), [""; 0]);
    assert!(scene.says("there is no Service shop/two; its paths answer 503"), "{:?}", scene.last.reports);
}

#[test]
fn a_protection_that_is_not_in_effect_closes_at_once() {
    let mut scene = Scene::new(&(ingress("one", "") + &service("one") + &secret("shop", "one")));
    assert_eq!(scene.leads_to().len(), 1);
    scene.write(&ingress("two", "nginx.ingress.kubernetes.io/auth-url: 'http://auth.test/'"));
    assert_eq!((scene.leads_to().len(), scene.last.wake_at), (0, None));
}

fn secret(namespace: &str, name: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Secret
metadata: {{ name: {name}, namespace: {namespace} }}
type: kubernetes.io/tls
stringData: {{ tls.crt: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\", tls.key: \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\" }}
"
    )
}

#[test]
fn a_gateway_and_its_secret_may_come_in_either_order() {
    let gateway = |credential: &str| {
        format!(
            "
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{ name: tls, namespace: shop }}
spec: {{ servers: [{{ port: {{ number: 443, name: https, protocol: HTTPS }}, hosts: [a.test], tls: {{ mode: SIMPLE, credentialName: {credential} }} }}] }}
"
        )
    };
    let certificates = |scene: &Scene| {
        let listener = scene.last.config.listeners.iter().find(|listener| listener.name == "port-443");
        let tls = listener.and_then(|listener| listener.tls.clone()).expect("it has TLS");
        tls.scopes[0].certificates.clone()
    };
    let mut scene = Scene::new(&(gateway("one") + &secret("istio-system", "one")));
    assert_eq!(certificates(&scene), ["istio-system/one"]);
    scene.write(&gateway("two"));
    assert_eq!(certificates(&scene), ["istio-system/one"]);
    scene.write(&secret("istio-system", "two"));
    assert_eq!(certificates(&scene), ["istio-system/two"]);
    scene.delete("Secret", "istio-system", "two");
    assert_eq!(certificates(&scene), ["istio-system/two"]);
    scene.in_the_end();
    assert_eq!(certificates(&scene), [""; 0]);
}

#[test]
fn the_certificate_of_an_ingress_stays_for_a_second_when_its_secret_is_gone() {
    let certificates = |scene: &Scene| {
        let listener = scene.last.config.listeners.iter().find(|listener| listener.name == "port-443");
        listener.and_then(|listener| listener.tls.clone()).map_or_else(Vec::new, |tls| tls.certificates)
    };
    let objects = ingress("one", "") + &service("one");
    let mut scene = Scene::new(&(objects + &secret("shop", "one")));
    assert_eq!(certificates(&scene), ["shop/one"]);
    scene.delete("Secret", "shop", "one");
    assert_eq!(certificates(&scene), ["shop/one"]);
    scene.in_the_end();
    assert_eq!(certificates(&scene), [""; 0]);
}
