//! Which endpoint of a service is next: `upstream-hash-by` before `load-balance`, and of each the annotation before the
//! ConfigMap's key.

use super::location::{Location, Scene};
use crate::{
    nginx,
    report::{Level, Reason},
};
use sluice_model::{
    convert::brief,
    spec::{Balancer, BalancerKey, Cluster, PeakEwma, RingHash},
    template::Moment,
};

const HASH_BY: &str = "upstream-hash-by";
const LOAD_BALANCE: &str = "load-balance";

/// Tells a cluster how its endpoints are chosen. What differs from the usual is a part of its name: the same service may serve
/// several locations in different ways. For a canary `location` is its own, as in ingress-nginx.
pub(super) fn choose(scene: &mut Scene<'_, '_>, location: &Location<'_>, cluster: &mut Cluster) {
    let own = location.annotations.text(HASH_BY);
    let text = own.unwrap_or(&scene.settings.ingress.upstream_hash_by).trim();
    if !text.is_empty() {
        match key(scene, location, text) {
            Ok(template) => {
                cluster.name.push_str(" by ");
                cluster.name.push_str(&template);
                let key = BalancerKey::Template(template);
                cluster.balancer = Balancer::RingHash(RingHash { key });
                return;
            }
            Err(why) => {
                let source = if own.is_some() { "" } else { " (from the ConfigMap)" };
                let message = format!("{why}{source}; endpoints get requests as if it were not there");
                scene.report_annotation(location, HASH_BY, Level::Warning, Reason::Invalid, message);
            }
        }
    }
    let by_latency = match location.annotations.text(LOAD_BALANCE) {
        Some(wanted) => wanted == "ewma",
        None => scene.settings.ingress.by_latency,
    };
    if by_latency {
        cluster.name.push_str(" ewma");
        // Ten seconds, as in ingress-nginx.
        cluster.balancer = Balancer::PeakEwma(PeakEwma::default());
    }
}

/// What requests are told apart by. The error says what is wrong with the text.
fn key(scene: &Scene<'_, '_>, location: &Location<'_>, text: &str) -> Result<String, String> {
    let template = nginx::template(text, &location.place(scene.host), Moment::Request)
        .map_err(|why| format!("it {why}"))?;
    if nginx::is_constant(&template) {
        return Err(format!(
            "`{}` is the same for every request: name a variable, `$request_uri` say",
            brief(text)
        ));
    }
    Ok(template)
}
