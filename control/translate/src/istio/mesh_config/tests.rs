use crate::{
    Settings, Translation, Translator,
    tests::{changes, settings},
};
use sluice_model::spec::{Action, Cluster, ClusterProtocol, NormalizePath, PathMatch, Route};

const SHOP: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: edge }
spec: { servers: [{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: shop }
spec: { exportTo: ['*'], hosts: [shop.test], gateways: [edge/web], http: [{ route: [{ destination: { host: web, subset: v1 } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: quiet, namespace: shop }
spec: { hosts: [quiet.test], gateways: [edge/web], http: [{ route: [{ destination: { host: web } }] }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: mesh-root }
spec: { host: web.shop.svc.cluster.local, exportTo: ['*'], subsets: [{ name: v1 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { clusterIP: 10.9.0.1, ports: [{ port: 80 }] }
";

fn mesh(text: &str) -> String {
    let text = text.lines().fold(String::new(), |text, line| text + "    " + line + "\n");
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: istio, namespace: istio-system }}\ndata:\n  mesh: |\n{text}"
    )
}

struct Scene(Translator);

impl Scene {
    fn new() -> Self {
        let mut scene = Self(Translator::new(Settings { pod_namespace: "edge".to_owned(), ..settings() }));
        scene.write(SHOP);
        scene
    }

    fn write(&mut self, text: &str) -> Translation {
        for change in changes(text) {
            self.0.apply(change);
        }
        let translation = self.0.translate();
        let checked = sluice_model::validate("test", translation.config.clone(), &sluice_model::NoFiles);
        assert!(checked.is_ok(), "{}", checked.unwrap_err());
        translation
    }
}

fn route<'t>(translation: &'t Translation, host: &str) -> Option<&'t Route> {
    let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    hosts.into_iter().find(|found| found.name == host).map(|found| &found.routes[0])
}

fn cluster<'t>(translation: &'t Translation, host: &str) -> &'t Cluster {
    let Some(Action::Forward(forward)) = route(translation, host).map(|route| &route.action) else {
        panic!("{host} is not forwarded")
    };
    let name = &forward.destinations[0].cluster;
    translation.config.clusters.iter().find(|cluster| cluster.name == *name).unwrap()
}

fn said(translation: &Translation) -> Vec<String> {
    let about = translation.reports.iter().filter(|report| report.object.kind == "ConfigMap");
    about.map(|report| report.to_string().replace(" ConfigMap istio-system/istio: data", "")).collect()
}

#[test]
fn what_holds_for_the_mesh_holds_where_objects_say_nothing_and_ends_with_it() {
    let mut scene = Scene::new();
    let before = scene.write("");
    assert!(cluster(&before, "shop.test").unavailable, "the namespace is not the root one");
    assert_eq!(cluster(&before, "quiet.test").connect_timeout.get().as_secs(), 10);
    assert_eq!(route(&before, "quiet.test").unwrap().retry.attempts, 2);

    let after = scene.write(&mesh(
        "rootNamespace: mesh-root\nconnectTimeout: 3s\nh2UpgradePolicy: UPGRADE\n\
         defaultHttpRetryPolicy: { attempts: 5, retryOn: reset }\npathNormalization: { normalization: MERGE_SLASHES }\n",
    ));
    let shop = cluster(&after, "shop.test");
    assert_eq!((shop.unavailable, shop.protocol), (false, ClusterProtocol::Http2));
    assert_eq!(shop.connect_timeout.get().as_secs(), 3);
    assert_eq!(route(&after, "quiet.test").unwrap().retry.attempts, 5);
    assert_eq!(after.config.listeners[0].path.normalize, NormalizePath::MergeSlashes);
    assert_eq!(said(&after), [""; 0]);

    assert_eq!(scene.write(&mesh("{}")).config, before.config);
}

#[test]
fn objects_that_do_not_say_who_sees_them_are_seen_as_the_mesh_says() {
    let mut scene = Scene::new();
    let hidden = scene.write(&mesh("defaultVirtualServiceExportTo: ['.']\ndefaultServiceExportTo: ['*']\n"));
    assert!(route(&hidden, "quiet.test").is_none() && route(&hidden, "shop.test").is_some());
    let service = scene.write(&mesh("defaultServiceExportTo: [shop]\n"));
    assert!(cluster(&service, "quiet.test").unavailable, "the gateway does not see the service");
    let rules = mesh("rootNamespace: mesh-root\ndefaultDestinationRuleExportTo: ['.']\n");
    let seen = scene.write(&rules);
    assert!(!cluster(&seen, "shop.test").unavailable, "it says itself who sees it");
    let quiet = SHOP.replace("exportTo: ['*'], subsets", "subsets");
    assert!(cluster(&scene.write(&quiet), "shop.test").unavailable);
}

#[test]
fn every_field_is_judged_and_none_is_fatal() {
    let mut scene = Scene::new();
    let translation = scene.write(&mesh(
        "accessLogFile: /dev/stdout\ntrustDomain: cluster.local\nenableTracing: true\nrotNamespace: x\nconnectTimeout: soon\n\
         defaultHttpRetryPolicy: { attempts: 2, retryRemoteLocalities: true, retryOn: sometimes }\ndefaultConfig: { discoveryAddress: a }\n\
         rootNamespace: mesh-root\n",
    ));
    assert!(!cluster(&translation, "shop.test").unavailable, "the good fields hold");
    assert_eq!(route(&translation, "quiet.test").unwrap().retry.attempts, 2, "Istio's default holds");
    let said = said(&translation);
    for wanted in [
        "INFO.mesh.accessLogFile: no effect: `--access-log` says whether and how requests are logged",
        "WARNING.mesh.trustDomain: not in effect yet: it needs mesh authorization",
        "WARNING.mesh.enableTracing: not in effect yet: it needs tracing",
        "WARNING.mesh.defaultConfig.discoveryAddress: not in effect yet: it needs capture and the inbound side",
        "WARNING.mesh.defaultHttpRetryPolicy.retryRemoteLocalities: not in effect yet: it needs balancing by locality or in subsets",
    ] {
        assert!(said.iter().any(|line| line == wanted), "{wanted}\n{said:#?}");
    }
    for part in ["rotNamespace", "connectTimeout", "`sometimes` is nothing that can be tried again"] {
        assert!(said.iter().any(|line| line.contains(part)), "{part}\n{said:#?}");
    }
    let broken = scene.write(&mesh("rootNamespace: [\n"));
    assert_eq!(self::said(&broken).len(), 1, "{:#?}", self::said(&broken));
}

#[test]
fn the_pod_of_a_gateway_knows_better_than_the_mesh_how_many_proxies_stand_in_front() {
    const POD: &str = "
---
apiVersion: v1
kind: Pod
metadata:
  name: web-1
  namespace: edge
  annotations: { proxy.istio.io/config: '{ gatewayTopology: { numTrustedProxies: 2 }, concurrency: 2 }' }
";
    let hops = |pod: Option<&str>, text: &str| {
        let settings =
            Settings { pod_namespace: "edge".to_owned(), pod: pod.map(str::to_owned), ..settings() };
        let mut scene = Scene(Translator::new(settings));
        let translation = scene.write(&(SHOP.to_owned() + text));
        let said = translation.reports.iter().map(ToString::to_string).collect::<Vec<_>>();
        (translation.config.listeners[0].forwarded.trusted_hops, said.join("\n"))
    };
    let of_mesh = mesh("defaultConfig: { gatewayTopology: { numTrustedProxies: 1, proxyProtocol: {} } }");
    let mesh = format!("\n---\n{of_mesh}");
    assert_eq!(hops(None, "").0, 0);
    let (count, said) = hops(None, &mesh);
    assert_eq!(count, 1);
    assert!(
        said.contains("data.mesh.defaultConfig.gatewayTopology.proxyProtocol: not in effect yet"),
        "{said}"
    );
    assert_eq!(hops(Some("web-2"), &(mesh.clone() + POD)).0, 1, "that is another pod");
    let (count, said) = hops(Some("web-1"), &(mesh + POD));
    assert_eq!(count, 2);
    let unused = "Pod edge/web-1: metadata.annotations[proxy.istio.io/config].concurrency: not in effect yet";
    assert!(said.contains(unused), "{said}");
    let wrong = POD.replace("numTrustedProxies: 2", "numTrustedProxies: many");
    let (count, said) = hops(Some("web-1"), &wrong);
    assert_eq!(count, 0);
    assert!(said.contains("it is ignored"), "{said}");
}

#[test]
fn ingresses_of_istio_are_served_by_its_gateway_as_istio_reads_them() {
    const INGRESSES: &str = "
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: mesh }
spec: { controller: istio.io/ingress-controller }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: by-annotation, namespace: shop, annotations: { kubernetes.io/ingress.class: istio } }
spec:
  rules:
  - host: a.test
    http:
      paths:
      - { path: /start.*, pathType: ImplementationSpecific, backend: { service: { name: web, port: { number: 80 } } } }
      - { path: /below/*, pathType: ImplementationSpecific, backend: { service: { name: web, port: { number: 80 } } } }
      - { path: /whole, pathType: ImplementationSpecific, backend: { service: { name: web, port: { number: 80 } } } }
      - { path: /segments, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }
      - { path: '*', pathType: ImplementationSpecific, backend: { service: { name: web, port: { number: 80 } } } }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: by-class, namespace: shop }
spec: { ingressClassName: mesh, rules: [{ host: b.test, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: by-nothing, namespace: shop }
spec: { rules: [{ host: c.test, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }] }
";
    let served = |label: &str, text: &str| {
        let mut settings = settings();
        settings.classes.without_class = false;
        settings.labels = [("istio".to_owned(), label.to_owned())].into();
        let mut scene = Scene(Translator::new(settings));
        let objects = if text.is_empty() { String::new() } else { format!("\n---\n{}", mesh(text)) };
        let translation = scene.write(&(INGRESSES.to_owned() + &objects));
        let hosts = ["a.test", "b.test", "c.test"].into_iter();
        let hosts: Vec<&str> = hosts.filter(|host| route(&translation, host).is_some()).collect();
        (hosts.join(" "), translation)
    };
    for (label, text, wanted) in [
        ("ingressgateway", "", "a.test b.test"),
        ("ingressgateway", "ingressControllerMode: STRICT", "a.test b.test"),
        ("ingressgateway", "ingressControllerMode: DEFAULT", "a.test b.test c.test"),
        ("ingressgateway", "ingressControllerMode: OFF", ""),
        ("ingressgateway", "ingressClass: other", "b.test"),
        ("ingressgateway", "ingressSelector: edge", ""),
        ("edge", "ingressSelector: edge", "a.test b.test"),
        ("egressgateway", "", ""),
    ] {
        assert_eq!(served(label, text).0, wanted, "{label}, {text}");
    }
    let (_, translation) = served("ingressgateway", "");
    let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    let host = hosts.into_iter().find(|host| host.name == "a.test").unwrap();
    let paths: Vec<_> = host.routes.iter().filter_map(|route| route.matches.first()?.path.clone()).collect();
    let text = |path: &str| PathMatch::StringPrefix(path.to_owned());
    let wanted = [
        PathMatch::Exact("/whole".to_owned()),
        PathMatch::Prefix("/segments".to_owned()),
        text("/start"),
        text("/below"),
        text("/"),
    ];
    for path in &wanted {
        assert!(paths.contains(path), "{path:?} in {paths:?}");
    }
    assert_eq!(paths.len(), wanted.len(), "{paths:?}");
}
