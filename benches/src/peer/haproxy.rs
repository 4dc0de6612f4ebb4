//! HAProxy: threads as the row says, connections to the server always shared, forwarded fields as most people have them.

use super::Scene;
use crate::row::{self, Protocol};
use std::{fmt::Write as _, io, process::Command};

pub(super) fn command(scene: &Scene<'_>) -> io::Result<Command> {
    let file = scene.write("haproxy.cfg", &configuration(scene)?)?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}

fn configuration(scene: &Scene<'_>) -> io::Result<String> {
    let Scene { row, plain, secure, certificate, .. } = scene;
    let mut routing = "  default_backend server\n".to_owned();
    if row.hosts > 1 {
        let map = (0..row.hosts).fold(String::new(), |mut map, host| {
            let _ = writeln!(map, "{} server", row::host_number(row, host));
            map
        });
        let map = scene.write("hosts.map", &map)?;
        routing = format!("  use_backend %[req.hdr(host),field(1,:),lower,map({})]\n", map.display());
    } else if row.paths > 1 {
        let map = (0..row.paths).fold(String::new(), |mut map, path| {
            let _ = writeln!(map, "{} server", row::path_number(row, path));
            map
        });
        let map = scene.write("paths.map", &map)?;
        routing = format!("  use_backend %[path,map_beg({})]\n", map.display());
    }
    Ok(format!(
        "global
  nbthread {threads}
  maxconn 20000
  no strict-limits
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 60s
  timeout http-keep-alive 75s
  http-reuse always
frontend web
  bind {plain}
  bind {secure} ssl crt {pem} alpn h2,http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}
{routing}backend server
  server one {server}{protocol}
",
        threads = row.threads,
        pem = certificate.both.display(),
        server = scene.server(),
        protocol = match row.upstream {
            Protocol::Http1 => "",
            Protocol::Http2 => " proto h2",
        },
    ))
}
