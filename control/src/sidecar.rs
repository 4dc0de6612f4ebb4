//! `sluice sidecar`.

use crate::{failure::Failure, plane::Plane, told::Beside};
use clap::Args;
use std::process::ExitCode;

/// Serve the mesh to one pod: the client side of a sidecar for Services, ServiceEntries and VirtualServices.
///
/// There is one listener for each port of the services that the pod sees (`exportTo`, Sidecar). What asks there for a service by
/// name, as the pod's resolver knows it, is routed by the VirtualServices for the mesh, else to the service. Connections are
/// not captured: clients connect to the listeners themselves, as to a forward proxy that is chosen by port, or are
/// brought by something that puts a PROXY header in front (--original-dst proxy-protocol).
///
/// Hosts that nobody knows are answered with 502 where the mesh says so (`outboundTrafficPolicy`: REGISTRY_ONLY), and
/// connections to ports that nobody has are closed; else both are let through to the address that the connection was on its
/// way to or, where that is not known, answered with 404.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice sidecar --pod shop/web --manifests shop/ --bind 127.0.0.1
  sluice sidecar --pod shop/web --manifests shop/ --bind 127.0.0.1 --port-map 80=8080,9080=19080
  sluice sidecar --pod shop/web --manifests shop/ --bind 127.0.0.1 --original-dst proxy-protocol

`sluice check DIR --pod shop/web` and `sluice explain DIR --pod shop/web` say beforehand what the pod would see.")]
pub(crate) struct Sidecar {
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    plane: Plane,
}

impl Sidecar {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let Some(pod) = self.beside.pod.clone() else {
            return Err(Failure::usage("name the pod with --pod NAMESPACE/NAME"));
        };
        let settings = self.beside.settings(&self.plane.told, self.plane.has_cluster())?;
        self.plane.run(Some(pod), settings)
    }
}
