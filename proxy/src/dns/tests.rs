use super::{
    Names, Resolution,
    scripted::{NameServer, Script},
};
use sluice_model::{spec, value::Duration};
use std::{collections::BTreeSet, net::IpAddr, sync::Arc};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

const LONG: std::time::Duration = std::time::Duration::from_secs(20);

fn dns(server: &NameServer) -> spec::Dns {
    spec::Dns {
        servers: vec![server.address],
        min_ttl: Duration::from_millis(50),
        max_ttl: Duration::from_secs(300),
        timeout: Duration::from_secs(5),
    }
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn wanted(names: &[&str]) -> BTreeSet<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

struct Scene {
    names: Names,
    outcomes: mpsc::Receiver<Resolution>,
}

impl Scene {
    fn new() -> Self {
        let (sender, outcomes) = mpsc::channel(16);
        Self { names: Names::new(sender), outcomes }
    }

    async fn next(&mut self) -> Resolution {
        let outcome = timeout(LONG, self.outcomes.recv()).await.expect("an outcome").unwrap();
        self.names.learn(outcome.clone());
        outcome
    }
}

#[tokio::test]
async fn both_families_are_asked_for_and_sorted() {
    let server = NameServer::start();
    server.say("shop.test", Script::Addresses(addresses(&["10.0.0.9", "10.0.0.1", "fd00::1"]), 60));
    let mut scene = Scene::new();
    scene.names.resolve(&dns(&server), &wanted(&["shop.test"])).unwrap();
    assert!(!scene.names.all_asked());
    let outcome = scene.next().await;
    assert_eq!(outcome.addresses.to_vec(), addresses(&["10.0.0.1", "10.0.0.9", "fd00::1"]));
    assert_eq!(outcome.error, None);
    assert!(scene.names.all_asked());
    assert_eq!(scene.names.addresses("shop.test"), addresses(&["10.0.0.1", "10.0.0.9", "fd00::1"]));
}

#[tokio::test]
async fn an_answer_is_asked_for_again_when_its_ttl_ends() {
    let server = NameServer::start();
    server.say("shop.test", Script::Addresses(addresses(&["10.0.0.1"]), 1));
    let mut scene = Scene::new();
    scene.names.resolve(&dns(&server), &wanted(&["shop.test"])).unwrap();
    scene.next().await;
    let known = Instant::now();
    server.say("shop.test", Script::Addresses(addresses(&["10.0.0.2"]), 1));
    assert_eq!(scene.next().await.addresses.to_vec(), addresses(&["10.0.0.2"]));
    assert!(
        known.elapsed() > std::time::Duration::from_millis(500),
        "asked again after {:?}",
        known.elapsed()
    );
}

#[tokio::test]
async fn the_last_good_answer_survives_failures() {
    let server = NameServer::start();
    server.say("shop.test", Script::Addresses(addresses(&["10.0.0.1"]), 0));
    let mut scene = Scene::new();
    scene.names.resolve(&dns(&server), &wanted(&["shop.test"])).unwrap();
    assert_eq!(scene.next().await.error, None);
    server.say("shop.test", Script::ServerFailure);
    let failing = scene.next().await;
    assert!(failing.error.is_some());
    assert_eq!(failing.addresses.to_vec(), addresses(&["10.0.0.1"]));
    server.say("shop.test", Script::Addresses(addresses(&["10.0.0.3"]), 60));
    loop {
        let outcome = scene.next().await;
        if outcome.error.is_none() {
            assert_eq!(outcome.addresses.to_vec(), addresses(&["10.0.0.3"]));
            break;
        }
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = NameServer::start();
    server.say("shop.test", Script::Silence);
    let mut scene = Scene::new();
    let dns = spec::Dns { timeout: Duration::from_millis(200), ..dns(&server) };
    scene.names.resolve(&dns, &wanted(&["shop.test"])).unwrap();
    let outcome = scene.next().await;
    assert!(outcome.error.is_some());
    assert!(outcome.addresses.is_empty());
}

#[tokio::test]
async fn unknown_names_fail_and_localhost_needs_no_server() {
    let server = NameServer::start();
    let mut scene = Scene::new();
    scene.names.resolve(&dns(&server), &wanted(&["localhost"])).unwrap();
    assert_eq!(scene.next().await.addresses.to_vec(), addresses(&["127.0.0.1", "::1"]));
    assert_eq!(server.questions(), 0);
    scene.names.resolve(&dns(&server), &wanted(&["nobody.test"])).unwrap();
    assert!(scene.next().await.error.is_some());
    assert!(scene.names.addresses("localhost").is_empty(), "a name that is no longer wanted is forgotten");
}

#[tokio::test]
async fn other_name_servers_are_asked_without_forgetting() {
    let (old, new) = (NameServer::start(), NameServer::start());
    old.say("shop.test", Script::Addresses(addresses(&["10.0.0.1"]), 60));
    new.say("shop.test", Script::Addresses(addresses(&["10.0.0.2"]), 60));
    let mut scene = Scene::new();
    scene.names.resolve(&dns(&old), &wanted(&["shop.test"])).unwrap();
    scene.next().await;
    scene.names.resolve(&dns(&new), &wanted(&["shop.test"])).unwrap();
    assert_eq!(scene.names.addresses("shop.test"), addresses(&["10.0.0.1"]));
    assert_eq!(scene.next().await.addresses.to_vec(), addresses(&["10.0.0.2"]));
}
