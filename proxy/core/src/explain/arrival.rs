//! Where a request comes in: the listener, and the TLS scope of its connection.

use super::{Answer, Picked, Question, Verdict};
use crate::{
    scope::ScopedTables,
    snapshot::{Listener, Snapshot},
};
use std::{net::IpAddr, sync::Arc};

/// The listener that a question is about.
pub(super) fn listener<'s>(
    snapshot: &'s Snapshot,
    question: &Question,
) -> Result<&'s Arc<Listener>, Verdict> {
    let all = snapshot.listeners();
    let ports = |listener: &Listener| {
        let bound = question.bound.get(&listener.spec.name).copied().unwrap_or(listener.spec.address.port());
        (bound, listener.spec.public_port)
    };
    let fits = |listener: &&Arc<Listener>| match (&question.listener, question.port) {
        (Some(name), _) => listener.spec.name == *name,
        (None, Some(port)) => {
            let (bound, public) = ports(listener);
            bound == port || public == Some(port)
        }
        (None, None) => Arc::ptr_eq(listener, &all[0]),
    };
    let fitting: Vec<&Arc<Listener>> = all.iter().filter(fits).collect();
    if let [one] = fitting[..] {
        return Ok(one);
    }
    let words = |listener: &Arc<Listener>| {
        let (bound, public) = ports(listener);
        let public = public.map(|port| format!("port {port} of objects, ")).unwrap_or_default();
        format!("{} ({public}at {}:{bound})", listener.spec.name, ip(listener.spec.address.ip()))
    };
    Err(Verdict::NoListener {
        fitting: fitting.into_iter().map(words).collect(),
        all: all.iter().map(words).collect(),
    })
}

/// As it stands before a port.
fn ip(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

/// Which TLS scope the connection gets.
pub(super) fn handshake(
    listener: &Listener,
    question: &Question,
    host: &str,
    answer: &mut Answer,
) -> Result<(), Verdict> {
    let Some(scopes) = listener.scopes.as_ref().map(ScopedTables::scopes) else { return Ok(()) };
    let server_name = match &question.server_name {
        Some(name) => name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(),
        None if host.starts_with('[') || host.parse::<IpAddr>().is_ok() => String::new(),
        None => host.to_owned(),
    };
    let Some(scope) = scopes.find(&server_name) else { return Err(Verdict::NoScope { server_name }) };
    let scope = scopes.name(scope).map(ToString::to_string);
    let has_none = |name: &String| {
        listener.spec.scopes().iter().any(|scope| scope.name == *name && scope.certificates.is_empty())
    };
    if let Some(scope) = scope.clone().filter(has_none) {
        return Err(Verdict::Shut { server_name, scope });
    }
    answer.scope = Some(Picked { server_name, scope });
    Ok(())
}
