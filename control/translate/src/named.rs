//! Objects that flags of the ingress-nginx controller name, and that are not there.

use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::{NamespacedName, Settings},
};
use sluice_crds::{
    core::{ConfigMap, Service},
    object::Kind,
};

/// What is to be said of them. That of the default certificate is said where it is read.
pub(crate) fn report(view: &View<'_>, settings: &Settings) -> Vec<Report> {
    let absent = |object, message: &str| {
        Report::of_named(object, Level::Warning, Reason::NotFound, message.to_owned())
    };
    let mut reports = Vec::new();
    if let Some(name) = &settings.configmap
        && view.get::<ConfigMap>(&name.namespace, &name.name).is_none()
    {
        let message = "it is the configuration of the controller (`--configmap`) and is not there, so the defaults hold; \
                       create it, or name the one that there is";
        reports.push(absent(name.object(ConfigMap::KIND), message));
    }
    let service = |name: &NamespacedName| view.get::<Service>(&name.namespace, &name.name);
    if let Some(name) = &settings.default_backend {
        let has_port = service(name).map(|service| !service.object().content.ports.is_empty());
        let message = match has_port {
            Some(true) => None,
            Some(false) => Some(
                "it is the default backend (`--default-backend-service`) and has no port, so 404 is answered in its place; \
                 give it one",
            ),
            None => Some(
                "it is the default backend (`--default-backend-service`) and is not there, so 404 is answered in its place; \
                 create it, or name the one that there is",
            ),
        };
        reports.extend(message.map(|message| absent(name.object(Service::KIND), message)));
    }
    if let Some(name) = settings.publish_service.as_ref().filter(|name| service(name).is_none()) {
        let message = "its addresses would stand in the status of Ingresses (`--publish-service`), and it is not there, so none \
                       do; create it, or name the one that there is";
        reports.push(absent(name.object(Service::KIND), message));
    }
    reports
}

#[cfg(test)]
mod tests {
    use crate::{NamespacedName, tests};

    fn said(text: &str) -> Vec<String> {
        let name = |name: &str| Some(NamespacedName { namespace: "infra".to_owned(), name: name.to_owned() });
        let mut settings = tests::settings();
        (settings.configmap, settings.default_backend) = (name("controller"), name("pages"));
        settings.publish_service = name("pages");
        tests::translate_with(settings, text).reports.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_flags_name_and_is_not_there_is_said_with_the_flag() {
        let told = said("");
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().any(|told| told.contains("`--publish-service`")), "{told:?}");
        assert!(
            told[0].starts_with("WARNING ConfigMap infra/controller: ") && told[0].contains("`--configmap`")
        );
        assert!(
            told[1].starts_with("WARNING Service infra/pages: ")
                && told[1].contains("`--default-backend-service`")
        );
        let both = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: controller, namespace: infra }\n---\n\
                    apiVersion: v1\nkind: Service\nmetadata: { name: pages, namespace: infra }\nspec: { ports: PORTS }\n";
        assert_eq!(said(&both.replace("PORTS", "[{ port: 80 }]")), [] as [String; 0]);
        let told = said(&both.replace("PORTS", "[]"));
        assert!(told.len() == 1 && told[0].contains("has no port"), "{told:?}");
    }
}
