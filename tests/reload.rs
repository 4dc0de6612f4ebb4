//! Another configuration while it runs: what comes into force, what is refused, and that nobody notices otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::float_cmp, reason = "counters are whole numbers")]

#[path = "reload/under_load.rs"]
mod under_load;

use sluice_dsl::{Http1, Nobody, Origin, Script, Signal, Sluice, Wire, sluice, within};
use std::{fs, net::SocketAddr, os::unix::fs::symlink};
use tokio::sync::watch;

/// A configuration that answers everything with this text.
fn saying(text: &str) -> String {
    format!(
        "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}]
route_tables:
  - name: main
    virtual_hosts:
      - {{ name: all, hosts: [\"*\"], routes: [{{ name: hello, action: {{ respond: {{ status: 200, body: {text} }} }} }}] }}
"
    )
}

async fn answers(proxy: &Sluice, text: &str) {
    let served = async { while proxy.get("/").await.text() != text {} };
    within(format!("the proxy answers {text:?}"), served).await;
}

async fn reloads(proxy: &Sluice) -> f64 {
    proxy.stat("sluice_config_reloads_total", &[]).await
}

async fn failures(proxy: &Sluice) -> f64 {
    proxy.stat("sluice_config_reload_failures_total", &[]).await
}

// --- What is kept.

#[tokio::test]
async fn connections_to_upstreams_and_the_turns_of_endpoints_are_kept() {
    let (one, two) = tokio::join!(Origin::saying("one"), Origin::saying("two"));
    let config = |number: usize| {
        format!(
            "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}]
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: [\"*\"]
        routes: [{{ name: route-{number}, action: {{ forward: {{ destinations: [{{ cluster: both }}] }} }} }}]
clusters:
  - {{ name: both, endpoints: [{{ address: \"${{one}}\" }}, {{ address: \"${{two}}\" }}] }}
  - {{ name: other-{number}, endpoints: [{{ address: \"${{one}}\" }}] }}
"
        )
    };
    let mut proxy = sluice!()
        .value("one", &one)
        .value("two", &two)
        .config(&config(0))
        .argument("--shards=1")
        .start()
        .await;
    let mut client = Http1::connect(proxy.address()).await;
    let mut texts = Vec::new();
    for number in 1..=10 {
        texts.push(client.get("/").await.text().to_owned());
        proxy.reload(&config(number)).await;
    }
    assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "they take turns: {texts:?}");
    assert_eq!((one.connections(), two.connections()), (1, 1));
    assert_eq!(proxy.logged("the last", |entry| entry["route"] == "route-9").await["status"], 200);
}

#[tokio::test]
async fn an_answer_under_way_comes_from_the_configuration_of_its_request() {
    let (go, wait) = watch::channel(false);
    let slow = Script::start(move |mut wire, _| {
        let mut wait = wait.clone();
        async move {
            wire.read_head().await;
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhal").await;
            let _ = wait.wait_for(|go| *go).await;
            wire.send("ves").await;
            wire.stall().await;
        }
    });
    let slow = slow.await;
    let mut proxy = sluice!().in_front_of(&slow.address()).await;
    let mut client = Wire::connect(proxy.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.read_until("hal").await;
    proxy.reload(&saying("later")).await;
    let _ = go.send(true);
    client.expect("ves").await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.reply().await.text(), "later");
}

// --- How a file may change.

#[tokio::test]
async fn a_swapped_kubernetes_volume_is_followed() {
    let proxy = sluice!().config(&saying("zero")).start().await;
    let folder = proxy.folder().to_owned();
    let volume = |version: &str, text: &str| {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("proxy.yaml"), proxy.render(&saying(text))).unwrap();
        symlink(version, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    volume("..one", "one");
    symlink("..data/proxy.yaml", folder.join("link")).unwrap();
    fs::rename(folder.join("link"), folder.join("proxy.yaml")).unwrap();
    answers(&proxy, "one").await;
    for (before, version, text) in [("..one", "..two", "two"), ("..two", "..three", "three")] {
        volume(version, text);
        // The kubelet takes the old one away at once.
        fs::remove_dir_all(folder.join(before)).unwrap();
        answers(&proxy, text).await;
    }
    assert_eq!(failures(&proxy).await, 0.0);
}

#[tokio::test]
async fn files_may_be_renamed_over_and_written_in_place() {
    let proxy = sluice!().config(&saying("zero")).start().await;
    let file = proxy.folder().join("proxy.yaml");
    fs::rename(&file, proxy.folder().join("proxy.yaml~")).unwrap();
    fs::write(&file, proxy.render(&saying("one"))).unwrap();
    answers(&proxy, "one").await;
    fs::write(&file, proxy.render(&saying("two"))).unwrap();
    answers(&proxy, "two").await;
    fs::write(proxy.folder().join(".swap"), proxy.render(&saying("three"))).unwrap();
    fs::rename(proxy.folder().join(".swap"), &file).unwrap();
    answers(&proxy, "three").await;
}

#[tokio::test]
async fn a_half_written_file_does_no_harm() {
    let proxy = sluice!().config(&saying("zero")).start().await;
    let file = proxy.folder().join("proxy.yaml");
    let text = proxy.render(&saying("whole"));
    let (half, _) = text.split_at(text.find("hosts:").unwrap());
    fs::write(&file, half).unwrap();
    let why = proxy.refused().await;
    assert!(why.contains("proxy.yaml:"), "{why}");
    assert_eq!(proxy.get("/").await.text(), "zero");
    fs::write(&file, &text).unwrap();
    answers(&proxy, "whole").await;
    assert!(proxy.admin("/config_dump").await.json()["last_error"].is_null());
}

#[tokio::test]
async fn sighup_reads_the_file_again_even_if_it_is_the_same() {
    let proxy = sluice!().config(&saying("same")).start().await;
    for number in 1..=3 {
        let before = reloads(&proxy).await;
        proxy.signal(Signal::HUP);
        proxy.stat_becomes("sluice_config_reloads_total", &[], |now| now > before).await;
        assert_eq!(proxy.get("/").await.text(), "same", "{number}");
    }
}

// --- What is refused.

#[tokio::test]
async fn a_bad_file_is_reported_with_every_mistake_and_ignored() {
    let mut proxy = sluice!().config(&saying("good")).start().await;
    proxy.write_config(&saying("bad").replace("status: 200", "status: 99").replace("hosts:", "hosst:"));
    let why = proxy.refused().await;
    assert!(why.contains("`99` is not a final status code") && why.contains("hosst"), "{why}");
    assert_eq!(failures(&proxy).await, 1.0);
    proxy.process().says("the changed configuration is not used, the last good one stays in force").await;
    proxy.process().says("`99` is not a final status code").await;
    assert_eq!((proxy.get("/").await.text(), reloads(&proxy).await), ("good", 0.0));
    assert_eq!(proxy.admin("/ready").await.status, 200);
    proxy.reload(&saying("better")).await;
    assert_eq!(proxy.get("/").await.text(), "better");
}

#[tokio::test]
async fn a_file_that_vanishes_or_cannot_be_read_leaves_the_last_good_state() {
    let mut proxy = sluice!().config(&saying("good")).start().await;
    let file = proxy.folder().join("proxy.yaml");
    fs::remove_file(&file).unwrap();
    let why = proxy.refused().await;
    assert!(why.contains("cannot read the configuration proxy.yaml: No such file"), "{why}");
    assert_eq!(proxy.get("/").await.text(), "good");
    fs::write(&file, proxy.render(&saying("again"))).unwrap();
    answers(&proxy, "again").await;

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    proxy.process().says("cannot read the configuration proxy.yaml: not a regular file").await;
    assert_eq!(proxy.get("/").await.text(), "again");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"listeners: \xff\xfe").unwrap();
    proxy.process().says("cannot read the configuration proxy.yaml: invalid utf-8").await;
    assert_eq!(proxy.get("/").await.text(), "again");
    fs::write(&file, proxy.render(&saying("last"))).unwrap();
    answers(&proxy, "last").await;
}

#[tokio::test]
async fn a_folder_that_is_replaced_whole_is_followed() {
    let cli = sluice_dsl::cli!();
    let text = |word: &str| format!("admin: {{ address: \"127.0.0.1:0\" }}\n{}", saying(word));
    for (folder, word) in [("conf", "one"), ("next", "two")] {
        fs::create_dir(cli.folder().join(folder)).unwrap();
        fs::write(cli.folder().join(folder).join("proxy.yaml"), text(word)).unwrap();
    }
    let mut process = cli.start(["run", "conf/proxy.yaml"]);
    let line = process.says("listener web on ").await;
    let address: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
    fs::rename(cli.folder().join("conf"), cli.folder().join("old")).unwrap();
    fs::rename(cli.folder().join("next"), cli.folder().join("conf")).unwrap();
    let served = async { while Http1::connect(address).await.get("/").await.text() != "two" {} };
    within("the other folder", served).await;
}

// --- Listeners.

fn listeners(list: &str) -> String {
    saying("hello").replace("listeners: [{ name: web, address: 127.0.0.1:0, route_table: main }]", list)
}

#[tokio::test]
async fn listeners_come_go_and_move() {
    let (place, other) = (Nobody::new(), Nobody::new());
    let (first, second) = (place.address(), other.address());
    drop((place, other));
    let web = |more: &str| {
        listeners(&format!("listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}{more}]"))
    };
    let at =
        |address: SocketAddr| web(&format!(", {{ name: more, address: \"{address}\", route_table: main }}"));
    let mut proxy = sluice!().config(&web("")).start().await;
    let mut steady = Http1::connect(proxy.address()).await;
    let home = proxy.address();

    proxy.reload(&at(first)).await;
    let mut client = Http1::connect(first).await;
    assert_eq!(client.get("/").await.text(), "hello");

    proxy.reload(&at(second)).await;
    assert_eq!(Http1::connect(second).await.get("/").await.text(), "hello");
    let closed = async { while Wire::connect_if_open(first).await.is_some() {} };
    within("the old address is closed", closed).await;
    // A connection of the old address is told with its next answer, or closed when it stays quiet.
    client.wire().expect_close().await;

    proxy.reload(&web("")).await;
    let closed = async { while Wire::connect_if_open(second).await.is_some() {} };
    within("the removed listener is closed", closed).await;
    assert_eq!(proxy.address(), home);
    assert_eq!(steady.get("/").await.text(), "hello", "the other listener has noticed nothing");
}

#[tokio::test]
async fn a_taken_port_refuses_the_whole_reload_and_frees_nothing() {
    let taken = Origin::saying("somebody else").await;
    let mut proxy = sluice!().config(&saying("good")).start().await;
    let list = format!(
        "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}, {{ name: more, address: \"{taken}\", route_table: main }}]"
    );
    proxy.write_config(&listeners(&list));
    let why = proxy.refused().await;
    assert!(why.contains(&format!("listener `more` cannot listen on {taken}")), "{why}");
    assert!(why.contains("another process holds it"), "{why}");
    assert_eq!(proxy.get("/").await.text(), "good");

    // Free again, it is taken without anybody asking.
    let address = taken.stop().await;
    let served = async {
        loop {
            if let Some(mut client) = Http1::connect_if_open(address).await {
                return client.get("/").await.text().to_owned();
            }
        }
    };
    assert_eq!(within("the port is served", served).await, "hello");
}

#[tokio::test]
async fn what_is_odd_is_said_once_and_with_its_weight() {
    let odd = |text: &str| format!("{}clusters: [{{ name: lonely }}]\n", saying(text));
    let mut proxy = sluice!().config(&odd("one")).start().await;
    proxy.reload(&odd("two")).await;
    proxy.reload(&format!("# a line more\n{}", odd("three"))).await;
    let said = |proxy: &mut Sluice| {
        let lines = proxy.process().stderr();
        lines.into_iter().filter(|line| line.contains("nothing uses cluster `lonely`")).collect::<Vec<_>>()
    };
    let lines = said(&mut proxy);
    assert!(lines.len() == 1 && lines[0].contains("INFO"), "{lines:?}");
    proxy.reload(&saying("four")).await;
    proxy.reload(&odd("five")).await;
    assert_eq!(said(&mut proxy).len(), 2);
}

#[tokio::test]
async fn what_only_a_restart_can_change_is_said() {
    let mut proxy = sluice!().config(&saying("good")).start().await;
    proxy.reload(&format!("{}runtime: {{ shards: 3 }}\n", saying("good"))).await;
    let needs = proxy.admin("/config_dump").await.json()["needs_restart"].to_string();
    assert!(needs.contains("shards"), "{needs}");
    assert_eq!(proxy.stat("sluice_shards", &[]).await, 2.0);
}
