//! `configs/bookinfo`: what its files say is what a gateway does.

use sluice_dsl::{Gateway, Http1, Load, Origin, Request, cli, eventually, gateway};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// The page and the three versions of the reviews.
struct Bookinfo {
    gateway: Gateway,
    reviews: [Origin; 3],
    _page: Origin,
}

async fn bookinfo() -> Bookinfo {
    let page = Origin::saying("page").await;
    let reviews = [Origin::saying("v1").await, Origin::saying("v2").await, Origin::saying("v3").await];
    let recipe = gateway!().example("configs/bookinfo").argument("--labels=istio=ingressgateway");
    let recipe =
        (9021..).zip(&reviews).fold(recipe, |recipe, (port, origin)| recipe.in_place_of(port, origin));
    let gateway = recipe.in_place_of(9011, &page).start().await;
    Bookinfo { gateway, reviews, _page: page }
}

impl Bookinfo {
    /// Status and text of an answer to jason, or to nobody known.
    async fn ask(&mut self, host: &str, user: Option<&str>) -> (u16, String) {
        let mut request = Request::get("/reviews").host(&format!("{host}.bookinfo.example"));
        if let Some(user) = user {
            request = request.field("end-user", user);
        }
        let reply = self.gateway.send(&request).await;
        (reply.status, reply.text().to_owned())
    }

    /// How many of `count` requests each version of the reviews answers.
    async fn shares(&mut self, host: &str, count: usize) -> [usize; 3] {
        let mut connection = Http1::connect(self.gateway.port(80).await).await;
        let request = Request::get("/reviews").host(&format!("{host}.bookinfo.example"));
        let mut shares = [0; 3];
        for _ in 0..count {
            let reply = connection.send(&request).await;
            let version = ["v1", "v2", "v3"].iter().position(|version| *version == reply.text());
            assert!(version.is_some(), "{} {:?}", reply.status, reply.text());
            shares[version.unwrap_or_default()] += 1;
        }
        shares
    }
}

#[tokio::test]
async fn the_example_holds_no_mistake() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/bookinfo");
    let output = cli!().run(["check", "--labels=istio=ingressgateway", &folder.display().to_string()]).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{}", output.stderr);
}

#[tokio::test]
async fn versions_share_the_requests_by_weight() {
    let mut bookinfo = bookinfo().await;
    assert_eq!(bookinfo.shares("all-v1", 50).await, [50, 0, 0]);
    let [first, second, third] = bookinfo.shares("ninety-ten", 400).await;
    assert!((10..=90).contains(&second) && third == 0, "about 40 of 400: {first} {second} {third}");
    let [first, second, third] = bookinfo.shares("half", 400).await;
    assert!((120..=280).contains(&second) && first == 0, "about 200 of 400: {first} {second} {third}");
}

#[tokio::test]
async fn a_user_gets_the_version_that_is_meant_for_her() {
    let mut bookinfo = bookinfo().await;
    assert_eq!(bookinfo.ask("user", Some("jason")).await, (200, "v2".to_owned()));
    assert_eq!(bookinfo.ask("user", Some("ann")).await, (200, "v1".to_owned()));
    assert_eq!(bookinfo.ask("user", None).await, (200, "v1".to_owned()));
    let entry = bookinfo.gateway.logged("a request of jason", |entry| entry["status"] == 200).await;
    assert_eq!(entry["object"], "VirtualService bookinfo/user", "{entry}");
}

#[tokio::test]
async fn faults_are_for_the_user_that_they_are_meant_for() {
    let mut bookinfo = bookinfo().await;
    assert_eq!(bookinfo.ask("abort", Some("jason")).await.0, 500);
    assert_eq!(bookinfo.ask("abort", None).await, (200, "v1".to_owned()));
    let begun = Instant::now();
    assert_eq!(bookinfo.ask("delay", Some("jason")).await, (200, "v1".to_owned()));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(bookinfo.ask("delay", None).await, (200, "v1".to_owned()));
}

#[tokio::test]
async fn every_request_is_copied_to_the_mirror() {
    let mut bookinfo = bookinfo().await;
    assert_eq!(bookinfo.shares("mirror", 10).await, [10, 0, 0]);
    let [_, copies, _] = &bookinfo.reviews;
    eventually("ten copies", || copies.requests().len() == 10).await;
}

#[tokio::test]
async fn pages_are_found_by_their_paths() {
    let mut bookinfo = bookinfo().await;
    let host = "productpage.bookinfo.example";
    for (path, status) in [("/productpage", 200), ("/static/logo.png", 200), ("/login", 200), ("/admin", 404)]
    {
        assert_eq!(bookinfo.gateway.get(host, path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn weights_that_step_every_moment_lose_no_request() {
    let mut bookinfo = bookinfo().await;
    let request = Request::get("/load").host("ninety-ten.bookinfo.example");
    let load = Load::start(bookinfo.gateway.port(80).await, 2, &request);
    let mut text = include_str!("../configs/bookinfo/ninety-ten.yaml").to_owned();
    let mut weight = 10;
    for step in [20, 40, 60, 80, 100] {
        for (version, from, to) in [("v1", 100 - weight, 100 - step), ("v2", weight, step)] {
            let written = |weight| format!("subset: {version} }}, weight: {weight} ");
            text = text.replace(&written(from), &written(to));
        }
        bookinfo.gateway.write_in_force("ninety-ten.yaml", &text).await;
        weight = step;
    }
    assert_eq!(load.share(50, "v2").await, 50);
    load.stop_with_all(200).await;
}
