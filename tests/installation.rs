//! `configs/kubernetes` without a cluster: that it is what it says, and that the gateway takes the arguments in it. What a
//! real API server makes of it is in `kubernetes.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "installation/rights.rs"]
mod rights;

use k8s_openapi::api::{
    apps::v1::Deployment,
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{Namespace, Service, ServiceAccount},
    networking::v1::IngressClass,
    policy::v1::PodDisruptionBudget,
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sluice_dsl::{Http1, cli, objects, tool, within};
use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/kubernetes");

const FOLDERS: [&str; 5] = ["base", "crds", "autoscaling", "named-secrets", "nginx-class"];

/// Files that are no objects of Kubernetes.
const OTHERS: [&str; 2] = ["kustomization.yaml", "prometheus-adapter.yaml"];

fn manifests() -> Vec<Value> {
    let mut all = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if !OTHERS.contains(&path.file_name().unwrap().to_str().unwrap()) {
                all.extend(objects(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    all
}

fn deployment() -> Value {
    manifests().into_iter().find(|object| object["kind"] == "Deployment").unwrap()
}

/// Reads an object as its kind, and says which of its fields the kind does not have.
fn unknown<K: DeserializeOwned + Serialize>(object: &Value) -> Result<Vec<String>, String> {
    let read: K = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let mut lost = Vec::new();
    compare(object, &serde_json::to_value(read).unwrap(), "", &mut lost);
    Ok(lost)
}

fn compare(written: &Value, read: &Value, at: &str, lost: &mut Vec<String>) {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            for (key, value) in written {
                match read.get(key) {
                    Some(read) => compare(value, read, &format!("{at}.{key}"), lost),
                    // Empty and absent are the same to Kubernetes.
                    None if *value == Value::Object(serde_json::Map::new()) => {}
                    None => lost.push(format!("{at}.{key}")),
                }
            }
        }
        (Value::Array(written), Value::Array(read)) => {
            for (index, (written, read)) in written.iter().zip(read).enumerate() {
                compare(written, read, &format!("{at}[{index}]"), lost);
            }
        }
        _ => {}
    }
}

#[test]
fn every_file_holds_objects_with_fields_that_their_kinds_have() {
    for object in manifests() {
        let read = match object["kind"].as_str().unwrap() {
            "Namespace" => unknown::<Namespace>(&object),
            "ServiceAccount" => unknown::<ServiceAccount>(&object),
            "Service" => unknown::<Service>(&object),
            "Deployment" => unknown::<Deployment>(&object),
            "IngressClass" => unknown::<IngressClass>(&object),
            "PodDisruptionBudget" => unknown::<PodDisruptionBudget>(&object),
            "HorizontalPodAutoscaler" => unknown::<HorizontalPodAutoscaler>(&object),
            "ClusterRole" => unknown::<ClusterRole>(&object),
            "ClusterRoleBinding" => unknown::<ClusterRoleBinding>(&object),
            "Role" => unknown::<Role>(&object),
            "RoleBinding" => unknown::<RoleBinding>(&object),
            "CustomResourceDefinition" => unknown::<CustomResourceDefinition>(&object),
            kind => panic!("nobody checks a {kind}"),
        };
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        assert_eq!(read.unwrap_or_else(|error| panic!("{name}: {error}")), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn every_kustomization_lists_files_that_are_there() {
    for folder in ["."].into_iter().chain(FOLDERS) {
        let folder = Path::new(ROOT).join(folder);
        let text = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
        for resource in objects(&text)[0]["resources"].as_array().unwrap() {
            assert!(folder.join(resource.as_str().unwrap()).exists(), "{resource} in {}", folder.display());
        }
    }
}

#[tokio::test]
async fn kustomize_makes_one_deployment_of_the_base_and_takes_secrets_away() {
    for (folder, secrets) in [("", true), ("named-secrets", false)] {
        let folder = Path::new(ROOT).join(folder);
        let Some(output) = tool("kubectl", ["kustomize", folder.to_str().unwrap()]).await else { return };
        assert_eq!(output.code, 0, "{}", output.stderr);
        let made = objects(&output.stdout);
        assert_eq!(made.iter().filter(|object| object["kind"] == "Deployment").count(), 1);
        let reads = |object: &&Value| object.pointer("/rules/0/resources/0") == Some(&"secrets".into());
        assert_eq!(made.iter().any(|object| reads(&object)), secrets, "{}", folder.display());
    }
}

/// With free ports in place of those of a pod, and a folder in place of a cluster.
#[tokio::test]
async fn the_arguments_of_the_deployment_start_a_gateway_that_its_probes_find_well() {
    let deployment = deployment();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let free = BTreeMap::from([
        ("--port-map=80=8080,443=8443", "--port-map=80=0,443=0"),
        ("--admin=127.0.0.1:15000", "--admin=127.0.0.1:0"),
        ("--health=0.0.0.0:15021", "--health=127.0.0.1:0"),
    ]);
    let arguments = container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let mut arguments: Vec<&str> =
        arguments.map(|argument| free.get(argument).copied().unwrap_or(argument)).collect();
    for port in free.values() {
        assert!(arguments.contains(port), "{arguments:?}");
    }
    arguments.extend(["--manifests=.", "--bind=127.0.0.1"]);
    let cli = cli!();
    let mut gateway = cli.start(arguments);
    let line = gateway.says("health on ").await;
    let address: SocketAddr = line.rsplit_once(' ').unwrap().1.parse().unwrap();
    for probe in ["readinessProbe", "livenessProbe"] {
        let get = &container[probe]["httpGet"];
        assert_eq!(get["port"], "health", "{probe}");
        let path = get["path"].as_str().unwrap();
        // It is ready when it has read the folder, and that is after the endpoint is there.
        let well = async { while Http1::connect(address).await.get(path).await.status != 200 {} };
        within(format!("{path} says that all is well"), well).await;
    }
}

#[test]
fn the_ports_of_the_deployment_are_those_of_its_arguments_and_of_the_service() {
    let deployment = deployment();
    let pod = &deployment["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    let arguments = container["args"].to_string();
    let named: BTreeMap<&str, u64> = container["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| (port["name"].as_str().unwrap(), port["containerPort"].as_u64().unwrap()))
        .collect();
    assert!(
        arguments.contains(&format!("--port-map=80={},443={}", named["http"], named["https"])),
        "{arguments}"
    );
    assert!(arguments.contains(&format!("--health=0.0.0.0:{}", named["health"])), "{arguments}");
    assert_eq!(pod["metadata"]["annotations"]["prometheus.io/port"], named["health"].to_string());

    let service = manifests().into_iter().find(|object| object["kind"] == "Service").unwrap();
    for (port, target) in [(80, "http"), (443, "https")] {
        let ports = service["spec"]["ports"].as_array().unwrap();
        assert!(
            ports.iter().any(|given| given["port"] == port && given["targetPort"] == target),
            "{service}"
        );
    }
}

#[test]
fn a_pod_may_do_nothing_that_it_need_not() {
    let deployment = deployment();
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["capabilities"]["drop"], serde_json::json!(["ALL"]));
    assert!(container["capabilities"].get("add").is_none());
}

#[test]
fn no_role_has_a_wildcard() {
    for object in manifests() {
        for rule in object["rules"].as_array().into_iter().flatten() {
            assert!(!rule.to_string().contains('*'), "{} {rule}", object["metadata"]["name"]);
        }
    }
}

#[test]
fn the_metric_of_the_autoscaler_is_the_one_that_the_adapter_makes() {
    let text = fs::read_to_string(Path::new(ROOT).join("autoscaling/prometheus-adapter.yaml")).unwrap();
    let rule = &objects(&text)[0]["rules"]["custom"][0];
    let autoscaler =
        manifests().into_iter().find(|object| object["kind"] == "HorizontalPodAutoscaler").unwrap();
    assert_eq!(rule["name"]["as"], autoscaler["spec"]["metrics"][0]["pods"]["metric"]["name"]);
    assert!(rule["seriesQuery"].as_str().unwrap().starts_with("sluice_requests_total{"), "{rule}");
}
