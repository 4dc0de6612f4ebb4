//! Which port of a service is meant.

use sluice_crds::core::{IngressServiceBackend, NumberOrName, Service, ServicePort};
use std::fmt;

/// A port as an object names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortRef<'a> {
    /// By the service's number.
    Number(u16),
    /// By the service's name for it.
    Name(&'a str),
}

impl<'a> PortRef<'a> {
    /// What an Ingress names; `None` where it names nothing, or both.
    pub(crate) fn of(backend: &'a IngressServiceBackend) -> Option<Self> {
        let port = backend.port.as_ref()?;
        match (port.name.as_str(), port.number) {
            ("", 0) => None,
            ("", number) => Some(Self::Number(number)),
            (name, 0) => Some(Self::Name(name)),
            _ => None,
        }
    }
}

impl fmt::Display for PortRef<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(out),
            Self::Name(name) => out.write_str(name),
        }
    }
}

/// The port of a service that is meant. With `by_target`, the port of the pods, by number or by name, is found too where
/// the service has no such port itself, as ingress-nginx does.
pub(crate) fn find_port<'s>(
    service: &'s Service,
    wanted: PortRef<'_>,
    by_target: bool,
) -> Option<&'s ServicePort> {
    let tcp = || service.ports.iter().filter(|port| matches!(port.protocol.as_str(), "" | "TCP"));
    let own = tcp().find(|port| match wanted {
        PortRef::Number(number) => port.port == number,
        PortRef::Name(name) => port.name == name,
    });
    own.or_else(|| {
        by_target.then(|| {
            tcp().find(|port| match (&port.target_port, wanted) {
                (Some(NumberOrName::Int(target)), PortRef::Number(number)) => *target == i32::from(number),
                (Some(NumberOrName::String(target)), PortRef::Name(name)) => target == name,
                _ => false,
            })
        })?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        let ports = r#"{"ports":[
            {"name":"dns","port":53,"protocol":"UDP"},
            {"name":"web","port":80,"targetPort":8080},
            {"name":"admin","port":8080,"targetPort":"inside"}]}"#;
        serde_json::from_str(ports).unwrap()
    }

    #[test]
    fn a_port_is_found_by_number_and_by_name_and_perhaps_by_target() {
        let service = service();
        let found = |wanted, by_target| find_port(&service, wanted, by_target).map(|port| port.name.as_str());
        assert_eq!(found(PortRef::Number(80), false), Some("web"));
        assert_eq!(found(PortRef::Name("admin"), false), Some("admin"));
        assert_eq!(found(PortRef::Number(8080), true), Some("admin"), "the service's own port comes first");
        assert_eq!(found(PortRef::Name("inside"), true), Some("admin"));
        assert_eq!(found(PortRef::Name("inside"), false), None);
        assert_eq!(found(PortRef::Number(53), true), None, "UDP carries no HTTP");
    }
}
