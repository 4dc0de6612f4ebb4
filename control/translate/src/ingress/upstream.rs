//! How servers are spoken to: protocol, address, host, patience, what is tried again and how much may be sent.

use super::{
    location::{Location, Scene, Target},
    select::Personality,
};
use crate::{
    nginx::{self, Place},
    report::{Level, Reason},
    services::is_host,
    settings::IngressDefaults,
    store::Of,
};
use sluice_crds::{
    annotations::Value,
    core::{Service, ServicePort},
};
use sluice_model::{
    convert::brief,
    spec::{
        Action, Cluster, ClusterProtocol, ClusterTls, Endpoint, HeaderValue, HostRewrite, Retry, RetryOn,
        Route, Scheme, ServerVerification,
    },
    template::Moment,
    value::{Duration, EndpointAddress, Size, StatusCode},
};
use std::{fmt::Write, net::SocketAddr, sync::Arc};

/// nginx waits for a minute, and takes a mebibyte.
const NGINX_PATIENCE: Duration = Duration::from_secs(60);
const NGINX_BODY: Size = Size::kib(1024);

/// Tells a cluster how the servers of a location are spoken to. What differs from the usual is a part of its name: the same
/// service may be spoken to in several ways.
pub(super) fn shape(scene: &Scene<'_, '_>, location: &Location<'_>, cluster: &mut Cluster) {
    let unverified = || Some(ClusterTls { server_name: None, verify: ServerVerification::Insecure });
    let (name, protocol, tls) = match location.annotations.text("backend-protocol") {
        Some("HTTPS") => (" https", ClusterProtocol::Http1, unverified()),
        Some("GRPC") => (" grpc", ClusterProtocol::Http2, None),
        Some("GRPCS") => (" grpcs", ClusterProtocol::Http2, unverified()),
        _ => ("", ClusterProtocol::Http1, None),
    };
    cluster.name.push_str(name);
    cluster.protocol = protocol;
    cluster.tls = tls;
    let closes = |text: &str| text.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"));
    if location.annotations.text("connection-proxy-header").is_some_and(closes) {
        cluster.name.push_str(" closing");
        cluster.keep_alive.max_requests = 1;
    }
    let connect = time(location, "proxy-connect-timeout").or(scene.settings.ingress.proxy_connect_timeout);
    if let Some(connect) = connect.filter(|connect| *connect != cluster.connect_timeout) {
        let _ = write!(cluster.name, " connect {connect}");
        cluster.connect_timeout = connect;
    }
}

/// Puts down a cluster that the routes of a location name; for `AUTO_HTTP` also the one that clients with TLS get.
pub(super) fn add(scene: &mut Scene<'_, '_>, location: &Location<'_>, cluster: Cluster) {
    if follows_clients(location) {
        let tls = Some(ClusterTls { server_name: None, verify: ServerVerification::Insecure });
        scene.output.clusters.push(Arc::new(Cluster {
            name: with_tls(&cluster.name),
            tls,
            ..cluster.clone()
        }));
    }
    scene.output.clusters.push(Arc::new(cluster));
}

/// A location's route for clients of a scheme.
pub(super) fn towards(location: &Location<'_>, route: &Route, scheme: Scheme) -> Route {
    let mut route = route.clone();
    if let (true, Scheme::Https, Action::Forward(forward)) =
        (follows_clients(location), scheme, &mut route.action)
    {
        let destinations = forward.destinations.iter_mut().map(|destination| &mut destination.cluster);
        let canaries = forward.canaries.iter_mut().map(|canary| &mut canary.cluster);
        destinations.chain(canaries).for_each(|cluster| *cluster = with_tls(cluster));
    }
    route
}

/// Whether servers are spoken to as clients speak to us.
fn follows_clients(location: &Location<'_>) -> bool {
    location.annotations.text("backend-protocol") == Some("AUTO_HTTP")
        && matches!(location.target, Target::Service(_))
}

fn with_tls(cluster: &str) -> String {
    format!("{cluster} https")
}

/// The address of the service itself, for those who leave the choice of an endpoint to the cluster. A headless service has
/// none.
pub(super) fn service_address(
    scene: &Scene<'_, '_>,
    location: &Location<'_>,
    service: Of<'_, Service>,
    port: &ServicePort,
) -> Option<Endpoint> {
    let wanted =
        location.annotations.flag("service-upstream").unwrap_or(scene.settings.ingress.service_upstream);
    let address = service.object().content.cluster_ip.parse().ok().filter(|_| wanted)?;
    Some(Endpoint { address: EndpointAddress::Socket(SocketAddr::new(address, port.port)), weight: 1 })
}

/// Gives a route its bounds, and the host that servers see.
pub(super) fn bound(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let defaults = &scene.settings.ingress;
    let compat = location.personality == Personality::Compat;
    let idle = time(location, "proxy-read-timeout").or(defaults.proxy_read_timeout);
    if let Some(idle) = idle.or(compat.then_some(NGINX_PATIENCE)) {
        route.timeouts.idle = idle;
    }
    let send = time(location, "proxy-send-timeout").or(defaults.proxy_send_timeout);
    // Where both are the same, one bound is enough.
    let send = send.or(compat.then_some(NGINX_PATIENCE)).filter(|send| *send != route.timeouts.idle);
    route.timeouts.send = send.unwrap_or_default();
    let body = match location.annotations.get("proxy-body-size") {
        Some(Value::Size(size)) => Some(Size::bytes(*size)),
        _ => defaults.proxy_body_size,
    };
    route.max_body = body.or(compat.then_some(NGINX_BODY)).filter(|most| most.get() > 0);
    route.retry = retry(location, defaults);
    if let Some(text) = location.annotations.text("upstream-vhost") {
        match host(text, &location.place(scene.host)) {
            Ok(Host::Client) => {}
            Ok(Host::Fixed(host)) => route.rewrite.host = Some(HostRewrite::Literal(host)),
            Ok(Host::Variable(field)) => route.headers.request.set.push(field),
            Err(message) => scene.report_annotation(
                location,
                "upstream-vhost",
                Level::Warning,
                Reason::Invalid,
                format!("{message}; servers get the client's host"),
            ),
        }
    }
    let known = |option: &str| ["close", "keep-alive"].contains(&&*option.trim().to_ascii_lowercase());
    if let Some(text) = location.annotations.text("connection-proxy-header")
        && !text.split(',').all(known)
    {
        let message =
            format!("`{}` is neither `keep-alive` nor `close`, and servers are not told it", brief(text));
        scene.report_annotation(
            location,
            "connection-proxy-header",
            Level::Warning,
            Reason::NotInEffect,
            message,
        );
    }
    if location.annotations.text("backend-protocol") == Some("FCGI") {
        let message = "FastCGI is not spoken; its paths answer 503";
        scene.report_annotation(location, "backend-protocol", Level::Error, Reason::NotInEffect, message);
        route.action = super::location::unavailable();
    }
}

fn time(location: &Location<'_>, name: &str) -> Option<Duration> {
    match location.annotations.get(name)? {
        Value::Time(time) => Some(Duration::from_millis(u64::try_from(time.as_millis()).ok()?)),
        _ => None,
    }
}

/// What is tried again: as nginx has it, with refused connections among its errors.
fn retry(location: &Location<'_>, defaults: &IngressDefaults) -> Retry {
    /// For nginx 0 is no bound; there are no more endpoints than this that are worth a try.
    const MOST: u32 = 50;
    const DEFAULT_TRIES: u32 = 3;
    let conditions: Vec<String> = match location.annotations.get("proxy-next-upstream") {
        Some(Value::List(conditions)) => conditions.clone(),
        _ => defaults.proxy_next_upstream.clone().unwrap_or_else(|| vec!["error".into(), "timeout".into()]),
    };
    let has = |wanted: &str| conditions.iter().any(|condition| condition == wanted);
    let tries =
        location.annotations.int("proxy-next-upstream-tries").and_then(|tries| u32::try_from(tries).ok());
    let tries = match tries.or(defaults.proxy_next_upstream_tries).unwrap_or(DEFAULT_TRIES) {
        0 => MOST,
        tries => (tries - 1).min(MOST),
    };
    let mut on = Vec::new();
    if has("error") {
        on.extend([RetryOn::ConnectFailure, RetryOn::RefusedStream, RetryOn::Reset]);
    } else if has("timeout") {
        on.push(RetryOn::ConnectFailure);
    }
    if has("timeout") {
        on.push(RetryOn::Timeout);
    }
    if has("invalid_header") {
        on.push(RetryOn::InvalidAnswer);
    }
    let statuses = conditions.iter().filter_map(|condition| condition.strip_prefix("http_")?.parse().ok());
    on.extend(statuses.filter_map(|status| StatusCode::new(status).ok()).map(RetryOn::Status));
    if has("off") || on.is_empty() || tries == 0 {
        return Retry { attempts: 0, ..Retry::default() };
    }
    let within = time(location, "proxy-next-upstream-timeout").or(defaults.proxy_next_upstream_timeout);
    let non_idempotent = has("non_idempotent") || defaults.retry_non_idempotent;
    Retry {
        attempts: tries as u8,
        on,
        within: within.unwrap_or_default(),
        non_idempotent,
        ..Retry::default()
    }
}

/// The host that servers see.
enum Host {
    /// What the client asked for.
    Client,
    /// Always the same.
    Fixed(String),
    /// It has variables in it.
    Variable(HeaderValue),
}

fn host(text: &str, place: &Place<'_>) -> Result<Host, String> {
    if ["$http_host", "$best_http_host"].contains(&text) {
        return Ok(Host::Client);
    }
    let value = nginx::template(text, place, Moment::Request).map_err(|why| format!("it {why}"))?;
    if !value.contains('%') {
        return if is_host(&value) {
            Ok(Host::Fixed(value))
        } else {
            Err(format!("`{}` is not a host", brief(text)))
        };
    }
    let name = "host".parse().map_err(|_| "it cannot be sent".to_owned())?;
    Ok(Host::Variable(HeaderValue { name, value }))
}
