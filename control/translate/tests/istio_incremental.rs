//! After any changes of Istio's objects, a translation is the one that a new translator makes of the same objects.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use proptest::prelude::*;
use sluice_crds::{Manifest, ObjectName};
use sluice_translate::{CertificateReader, Change, Held, Role, Settings, SidecarOf, Translation, Translator};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Documents by object: each document of one object is another state of it.
const STATES: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec:
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.test'], tls: { httpsRedirect: true } }
  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: ['*'], tls: { mode: SIMPLE, credentialName: web } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: other, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z' }
spec: { servers: [{ port: { number: 443, name: tls, protocol: TLS }, hosts: [a.test], tls: { mode: PASSTHROUGH } }] }
---
apiVersion: v1
kind: Secret
metadata: { name: web, namespace: istio-system }
stringData: { cert: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\", key: \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\" }
---
apiVersion: v1
kind: Service
metadata: { name: gateway, namespace: istio-system }
spec: { selector: { istio: ingressgateway }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: shop }
spec:
  hosts: [a.test]
  gateways: [web, other]
  http:
  - { match: [{ uri: { prefix: /reviews } }], route: [{ destination: { host: reviews, subset: v1 } }, { destination: { host: api.test }, weight: 1 }] }
  - { delegate: { name: leaf } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: shop }
spec: { hosts: ['*'], gateways: [web], http: [{ route: [{ destination: { host: reviews } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: shop }
spec: { hosts: ['*'], gateways: [web], http: [{ match: [{ uri: { regex: '(' } }], route: [{ destination: { host: reviews } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: b, namespace: team, creationTimestamp: '2026-01-01T00:00:00Z' }
spec: { hosts: [a.test], gateways: [shop/web], http: [{ directResponse: { status: 200 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: b, namespace: team, creationTimestamp: '2026-01-01T00:00:00Z' }
spec: { hosts: [a.test], exportTo: ['.'], gateways: [shop/web], http: [{ directResponse: { status: 200 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: leaf, namespace: shop }
spec: { http: [{ match: [{ uri: { prefix: /leaf } }], route: [{ destination: { host: reviews, subset: v2 } }] }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: shop }
spec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: shop }
spec: { host: reviews, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }, subsets: [{ name: v1 }, { name: v2, labels: { version: v2 } }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: closer, namespace: istio-system }
spec: { host: '*.shop.svc.cluster.local', subsets: [{ name: v2 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec: { hosts: [api.test], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: 10.1.0.1 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec: { hosts: [api.test], resolution: DNS, ports: [{ number: 80, name: http, protocol: GRPC }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { selector: { app: reviews }, ports: [{ name: grpc, port: 9080 }, { name: http, port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: one, namespace: shop, labels: { app: reviews, version: v1 } }
status: { phase: Running, podIP: 10.0.0.1 }
---
apiVersion: v1
kind: Pod
metadata: { name: one, namespace: shop, labels: { app: reviews, version: v2 } }
status: { phase: Running, podIP: 10.0.0.1 }
---
apiVersion: v1
kind: Pod
metadata: { name: self, namespace: istio-system, labels: { istio: ingressgateway, version: v1 } }
---
apiVersion: v1
kind: Pod
metadata: { name: self, namespace: istio-system, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: own, namespace: istio-system }
spec: { workloadSelector: { labels: { version: v1 } }, egress: [{ port: { number: 80 }, hosts: ['./*', 'shop/*'] }, { hosts: ['*/*', '~team/*'] }] }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: own, namespace: istio-system }
spec: { egress: [{ hosts: ['~/*'] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: mesh, namespace: shop }
spec: { hosts: [reviews, '*.test'], http: [{ match: [{ sourceLabels: { version: v1 } }], route: [{ destination: { host: reviews, subset: v1 } }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: mesh, namespace: shop }
spec: { hosts: ['*.shop.svc.cluster.local'], gateways: [mesh, web], http: [{ directResponse: { status: 200 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: more, namespace: team, creationTimestamp: '2026-01-01T00:00:00Z' }
spec: { hosts: [reviews.shop.svc.cluster.local, nobody], http: [{ match: [{ port: 9080 }], delegate: { name: leaf, namespace: shop } }] }
---
apiVersion: v1
kind: Service
metadata: { name: other, namespace: team, annotations: { networking.istio.io/exportTo: . } }
spec: { clusterIP: 10.96.0.1, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: other, namespace: team }
spec: { clusterIP: 10.96.0.1, ports: [{ port: 80 }, { name: tcp, port: 81 }] }
---
apiVersion: v1
kind: Service
metadata: { name: other, namespace: team }
spec: { type: ExternalName, externalName: reviews.shop.svc.cluster.local }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: shop }
spec: { rules: [{ host: a.test, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: reviews, port: { number: 9080 } } } }] } }] }
";

fn states() -> BTreeMap<ObjectName, Vec<Held>> {
    let manifest = Manifest::read(STATES);
    assert!(manifest.malformed.is_empty(), "{:?}", manifest.malformed);
    let mut states: BTreeMap<ObjectName, Vec<Held>> = BTreeMap::new();
    for (object, order) in manifest.objects().zip(0..) {
        states.entry(object.name()).or_default().push(Held::new(object.clone(), None, order));
    }
    states
}

fn gateway() -> Settings {
    let mut settings = Settings {
        labels: [("istio".to_owned(), "ingressgateway".to_owned())].into(),
        pod_namespace: "istio-system".to_owned(),
        certificates: CertificateReader(|_, _| Ok(Vec::new())),
        ..Settings::default()
    };
    settings.classes.without_class = true;
    settings
}

/// That of the pod istio-system/self, whose labels its object says.
fn sidecar(original_destination: bool) -> Settings {
    Settings {
        role: Role::Sidecar(SidecarOf { original_destination }),
        pod: Some("self".to_owned()),
        pod_namespace: "istio-system".to_owned(),
        ..Settings::default()
    }
}

/// Every role.
fn roles() -> impl Strategy<Value = Settings> {
    prop::sample::select(vec![gateway(), sidecar(false), sidecar(true)])
}

fn afresh(settings: &Settings, translator: &Translator) -> Translation {
    let mut fresh = Translator::new(settings.clone());
    let held: Vec<Held> = translator.store().iter().cloned().collect();
    for held in held {
        fresh.apply(Change::Put(held));
    }
    fresh.translate()
}

proptest! {
    #[test]
    fn changes_lead_where_a_new_start_leads(
        settings in roles(),
        steps in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, any::<bool>()), 1..40),
    ) {
        let states: Vec<(ObjectName, Vec<Held>)> = states().into_iter().collect();
        let mut translator = Translator::new(settings.clone());
        for (which, state, translate) in steps {
            let (name, states) = &states[which.index(states.len())];
            translator.apply(match states.get(state) {
                Some(held) => Change::Put(held.clone()),
                None => Change::Delete(name.clone()),
            });
            if translate {
                let (now, fresh) = (translator.translate(), afresh(&settings, &translator));
                prop_assert_eq!(&now.config, &fresh.config);
                prop_assert_eq!(&now.reports, &fresh.reports);
                let checked = sluice_model::validate("test", now.config, &sluice_model::NoFiles);
                prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
            }
        }
    }

    #[test]
    fn what_goes_on_as_it_was_ends_where_a_new_start_leads(
        settings in roles(),
        steps in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, 0..700_u64), 1..40),
    ) {
        let states: Vec<(ObjectName, Vec<Held>)> = states().into_iter().collect();
        let mut translator = Translator::new(settings.clone());
        let mut now = Instant::now();
        let mut last = translator.translate_at(now);
        for (which, state, pause) in steps {
            let (name, states) = &states[which.index(states.len())];
            translator.apply(match states.get(state) {
                Some(held) => Change::Put(held.clone()),
                None => Change::Delete(name.clone()),
            });
            now += Duration::from_millis(pause);
            last = translator.translate_at(now);
            let checked = sluice_model::validate("test", last.config.clone(), &sluice_model::NoFiles);
            prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
        }
        for _ in 0..states.len() {
            let Some(until) = last.wake_at else { break };
            prop_assert!(until > now && until <= now + Duration::from_secs(1));
            now = until;
            last = translator.translate_at(now);
        }
        let fresh = afresh(&settings, &translator);
        prop_assert_eq!(&last.config, &fresh.config);
        prop_assert_eq!(&last.reports, &fresh.reports);
        prop_assert_eq!(last.wake_at, None);
    }
}
