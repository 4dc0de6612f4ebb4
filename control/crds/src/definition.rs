//! CustomResourceDefinitions of the Istio kinds, for clusters where Istio never was.
//!
//! They say what kubectl and an API server need: names, versions, columns, the status as a subresource. Of the content they
//! say nothing: every field is kept, known or not, so that an object is the same whoever installed the definition, and what
//! is wrong with it is told by the gateway, in the object's status.

use crate::{
    istio::{
        AuthorizationPolicy, DestinationRule, Gateway, PeerAuthentication, RequestAuthentication,
        ServiceEntry, Sidecar, VirtualService,
    },
    object::Kind,
};
use std::fmt::{self, Write};

/// The definition of one kind; prints as a YAML document.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    /// The version that objects are stored in, which is the one that is watched.
    version: &'static str,
    other_versions: &'static [&'static str],
    /// What kubectl takes for the name: `vs`.
    short_name: Option<&'static str>,
    columns: &'static [Column],
}

/// A column of `kubectl get`.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    path: &'static str,
    description: &'static str,
}

/// All of them, with the short names and columns that Istio has.
pub static ALL: [Definition; 8] = [
    of::<VirtualService>(
        Some("vs"),
        &[
            column("Gateways", ".spec.gateways", "Where it holds: gateways, and mesh for all sidecars"),
            column("Hosts", ".spec.hosts", "The hosts that clients ask for"),
        ],
    ),
    of::<DestinationRule>(Some("dr"), &[column("Host", ".spec.host", "The service that it is about")]),
    of::<Gateway>(Some("gw"), &[]),
    of::<ServiceEntry>(
        Some("se"),
        &[
            column("Hosts", ".spec.hosts", "The names of the service"),
            column("Location", ".spec.location", "Whether the service is part of the mesh"),
            column("Resolution", ".spec.resolution", "How its endpoints are found"),
        ],
    ),
    of::<Sidecar>(None, &[]),
    of::<PeerAuthentication>(
        Some("pa"),
        &[column("Mode", ".spec.mtls.mode", "Whether connections have to be mutual TLS")],
    ),
    of::<AuthorizationPolicy>(
        Some("ap"),
        &[column("Action", ".spec.action", "What becomes of requests that match")],
    ),
    of::<RequestAuthentication>(Some("ra"), &[]),
];

/// All of them as one text of YAML documents: `configs/kubernetes/crds/istio.yaml`.
pub fn manifest() -> String {
    let mut text =
        "# CustomResourceDefinitions of the Istio kinds, as `sluice crds` prints them.\n".to_owned();
    for definition in &ALL {
        let _ = write!(text, "---\n{definition}");
    }
    text
}

const fn of<K: Kind>(short_name: Option<&'static str>, columns: &'static [Column]) -> Definition {
    Definition {
        group: K::GROUP,
        kind: K::KIND,
        plural: K::PLURAL,
        version: K::VERSION,
        other_versions: K::OTHER_VERSIONS,
        short_name,
        columns,
    }
}

const fn column(name: &'static str, path: &'static str, description: &'static str) -> Column {
    Column { name, path, description }
}

// === impl Definition ===

impl Definition {
    /// `virtualservices.networking.istio.io`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }
}

impl fmt::Display for Definition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, kind, plural, .. } = self;
        let singular = kind.to_ascii_lowercase();
        // Istio's own categories: `kubectl get istio-io` lists them all.
        let category = group.replace('.', "-");
        writeln!(
            out,
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {}\nspec:\n  \
             group: {group}\n  scope: Namespaced\n  names:\n    kind: {kind}\n    listKind: {kind}List\n    \
             plural: {plural}\n    singular: {singular}",
            self.name(),
        )?;
        if let Some(short_name) = self.short_name {
            writeln!(out, "    shortNames: [{short_name}]")?;
        }
        writeln!(out, "    categories: [istio-io, {category}]\n  versions:")?;
        self.version(out, self.version)?;
        self.other_versions.iter().try_for_each(|version| self.version(out, version))
    }
}

impl Definition {
    fn version(&self, out: &mut fmt::Formatter<'_>, version: &str) -> fmt::Result {
        let storage = version == self.version;
        writeln!(
            out,
            "    - name: {version}\n      served: true\n      storage: {storage}\n      subresources: {{ status: {{}} }}\n      \
             additionalPrinterColumns:"
        )?;
        for Column { name, path, description } in self.columns {
            writeln!(
                out,
                "        - {{ name: {name}, type: string, jsonPath: {path}, description: \"{description}\" }}"
            )?;
        }
        writeln!(
            out,
            "        - {{ name: Age, type: date, jsonPath: .metadata.creationTimestamp }}\n      \
             schema:\n        openAPIV3Schema:\n          type: object\n          properties:\n            \
             spec: {{ type: object, x-kubernetes-preserve-unknown-fields: true }}\n            \
             status: {{ type: object, x-kubernetes-preserve-unknown-fields: true }}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyObject;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/kubernetes/crds/istio.yaml");

    /// To write the file anew: `SLUICE_UPDATE_GOLDEN=1 cargo test -p sluice-crds`.
    #[test]
    fn the_file_of_definitions_is_what_the_types_say() {
        if std::env::var_os("SLUICE_UPDATE_GOLDEN").is_some() {
            std::fs::write(FILE, manifest()).unwrap();
        }
        assert!(std::fs::read_to_string(FILE).unwrap() == manifest(), "{FILE} is not up to date");
    }

    #[test]
    fn every_kind_of_istio_has_one() {
        let full = crate::Manifest::read(include_str!("tests/full.yaml"));
        let is_istio = |object: &&AnyObject| {
            let object = serde_json::to_value(object).unwrap();
            object["apiVersion"].as_str().unwrap().contains(".istio.io/")
        };
        let kinds: std::collections::BTreeSet<&str> =
            full.objects().filter(is_istio).map(|object| object.name().kind).collect();
        assert_eq!(
            ALL.iter().map(|definition| definition.kind).collect::<std::collections::BTreeSet<_>>(),
            kinds
        );
    }

    #[test]
    fn exactly_one_version_is_stored() {
        for definition in &ALL {
            let text = definition.to_string();
            assert_eq!(text.matches("storage: true").count(), 1, "{}", definition.name());
            assert!(text.contains("    - name: v1\n      served: true\n      storage: true\n"), "{text}");
        }
    }
}
