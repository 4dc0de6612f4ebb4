//! Copies of requests: `mirror-target` and `mirror-host`.

use super::location::{Location, Scene};
use crate::{
    name,
    report::{Level, Reason},
    services::is_host,
};
use sluice_model::{
    convert::brief,
    spec::{Cluster, ClusterTls, Endpoint, Mirror, MirrorTarget, Route, ServerVerification},
    value::{EndpointAddress, Percent},
};
use std::sync::Arc;

/// Where copies go.
#[derive(Debug, PartialEq)]
struct Destination {
    https: bool,
    address: EndpointAddress,
    /// The host without the port, as ingress-nginx has it.
    host: String,
    target: MirrorTarget,
}

/// Copies the location's requests as it asks for it.
pub(super) fn copy(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let Some(text) = location.annotations.text("mirror-target") else { return };
    let destination = match destination(text) {
        Ok(destination) => destination,
        Err(message) => {
            let message = format!("{message}; nothing is copied");
            scene.report_annotation(location, "mirror-target", Level::Warning, Reason::Invalid, message);
            return;
        }
    };
    let scheme = if destination.https { "https" } else { "http" };
    let name = name::fit(format!("mirror {scheme}://{}", destination.address));
    let mut cluster = Cluster::new(name.clone(), vec![Endpoint { address: destination.address, weight: 1 }]);
    if destination.https {
        // nginx verifies no server that it proxies to.
        cluster.tls = Some(ClusterTls { server_name: None, verify: ServerVerification::Insecure });
    }
    let host = match location.annotations.text("mirror-host") {
        Some(host) if !is_host(host) => {
            let message = format!("`{}` is not a host; copies carry the target's", brief(host));
            scene.report_annotation(location, "mirror-host", Level::Warning, Reason::Invalid, message);
            destination.host
        }
        Some(host) => host.to_owned(),
        None => destination.host,
    };
    scene.output.clusters.push(Arc::new(cluster));
    route.mirrors.push(Mirror {
        cluster: name,
        percent: Percent::ALL,
        host: Some(host),
        target: Some(destination.target),
        headers: sluice_model::spec::HeaderEdits::default(),
    });
}

fn destination(text: &str) -> Result<Destination, String> {
    let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => {
            return Err(format!(
                "`{}` is not a place for copies: write `http://host/$request_uri`",
                brief(text)
            ));
        }
    };
    let end = rest.find(['/', '$', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let target = match path {
        "$request_uri" | "/$request_uri" => MirrorTarget::Received,
        "" => MirrorTarget::Whole("/".to_owned()),
        path if path.contains('$') => {
            return Err(format!(
                "of variables, `{}` may end in `$request_uri` right behind the host alone",
                brief(text)
            ));
        }
        path if !path.starts_with('/') || path.contains(['#', '"', '<', '>']) => {
            return Err(format!("`{}` is not a path", brief(path)));
        }
        path => MirrorTarget::Whole(path.to_owned()),
    };
    let port = if https { 443 } else { 80 };
    let address = authority.parse().or_else(|_| format!("{authority}:{port}").parse());
    let address: EndpointAddress = address.map_err(|_| format!("`{}` is not a host", brief(authority)))?;
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    Ok(Destination { https, address, host: host.to_owned(), target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_server_host_and_path() {
        let say = |text| {
            destination(text).map(|found| (found.https, found.address.to_string(), found.host, found.target))
        };
        let whole = |path: &str| MirrorTarget::Whole(path.to_owned());
        for (text, https, address, host, target) in [
            (
                "http://shadow.test/$request_uri",
                false,
                "shadow.test:80",
                "shadow.test",
                MirrorTarget::Received,
            ),
            (
                "https://shadow.test$request_uri",
                true,
                "shadow.test:443",
                "shadow.test",
                MirrorTarget::Received,
            ),
            ("http://shadow.test:8080", false, "shadow.test:8080", "shadow.test", whole("/")),
            ("http://10.0.0.1:81/a?b=c", false, "10.0.0.1:81", "10.0.0.1", whole("/a?b=c")),
            ("http://[::1]:81/", false, "[::1]:81", "[::1]", whole("/")),
        ] {
            assert_eq!(say(text), Ok((https, address.to_owned(), host.to_owned(), target)), "{text}");
        }
        for text in
            ["/internal", "http://", "http:///x", "http://a/$uri", "http://a/b$request_uri", "ftp://a/"]
        {
            assert!(say(text).is_err(), "{text}");
        }
    }
}
