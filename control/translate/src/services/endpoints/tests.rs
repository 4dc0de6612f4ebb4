use crate::{
    Settings, Topology, Translation,
    tests::{settings, translate_with},
};
use sluice_model::spec::{Action, Route};

/// An Ingress for the service `web` at a port, which is written as YAML.
fn ingress(port: &str) -> String {
    format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ name: web, namespace: shop }}
spec:
  rules:
  - host: shop.example
    http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ {port} }} }} }} }}] }}
"
    )
}

fn service(spec: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{ name: web, namespace: shop }}\nspec: {{ {spec} }}\n"
    )
}

fn slice(name: &str, family: &str, endpoints: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{ name: {name}, namespace: shop, labels: {{ kubernetes.io/service-name: web }} }}\n\
         addressType: {family}\nports: [{{ port: 8080 }}]\nendpoints: [{endpoints}]\n"
    )
}

fn pod(name: &str, status: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{ name: {name}, namespace: shop, labels: {{ app: web }} }}\n\
         spec: {{ containers: [{{ name: web, ports: [{{ name: http, containerPort: 8080 }}] }}] }}\nstatus: {{ {status} }}\n"
    )
}

fn root(translation: &Translation) -> &Route {
    translation.config.route_tables[0].virtual_hosts[0].routes.last().unwrap()
}

/// Where requests go, or the status that they get.
fn served(translation: &Translation) -> Vec<String> {
    match &root(translation).action {
        Action::Respond(answer) => vec![answer.status.get().to_string()],
        Action::Forward(forward) => {
            let name = &forward.destinations[0].cluster;
            let cluster = translation.config.clusters.iter().find(|cluster| cluster.name == *name).unwrap();
            cluster.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
        }
        other @ Action::Redirect(_) => panic!("{other:?}"),
    }
}

/// The same for a service with the port 80 and these objects.
fn at_port_80(settings: Settings, more: &str, objects: &[String]) -> Vec<String> {
    let service = service(&format!("ports: [{{ port: 80, targetPort: 8080 }}]{more}"));
    served(&translate_with(settings, &(ingress("number: 80") + &service + &objects.concat())))
}

fn inside(node: &str, zone: &str) -> Settings {
    let topology = Topology { node: node.to_owned(), zone: zone.to_owned(), ..Topology::default() };
    Settings { topology, ..settings() }
}

#[test]
fn hints_keep_requests_in_their_zone_where_every_endpoint_has_some_and_some_are_for_this_zone() {
    let endpoint = |ip: u8, zone: &str| {
        format!("{{ addresses: [127.0.0.{ip}], hints: {{ forZones: [{{ name: {zone} }}] }} }}")
    };
    let hinted = [slice("one", "IPv4", &[endpoint(1, "east"), endpoint(2, "west")].join(", "))];
    let all = ["127.0.0.1:8080", "127.0.0.2:8080"];
    assert_eq!(at_port_80(inside("", "east"), "", &hinted), ["127.0.0.1:8080"]);
    assert_eq!(at_port_80(inside("", "north"), "", &hinted), all, "nobody is meant for this zone");
    assert_eq!(at_port_80(inside("", ""), "", &hinted), all, "the zone is not known");
    let mixed = [hinted[0].clone(), slice("two", "IPv4", "{ addresses: [127.0.0.3] }")];
    assert_eq!(at_port_80(inside("", "east"), "", &mixed).len(), 3, "one has no hint");
    let mut settings = inside("", "east");
    settings.topology.hints = false;
    assert_eq!(at_port_80(settings, "", &hinted), all, "--enable-topology-aware-routing=false");
}

#[test]
fn a_service_for_its_own_node_is_served_there_and_nowhere_else() {
    let local = ", internalTrafficPolicy: Local";
    let slices = [slice(
        "one",
        "IPv4",
        "{ addresses: [127.0.0.1], nodeName: one }, { addresses: [127.0.0.2], nodeName: two }",
    )];
    assert_eq!(at_port_80(inside("two", ""), local, &slices), ["127.0.0.2:8080"]);
    assert_eq!(at_port_80(inside("three", ""), local, &slices), [""; 0], "no endpoint here");
    assert_eq!(at_port_80(inside("", ""), local, &slices).len(), 2, "the node is not known");
    assert_eq!(at_port_80(inside("two", ""), ", internalTrafficPolicy: Cluster", &slices).len(), 2);
}

#[test]
fn a_pod_with_two_addresses_is_one_endpoint_of_the_first_family() {
    let of =
        |ip: &str, pod: &str| format!("{{ addresses: ['{ip}'], targetRef: {{ kind: Pod, name: {pod} }} }}");
    let slices = [
        slice("four", "IPv4", &[of("127.0.0.1", "both"), of("127.0.0.2", "old")].join(", ")),
        slice("six", "IPv6", &[of("::1", "both"), of("::2", "new")].join(", ")),
    ];
    let four = ["127.0.0.1:8080", "127.0.0.2:8080", "[::2]:8080"];
    let six = ["127.0.0.2:8080", "[::1]:8080", "[::2]:8080"];
    for (more, wanted) in [
        ("", four),
        (", ipFamilies: [IPv4, IPv6]", four),
        (", ipFamilies: [IPv6, IPv4]", six),
        (", clusterIP: '::9'", six),
    ] {
        assert_eq!(at_port_80(settings(), more, &slices), wanted, "{more}");
    }
    let by_hand =
        [slice("four", "IPv4", "{ addresses: [127.0.0.1] }"), slice("six", "IPv6", "{ addresses: ['::1'] }")];
    assert_eq!(at_port_80(settings(), "", &by_hand).len(), 2, "what has no pod is on its own");
}

#[test]
fn only_ready_endpoints_count_also_where_one_that_ends_still_serves() {
    let conditions = [
        "ready: true, serving: true, terminating: false",
        "ready: false, serving: true, terminating: true",
        "ready: false, serving: false, terminating: true",
        "serving: true",
        "ready: false",
    ];
    let endpoints = conditions.iter().zip(1..).map(|(conditions, last): (_, u8)| {
        format!("{{ addresses: [127.0.0.{last}], conditions: {{ {conditions} }} }}")
    });
    let slices = [slice("one", "IPv4", &endpoints.collect::<Vec<_>>().join(", "))];
    assert_eq!(at_port_80(settings(), "", &slices), ["127.0.0.1:8080", "127.0.0.4:8080"]);
    assert_eq!(at_port_80(settings(), ", publishNotReadyAddresses: true", &slices).len(), 5);
}

#[test]
fn a_service_may_publish_addresses_that_are_not_ready_wherever_they_stand() {
    let unready = "conditions: [{ type: Ready, status: 'False' }]";
    let pods = [
        pod("ready", "phase: Running, podIP: 127.0.0.1"),
        pod("unready", &format!("phase: Running, podIP: 127.0.0.2, {unready}")),
        pod("starting", "phase: Pending, podIP: 127.0.0.3"),
        pod("over", "phase: Succeeded, podIP: 127.0.0.4"),
    ];
    let (selected, all) = (", selector: { app: web }", ", publishNotReadyAddresses: true");
    assert_eq!(at_port_80(settings(), selected, &pods), ["127.0.0.1:8080"]);
    let published = at_port_80(settings(), &format!("{selected}{all}"), &pods);
    assert_eq!(published, ["127.0.0.1:8080", "127.0.0.2:8080", "127.0.0.3:8080"]);

    let endpoints = ["---\napiVersion: v1\nkind: Endpoints\nmetadata: { name: web, namespace: shop }\nsubsets: \
        [{ addresses: [{ ip: 127.0.0.1 }], notReadyAddresses: [{ ip: 127.0.0.2 }], ports: [{ port: 8080 }] }]\n"
        .to_owned()];
    assert_eq!(at_port_80(settings(), "", &endpoints), ["127.0.0.1:8080"]);
    assert_eq!(at_port_80(settings(), all, &endpoints), ["127.0.0.1:8080", "127.0.0.2:8080"]);
}

#[test]
fn a_headless_service_and_one_without_selector_are_served_by_what_is_written_for_them() {
    let twice = [
        slice("one", "IPv4", "{ addresses: [127.0.0.2] }, { addresses: [127.0.0.1] }"),
        slice("two", "IPv4", "{ addresses: [127.0.0.1] }"),
    ];
    let each_once = ["127.0.0.1:8080", "127.0.0.2:8080"];
    assert_eq!(at_port_80(settings(), ", clusterIP: None", &twice), each_once);
    assert_eq!(at_port_80(settings(), "", &twice), each_once, "no selector");
    assert_eq!(at_port_80(settings(), ", selector: { app: web }", &[]), [""; 0], "no pod");
    let by_service = |cluster_ip: &str| {
        let ingress = ingress("number: 80").replace(
            "namespace: shop }",
            "namespace: shop, annotations: { nginx.ingress.kubernetes.io/service-upstream: 'true' } }",
        );
        let service = service(&format!("ports: [{{ port: 80, targetPort: 8080 }}], clusterIP: {cluster_ip}"));
        served(&translate_with(settings(), &(ingress + &service + &twice.concat())))
    };
    assert_eq!(by_service("127.0.0.9"), ["127.0.0.9:80"]);
    assert_eq!(by_service("None"), each_once, "a headless service has no address of its own");
}

#[test]
fn an_external_name_is_reached_at_the_port_that_the_ingress_says() {
    let external = |port: &str, spec: &str| {
        served(&translate_with(
            settings(),
            &(ingress(port) + &service(&format!("type: ExternalName, {spec}"))),
        ))
    };
    let ports = "ports: [{ name: web, port: 8443 }]";
    for (port, spec, wanted) in [
        ("number: 80", "externalName: other.test", "other.test:80"),
        ("number: 80", "externalName: other.test.", "other.test:80"),
        ("number: 80", "externalName: 127.0.0.7", "127.0.0.7:80"),
        ("name: web", &format!("externalName: other.test, {ports}"), "other.test:8443"),
        ("number: 80", &format!("externalName: other.test, {ports}"), "other.test:80"),
        ("name: web", "externalName: other.test", "503"),
    ] {
        assert_eq!(external(port, spec), [wanted], "{port} {spec}");
    }
    assert_eq!(external("number: 80", "externalName: 'no name'"), [""; 0]);
    let mut settings = settings();
    settings.external_names = false;
    let text = ingress("number: 80") + &service("type: ExternalName, externalName: other.test");
    assert_eq!(served(&translate_with(settings, &text)), ["503"], "--disable-svc-external-name");
}
