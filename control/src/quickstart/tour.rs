//! What the quickstart tells its user.

use super::{Place, Servers};
use std::{fmt::Write, net::SocketAddr};

/// What runs where, and five things to try.
pub(super) fn text(web: SocketAddr, admin: SocketAddr, place: &Place, servers: &Servers) -> String {
    let file = place.file().display();
    let mut text = format!(
        "Sluice is running.\n\n  proxy   http://{web}\n  admin   http://{admin}  (/ready /metrics /config_dump)\n  config  {file}{}\n",
        if place.is_copy() { "  (a copy; removed at the end)" } else { "" },
    );
    for (role, address) in servers.running() {
        let _ = writeln!(text, "  server  http://{address}  {}", role.cluster);
    }
    let _ = write!(
        text,
        r"
Try, in another terminal:

  1. By weight: about one request in four goes to v2.
     for i in $(seq 12); do curl -s http://{web}/shop | head -1; done

  2. By header: this client always gets v2.
     curl -s -H 'x-canary: always' http://{web}/shop

  3. By cookie: this one never does.
     curl -s -b canary=never http://{web}/shop

  4. Mirrored: the shop answers, and the audit server gets a copy, body included (see the line it prints here).
     curl -s -d 'two pounds of tea' http://{web}/orders

  5. Reloaded: edit the file, and the next request sees it. All traffic to v2:
     sed -i 's/weight: 25/weight: 100/' {file} && sleep 1 && curl -s http://{web}/shop | head -1

Below is one line for each request. Ctrl-C ends it all.

"
    );
    text
}
