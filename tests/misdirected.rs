//! One TLS listener, several servers: the server name picks the scope, and a request for another one gets 421.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

use sluice_dsl::{Certificate, Http1, Http2, Reply, Request, Sluice, TlsClient, cli, sluice};

/// Scopes `shop` and `bank`, and a default one. Every table answers with its name.
const CONFIG: &str = r#"
listeners:
  - name: web
    address: 127.0.0.1:0
    route_table: rest
    tls:
      certificates: [web]
      scopes:
        - { name: shop, server_names: [shop.test, "*.shop.test"], certificates: [web], route_table: shop }
        - { name: bank, server_names: [bank.test], certificates: [bank], route_table: bank }
route_tables:
  - { name: rest, virtual_hosts: [{ name: all, hosts: ["*"], routes: [{ name: rest, action: { respond: { status: 200, body: rest } } }] }] }
  - { name: shop, virtual_hosts: [{ name: all, hosts: ["*"], routes: [{ name: shop, action: { respond: { status: 200, body: shop } } }] }] }
  - { name: bank, virtual_hosts: [{ name: all, hosts: ["*"], routes: [{ name: bank, action: { respond: { status: 200, body: bank } } }] }] }
secrets:
  - { name: web, kind: { tls: { certificate: { file: web.pem }, key: { file: web.key } } } }
  - { name: bank, kind: { tls: { certificate: { file: bank.pem }, key: { file: bank.key } } } }
"#;

/// A proxy, and the certificates of its scopes.
struct World {
    proxy: Sluice,
    web: Certificate,
    bank: Certificate,
}

impl World {
    async fn new(config: &str) -> Self {
        let web = Certificate::of(&["shop.test", "*.shop.test", "bank.test", "other.test"]);
        let bank = Certificate::of(&["bank.test"]);
        let recipe = sluice!().certificate("web", &web).certificate("bank", &bank).config(config);
        Self { proxy: recipe.start().await, web, bank }
    }

    /// A connection whose handshake names this server.
    async fn http2(&self, name: &str) -> Http2 {
        let certificate = if name == "bank.test" { &self.bank } else { &self.web };
        Http2::connect_tls(self.proxy.address(), &TlsClient::trusting(certificate, name, &["h2"])).await
    }

    async fn http1(&self, name: &str) -> Http1 {
        let certificate = if name == "bank.test" { &self.bank } else { &self.web };
        Http1::connect_tls(self.proxy.address(), &TlsClient::trusting(certificate, name, &["http/1.1"])).await
    }
}

async fn ask(connection: &Http2, host: &str) -> Reply {
    let reply = connection.send(&Request::get(&format!("/{host}")).host(host)).await;
    reply.expect("the connection should live")
}

fn short(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.text())
}

const MISDIRECTED: (u16, &str) = (421, "Misdirected Request");

#[tokio::test]
async fn a_coalesced_request_for_another_scope_gets_421_and_the_connection_lives_on() {
    let world = World::new(CONFIG).await;
    let connection = world.http2("shop.test").await;
    assert_eq!(short(&ask(&connection, "shop.test").await), (200, "shop"));
    assert_eq!(short(&ask(&connection, "bank.test").await), MISDIRECTED);
    assert_eq!(short(&ask(&connection, "other.test").await), MISDIRECTED);
    assert_eq!(
        short(&ask(&connection, "a.b.shop.test:8443").await),
        (200, "shop"),
        "another name of the scope"
    );
    let logged = world.proxy.logged_path("/bank.test").await;
    assert_eq!(logged["response_flags"], "DPE", "{logged}");
    assert_eq!(logged["details"], "misdirected_request", "{logged}");
    assert_eq!((&logged["server_name"], &logged["authority"]), (&"shop.test".into(), &"bank.test".into()));
    assert_eq!(short(&ask(&world.http2("bank.test").await, "bank.test").await), (200, "bank"), "the way out");
}

#[tokio::test]
async fn http1_requests_are_held_to_the_scope_of_their_connection_too() {
    let world = World::new(CONFIG).await;
    let mut connection = world.http1("bank.test").await;
    for (host, wanted) in
        [("BANK.test.", (200, "bank")), ("shop.test", MISDIRECTED), ("bank.test", (200, "bank"))]
    {
        assert_eq!(short(&connection.send(&Request::get("/").host(host)).await), wanted, "{host}");
    }
}

#[tokio::test]
async fn the_default_scope_takes_what_no_other_has_and_nothing_else() {
    let world = World::new(CONFIG).await;
    let connection = world.http2("other.test").await;
    for (host, wanted) in
        [("other.test", (200, "rest")), ("elsewhere.test", (200, "rest")), ("shop.test", MISDIRECTED)]
    {
        assert_eq!(short(&ask(&connection, host).await), wanted, "{host}");
    }
}

#[tokio::test]
async fn without_a_default_scope_only_names_of_scopes_shake_hands() {
    let world = World::new(&CONFIG.replace("      certificates: [web]\n", "")).await;
    let unknown = TlsClient::trusting(&world.web, "other.test", &["h2"]);
    assert!(unknown.handshake(world.proxy.address()).await.is_err());
    let connection = world.http2("shop.test").await;
    assert_eq!(short(&ask(&connection, "bank.test").await), MISDIRECTED);
    assert_eq!(
        short(&ask(&connection, "other.test").await),
        (200, "shop"),
        "a host of nobody is served here"
    );
}

#[tokio::test]
async fn a_connection_keeps_its_scope_by_name_through_a_reload() {
    let mut world = World::new(CONFIG).await;
    let connection = world.http2("shop.test").await;
    assert_eq!(short(&ask(&connection, "shop.test").await), (200, "shop"));
    world.proxy.reload(&CONFIG.replace("route_table: shop }", "route_table: bank }")).await;
    assert_eq!(short(&ask(&connection, "shop.test").await), (200, "bank"), "what the scope has now");
    world.proxy.reload(&CONFIG.replace("name: shop, server_names", "name: market, server_names")).await;
    assert_eq!(short(&ask(&connection, "shop.test").await), MISDIRECTED, "the scope is gone");
    assert_eq!(short(&ask(&world.http2("shop.test").await, "shop.test").await), (200, "shop"));
}

#[tokio::test]
async fn explain_names_the_scope_and_says_what_would_be_misdirected() {
    let (web, bank) = (Certificate::of(&["shop.test"]), Certificate::of(&["bank.test"]));
    for (config, arguments, wanted) in [
        (CONFIG, &["--host=a.shop.test"][..], "scope      shop, picked by `a.shop.test`"),
        (CONFIG, &["--host=bank.test:8443", "--sni=Shop.test"], "421 DPE: the host belongs to scope bank"),
        (CONFIG, &["--host=127.0.0.1"], "scope      default (the listener's own), picked by no server name"),
        (CONFIG, &["--host=bank.test", "--sni=bank.test"], "route      bank"),
        (&CONFIG.replace("      certificates: [web]\n", ""), &["--sni=other.test"], "handshake  refused"),
    ] {
        let cli = ["web", "bank"].into_iter().zip([&web, &bank]).fold(cli!(), |cli, (name, certificate)| {
            cli.file(&format!("{name}.pem"), &certificate.chain_pem)
                .file(&format!("{name}.key"), &certificate.key_pem)
        });
        let arguments = ["explain", "proxy.yaml"].into_iter().chain(arguments.iter().copied());
        let output = cli.file("proxy.yaml", config).run(arguments).await;
        assert!(output.code == 0 && output.stdout.contains(wanted), "{wanted}: {output:?}");
    }
}
