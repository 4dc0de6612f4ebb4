//! Whole translations: manifests in, configuration and reports out.

use crate::{Change, Held, Place, Settings, Translation, Translator};
use sluice_crds::{Manifest, manifest::EntryContent};
use std::{net::Ipv4Addr, sync::Arc};

/// The objects of a text, as one file of a folder.
pub(crate) fn changes(text: &str) -> Vec<Change> {
    let manifest = Manifest::read(text);
    assert!(manifest.malformed.is_empty(), "{:?}", manifest.malformed);
    let entries = manifest.entries.into_iter().zip(0..);
    entries
        .filter_map(|(entry, order)| match entry.content {
            EntryContent::Object(object) => {
                let place = Place { file: "test.yaml".into(), line: entry.position.line };
                Some(Change::Put(Held::new(object, Some(place), order)))
            }
            EntryContent::Other { .. } => None,
            EntryContent::Invalid(problem) => panic!("{problem:?}"),
        })
        .collect()
}

/// What objects mean, in the settings of a gateway on loopback.
pub(crate) fn translate(text: &str) -> Translation {
    translate_with(settings(), text)
}

/// What objects mean in these settings.
pub(crate) fn translate_with(settings: Settings, text: &str) -> Translation {
    let mut translator = Translator::new(settings);
    for change in changes(text) {
        translator.apply(change);
    }
    let translation = translator.translate();
    let loaded = sluice_model::validate("test", translation.config.clone(), &sluice_model::NoFiles);
    loaded.unwrap_or_else(|error| panic!("the model refuses it:\n{error}"));
    translation
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings { bind: Ipv4Addr::LOCALHOST.into(), ..Settings::default() };
    settings.classes.without_class = true;
    settings
}

const SHOP: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop, namespace: shop }
spec:
  rules:
  - host: Shop.Example.com
    http:
      paths:
      - { path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }
      - { path: /cart, pathType: Exact, backend: { service: { name: cart, port: { number: 80 } } } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints:
- { addresses: [10.0.0.1] }
- { addresses: [10.0.0.2], conditions: { ready: false } }
";

#[test]
fn an_ingress_becomes_a_virtual_host_and_its_services_clusters() {
    let translation = translate(SHOP);
    let host = &translation.config.route_tables[0].virtual_hosts[0];
    assert_eq!(host.hosts[0].to_string(), "shop.example.com");
    let names: Vec<&str> = host.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["exact /cart", "prefix /"]);
    let cluster = &translation.config.clusters[0];
    assert_eq!(cluster.name, "shop/web:80");
    let addresses: Vec<String> =
        cluster.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.1:8080"]);
    let said: Vec<String> = translation.reports.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["WARNING Ingress shop/shop: there is no Service shop/cart; its paths answer 503"]);
}

#[test]
fn a_change_renews_only_the_host_that_it_touches() {
    let mut translator = Translator::new(settings());
    for change in
        changes(SHOP).into_iter().chain(changes(&SHOP.replace("shop", "blog").replace("Shop", "Blog")))
    {
        translator.apply(change);
    }
    assert_eq!(translator.translate().renewed, 3, "two hosts and the default certificate");
    let before = translator.translate();
    assert_eq!(before.renewed, 0);
    for change in changes(&SHOP.replace("10.0.0.1", "10.0.0.9")) {
        translator.apply(change);
    }
    let after = translator.translate();
    assert_eq!(after.renewed, 1);
    let (tables, clusters) = (|of: &Translation| of.config.route_tables.clone(), &after.config.clusters);
    assert!(tables(&before).iter().zip(&tables(&after)).all(|(one, other)| Arc::ptr_eq(one, other)));
    let other = clusters.iter().zip(&before.config.clusters).filter(|(now, then)| !Arc::ptr_eq(now, then));
    assert_eq!(other.map(|(now, _)| &*now.name).collect::<Vec<_>>(), ["shop/web:80"]);
    assert!(Arc::ptr_eq(&before.reports, &after.reports));
    let mut fresh = Translator::new(settings());
    for held in translator.store().iter().cloned().collect::<Vec<_>>() {
        fresh.apply(Change::Put(held));
    }
    let fresh = fresh.translate();
    assert_eq!((fresh.config, fresh.reports), (after.config, after.reports));
}

#[test]
fn a_route_that_changes_is_exchanged_in_its_place() {
    let blog = SHOP.replace("shop", "blog").replace("Shop", "Blog");
    let mut translator = Translator::new(settings());
    for change in changes(SHOP).into_iter().chain(changes(&blog)) {
        translator.apply(change);
    }
    let before = translator.translate();
    for change in changes(&SHOP.replace("path: /cart", "path: /basket")) {
        translator.apply(change);
    }
    let after = translator.translate();
    assert_eq!(after.renewed, 1);
    let hosts = |of: &Translation| of.config.route_tables[0].virtual_hosts.clone();
    let same: Vec<bool> =
        hosts(&before).iter().zip(&hosts(&after)).map(|(then, now)| Arc::ptr_eq(then, now)).collect();
    assert_eq!(same, [true, false, true], "blog, shop, health");
    assert_eq!(hosts(&after)[1].routes[0].name, "exact /basket");
    let (then, now) = (&before.config, &after.config);
    assert!(then.clusters.iter().zip(&now.clusters).all(|(then, now)| Arc::ptr_eq(then, now)));
    assert!(Arc::ptr_eq(&then.listeners[0], &now.listeners[0]));
    let mut fresh = Translator::new(settings());
    for held in translator.store().iter().cloned().collect::<Vec<_>>() {
        fresh.apply(Change::Put(held));
    }
    let fresh = fresh.translate();
    assert_eq!((fresh.config, fresh.reports), (after.config, after.reports));
}

#[test]
fn what_is_referred_to_is_named_once_and_again_when_it_changes() {
    let mut translator = Translator::new(settings());
    for change in changes(SHOP) {
        translator.apply(change);
    }
    translator.translate();
    let names = |translator: &mut Translator| {
        let names = translator.new_references();
        names.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let before = names(&mut translator).unwrap();
    assert!(before.iter().all(|name| name != "Secret shop/cert"), "{before:?}");
    assert_eq!(names(&mut translator), None);
    for change in changes(&SHOP.replace("10.0.0.1", "10.0.0.9")) {
        translator.apply(change);
    }
    translator.translate();
    assert_eq!(names(&mut translator), None, "an endpoint refers to nothing");
    for change in
        changes(&SHOP.replacen("spec:", "spec:\n  tls: [{ hosts: [shop.example.com], secretName: cert }]", 1))
    {
        translator.apply(change);
    }
    translator.translate();
    let after = names(&mut translator).unwrap();
    assert!(after.contains(&"Secret shop/cert".to_owned()), "{after:?}");
}
