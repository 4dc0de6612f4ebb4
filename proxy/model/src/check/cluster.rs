//! Clusters.

use super::{
    At, Context, balancer,
    before::Before,
    names::{self, Kind},
    resilience, text,
};
use crate::{
    spec::{self, Cluster, ClusterProtocol, ServerVerification},
    value::EndpointAddress,
};
use std::collections::HashSet;

pub(super) fn check<'a>(cx: &mut Context<'a>, config: &'a spec::Config, root: At<'_>) {
    let all = root.key("clusters");
    if !cx.before.as_ref().is_some_and(Before::same_cluster_names) {
        names::unique(cx, all, "cluster", config.clusters.iter().map(|cluster| &*cluster.name));
    }
    for (index, cluster) in config.clusters.iter().enumerate() {
        let known = |before: &Before<'_>| before.names_hold && before.kept.clusters[index].is_some();
        if !cx.before.as_ref().is_some_and(known) {
            one(cx, cluster, all.index(index));
        }
    }
}

fn one<'a>(cx: &mut Context<'a>, cluster: &'a Cluster, at: At<'_>) {
    if cluster.unavailable {
        if !cluster.endpoints.is_empty() {
            cx.warning(at.key("endpoints"), "have no effect: the cluster is `unavailable`");
        }
        return;
    }
    if !cluster.original_destination {
        endpoints(cx, cluster, at);
    } else if !cluster.endpoints.is_empty() {
        cx.warning(
            at.key("endpoints"),
            "have no effect: the cluster is served at the `original_destination`",
        );
    }
    balancer::check(cx, &cluster.balancer, at.key("balancer"));
    resilience::check(cx, cluster, at);
    match &cluster.tls {
        None if cluster.protocol == ClusterProtocol::Auto => {
            cx.warning(at.key("protocol"), "`auto` needs TLS; without it HTTP/1.1 is spoken")
                .suggest("write `http1` or `http2`");
        }
        None => {}
        Some(tls) => {
            let at = at.key("tls");
            if let Some(name) = &tls.server_name {
                text::host(cx, at.key("server_name"), name);
            }
            let verify = at.key("verify");
            match &tls.verify {
                ServerVerification::System => {}
                ServerVerification::Ca(name) => names::refer(cx, verify.key("ca"), Kind::Secret("ca"), name),
                ServerVerification::Insecure => {
                    cx.warning(
                        verify,
                        "the server is not verified: anybody on the way can read and change the traffic",
                    );
                }
            }
        }
    }
    let keep_alive = &cluster.keep_alive;
    if keep_alive.max_idle == 0
        && *keep_alive != (spec::KeepAlive { max_idle: 0, ..spec::KeepAlive::default() })
    {
        cx.info(
            at.key("keep_alive"),
            "`max_idle: 0` keeps no connection, so the other settings have no effect",
        );
    }
}

fn endpoints(cx: &mut Context<'_>, cluster: &Cluster, at: At<'_>) {
    const HEAVIEST: u32 = 65_535;
    let all = at.key("endpoints");
    if cluster.endpoints.is_empty() {
        cx.warning(all, "the cluster has no endpoints, so it answers 503");
    } else if cluster.endpoints.iter().all(|endpoint| endpoint.weight == 0) {
        cx.warning(all, "all weights are 0, so the cluster answers 503");
    }
    let mut seen = HashSet::new();
    for (index, endpoint) in cluster.endpoints.iter().enumerate() {
        let at = all.index(index);
        if endpoint.weight > HEAVIEST {
            cx.error(at.key("weight"), format!("a weight is at most {HEAVIEST}"));
        }
        if !seen.insert(&endpoint.address) {
            cx.warning(at.key("address"), format!("`{}` is listed twice", endpoint.address));
        }
        let port = match &endpoint.address {
            EndpointAddress::Socket(address) => address.port(),
            EndpointAddress::Name(_, port) => *port,
        };
        if port == 443 && cluster.tls.is_none() {
            cx.warning(at.key("address"), "port 443 is for TLS, but the cluster has no `tls`")
                .suggest("add `tls: {}`");
        }
    }
}
