//! nginx: workers as the row says, a pool of connections to the server, bodies streamed, no access log.

use super::Scene;
use crate::row::{self, Protocol};
use std::{fmt::Write as _, io, process::Command};

pub(super) fn command(scene: &Scene<'_>) -> io::Result<Command> {
    let file = scene.write("nginx.conf", &configuration(scene))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(scene.folder).arg("-e").arg("stderr").arg("-c").arg(file);
    Ok(command)
}

fn configuration(scene: &Scene<'_>) -> String {
    let Scene { row, plain, secure, certificate, folder, .. } = scene;
    let folder = folder.display();
    let mut text = format!(
        "daemon off;
worker_processes {threads};
worker_rlimit_nofile 65536;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 30000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server_names_hash_max_size 131072;
  server_names_hash_bucket_size 128;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_max_body_size 16m;
  ssl_certificate {chain};
  ssl_certificate_key {key};
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:sessions:10m;
  proxy_http_version 1.1;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  proxy_set_header Connection \"\";
  proxy_set_header Host $host;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  upstream server {{ server {server}; keepalive 256; keepalive_requests 1000000000; }}
",
        threads = row.threads,
        chain = certificate.chain.display(),
        key = certificate.key.display(),
        server = scene.server(),
    );
    let pass = match row.upstream {
        Protocol::Http1 => "proxy_pass http://server;",
        Protocol::Http2 => "grpc_pass grpc://server;",
    };
    for host in 0..row.hosts {
        let name = row::host_number(row, host);
        let _ = writeln!(text, "  server {{ listen {plain}; listen {secure} ssl http2; server_name {name};");
        for path in 0..row.paths {
            let _ = writeln!(text, "    location {} {{ {pass} }}", row::path_number(row, path));
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}
