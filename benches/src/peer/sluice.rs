//! Sluice: one shard unless the row says more, everything else as it comes.

use super::Scene;
use crate::row::{self, Protocol};
use std::{fmt::Write as _, io, path::Path, process::Command};

pub(super) fn command(program: &Path, scene: &Scene<'_>, log: bool) -> io::Result<Command> {
    let file = scene.write("sluice.yaml", &configuration(scene, log))?;
    let mut command = Command::new(program);
    command.arg("run").arg(file).args(["--log", "warn"]);
    Ok(command)
}

fn configuration(scene: &Scene<'_>, log: bool) -> String {
    let Scene { row, plain, secure, certificate, .. } = scene;
    let mut text = format!(
        "admin: {{ address: '127.0.0.1:0' }}
runtime: {{ shards: {threads} }}
listeners:
- {{ name: plain, address: '{plain}', route_table: main }}
- {{ name: secure, address: '{secure}', route_table: main, tls: {{ certificates: [bench] }} }}
secrets:
- name: bench
  kind: {{ tls: {{ certificate: {{ file: '{chain}' }}, key: {{ file: '{key}' }} }} }}
clusters:
- {{ name: server, endpoints: [{{ address: '{server}' }}], protocol: {protocol} }}
",
        threads = row.threads,
        chain = certificate.chain.display(),
        key = certificate.key.display(),
        server = scene.server(),
        protocol = match row.upstream {
            Protocol::Http1 => "http1",
            Protocol::Http2 => "http2",
        },
    );
    if log {
        let _ = writeln!(
            text,
            "access_log: {{ target: {{ file: '{}' }} }}",
            scene.folder.join("access.log").display()
        );
    }
    text.push_str("route_tables:\n- name: main\n  virtual_hosts:\n");
    for host in 0..row.hosts {
        let _ = writeln!(
            text,
            "  - name: host-{host}\n    hosts: ['{}']\n    routes:",
            row::host_number(row, host)
        );
        for path in 0..row.paths {
            let _ = writeln!(
                text,
                "    - {{ name: path-{path}, match: [{{ path: {{ string_prefix: '{}' }} }}], action: {{ forward: {{ destinations: [{{ cluster: \
                 server }}] }} }} }}",
                row::path_number(row, path)
            );
        }
    }
    text
}
