//! Handshakes over an in-memory pipe.

use crate::{
    Certificate, ClientAlpn, ClientSettings, ClientTls, HandshakeError, HandshakeFailure, ListenerTls,
    Protocol, ServerSettings, ServerTls, Session, TlsConfigError, TlsConfigErrorKind, TlsContext, TlsStream,
    Verification,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

type Accepted = Result<(TlsStream<DuplexStream>, Session), HandshakeError>;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, secret: &str, names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        Certificate {
            secret: secret.to_owned(),
            certificate_pem: certificate.pem().into_bytes().into(),
            key_pem: key.serialize_pem().into_bytes().into(),
        }
    }

    fn client(&self, alpn: ClientAlpn) -> ClientTls {
        let pem: Arc<[u8]> = self.0.pem().into_bytes().into();
        let verification = Verification::Ca { secret: "ca".to_owned(), pem };
        ClientTls::new(ClientSettings { verification, alpn }).unwrap()
    }
}

fn insecure(alpn: ClientAlpn) -> ClientTls {
    ClientTls::new(ClientSettings { verification: Verification::DangerouslyNone, alpn }).unwrap()
}

fn server(certificates: Vec<Certificate>, protocols: &[Protocol]) -> ListenerTls {
    let protocols = protocols.to_vec();
    ServerTls::new(ServerSettings { certificates, require_known_name: false, protocols }).unwrap().into()
}

const BOTH: &[Protocol] = &[Protocol::Http2, Protocol::Http1];

/// Both ends of a handshake, and a byte in each direction when it worked (a refusal may reach a TLS 1.3 client after its
/// own handshake, and tickets arrive with the first read).
async fn meet(server: &ListenerTls, client: &ClientTls, name: &str) -> (Accepted, Accepted) {
    let (near, far) = duplex(16 * 1024);
    let name = name.parse().unwrap();
    tokio::join!(
        async {
            let (mut stream, session) = server.accept(near).await?;
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            stream.write_all(&byte).await?;
            stream.flush().await?;
            Ok((stream, session))
        },
        async {
            let (mut stream, session) = client.connect(&name, far).await?;
            stream.write_all(b"x").await?;
            stream.flush().await?;
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            Ok((stream, session))
        }
    )
}

fn failure(result: Accepted) -> HandshakeFailure {
    result.err().map(|error| error.failure).unwrap()
}

#[tokio::test]
async fn alpn_chooses_what_both_speak_and_the_servers_preference_first() {
    let authority = Authority::new();
    let web = authority.issue("web", &["a.test"]);
    for (offered, spoken, chosen) in [
        (ClientAlpn::Auto, BOTH, Some(Protocol::Http2)),
        (ClientAlpn::Http1, BOTH, Some(Protocol::Http1)),
        (ClientAlpn::Auto, &[Protocol::Http1][..], Some(Protocol::Http1)),
        (ClientAlpn::Auto, &[][..], None),
    ] {
        let server = server(vec![web.clone()], spoken);
        let (accepted, connected) = meet(&server, &authority.client(offered), "a.test").await;
        let (_, accepted) = accepted.unwrap();
        assert_eq!(accepted.protocol, chosen);
        assert_eq!(accepted.server_name.as_deref(), Some("a.test"));
        assert_eq!(connected.unwrap().1.protocol, chosen);
    }
}

#[tokio::test]
async fn no_common_protocol_ends_the_handshake_on_both_sides() {
    let authority = Authority::new();
    let web = authority.issue("web", &["a.test"]);
    let only1 = server(vec![web.clone()], &[Protocol::Http1]);
    let (accepted, connected) = meet(&only1, &authority.client(ClientAlpn::Http2), "a.test").await;
    assert_eq!(failure(accepted), HandshakeFailure::NoCommonProtocol);
    assert_eq!(failure(connected), HandshakeFailure::NoCommonProtocol);
    let silent = server(vec![web], &[]);
    let (_, connected) = meet(&silent, &authority.client(ClientAlpn::Http2), "a.test").await;
    assert_eq!(failure(connected), HandshakeFailure::NoCommonProtocol);
}

#[tokio::test]
async fn the_server_name_picks_the_certificate() {
    let authority = Authority::new();
    let server = server(
        vec![
            authority.issue("default", &["default.test"]),
            authority.issue("wild", &["*.a.test"]),
            authority.issue("exact", &["b.a.test"]),
        ],
        BOTH,
    );
    let client = authority.client(ClientAlpn::Auto);
    for name in ["default.test", "x.a.test", "b.a.test", "B.A.Test"] {
        let (accepted, connected) = meet(&server, &client, name).await;
        assert!(accepted.is_ok() && connected.is_ok(), "{name}");
    }
    // The first certificate serves an unknown name, which a verifying client refuses and another takes.
    let (_, connected) = meet(&server, &client, "other.test").await;
    assert_eq!(failure(connected), HandshakeFailure::Untrusted);
    let (accepted, _) = meet(&server, &insecure(ClientAlpn::Auto), "other.test").await;
    assert_eq!(accepted.unwrap().1.server_name.as_deref(), Some("other.test"));
}

#[tokio::test]
async fn a_required_name_refuses_unknown_and_absent_ones() {
    let authority = Authority::new();
    let certificates = vec![authority.issue("web", &["a.test"])];
    let settings = ServerSettings { certificates, require_known_name: true, protocols: BOTH.to_vec() };
    let server = ListenerTls::from(ServerTls::new(settings).unwrap());
    let client = insecure(ClientAlpn::Auto);
    for name in ["b.test", "127.0.0.1"] {
        let (accepted, connected) = meet(&server, &client, name).await;
        assert_eq!(failure(accepted), HandshakeFailure::UnknownName, "{name}");
        assert_eq!(failure(connected), HandshakeFailure::Refused, "{name}");
    }
    assert!(meet(&server, &client, "a.test").await.0.is_ok());
}

#[tokio::test]
async fn addresses_are_verified_and_not_sent() {
    let authority = Authority::new();
    let server = server(vec![authority.issue("web", &["127.0.0.1"])], BOTH);
    let client = authority.client(ClientAlpn::Auto);
    let (accepted, connected) = meet(&server, &client, "127.0.0.1").await;
    assert_eq!(accepted.unwrap().1.server_name, None);
    assert!(connected.is_ok());
    assert_eq!(failure(meet(&server, &client, "127.0.0.2").await.1), HandshakeFailure::Untrusted);
}

#[tokio::test]
async fn a_foreign_authority_is_not_trusted() {
    let server = server(vec![Authority::new().issue("web", &["a.test"])], BOTH);
    let (accepted, connected) = meet(&server, &Authority::new().client(ClientAlpn::Auto), "a.test").await;
    assert_eq!(failure(connected), HandshakeFailure::Untrusted);
    assert_eq!(failure(accepted), HandshakeFailure::Refused);
}

#[tokio::test]
async fn sessions_are_resumed_at_the_same_part_and_nowhere_else() {
    let authority = Authority::new();
    let web = authority.issue("web", &["a.test"]);
    let (first, second) = (server(vec![web.clone()], BOTH), server(vec![web], BOTH));
    let client = authority.client(ClientAlpn::Auto);
    assert!(!meet(&first, &client, "a.test").await.0.unwrap().1.resumed);
    assert!(meet(&first, &client, "a.test").await.0.unwrap().1.resumed);
    assert!(!meet(&second, &client, "a.test").await.0.unwrap().1.resumed);
}

#[tokio::test]
async fn what_is_not_tls_is_malformed_and_a_cut_is_a_cut() {
    let server = server(vec![Authority::new().issue("web", &["a.test"])], BOTH);
    let (near, mut far) = duplex(1024);
    far.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").await.unwrap();
    assert_eq!(failure(server.accept(near).await), HandshakeFailure::Malformed);
    let (near, mut far) = duplex(1024);
    far.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    drop(far);
    assert_eq!(failure(server.accept(near).await), HandshakeFailure::Closed);
}

#[tokio::test]
async fn an_endless_client_hello_is_refused() {
    let server = server(vec![Authority::new().issue("web", &["a.test"])], BOTH);
    let (near, mut far) = duplex(64 * 1024);
    let endless = async move {
        // Records of 16,000 bytes which together claim a handshake message of 16 MiB.
        let mut record = vec![22, 3, 1, 0x3e, 0x80, 1, 0xff, 0xff, 0xff];
        record.resize(5 + 16_000, 0);
        let mut sent = 0;
        while far.write_all(&record).await.is_ok() {
            sent += record.len();
            record[5..].fill(0);
        }
        sent
    };
    let (accepted, sent) = tokio::join!(server.accept(near), endless);
    assert_eq!(failure(accepted), HandshakeFailure::Malformed);
    assert!(sent < 256 * 1024, "{sent}");
}

#[test]
fn errors_name_the_secret_and_are_all_returned() {
    let authority = Authority::new();
    let good = authority.issue("good", &["a.test"]);
    let other = authority.issue("other", &["b.test"]);
    let bad = |secret: &str, certificate: &[u8], key: &[u8]| Certificate {
        secret: secret.to_owned(),
        certificate_pem: certificate.into(),
        key_pem: key.into(),
    };
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let certificates = vec![
        good.clone(),
        bad("empty", b"", &good.key_pem),
        bad("keyless", &good.certificate_pem, b"no key here"),
        bad("mixed", &good.certificate_pem, &other.key_pem),
        bad("broken", broken, &good.key_pem),
    ];
    let settings = ServerSettings { certificates, require_known_name: false, protocols: BOTH.to_vec() };
    let errors = ServerTls::new(settings).unwrap_err();
    let kinds: Vec<_> = errors.iter().map(|error| (error.user.as_str(), &error.kind)).collect();
    assert!(matches!(
        kinds[..],
        [
            ("secret 'empty'", TlsConfigErrorKind::NoCertificate),
            ("secret 'keyless'", TlsConfigErrorKind::NoKey),
            ("secret 'mixed'", TlsConfigErrorKind::Mismatch),
            ("secret 'broken'", TlsConfigErrorKind::Certificate(_)),
        ]
    ));
    let none = ServerSettings { certificates: vec![], require_known_name: false, protocols: vec![] };
    assert_eq!(ServerTls::new(none).unwrap_err()[0].kind, TlsConfigErrorKind::Empty);
}

#[test]
fn debug_shows_no_content() {
    let certificate = Authority::new().issue("web", &["a.test"]);
    let shown = format!("{:?}", server(vec![certificate], BOTH));
    assert!(shown.contains("web") && !shown.contains("BEGIN") && !shown.contains("45, 45"), "{shown}");
}

// === TlsContext ===

fn quoted(pem: &[u8]) -> String {
    format!("\"{}\"", str::from_utf8(pem).unwrap().replace('\n', "\\n"))
}

fn pair(certificate: &Certificate) -> String {
    format!(
        "{{ name: {}, kind: {{ tls: {{ certificate: {{ inline: {} }}, key: {{ inline: {} }} }} }} }}",
        certificate.secret,
        quoted(&certificate.certificate_pem),
        quoted(&certificate.key_pem)
    )
}

fn context(secrets: &[String], old: Option<&TlsContext>) -> Result<TlsContext, Vec<TlsConfigError>> {
    let text = format!(
        "listeners:
- {{ name: one, address: '127.0.0.1:0', route_table: main, tls: {{ certificates: [one] }} }}
- {{ name: two, address: '127.0.0.1:0', route_table: main, tls: {{ certificates: [two] }}, protocols: [http1] }}
- {{ name: plain, address: '127.0.0.1:0', route_table: main }}
route_tables: [{{ name: main }}]
clusters:
- {{ name: a, endpoints: [], tls: {{ verify: insecure, server_name: a.test }} }}
- {{ name: b, endpoints: [], tls: {{ verify: insecure }} }}
- {{ name: c, endpoints: [], protocol: http2, tls: {{ verify: {{ ca: roots }} }} }}
- {{ name: d, endpoints: [] }}
secrets: [{}]
",
        secrets.join(", ")
    );
    let source = sluice_model::Source::new("test", &*text);
    let loaded = sluice_model::load(&source, &sluice_model::NoFiles).unwrap();
    TlsContext::build(&loaded.config, old)
}

#[test]
fn a_new_context_shares_what_did_not_change() {
    let authority = Authority::new();
    let roots =
        format!("{{ name: roots, kind: {{ ca: {{ inline: {} }} }} }}", quoted(authority.0.pem().as_bytes()));
    let (one, two) = (authority.issue("one", &["a.test"]), authority.issue("two", &["b.test"]));
    let first = context(&[pair(&one), pair(&two), roots.clone()], None).unwrap();
    assert!(first.listener("plain").is_none() && first.client("d").is_none());
    assert_eq!(first.listener("two").unwrap().server(None).unwrap().settings().protocols, [Protocol::Http1]);
    let (a, name) = first.client("a").unwrap();
    assert_eq!(name, Some(&"a.test".parse().unwrap()));
    let (b, name) = first.client("b").unwrap();
    assert!(Arc::ptr_eq(a, b) && name.is_none(), "equal settings are one part");
    let renewed = authority.issue("two", &["b.test"]);
    let second = context(&[pair(&one), pair(&renewed), roots], Some(&first)).unwrap();
    let server =
        |context: &TlsContext, name| Arc::clone(context.listener(name).unwrap().server(None).unwrap());
    let client = |context: &TlsContext, name| Arc::clone(context.client(name).unwrap().0);
    assert!(Arc::ptr_eq(&server(&first, "one"), &server(&second, "one")));
    assert!(!Arc::ptr_eq(&server(&first, "two"), &server(&second, "two")));
    assert!(Arc::ptr_eq(&client(&first, "a"), &client(&second, "a")));
    assert!(Arc::ptr_eq(&client(&first, "c"), &client(&second, "c")));
}

#[test]
fn a_context_reports_every_broken_secret() {
    let authority = Authority::new();
    let (one, two) = (authority.issue("one", &["a.test"]), authority.issue("two", &["b.test"]));
    let swapped = Certificate { key_pem: Arc::clone(&two.key_pem), ..one.clone() };
    let crossed = Certificate { key_pem: Arc::clone(&one.key_pem), ..two };
    let roots = "{ name: roots, kind: { ca: { inline: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\" } } }";
    let errors = context(&[pair(&swapped), pair(&crossed), roots.to_owned()], None).unwrap_err();
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("secret 'one'") && lines[1].starts_with("secret 'two'"), "{lines:?}");
    assert_eq!(lines[2], "secret 'roots': none of its certificates can be a trust anchor");
}

// === Scopes ===

/// A listener whose scopes have a certificate of their own authority each, so that a client can tell them apart.
fn scoped(own: bool, secrets: &[&Certificate], old: Option<&TlsContext>) -> TlsContext {
    let secrets: Vec<String> = secrets.iter().map(|certificate| pair(certificate)).collect();
    let text = format!(
        "listeners:
- name: one
  address: '127.0.0.1:0'
  route_table: main
  tls:
    certificates: [{}]
    scopes:
    - {{ name: shop, server_names: [shop.test, '*.shop.test'], certificates: [shop] }}
    - {{ name: bank, server_names: [my.shop.test], certificates: [bank], require_known_name: true }}
    - {{ name: shut, server_names: [shut.shop.test], certificates: [] }}
route_tables: [{{ name: main }}]
secrets: [{}]
",
        if own { "own" } else { "" },
        secrets.join(", ")
    );
    let source = sluice_model::Source::new("test", &*text);
    let loaded = sluice_model::load(&source, &sluice_model::NoFiles).unwrap();
    TlsContext::build(&loaded.config, old).unwrap()
}

#[tokio::test]
async fn the_server_name_picks_the_scope_and_the_scope_its_certificates() {
    let (shops, banks, owns) = (Authority::new(), Authority::new(), Authority::new());
    let shop = shops.issue("shop", &["shop.test", "*.shop.test"]);
    let bank = banks.issue("bank", &["my.shop.test"]);
    let own = owns.issue("own", &["other.test", "127.0.0.1"]);
    let context = scoped(true, &[&shop, &bank, &own], None);
    let listener = context.listener("one").unwrap();
    for (authority, name, scope) in [
        (&shops, "shop.test", Some("shop")),
        (&shops, "A.Shop.Test", Some("shop")),
        (&banks, "my.shop.test", Some("bank")),
        (&owns, "other.test", None),
        (&owns, "127.0.0.1", None),
    ] {
        let (accepted, connected) = meet(listener, &authority.client(ClientAlpn::Auto), name).await;
        assert_eq!(accepted.unwrap().1.scope.as_deref(), scope, "{name}");
        assert!(connected.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn without_a_default_scope_a_name_of_nobody_is_refused() {
    let authority = Authority::new();
    let (shop, bank) = (authority.issue("shop", &["shop.test"]), authority.issue("bank", &["bank.test"]));
    let context = scoped(false, &[&shop, &bank], None);
    let listener = context.listener("one").unwrap();
    let client = insecure(ClientAlpn::Auto);
    // The last one has a scope, which asks for a name that its certificates cover.
    for name in ["other.test", "127.0.0.1", "my.shop.test"] {
        let (accepted, connected) = meet(listener, &client, name).await;
        assert_eq!(failure(accepted), HandshakeFailure::UnknownName, "{name}");
        assert_eq!(failure(connected), HandshakeFailure::Refused, "{name}");
    }
    assert!(meet(listener, &client, "a.shop.test").await.0.is_ok());
}

#[tokio::test]
async fn a_scope_without_certificates_refuses_whatever_the_others_could_serve() {
    let authority = Authority::new();
    let everything = |secret| authority.issue(secret, &["shop.test", "*.shop.test"]);
    let context = scoped(true, &[&everything("shop"), &everything("bank"), &everything("own")], None);
    let (accepted, _) =
        meet(context.listener("one").unwrap(), &insecure(ClientAlpn::Auto), "shut.shop.test").await;
    assert_eq!(failure(accepted), HandshakeFailure::UnknownName);
}

#[tokio::test]
async fn a_scope_keeps_its_sessions_until_it_changes() {
    let authority = Authority::new();
    let (shop, bank) = (authority.issue("shop", &["shop.test"]), authority.issue("bank", &["my.shop.test"]));
    let first = scoped(false, &[&shop, &bank], None);
    let renewed = authority.issue("bank", &["my.shop.test"]);
    let second = scoped(false, &[&shop, &renewed], Some(&first));
    let client = authority.client(ClientAlpn::Auto);
    let resumed = async |context: &TlsContext, name: &str| {
        meet(context.listener("one").unwrap(), &client, name).await.0.unwrap().1.resumed
    };
    for name in ["shop.test", "my.shop.test"] {
        assert!(!resumed(&first, name).await && resumed(&first, name).await, "{name}");
    }
    assert!(resumed(&second, "shop.test").await);
    assert!(!resumed(&second, "my.shop.test").await);
}
