//! What clients see of upstreams that fail, and what such upstreams are sent.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

#[path = "resilience/chaos.rs"]
mod chaos;
#[path = "resilience/checks.rs"]
mod checks;
#[path = "resilience/ejection.rs"]
mod ejection;
#[path = "resilience/faulty.rs"]
mod faulty;
#[path = "resilience/limits.rs"]
mod limits;

use serde_json::Value;
use sluice_dsl::{Sluice, sluice};
use std::fmt::Display;

/// A cluster of these endpoints with these other fields, behind one route with these other fields.
fn config(endpoints: &[&dyn Display], cluster: &str, route: &str) -> String {
    let endpoints: Vec<String> = endpoints.iter().map(|at| format!("{{ address: '{at}' }}")).collect();
    format!(
        "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}]
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: [\"*\"]
        routes: [{{ name: all, action: {{ forward: {{ destinations: [{{ cluster: all }}] }} }}{route} }}]
clusters: [{{ name: all, endpoints: [{}]{cluster} }}]
",
        endpoints.join(", ")
    )
}

/// A proxy with such a configuration.
async fn in_front_of(endpoints: &[&dyn Display], cluster: &str, route: &str) -> Sluice {
    sluice!().config(&config(endpoints, cluster, route)).start().await
}

/// What admin says of the endpoint at this address.
async fn shown(proxy: &Sluice, address: &impl Display) -> Value {
    let clusters: Value = proxy.admin("/clusters").await.json();
    let endpoints = clusters[0]["endpoints"].as_array().expect("endpoints").clone();
    endpoints.into_iter().find(|endpoint| endpoint["address"] == address.to_string()).expect("the endpoint")
}
