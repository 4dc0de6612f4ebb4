//! Configurations of any size.

use sluice_core::snapshot::{NoChains, Snapshot, compile};
use sluice_model::{Config, NoFiles, Source, load};
use std::fmt::Write as _;

/// A listener whose table has so many hosts with so many paths each, all served by one cluster with so many endpoints.
pub(crate) fn config(hosts: usize, paths: usize, endpoints: usize) -> Config {
    let mut text = "listeners: [{ name: web, address: '127.0.0.1:0', route_table: main }]\nclusters:\n- name: servers\n  endpoints:\n".to_owned();
    for endpoint in 0..endpoints {
        let _ = writeln!(text, "  - {{ address: '127.0.0.1:{}' }}", 10_000 + endpoint);
    }
    text.push_str("route_tables:\n- name: main\n  virtual_hosts:\n");
    for host in 0..hosts {
        let _ = writeln!(text, "  - name: host-{host}\n    hosts: ['{}']\n    routes:", host_name(host));
        for path in 0..paths {
            let _ = writeln!(
                text,
                "    - {{ name: path-{path}, match: [{{ path: {{ prefix: '{}' }} }}], action: {{ forward: {{ destinations: [{{ cluster: \
                 servers }}] }} }} }}",
                path_prefix(path)
            );
        }
    }
    load(&Source::new("micro.yaml", text), &NoFiles).unwrap_or_else(|problems| panic!("{problems}")).config
}

/// The same, compiled.
pub(crate) fn snapshot(hosts: usize, paths: usize, endpoints: usize) -> Snapshot {
    compile(None, &config(hosts, paths, endpoints), &NoChains)
}

pub(crate) fn host_name(number: usize) -> String {
    format!("shop-{number}.example.com")
}

pub(crate) fn path_prefix(number: usize) -> String {
    format!("/service-{number}")
}
