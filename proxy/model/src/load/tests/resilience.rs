//! What a cluster bears, what becomes of endpoints that fail, and what is tried again.

use super::{say, say_routes};

/// What is said of a cluster with these fields.
fn say_cluster(fields: &str) -> String {
    say(&super::GOOD.replace("127.0.0.1:9000 }]\n", &format!("127.0.0.1:9000 }}]\n    {fields}\n")))
}

#[test]
fn everything_that_a_cluster_may_say_is_taken() {
    assert_eq!(
        say_cluster(
            "retry_budget: { percent: 20 }
    limits: { connections: 10, pending_requests: 10, requests: 10, retries: 3 }
    endpoint_limits: { connections: 5, requests: 5 }
    outlier_detection: { consecutive_5xx: 5, max_fails: {}, success_rate: {} }
    panic_threshold: 0
    health_check: { probe: { http: { path: /healthz?full, statuses: [204], body: ok } }, interval: 1s }"
        ),
        ""
    );
    assert_eq!(say_cluster("health_check: { probe: tcp }"), "");
    assert_eq!(say_cluster("protocol: http2\n    health_check: { probe: { grpc: { service: a.B } } }"), "");
}

#[test]
fn what_cannot_be_meant_is_said() {
    for (fields, said) in [
        (
            "outlier_detection: { base_ejection_time: 0 }",
            "base_ejection_time: nobody can be left out for no time",
        ),
        (
            "outlier_detection: { base_ejection_time: 10s, max_ejection_time: 5s }",
            "max_ejection_time: is less than `base_ejection_time`",
        ),
        ("outlier_detection: { max_fails: { fails: 0 } }", "max_fails.fails: nobody is left out for nothing"),
        (
            "outlier_detection: { max_fails: { within: 0 } }",
            "max_fails.within: nothing happens within no time",
        ),
        (
            "outlier_detection: { success_rate: { min_endpoints: 1 } }",
            "success_rate.min_endpoints: at least 2 can be compared",
        ),
        (
            "outlier_detection: { success_rate: { deviations: 0 } }",
            "success_rate.deviations: a number of standard deviations is more than 0",
        ),
        ("health_check: { probe: tcp, interval: 0 }", "health_check.interval: a check needs some time"),
        ("health_check: { probe: { grpc: {} } }", "probe.grpc: gRPC needs HTTP/2"),
        ("health_check: { probe: tcp, port: 0 }", "health_check.port: nobody listens on port 0"),
        (
            "health_check: { probe: tcp, healthy_threshold: 0 }",
            "health_check.healthy_threshold: no answers decide nothing",
        ),
        ("health_check: { probe: { http: { path: healthz } } }", "probe.http.path: a path begins with `/`"),
        ("limits: { requests: 1, pending_requests: 2 }", "pending_requests: is never reached"),
        (
            "limits: { connections: 1 }\n    endpoint_limits: { connections: 2 }",
            "connections: is never reached",
        ),
    ] {
        let all = say_cluster(fields);
        assert!(all.contains(said), "{fields}: {all}");
    }
    assert_eq!(say_cluster("outlier_detection: { consecutive_local_errors: 0, base_ejection_time: 0 }"), "");
    let routes = "- name: a
  action: { forward: { destinations: [{ cluster: c }] } }
  retry: { back_off: { base: 1s, max: 500ms } }";
    assert!(say_routes(routes).contains("back_off.max: is less than `base`"), "{}", say_routes(routes));
}
