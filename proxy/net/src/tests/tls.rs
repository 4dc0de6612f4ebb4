//! TLS on either side of a shard.

use super::world::{Options, World, generation, run};
use bytes::Bytes;
use h2::{client, server};
use http::{Request, Response};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sluice_tls::{
    Certificate, ClientAlpn, ClientSettings, ClientTls, ListenerTls, Protocol, ServerSettings, ServerTls,
    Session, TlsStream, Verification,
};
use std::rc::Rc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_local,
};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key for a name, PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn client(&self, alpn: ClientAlpn) -> ClientTls {
        let pem = self.0.pem().into_bytes().into();
        let verification = Verification::Ca { secret: "ca".to_owned(), pem };
        ClientTls::new(ClientSettings { verification, alpn }).unwrap()
    }

    fn server(&self, name: &str, protocols: &[Protocol]) -> ListenerTls {
        let (certificate, key) = self.issue(name);
        let certificate = Certificate {
            secret: name.to_owned(),
            certificate_pem: certificate.into_bytes().into(),
            key_pem: key.into_bytes().into(),
        };
        let protocols = protocols.to_vec();
        ServerTls::new(ServerSettings {
            certificates: vec![certificate],
            require_known_name: false,
            protocols,
        })
        .unwrap()
        .into()
    }
}

/// Gives the world's listener and cluster TLS, or not.
fn secure(world: &World, listener: &str, cluster: &str, secrets: &str) {
    let config = format!(
        "listeners: [{{ name: web, address: '127.0.0.1:0', route_table: main{listener} }}]
route_tables: [{{ name: main, virtual_hosts: [{{ name: all, hosts: ['*'], routes: [
  {{ name: one, action: {{ forward: {{ destinations: [{{ cluster: one }}] }} }} }}] }}] }}]
clusters: [{{ name: one, endpoints: [{{ address: '{}' }}]{cluster} }}]
secrets: [{secrets}]
",
        world.upstream()
    );
    world.shard.publish(generation(&config, None));
}

fn quoted(pem: &str) -> String {
    format!("\"{}\"", pem.replace('\n', "\\n"))
}

async fn connect(world: &World, tls: &ClientTls, name: &str) -> (TlsStream<TcpStream>, Session) {
    tls.connect(&name.parse().unwrap(), world.client().await.stream).await.unwrap()
}

#[test]
fn alpn_decides_what_a_tls_listener_speaks() {
    run(&Options::default(), async |world| {
        let authority = Authority::new();
        let (certificate, key) = authority.issue("a.test");
        secure(
            &world,
            ", tls: { certificates: [web] }",
            "",
            &format!(
                "{{ name: web, kind: {{ tls: {{ certificate: {{ inline: {} }}, key: {{ inline: {} }} }} }} }}",
                quoted(&certificate),
                quoted(&key)
            ),
        );
        let (stream, session) = connect(&world, &authority.client(ClientAlpn::Auto), "a.test").await;
        assert_eq!(session.protocol, Some(Protocol::Http2));
        let (mut near, connection) = client::handshake(stream).await.unwrap();
        spawn_local(connection);
        let request = Request::get("https://a.test/two").body(()).unwrap();
        let (response, _) = near.send_request(request, true).unwrap();
        let mut endpoint = world.endpoint().await;
        let head = endpoint.head().await;
        assert!(head.starts_with("GET /two HTTP/1.1\r\nhost: a.test\r\n"), "{head}");
        assert!(head.contains("x-forwarded-proto: https\r\n"), "{head}");
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(response.await.unwrap().status(), 200);

        let (mut stream, session) = connect(&world, &authority.client(ClientAlpn::Http1), "a.test").await;
        assert_eq!(session.protocol, Some(Protocol::Http1));
        stream.write_all(b"GET /one HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(endpoint.head().await.starts_with("GET /one HTTP/1.1\r\n"));
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nhi"), "{text}");
    });
}

#[test]
fn a_coalesced_request_for_another_scope_is_misdirected_and_the_connection_lives_on() {
    run(&Options::default(), async |world| {
        let authority = Authority::new();
        let (certificate, key) = authority.issue("a.test");
        secure(
            &world,
            ", tls: { scopes: [{ name: a, server_names: [a.test], certificates: [web] }, \
             { name: b, server_names: [b.test], certificates: [web] }] }",
            "",
            &format!(
                "{{ name: web, kind: {{ tls: {{ certificate: {{ inline: {} }}, key: {{ inline: {} }} }} }} }}",
                quoted(&certificate),
                quoted(&key)
            ),
        );
        let (stream, session) = connect(&world, &authority.client(ClientAlpn::Auto), "a.test").await;
        assert_eq!(session.protocol, Some(Protocol::Http2));
        let (mut near, connection) = client::handshake(stream).await.unwrap();
        spawn_local(connection);
        let mut ask = |uri: &str| near.send_request(Request::get(uri).body(()).unwrap(), true).unwrap().0;
        assert_eq!(ask("https://b.test/").await.unwrap().status(), 421);
        let line = world.reported(1).await;
        assert_eq!((line.flags.as_str(), line.details.as_str()), ("DPE", "misdirected_request"));
        let response = ask("https://a.test/here");
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.starts_with("GET /here HTTP/1.1\r\nhost: a.test\r\n"));
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(response.await.unwrap().status(), 200);
    });
}

#[test]
fn a_client_that_says_nothing_is_cut_after_the_handshake_timeout() {
    run(&Options::default(), async |world| {
        let (certificate, key) = Authority::new().issue("a.test");
        secure(
            &world,
            ", tls: { certificates: [web] }, timeouts: { handshake: 50ms }",
            "",
            &format!(
                "{{ name: web, kind: {{ tls: {{ certificate: {{ inline: {} }}, key: {{ inline: {} }} }} }} }}",
                quoted(&certificate),
                quoted(&key)
            ),
        );
        world.client().await.closed().await;
        assert_eq!(world.log.count("HandshakeFailed"), 1);
        let mut garbage = world.sends("\0\0\0\0\0").await;
        garbage.closed().await;
        assert_eq!(world.log.count("HandshakeFailed"), 2);
        let mut plain = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let text = plain.rest().await;
        assert!(text.starts_with("HTTP/1.1 400 ") && text.ends_with("sent to HTTPS port"), "{text}");
        assert_eq!(world.reported(1).await.details, "plain_http_at_tls_port");
    });
}

/// A world whose cluster is verified against an authority.
fn verified(protocol: &'static str, test: impl AsyncFnOnce(World, Authority)) {
    run(&Options::default(), async |world| {
        let authority = Authority::new();
        secure(
            &world,
            "",
            &format!(", protocol: {protocol}, tls: {{ server_name: up.test, verify: {{ ca: roots }} }}"),
            &format!("{{ name: roots, kind: {{ ca: {{ inline: {} }} }} }}", quoted(&authority.0.pem())),
        );
        test(world, authority).await;
    });
}

async fn accept(world: &World, tls: &ListenerTls) -> (TlsStream<TcpStream>, Session) {
    tls.accept(world.endpoint().await.stream).await.unwrap()
}

#[test]
fn auto_speaks_what_the_endpoint_prefers() {
    verified("auto", async |world, authority| {
        let both = authority.server("up.test", &[Protocol::Http2, Protocol::Http1]);
        let mut near = world.sends("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").await;
        let (stream, session) = accept(&world, &both).await;
        assert_eq!(
            (session.protocol, session.server_name.as_deref()),
            (Some(Protocol::Http2), Some("up.test"))
        );
        let mut connection = server::handshake(stream).await.unwrap();
        let (request, mut respond): (_, server::SendResponse<Bytes>) =
            connection.accept().await.unwrap().unwrap();
        spawn_local(async move { while let Some(Ok(_)) = connection.accept().await {} });
        assert_eq!(request.uri(), "https://a.test/", "the endpoint is reached over TLS");
        respond.send_response(Response::new(()), true).unwrap();
        assert_eq!(near.status().await, 200);
    });
    verified("auto", async |world, authority| {
        let one = authority.server("up.test", &[Protocol::Http1]);
        for number in 1..=2 {
            let world = &world;
            let mut near = world.sends("GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n").await;
            if number == 1 {
                let (mut stream, session) = accept(world, &one).await;
                assert_eq!(session.protocol, Some(Protocol::Http1));
                spawn_local(async move {
                    let mut byte = [0];
                    let mut seen = Vec::new();
                    while stream.read(&mut byte).await.unwrap_or(0) > 0 {
                        seen.push(byte[0]);
                        if seen.ends_with(b"\r\n\r\n") {
                            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                        }
                    }
                });
            }
            assert_eq!(near.status().await, 200);
        }
        assert_eq!((world.log.count("PoolHit"), world.log.count("UpstreamOpened")), (1, 1));
    });
}

#[test]
fn http2_is_not_spoken_to_an_endpoint_that_does_not_agree() {
    verified("http2", async |world, authority| {
        let one = Rc::new(authority.server("up.test", &[]));
        let mut near = world.sends("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").await;
        let socket = world.endpoint().await.stream;
        spawn_local(async move {
            let stream = one.accept(socket).await;
            std::future::pending::<()>().await;
            drop(stream);
        });
        assert_eq!(near.status().await, 503);
        assert_eq!(world.reported(1).await.flags, "UF");
    });
}

#[test]
fn an_endpoint_that_cannot_prove_its_name_is_not_spoken_to() {
    verified("http1", async |world, authority| {
        let other = authority.server("other.test", &[Protocol::Http1]);
        let mut near = world.sends("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").await;
        let socket = world.endpoint().await.stream;
        assert!(other.accept(socket).await.is_err());
        assert_eq!(near.status().await, 503);
        assert_eq!(world.reported(1).await.flags, "UF");
        assert_eq!(world.log.count("ConnectFailed"), 1);
    });
}
