//! What the quickstart tells its user.

use super::{Place, Servers};
use std::{fmt::Write, net::SocketAddr};

/// What runs where, and what to try.
pub(super) fn text(
    web: SocketAddr,
    secure: Option<SocketAddr>,
    admin: SocketAddr,
    place: &Place,
    servers: &Servers,
    command: &[String],
) -> String {
    let folder = place.folder().display();
    let mut text = format!("Sluice is running.\n\n  gateway    http://{web}\n");
    if let Some(secure) = secure {
        let _ = writeln!(text, "  with TLS   https://{secure}  (self-signed: curl -k)");
    }
    let _ = writeln!(text, "  admin      http://{admin}  (/status /metrics /config_dump)");
    let copy = if place.is_copy() { "  (a copy; removed at the end)" } else { "" };
    let _ = writeln!(text, "  manifests  {folder}{copy}");
    for (role, address) in servers.running() {
        let _ = writeln!(text, "  server     http://{address}  {} {}", role.name, role.version);
    }
    let _ = write!(
        text,
        r#"
Try, in another terminal:

  1. An Ingress with a canary, by weight: about one request in four goes to v2.
     for i in $(seq 12); do curl -s http://{web}/shop | head -1; done

  2. By header: this client always gets v2.
     curl -s -H 'x-canary: always' http://{web}/shop

  3. By cookie: this one never does.
     curl -s -b canary=never http://{web}/shop

  4. A VirtualService with a mirror: the shop answers, and the audit server gets a copy (see the line it prints here).
     curl -s -H 'host: orders.example' -d 'two pounds of tea' http://{web}/orders

  5. Edit a weight in a manifest, and the next request sees it. All traffic to v2:
     sed -i 's/canary-weight: "25"/canary-weight: "100"/' {folder}/shop.yaml && sleep 1 && curl -s http://{web}/shop | head -1

  6. Ask the running gateway why: object, rule, endpoint, and why the others lost.
     sluice explain --admin {admin} --host orders.example --path /api/v1/things

  7. What became of each object:
     curl -s http://{admin}/status

The same without the servers: sluice gateway {command}

Below is one line for each request. Ctrl-C ends it all.

"#,
        command = command.join(" "),
    );
    text
}
