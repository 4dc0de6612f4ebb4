use crate::{
    scene::{Scene, eventually, table},
    scripted::{NameServer, Script},
};
use std::net::SocketAddr;

fn cluster(server: SocketAddr, endpoint: &str) -> String {
    format!(
        "dns: {{ servers: ['{server}'], min_ttl: 20ms, timeout: 10s }}\nclusters:\n- name: shop\n  endpoints: [{{ address: '{endpoint}' }}]\n{}",
        table("x")
    )
}

fn addresses(scene: &Scene) -> Vec<String> {
    let clusters = scene.json("/clusters");
    let endpoints = clusters[0]["endpoints"].as_array().unwrap();
    endpoints.iter().map(|endpoint| endpoint["address"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn names_are_resolved_before_traffic_and_followed_after() {
    let server = NameServer::start();
    server.say(
        "shop.test",
        Script::Addresses(vec!["10.0.0.2".parse().unwrap(), "fd00::1".parse().unwrap()], 0),
    );
    let scene = Scene::start(&cluster(server.address, "shop.test:80"));
    assert_eq!(addresses(&scene), ["10.0.0.2:80", "[fd00::1]:80"]);
    server.say("shop.test", Script::Addresses(vec!["10.0.0.3".parse().unwrap()], 0));
    eventually("the new address", || addresses(&scene) == ["10.0.0.3:80"]);
    server.say("shop.test", Script::ServerFailure);
    eventually("a failure", || scene.stat("sluice_dns_names_failing") == 1);
    assert_eq!(addresses(&scene), ["10.0.0.3:80"], "the last good answer stays");
    assert!(scene.json("/clusters")[0]["unresolved"][0]["name"] == "shop.test");
}

#[test]
fn a_silent_name_server_delays_the_start_only_so_long() {
    let server = NameServer::start();
    server.say("shop.test", Script::Silence);
    let scene =
        Scene::start(&cluster(server.address, "shop.test:80").replace("timeout: 10s", "timeout: 300ms"));
    assert_eq!(scene.admin("/ready").status, 200);
    assert!(addresses(&scene).is_empty());
    server.say("shop.test", Script::Addresses(vec!["10.0.0.2".parse().unwrap()], 60));
    eventually("the address", || addresses(&scene) == ["10.0.0.2:80"]);
}

#[test]
fn addresses_and_localhost_need_no_name_server() {
    let server = NameServer::start();
    let scene = Scene::start(&cluster(server.address, "localhost:80"));
    assert_eq!(addresses(&scene), ["127.0.0.1:80", "[::1]:80"]);
    scene.rewrite(&cluster(server.address, "127.0.0.9:80"));
    eventually("the literal address", || addresses(&scene) == ["127.0.0.9:80"]);
    assert_eq!(server.questions(), 0);
}

#[test]
fn a_refused_reload_forgets_no_answers() {
    let taken = crate::scene::taken_port();
    let server = NameServer::start();
    server.say("shop.test", Script::Addresses(vec!["10.0.0.2".parse().unwrap()], 0));
    let scene = Scene::start(&cluster(server.address, "shop.test:80"));
    let refused = cluster(server.address, "127.0.0.9:80").replace(
        "route_tables:",
        &format!(
            "listeners:\n- {{ name: web, address: '{}', route_table: main }}\nroute_tables:",
            taken.local_addr().unwrap()
        ),
    );
    scene.rewrite(&refused);
    eventually("the refusal", || scene.stat("sluice_config_reload_failures_total") == 1);
    assert_eq!(addresses(&scene), ["10.0.0.2:80"]);
    server.say("shop.test", Script::Addresses(vec!["10.0.0.3".parse().unwrap()], 0));
    eventually("the name is still followed", || addresses(&scene) == ["10.0.0.3:80"]);
}
