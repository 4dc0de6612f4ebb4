//! `sluice quickstart` does what it says it does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use sluice_dsl::{Cli, Http1, Origin, Process, Reply, Request, Signal, cli, eventually, within};
use std::{fs, net::SocketAddr, path::PathBuf};

struct Quickstart {
    process: Process,
    web: SocketAddr,
    file: PathBuf,
    _cli: Cli,
}

impl Quickstart {
    async fn start() -> Self {
        let cli = cli!();
        let mut process = cli.start(["quickstart", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
        process.says("Ctrl-C ends it all").await;
        let word = |line: String| line.split_whitespace().nth(1).unwrap().to_owned();
        let web = word(process.says("  proxy   http://").await);
        let web = web.trim_start_matches("http://").parse().unwrap();
        let file = PathBuf::from(word(process.says("  config  ").await));
        Self { process, web, file, _cli: cli }
    }

    async fn send(&self, request: Request) -> Reply {
        Http1::connect(self.web).await.send(&request).await
    }

    async fn version(&self, request: Request) -> String {
        let reply = self.send(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text().lines().next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn everything_on_the_tour_works() {
    let mut quickstart = Quickstart::start().await;

    let mut seen = [0, 0];
    while seen.contains(&0) && seen.iter().sum::<i32>() < 500 {
        match quickstart.version(Request::get("/shop")).await.as_str() {
            "shop v1" => seen[0] += 1,
            "shop v2" => seen[1] += 1,
            other => panic!("{other}"),
        }
    }
    assert!(!seen.contains(&0), "by weight, both versions answer: {seen:?}");

    for _ in 0..10 {
        assert_eq!(quickstart.version(Request::get("/shop").field("x-canary", "always")).await, "shop v2");
        assert_eq!(
            quickstart.version(Request::get("/shop").field("cookie", "canary=never")).await,
            "shop v1"
        );
    }

    let order = Request::post("/orders", "two pounds of tea");
    assert_eq!(quickstart.version(order).await, "shop v1");
    quickstart.process.says("audit v1 saw POST /orders HTTP/1.1 with 17 bytes of body").await;

    let text = fs::read_to_string(&quickstart.file).unwrap();
    fs::write(&quickstart.file, text.replace("weight: 25", "weight: 100")).unwrap();
    let all_to_v2 = async {
        let mut in_a_row = 0;
        while in_a_row < 30 {
            let version = quickstart.version(Request::get("/shop")).await;
            in_a_row = if version == "shop v2" { in_a_row + 1 } else { 0 };
        }
    };
    within("all traffic to v2", all_to_v2).await;

    let api = quickstart.send(Request::get("/api/v1/things?x=1")).await;
    assert!(api.text().contains("GET /things?x=1 HTTP/1.1"), "{}", api.text());
    let moved = quickstart.send(Request::get("/store/tea")).await;
    assert_eq!(moved.status, 302);
    assert!(moved.field("location").ends_with("/shop/tea"), "{}", moved.field("location"));
    assert_eq!(quickstart.send(Request::get("/")).await.status, 200);
    assert_eq!(quickstart.send(Request::get("/nothing")).await.status, 404);
}

#[tokio::test]
async fn it_ends_on_ctrl_c_and_takes_its_copy_with_it() {
    let mut quickstart = Quickstart::start().await;
    let folder = quickstart.file.parent().unwrap().to_path_buf();
    assert!(folder.is_dir());
    quickstart.process.signal(Signal::INT);
    assert_eq!(quickstart.process.ended().await, 0);
    eventually("the copy is gone", || !folder.exists()).await;
}

#[tokio::test]
async fn a_taken_port_gives_a_clear_message() {
    let other = Origin::saying("me first").await;
    let listen = format!("--listen={}", other.address());
    let output = cli!().run(["quickstart", &listen, "--admin=127.0.0.1:0"]).await;
    assert_eq!(output.code, 3);
    assert!(output.stderr.contains(&other.address().to_string()), "{}", output.stderr);
    assert!(output.stderr.contains("--listen"), "{}", output.stderr);
}
