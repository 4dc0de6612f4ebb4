//! The same numbers in the words of others, so that dashboards, alerts and analyses go on working: `nginx_ingress_controller_*`
//! for those of ingress-nginx, `istio_*` for those of Istio. Off unless asked for; see
//! [`Options::dialects`](crate::Options::dialects).
//!
//! A shard counts under what the route, the cluster and the endpoint say of themselves (`labels` in the model), so a
//! change of the configuration that leaves these alone goes on with the same numbers.

mod istio;
mod nginx;

pub use istio::IstioMetrics;
pub use nginx::NginxMetrics;

use super::family::Family;
use crate::state::State;
use sluice_core::snapshot::Snapshot;
use sluice_filter::Fields;
use sluice_net::RequestSummary;
use std::sync::Arc;

pub(crate) use istio::IstioRegistry;
pub(crate) use nginx::NginxRegistry;

/// Which dialects are spoken.
#[derive(Debug, Clone, Default)]
pub struct Dialects {
    /// `nginx_ingress_controller_*`.
    pub nginx: Option<Arc<NginxMetrics>>,
    /// `istio_*`.
    pub istio: Option<Arc<IstioMetrics>>,
}

/// A shard's way to its numbers.
pub(super) struct LocalDialects {
    nginx: Option<nginx::Counting>,
    istio: Option<istio::Counting>,
}

impl LocalDialects {
    pub(super) fn new(dialects: &Dialects, nginx: &NginxRegistry, istio: &IstioRegistry) -> Self {
        Self {
            nginx: dialects.nginx.clone().map(|told| nginx::Counting::new(told, nginx)),
            istio: dialects.istio.as_ref().map(|_| istio::Counting::new(istio)),
        }
    }

    pub(super) fn count(&mut self, request: &RequestSummary<'_>) {
        if let Some(nginx) = &mut self.nginx {
            nginx.count(request);
        }
        if let Some(istio) = &mut self.istio {
            istio.count(request);
        }
    }

    /// After a new configuration: what nobody serves any more makes room.
    pub(super) fn make_room(&mut self, snapshot: &Snapshot) {
        if let Some(nginx) = &mut self.nginx {
            nginx.make_room(snapshot);
        }
        if let Some(istio) = &mut self.istio {
            istio.make_room(snapshot);
        }
    }
}

/// What is counted in every dialect that is spoken, now.
pub(crate) fn families(state: &State) -> Vec<Family> {
    let mut families = Vec::new();
    if let Some(told) = &state.dialects.nginx {
        families.extend(nginx::families(told, state));
    }
    if let Some(told) = &state.dialects.istio {
        families.extend(istio::families(told, state.shards.iter().map(|shard| &*shard.istio)));
    }
    families
}

/// What a head takes as HTTP/1.1 writes it: the first line, the fields, and the empty line.
fn head_length(first_line: usize, fields: &dyn Fields) -> u64 {
    let mut length = first_line + "\r\n\r\n".len();
    fields.each(&mut |name, value| length += name.len() + ": ".len() + value.len() + "\r\n".len());
    length as u64
}

/// The request with its head. Nothing is known of a head that could not be read.
fn request_length(request: &RequestSummary<'_>) -> u64 {
    let record = request.record;
    let line = record.method.len() + record.path.len() + "  HTTP/1.1".len();
    record.bytes_received + if record.method.is_empty() { 0 } else { head_length(line, request.request) }
}

/// The answer with its head: the fields that the upstream sent, none where the proxy answered by itself.
fn response_length(request: &RequestSummary<'_>) -> u64 {
    let head =
        if request.record.status == 0 { 0 } else { head_length("HTTP/1.1 200".len(), request.response) };
    request.record.bytes_sent + head
}
