//! `sluice gateway`.

use crate::{failure::Failure, plane::Plane, told::OwnPod};
use clap::Args;
use sluice_translate::NamespacedName;
use std::process::ExitCode;

/// Serve Kubernetes objects: an ingress gateway for Ingress, Gateway and VirtualService.
///
/// The objects are those of the Kubernetes API server that `--kubeconfig` names, or of the cluster in which this process runs:
/// they are watched, Secrets only where something refers to them. What became of them is written to their status and to Events,
/// by one replica at a time.
///
/// With `--manifests` the objects come from a folder: every .yaml, .yml and .json below it, several documents a file. The
/// folder is watched: a change takes effect within a moment and loses no request. A file that is broken is reported and
/// keeps the objects that it had, as does one that somebody is writing, until it is closed; an object that cannot be served is
/// reported, and its neighbours are served. A port that is taken is tried again; until those of the first state are had, the
/// gateway is not ready. SIGTERM and Ctrl-C drain, a second one ends at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice gateway --kubeconfig ~/.kube/config --context test --bind 127.0.0.1 --port-map 80=8080,443=8443
  sluice gateway --manifests configs/canary --bind 127.0.0.1 --port-map 80=8080,443=8443
  sluice gateway --manifests shop/ --labels istio=ingressgateway --access-log text

The flags of the ingress-nginx controller are taken by their own names (see --help). GET /status on the admin port says
what became of each object, `sluice check DIR` says the same beforehand.")]
pub(crate) struct Gateway {
    #[command(flatten)]
    own: OwnPod,
    #[command(flatten)]
    plane: Plane,
}

impl Gateway {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let settings = self.own.settings(&self.plane.told, self.plane.has_cluster())?;
        let namespace = settings.pod_namespace.clone();
        let pod = settings.pod.clone().map(|name| NamespacedName { namespace, name });
        self.plane.run(pod, settings)
    }
}
