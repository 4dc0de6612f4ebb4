//! Which certificate a host has.

use super::{
    Host,
    select::{Member, Personality},
};
use crate::{
    certificates::{self, Certificate},
    hold::{Absent, Missing},
    output::Output,
    reads::View,
    report::{Level, Reason, Report},
    settings::{NamespacedName, Settings},
    store::Of,
};
use sluice_crds::{core::Ingress, core::IngressTls, core::Secret, object::Kind};
use sluice_model::value::HostPattern;

/// Where the TLS of a host comes from.
#[derive(Debug)]
pub(super) enum HostTls {
    /// No Ingress asks for it.
    None,
    /// The certificate that serves all other names.
    Default,
    /// A certificate of its own.
    Own(Certificate),
}

impl HostTls {
    /// Whether the host counts as one that has a certificate.
    pub(super) fn is_on(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether an alias of the host has its certificate, as far as a single name goes.
    pub(super) fn is_for(&self, alias: &HostPattern) -> bool {
        match (self, alias) {
            (Self::Own(certificate), HostPattern::Exact(name)) => certificate.covers(name),
            _ => false,
        }
    }
}

/// The TLS of a host: that of the first Ingress that has some for it. What is wrong with the certificate that it names is
/// reported, and the default one takes its place.
pub(super) fn of_host(
    view: &View<'_>,
    settings: &Settings,
    host: &Host,
    members: &[Member],
    output: &mut Output,
) -> HostTls {
    for member in members.iter().filter(|member| !member.is_canary()) {
        let Some(ingress) = view.get::<Ingress>(&member.name.namespace, &member.name.name) else { continue };
        let items = &ingress.object().content.tls;
        let listed = items.iter().position(|item| item.hosts.iter().any(|name| Host::of(name) == *host));
        let of_all = items.iter().position(|item| item.hosts.is_empty());
        match (listed, member.personality) {
            (Some(index), _) => return named(view, settings, host, ingress, (index, &items[index]), output),
            (None, Personality::Compat) if !items.is_empty() => {
                return covering(view, settings, host, ingress, items, output);
            }
            (None, Personality::Spec | Personality::Istio) if let Some(index) = of_all => {
                return named(view, settings, host, ingress, (index, &items[index]), output);
            }
            (None, _) => {}
        }
    }
    HostTls::None
}

/// The certificate that an item names.
fn named(
    view: &View<'_>,
    settings: &Settings,
    host: &Host,
    ingress: Of<'_, Ingress>,
    (index, item): (usize, &IngressTls),
    output: &mut Output,
) -> HostTls {
    if item.secret_name.is_empty() {
        return HostTls::Default;
    }
    let name = NamespacedName { namespace: ingress.namespace().to_owned(), name: item.secret_name.clone() };
    let (reason, message) = match certificates::in_secret(view, settings.certificates, &name) {
        Ok(certificate) if certificate.covers(&host.0) => return HostTls::Own(certificate),
        Ok(_) => {
            let message = format!(
                "the certificate of Secret {}/{} is not for host `{host}`",
                name.namespace, name.name
            );
            (Reason::Invalid, message)
        }
        Err(error) => error,
    };
    let message = format!("{message}; host `{host}` is served with the default certificate");
    let report = Report::new(ingress.held(), Level::Warning, reason, message);
    output.reports.push(report.at(format!("spec.tls[{index}].secretName")));
    if reason == Reason::NotFound {
        output.missing.push(missing(&name, ingress));
    }
    HostTls::Default
}

/// Where no item lists the host, ingress-nginx takes any whose certificate is for it.
fn covering(
    view: &View<'_>,
    settings: &Settings,
    host: &Host,
    ingress: Of<'_, Ingress>,
    items: &[IngressTls],
    output: &mut Output,
) -> HostTls {
    for item in items.iter().filter(|item| !item.secret_name.is_empty()) {
        let name =
            NamespacedName { namespace: ingress.namespace().to_owned(), name: item.secret_name.clone() };
        match certificates::in_secret(view, settings.certificates, &name) {
            Ok(certificate) if certificate.covers(&host.0) => return HostTls::Own(certificate),
            Err((Reason::NotFound, _)) => output.missing.push(missing(&name, ingress)),
            Ok(_) | Err(_) => {}
        }
    }
    HostTls::Default
}

/// The Secret that an Ingress names and that is not there.
fn missing(name: &NamespacedName, ingress: Of<'_, Ingress>) -> Missing {
    let what = Absent::Object(format!("Secret {}/{}", name.namespace, name.name));
    Missing { what, because: vec![ingress.held().clone()] }
}

/// The certificate for names that no Ingress has one for.
pub(super) fn default_certificate(view: &View<'_>, settings: &Settings) -> Output {
    let mut output = Output { secure_ports: vec![settings.https_port], ..Output::default() };
    let named = settings.default_certificate.as_ref().and_then(|name| {
        let found = certificates::in_secret(view, settings.certificates, name);
        if let Err((reason, message)) = &found {
            let message =
                format!("it is the default certificate (`--default-ssl-certificate`), but {message}");
            output.reports.push(Report::of_named(name.object(Secret::KIND), Level::Error, *reason, message));
        }
        found.ok()
    });
    let fallback = || {
        let pair = settings.fallback_certificate.clone()?;
        let name = "fallback certificate".to_owned();
        certificates::read(settings.certificates, name, pair.certificate, pair.key).ok()
    };
    match named.or_else(fallback) {
        Some(certificate) => output.certificates.push((settings.https_port, certificate.secret)),
        None => output.known_names_only.push(settings.https_port),
    }
    if settings.ingress.ssl_reject_handshake {
        output.known_hosts_only.push(settings.https_port);
    }
    output
}
