//! Endpoints that are left out for a while.

use super::{
    config,
    faulty::{Faulty, Way},
    in_front_of, shown,
};

const SHORT: &str =
    ", outlier_detection: { consecutive_5xx: 2, base_ejection_time: 300ms, max_ejection_time: 300ms }";

#[tokio::test]
async fn an_endpoint_that_fails_is_left_out_and_comes_back_when_it_answers_again() {
    let (good, bad) = (Faulty::start(Way::Answer).await, Faulty::start(Way::Unavailable).await);
    let proxy = in_front_of(&[&good, &bad], SHORT, "").await;
    let mut failed = 0;
    while shown(&proxy, &bad).await["ejections"] == 0 {
        failed += usize::from(proxy.get("/").await.status == 503);
    }
    assert_eq!(failed, 2, "as many as it takes");
    assert_eq!(shown(&proxy, &good).await["health"], "healthy");
    proxy.stat_becomes("sluice_upstream_ejections_total", &["cluster=\"all\""], |count| count >= 1.0).await;
    bad.turn(Way::Answer);
    while shown(&proxy, &bad).await["health"] != "healthy" {
        assert_eq!(proxy.get("/").await.status, 200, "nobody is asked who fails");
    }
    proxy.stat_becomes("sluice_upstream_endpoints_ejected", &["cluster=\"all\""], |count| count < 0.5).await;
}

#[tokio::test]
async fn the_only_endpoint_is_never_left_out() {
    let bad = Faulty::start(Way::Unavailable).await;
    let proxy = in_front_of(&[&bad], SHORT, "").await;
    for _ in 0..6 {
        assert_eq!(proxy.get("/").await.text(), "bad");
    }
    assert_eq!(shown(&proxy, &bad).await["ejections"], 0);
}

#[tokio::test]
async fn a_change_of_the_configuration_brings_nobody_back() {
    let (good, bad) = (Faulty::start(Way::Answer).await, Faulty::start(Way::Unavailable).await);
    let long = ", outlier_detection: { consecutive_5xx: 1, base_ejection_time: 5m }";
    let mut proxy = in_front_of(&[&good, &bad], long, "").await;
    while shown(&proxy, &bad).await["health"] == "healthy" {
        proxy.get("/").await;
    }
    proxy.reload(&config(&[&good, &bad], long, ", timeouts: { request: 10s }")).await;
    assert_eq!(shown(&proxy, &bad).await["health"], "ejected");
    let before = bad.requests();
    for _ in 0..6 {
        assert_eq!(proxy.get("/").await.status, 200);
    }
    assert_eq!(bad.requests(), before);
}
