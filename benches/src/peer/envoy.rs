//! Envoy: one worker for each thread of the row, its router and nothing else, no access log.

use super::Scene;
use crate::row::{self, Protocol};
use std::{fmt::Write as _, io, net::SocketAddr, path::Path, process::Command};

pub(super) fn command(program: &Path, scene: &Scene<'_>) -> io::Result<Command> {
    let file = scene.write("envoy.yaml", &configuration(scene))?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file).args(["--log-level", "error", "--disable-hot-restart", "--concurrency"]);
    command.arg(scene.row.threads.to_string());
    Ok(command)
}

fn configuration(scene: &Scene<'_>) -> String {
    let Scene { row, plain, secure, certificate, .. } = scene;
    let tls = format!(
        "
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
        common_tls_context:
          alpn_protocols: [h2, http/1.1]
          tls_params: {{ tls_maximum_protocol_version: TLSv1_3 }}
          tls_certificates: [{{ certificate_chain: {{ filename: '{}' }}, private_key: {{ filename: '{}' }} }}]",
        certificate.chain.display(),
        certificate.key.display()
    );
    let options = match row.upstream {
        Protocol::Http1 => "http_protocol_options: {}",
        Protocol::Http2 => "http2_protocol_options: {}",
    };
    let hosts = virtual_hosts(scene);
    format!(
        "static_resources:
  listeners:{}{}
  clusters:
  - name: server
    connect_timeout: 5s
    type: STATIC
    circuit_breakers: {{ thresholds: [{{ max_connections: 65536, max_pending_requests: 65536, max_requests: 65536 }}] }}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ {options} }}
    load_assignment:
      cluster_name: server
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ {} }} }}] }}]
",
        listener("plain", *plain, "", &hosts),
        listener("secure", *secure, &tls, &hosts),
        address(scene.server()),
    )
}

fn listener(name: &str, at: SocketAddr, tls: &str, hosts: &str) -> String {
    format!(
        "
  - name: {name}
    {}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          codec_type: AUTO
          use_remote_address: true
          normalize_path: true
          route_config:
            name: main
            virtual_hosts:{hosts}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}{}",
        address(at),
        tls.replace("\n    ", "\n      "),
    )
}

fn address(at: SocketAddr) -> String {
    format!("address: {{ socket_address: {{ address: {}, port_value: {} }} }}", at.ip(), at.port())
}

fn virtual_hosts(scene: &Scene<'_>) -> String {
    let row = scene.row;
    let mut text = String::new();
    for host in 0..row.hosts {
        let name = row::host_number(row, host);
        // With and without a port: Envoy compares the whole authority.
        let _ = write!(
            text,
            "\n            - name: host-{host}\n              domains: ['{name}', '{name}:*']\n              routes:"
        );
        for path in 0..row.paths {
            let _ = write!(
                text,
                "\n              - {{ match: {{ prefix: '{}' }}, route: {{ cluster: server }} }}",
                row::path_number(row, path)
            );
        }
    }
    text
}
