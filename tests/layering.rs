//! The folder tree is the architecture: arrows point down the list of ARCHITECTURE.md only.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    process::Command,
};

/// Highest first; a crate names only what stands below it.
const LAYERS: [&str; 11] = [
    "sluice-control",
    "sluice-translate",
    "sluice-crds",
    "sluice-proxy",
    "sluice-net",
    "sluice-tls",
    "sluice-filters",
    "sluice-core",
    "sluice-http1",
    "sluice-filter",
    "sluice-model",
];

/// Nothing that is shipped names these; they may name whatever they look at.
const BESIDE: [&str; 2] = ["sluice-dsl", "sluice-benches"];

/// Crates that are sans-io, all the way down.
const PURE: [&str; 6] =
    ["sluice-translate", "sluice-crds", "sluice-core", "sluice-http1", "sluice-filter", "sluice-model"];

const IO: [&str; 6] = ["tokio", "hyper", "h2", "rustls", "kube", "mio"];

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(MANIFEST)
        // For this platform only: cargo has fetched what it builds, and nothing else.
        .other_options(["--locked", "--offline", "--filter-platform", "host-tuple"].map(str::to_owned))
        .exec()
        .expect("cargo metadata runs")
}

/// Names of direct normal dependencies.
fn direct<'m>(metadata: &'m Metadata, package: &PackageId) -> Vec<&'m PackageId> {
    let resolve = metadata.resolve.as_ref().expect("dependencies are resolved");
    let node = resolve.nodes.iter().find(|node| node.id == *package).expect("every package has a node");
    node.deps
        .iter()
        .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal))
        .map(|dep| &dep.pkg)
        .collect()
}

fn names(metadata: &Metadata) -> HashMap<&PackageId, &str> {
    metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect()
}

fn id<'m>(metadata: &'m Metadata, name: &str) -> &'m PackageId {
    let package = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == name);
    &package.unwrap_or_else(|| panic!("the workspace has a crate {name}")).id
}

/// Names of normal dependencies, transitive.
fn below<'m>(metadata: &'m Metadata, name: &str) -> BTreeSet<&'m str> {
    let names = names(metadata);
    let mut seen = HashSet::new();
    let mut open = vec![id(metadata, name)];
    while let Some(package) = open.pop() {
        for dependency in direct(metadata, package) {
            if seen.insert(dependency) {
                open.push(dependency);
            }
        }
    }
    seen.into_iter().map(|package| names[package]).collect()
}

#[test]
fn arrows_point_down() {
    let metadata = metadata();
    let names = names(&metadata);
    for (place, name) in LAYERS.iter().enumerate() {
        for dependency in direct(&metadata, id(&metadata, name)) {
            let dependency = names[dependency];
            assert!(
                !LAYERS[..=place].contains(&dependency),
                "{name} names {dependency}, which stands above it"
            );
            assert!(!BESIDE.contains(&dependency), "{name} names {dependency}, which is not shipped");
        }
    }
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let known = LAYERS.contains(&name) || BESIDE.contains(&name);
        assert!(known, "{} has no place in the list of layers", package.name);
    }
}

#[test]
fn decisions_are_made_without_io() {
    let metadata = metadata();
    for name in PURE {
        let below = below(&metadata, name);
        for forbidden in IO {
            assert!(!below.contains(forbidden), "{name} depends on {forbidden}");
        }
    }
}

#[test]
fn one_crate_names_rustls() {
    let metadata = metadata();
    let names = names(&metadata);
    for name in LAYERS {
        let names_rustls = direct(&metadata, id(&metadata, name))
            .into_iter()
            .any(|dep| ["rustls", "tokio-rustls", "rustls-pki-types"].contains(&names[dep]));
        assert_eq!(names_rustls, name == "sluice-tls", "{name} and rustls");
    }
}

/// aws-lc-rs is our only cryptography. The metadata also name optional crates that nothing turns on, hence the tree.
#[test]
fn nobody_needs_ring() {
    let tree = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--workspace",
            "--edges=normal",
            "--prefix=none",
            "--format={p}",
        ])
        .arg("--manifest-path")
        .arg(MANIFEST)
        .output()
        .expect("cargo tree runs");
    let text = String::from_utf8_lossy(&tree.stdout);
    assert!(text.contains("\naws-lc-rs v"), "{}", String::from_utf8_lossy(&tree.stderr));
    let ring: Vec<&str> = text.lines().filter(|line| line.starts_with("ring v")).collect();
    assert!(ring.is_empty(), "{ring:?}; ask `cargo tree --invert ring`");
}
