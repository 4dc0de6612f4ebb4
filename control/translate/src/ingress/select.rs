//! Which Ingresses are ours, how they behave, and what a host has of them.

use super::annotations::Annotations;
use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::Classes,
    store::Of,
};
use sluice_crds::{
    ObjectName,
    core::{Ingress, IngressClass},
};
use sluice_model::{convert::brief, value::HostPattern};
use std::{fmt, sync::Arc};

/// The old way to name a class.
pub(crate) const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The controller of the IngressClasses that are Istio's.
const ISTIO_CONTROLLER: &str = "istio.io/ingress-controller";

/// What is made on its own; what comes first here comes first in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Piece {
    /// The certificate for names that no Ingress has one for.
    DefaultCertificate,
    /// A host.
    Host(Host),
}

/// A host of Ingresses, in lower case and without a trailing dot; empty for the rules that name none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host(pub(crate) Box<str>);

/// What there is of a host.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Site {
    /// Its Ingresses, the oldest first.
    pub(crate) members: Arc<[Member]>,
    /// Those of the wildcard above it: their certificate may be for it too.
    pub(crate) parents: Arc<[Member]>,
    /// Names that it has beside its own.
    pub(crate) aliases: Vec<HostPattern>,
    /// Its name with or without `www.`, which sends clients to it.
    pub(crate) counterpart: Option<Host>,
}

/// An Ingress and how it behaves.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: ObjectName,
    pub(crate) personality: Personality,
    pub(crate) annotations: Arc<Annotations>,
}

/// How an Ingress behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Personality {
    /// As ingress-nginx did.
    Compat,
    /// As the text of Kubernetes says.
    Spec,
    /// As Istio reads them, which is as the text says but for paths that leave their meaning to the implementation.
    Istio,
}

/// The hosts that an Ingress has something to say about.
pub(super) fn hosts(ingress: &Ingress, canary: bool) -> Vec<Host> {
    let hosts = ingress.rules.iter().map(|rule| Host::of(&rule.host));
    let mut hosts: Vec<Host> = hosts.filter(|host| host.pattern().is_some()).collect();
    // The default backend of a canary stands beside the one for all hosts, whatever rules it has.
    if (canary || ingress.rules.is_empty()) && ingress.default_backend.is_some() {
        hosts.push(Host::of(""));
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// `None` where the Ingress is somebody else's.
pub(super) fn personality(
    view: &View<'_>,
    classes: &Classes,
    ingress: Of<'_, Ingress>,
) -> Option<Personality> {
    if let Some(name) = ingress.content.ingress_class_name.as_deref().filter(|name| !name.is_empty()) {
        let class = view.get::<IngressClass>("", name);
        let controller = class.as_ref().map(|class| class.content.controller.as_str());
        return match controller {
            Some(ISTIO_CONTROLLER) if classes.istio.is_some() => Some(Personality::Istio),
            Some(controller) if classes.compat_controllers.iter().any(|ours| ours == controller) => {
                Some(Personality::Compat)
            }
            Some(controller) if classes.spec_controllers.iter().any(|ours| ours == controller) => {
                Some(Personality::Spec)
            }
            _ => (classes.by_name && name == classes.annotation).then_some(Personality::Compat),
        };
    }
    let of_istio = classes.istio.as_ref();
    match ingress.annotation(CLASS_ANNOTATION) {
        Some(name) if !name.is_empty() && name == classes.annotation => Some(Personality::Compat),
        Some(name) if !name.is_empty() => {
            of_istio.filter(|istio| istio.class == name).map(|_| Personality::Istio)
        }
        _ if classes.without_class => Some(Personality::Compat),
        _ => of_istio.filter(|istio| istio.without_class).map(|_| Personality::Istio),
    }
}

/// Why an Ingress is not ours, and the way out; `None` where it is.
pub(super) fn unclaimed(view: &View<'_>, classes: &Classes, ingress: Of<'_, Ingress>) -> Option<Report> {
    if personality(view, classes, ingress).is_some() {
        return None;
    }
    let named = ingress.content.ingress_class_name.as_deref().filter(|name| !name.is_empty());
    let annotated = ingress.annotation(CLASS_ANNOTATION).filter(|name| !name.is_empty());
    let (field, message) = match (named, annotated) {
        (Some(name), _) => {
            let class = view.get::<IngressClass>("", name);
            let message = match class.map(|class| class.object().content.controller.as_str()) {
                Some(controller) => format!(
                    "its class `{}` is that of controller `{}`, so it is not served here; name another class, or start the \
                     gateway with `--controller-class`",
                    brief(name),
                    brief(controller)
                ),
                None => format!(
                    "there is no IngressClass `{}`, so it is not served; create one whose controller is `{}`, or name another",
                    brief(name),
                    [&*classes.compat_controllers, &*classes.spec_controllers].concat().join("` or `")
                ),
            };
            ("spec.ingressClassName", message)
        }
        (None, Some(name)) => {
            let message = format!(
                "its class `{}` is not `{}`, so it is not served here; write `spec.ingressClassName`, or start the gateway \
                 with `--ingress-class`",
                brief(name),
                classes.annotation
            );
            ("metadata.annotations[kubernetes.io/ingress.class]", message)
        }
        (None, None) => (
            "spec.ingressClassName",
            "it names no class, so it is not served; name one, or start the gateway with `--watch-ingress-without-class`"
                .to_owned(),
        ),
    };
    Some(Report::new(ingress.held(), Level::Info, Reason::Unreachable, message).at(field))
}

// === impl Member ===

/// The same annotations are equal without a look at them.
impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.personality == other.personality
            && (Arc::ptr_eq(&self.annotations, &other.annotations) || self.annotations == other.annotations)
    }
}

impl Member {
    /// Whether it is an alternative to others, not a server of its own.
    pub(super) fn is_canary(&self) -> bool {
        self.annotations.flag("canary") == Some(true)
    }
}

// === impl Host ===

impl Host {
    /// As the model has it: wildcards of Ingresses stand for one label. `None` where it is not a host.
    pub(super) fn pattern(&self) -> Option<HostPattern> {
        if self.is_catch_all() {
            return Some(HostPattern::Any);
        }
        let pattern = match self.0.strip_prefix("*.") {
            Some(rest) => format!("?.{rest}").parse(),
            None => self.0.parse(),
        };
        pattern.ok().filter(|pattern| matches!(pattern, HostPattern::Exact(_) | HostPattern::OneLabel(_)))
    }

    /// The wildcard above it.
    pub(super) fn parent(&self) -> Option<Self> {
        let (label, rest) = self.0.split_once('.')?;
        (label != "*" && !rest.is_empty()).then(|| Self(format!("*.{rest}").into()))
    }

    /// Whether it is `*.` and a name.
    pub(super) fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// A host as an Ingress has it.
    pub(crate) fn of(written: &str) -> Self {
        Self(written.strip_suffix('.').unwrap_or(written).to_ascii_lowercase().into())
    }

    /// Whether it is the one of the rules that name none.
    pub(crate) fn is_catch_all(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_catch_all() { out.write_str("*") } else { out.write_str(&self.0) }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Settings, Translator, tests::changes};

    #[test]
    fn an_ingress_of_nobody_says_which_class_it_has_and_the_way_out() {
        let ingress = |name: &str, more: &str| {
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: {name}{more}\nspec: {{ CLASS }}\n---\n"
            )
        };
        let class = |text: String, class: &str| text.replace("CLASS", class);
        let text = [
            "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: { name: other }\n\
             spec: { controller: example.com/other }\n---\n"
                .to_owned(),
            class(ingress("a", " }"), "ingressClassName: other"),
            class(ingress("b", " }"), "ingressClassName: gone"),
            class(ingress("c", ", annotations: { kubernetes.io/ingress.class: old } }"), ""),
            class(ingress("d", " }"), ""),
            class(ingress("e", ", annotations: { kubernetes.io/ingress.class: nginx } }"), ""),
        ];
        let mut translator = Translator::new(Settings::default());
        for change in changes(&text.concat()) {
            translator.apply(change);
        }
        translator.translate();
        let said: Vec<String> = translator.unclaimed().iter().map(ToString::to_string).collect();
        let wanted = [
            ("INFO Ingress a: spec.ingressClassName: ", "controller `example.com/other`"),
            ("INFO Ingress b: spec.ingressClassName: ", "no IngressClass `gone`"),
            ("INFO Ingress c: metadata.annotations[kubernetes.io/ingress.class]: ", "`old` is not `nginx`"),
            ("INFO Ingress d: spec.ingressClassName: ", "--watch-ingress-without-class"),
        ];
        assert_eq!(said.len(), wanted.len(), "{said:?}");
        for (said, (start, part)) in said.iter().zip(wanted) {
            assert!(said.contains(part) && said.replace("default/", "").starts_with(start), "{said}");
        }
    }
}
