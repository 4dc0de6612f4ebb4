//! TLS scopes of a listener.

use super::*;

const SECRET: &str = "
secrets:
- name: web
  kind:
    tls:
      certificate: { inline: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\" }
      key: { inline: \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\" }
route_tables:
- { name: t, virtual_hosts: [{ name: h, hosts: ['*'], routes: [{ name: r, action: { respond: { status: 200 } } }] }] }
";

/// What is said of a listener's `tls`; its path is left out.
fn say_tls(tls: &str) -> String {
    let text =
        format!("listeners:\n- name: l\n  address: 127.0.0.1:0\n  route_table: t\n  tls: {tls}\n{SECRET}");
    let said = say(&text).replace("listeners[0].tls.", "");
    said.lines().map(|line| line.split_once(": ").map_or(line, |(_, line)| line).to_owned() + "\n").collect()
}

#[test]
fn scopes_with_names_of_their_own_say_nothing() {
    assert_eq!(
        say_tls(
            "{ certificates: [web], scopes: [
      { name: a, server_names: [a.test, '*.a.test'], certificates: [web], route_table: t },
      { name: b, server_names: ['?.a.test', 'b.a.test'], certificates: [web], require_known_name: true }] }"
        ),
        ""
    );
    assert_eq!(say_tls("{ scopes: [{ name: a, server_names: ['*'], certificates: [web] }] }"), "");
}

#[test]
fn a_name_belongs_to_one_scope() {
    assert_eq!(
        say_tls(
            "{ scopes: [
      { name: a, server_names: [a.test, A.test., '*.a.test'], certificates: [web] },
      { name: b, server_names: [b.test, '*.a.test'], certificates: [web] },
      { name: a, server_names: [c.test], certificates: [web] }] }"
        ),
        "warning: scopes[0].server_names[1]: `a.test` is listed twice
error: scopes[1].server_names[1]: `*.a.test` belongs to scope `a` already, not to `b`
error: scopes[2].name: scope `a` exists already, see scopes[0]
"
    );
}

#[test]
fn a_scope_needs_names_that_clients_can_send_and_a_certificate_to_serve_anybody() {
    assert_eq!(
        say_tls(
            "{ scopes: [
      { name: a, server_names: [], certificates: [] },
      { name: b, server_names: [127.0.0.1, '[::1]', 'www.*', '*-a.test', '~a'], certificates: [web], route_table: s }] }"
        ),
        "warning: scopes[0]: the scope has no certificate, so every handshake for it is refused
error: scopes[0].server_names: a scope needs a server name; write `[\"*\"]` for all that no other scope has
error: scopes[1].server_names[0]: clients send no address as a server name, so `127.0.0.1` is never picked; leave addresses to the default scope, or to a scope for `*`
error: scopes[1].server_names[1]: clients send no address as a server name, so `[::1]` is never picked; leave addresses to the default scope, or to a scope for `*`
error: scopes[1].server_names[2]: `www.*` cannot tell TLS scopes apart; write a name, `*.suffix`, `?.suffix` or `*`
error: scopes[1].server_names[3]: `*-a.test` cannot tell TLS scopes apart; write a name, `*.suffix`, `?.suffix` or `*`
error: scopes[1].server_names[4]: `~a` cannot tell TLS scopes apart; write a name, `*.suffix`, `?.suffix` or `*`
error: scopes[1].route_table: unknown route table `s`
"
    );
}

#[test]
fn what_no_handshake_can_reach_has_no_effect() {
    assert_eq!(
        say_tls("{ certificates: [web], scopes: [{ name: a, server_names: ['*'], certificates: [web] }] }"),
        "warning: certificates: have no effect: scope `a` takes every name that no other has
"
    );
    assert_eq!(
        say_tls(
            "{ require_known_name: true, scopes: [{ name: a, server_names: [a.test], certificates: [web] }] }"
        ),
        "warning: require_known_name: has no effect: without `certificates`, names of no scope are refused anyway
"
    );
    assert!(say_tls("{ certificates: [] }").starts_with("error: certificates: TLS needs a certificate"));
}
