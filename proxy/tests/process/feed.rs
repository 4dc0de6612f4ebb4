use crate::scene::{Scene, answering, eventually, options};
use sluice_model::{NoFiles, Source, spec};
use sluice_proxy::{ConfigSource, Feeder, Proxy, StartError, feed};
use std::{net::TcpListener, path::PathBuf, sync::Arc};

fn config(body: &str) -> spec::Config {
    let source = Source::new("made", answering("web", body));
    sluice_model::load(&source, &NoFiles).unwrap().config.to_spec()
}

fn start(first: spec::Config) -> Result<(Scene, Feeder), StartError> {
    let (feeder, feed) = feed("made", spec::Config::default());
    feeder.publish(first);
    let mut options = options(PathBuf::new());
    options.source = ConfigSource::Feed(feed);
    let proxy = Some(Proxy::start(options)?);
    Ok((Scene { folder: tempfile::tempdir().unwrap(), proxy }, feeder))
}

fn body(scene: &Scene) -> String {
    scene.get("web", "/").body
}

#[test]
fn the_last_of_many_configurations_comes_into_force() {
    let (scene, feeder) = start(config("0")).unwrap();
    assert_eq!(body(&scene), "0");
    for number in 1..=50 {
        feeder.publish(config(&number.to_string()));
    }
    eventually("the last one", || body(&scene) == "50");
    drop(feeder);
    scene.proxy().reload();
    eventually("a reading that was asked for", || scene.stat("sluice_config_reloads_total") >= 2);
    assert_eq!(body(&scene), "50", "it stays when nobody makes another");
}

#[test]
fn a_refused_configuration_is_reported_under_the_name_of_the_feed() {
    let (scene, feeder) = start(config("one")).unwrap();
    let mut bad = config("two");
    "nowhere".clone_into(&mut Arc::make_mut(&mut bad.listeners[0]).route_table);
    feeder.publish(bad.clone());
    eventually("the error", || scene.stat("sluice_config_reload_failures_total") == 1);
    let message = scene.json("/config_dump")["last_error"]["message"].to_string();
    assert!(message.contains("made:") && message.contains("nowhere"), "{message}");
    assert_eq!(body(&scene), "one");
    feeder.publish(config("three"));
    eventually("a good one", || body(&scene) == "three");
    assert!(matches!(start(bad), Err(StartError::Config(_))));
}

#[test]
fn a_port_that_is_taken_is_tried_again_and_keeps_the_proxy_from_being_ready() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut first = config("hello");
    Arc::make_mut(&mut first.listeners[0]).address = address;
    let (scene, feeder) = start(first).unwrap();
    assert_eq!(scene.admin("/ready").body, "not ready: listeners without their address\n");
    let listener = scene.json("/listeners")[0].clone();
    assert_eq!((&listener["name"], &listener["wanted"]), (&"web".into(), &address.to_string().into()));
    assert!(listener["error"].to_string().contains("another process holds it"), "{listener}");
    drop(taken);
    eventually("the listener", || scene.admin("/ready").status == 200);
    assert_eq!(body(&scene), "hello");
    assert_eq!(scene.proxy().listener_address("web"), Some(address));
    feeder.publish(config("two"));
    eventually("another address", || scene.proxy().listener_address("web").is_some_and(|now| now != address));
    // Its sockets belong to the shards, which close them when they get to it.
    eventually("the old one is free", || TcpListener::bind(address).is_ok());
}

#[test]
fn admin_answers_before_the_first_configuration_and_says_that_it_is_missing() {
    let (feeder, feed) = feed("made", spec::Config::default());
    let mut options = options(PathBuf::new());
    options.source = ConfigSource::Feed(feed);
    let proxy = Some(Proxy::start(options).unwrap());
    let scene = Scene { folder: tempfile::tempdir().unwrap(), proxy };
    let ready = || scene.admin("/ready");
    assert_eq!((ready().status, ready().body.as_str()), (503, "not ready: first configuration\n"));

    let mut bad = config("bad");
    "nowhere".clone_into(&mut Arc::make_mut(&mut bad.listeners[0]).route_table);
    feeder.publish(bad);
    eventually("the error", || scene.stat("sluice_config_reload_failures_total") == 1);
    assert_eq!(ready().status, 503, "what is refused is nothing to serve");

    feeder.publish(config("one"));
    scene.proxy().first_in_force();
    assert_eq!((ready().status, body(&scene).as_str()), (200, "one"));
    assert_eq!(scene.stat("sluice_config_reloads_total"), 0);
}
