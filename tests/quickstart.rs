//! `sluice quickstart` does what it says it does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use sluice_dsl::{Cli, Http1, Origin, Process, Reply, Request, Signal, cli, eventually, within};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

struct Quickstart {
    process: Process,
    web: SocketAddr,
    admin: String,
    folder: PathBuf,
    _cli: Cli,
}

impl Quickstart {
    async fn start() -> Self {
        let cli = cli!();
        let mut process = cli.start(["quickstart", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
        process.says("Ctrl-C ends it all").await;
        let mut word = async |line: &str| {
            let line = process.says(line).await;
            line.split_whitespace().nth(1).unwrap().trim_start_matches("http://").to_owned()
        };
        let web = word("  gateway    http://").await.parse().unwrap();
        let admin = word("  admin      http://").await;
        let folder = PathBuf::from(word("  manifests  ").await);
        Self { process, web, admin, folder, _cli: cli }
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

impl Quickstart {
    fn edit(&self, file: &str, from: &str, to: &str) {
        let file = self.folder.join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
    }

    async fn all_to_v2(&self, request: Request) {
        let all = async {
            let mut in_a_row = 0;
            while in_a_row < 30 {
                let version = self.version(request.clone()).await;
                in_a_row = if version == "shop v2" { in_a_row + 1 } else { 0 };
            }
        };
        within("all traffic to v2", all).await;
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

    let order = Request::post("/orders", "two pounds of tea").host("orders.example");
    assert_eq!(quickstart.version(order).await, "shop v1");
    quickstart.process.says("audit v1 saw POST /orders HTTP/1.1 with 17 bytes of body").await;

    quickstart.edit("shop.yaml", "canary-weight: \"25\"", "canary-weight: \"100\"");
    quickstart.all_to_v2(Request::get("/shop")).await;
    let orders = || Request::get("/shop").host("orders.example");
    quickstart.edit("orders.yaml", "{ host: shop-v1 }, weight: 50", "{ host: shop-v1 }, weight: 0");
    quickstart.all_to_v2(orders()).await;

    let at_orders = |path: &str| Request::get(path).host("orders.example");
    let api = quickstart.send(at_orders("/api/v1/things?x=1")).await;
    assert!(api.text().contains("GET /things?x=1 HTTP/1.1"), "{}", api.text());
    let moved = quickstart.send(at_orders("/store")).await;
    assert_eq!(moved.status, 302);
    assert!(moved.field("location").ends_with("/shop"), "{}", moved.field("location"));
}

#[tokio::test]
async fn a_running_quickstart_can_be_asked_why() {
    let quickstart = Quickstart::start().await;
    let ask = ["explain", "--admin", &quickstart.admin, "--host=orders.example", "--path=/api/v1/things"];
    let said = cli!().run(ask).await;
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    for wanted in [
        "route      api (from VirtualService shop/orders)",
        "outbound|80||shop-v1.shop.svc.cluster.local at 127.0.0.1:",
        "rewrite    path /things",
        "shop (from VirtualService shop/orders): it matches too, but is asked later",
    ] {
        assert!(said.stdout.contains(wanted), "{wanted:?} is missing:\n{}", said.stdout);
    }
}

#[tokio::test]
async fn the_manifests_hold_no_mistake() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/quickstart");
    let output = cli!().run(["check", "--labels=istio=ingressgateway", &folder.display().to_string()]).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{}", output.stderr);
}

#[tokio::test]
async fn it_ends_on_ctrl_c_and_takes_its_copy_with_it() {
    let mut quickstart = Quickstart::start().await;
    let folder = quickstart.folder.clone();
    assert!(folder.join("shop.yaml").is_file());
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
