use super::*;
use crate::head::Received;
use sluice_model::spec;

/// How an example shows its rule.
enum Shows {
    /// The rule refuses this request.
    Refused(&'static str, Version, Target<'static>, Vec<(&'static str, &'static str)>, Body),
    /// The rule lets this request pass (and what is normalised is seen where heads are written).
    Admitted(&'static str, Version, Target<'static>, Vec<(&'static str, &'static str)>),
    /// The rule refuses this answer to a request that asked for a switch of protocols, or did not.
    Answer(u16, bool, bool),
    /// Seen in the tests of the exchange, which counts bodies and knows both sides.
    Exchange,
}

use Shows::{Admitted as Ok_, Answer, Exchange, Refused};

const fn line(target: &'static str) -> Target<'static> {
    Target::Line(target)
}

const fn h2(path: Option<&'static str>, authority: Option<&'static str>) -> Target<'static> {
    pseudo(Some("https"), authority, path, None)
}

const fn pseudo(
    scheme: Option<&'static str>,
    authority: Option<&'static str>,
    path: Option<&'static str>,
    protocol: Option<&'static str>,
) -> Target<'static> {
    Target::Pseudo { scheme, authority, path, protocol }
}

const HOST: (&str, &str) = ("Host", "a.example");

fn examples(rule: Rule) -> Vec<Shows> {
    use Version::{Http2, Http10, Http11};
    let bad = |target| Refused("GET", Http11, line(target), vec![HOST], Body::None);
    let bad_host = |host| Refused("GET", Http11, line("/"), vec![("Host", host)], Body::None);
    let bad_field = |name, value| {
        Refused("GET", Http2, h2(Some("/"), Some("a.example")), vec![(name, value)], Body::None)
    };
    let bad_path = |path| Refused("GET", Http2, h2(path, Some("a.example")), vec![], Body::None);
    match rule {
        Rule::Http10 => vec![Refused("GET", Http10, line("/"), vec![HOST], Body::None)],
        Rule::HostMissing => vec![
            Refused("GET", Http11, line("/"), vec![], Body::None),
            Refused("GET", Http11, line("http://a.example/"), vec![], Body::None),
            Refused("GET", Http2, h2(Some("/"), None), vec![], Body::None),
        ],
        Rule::HostRepeated => {
            vec![Refused("GET", Http11, line("/"), vec![HOST, ("host", "a.example")], Body::None)]
        }
        Rule::HostInvalid => [
            "",
            "a b",
            "a/b",
            "a,b",
            ".a",
            "a..b",
            "a:port",
            "a:65536",
            "a:1:2",
            "[::1",
            "[nonsense]",
            "::1",
            "a%2eb",
            "a\"",
            "[::1]x",
        ]
        .into_iter()
        .map(bad_host)
        .collect(),
        Rule::HostDisagrees => vec![
            bad("http://b.example/"),
            bad("http://a.example:80/"),
            Refused("GET", Http2, h2(Some("/"), Some("a.example")), vec![("host", "b.example")], Body::None),
            Refused("CONNECT", Http11, line("b.example:443"), vec![HOST], Body::Unknown),
        ],
        Rule::UserInfo => vec![bad("http://user@a.example/"), bad_host("user@a.example")],
        Rule::TargetForm => vec![
            bad("x"),
            bad("*"),
            bad("ftp://a.example/"),
            bad("a.example:443"),
            Refused("CONNECT", Http11, line("/"), vec![HOST], Body::Unknown),
            Refused("CONNECT", Http11, line("a.example"), vec![HOST], Body::Unknown),
            bad_path(Some("x")),
            Refused("CONNECT", Http2, h2(Some("/"), Some("a.example:1")), vec![], Body::Unknown),
        ],
        Rule::TargetBytes => {
            vec![bad("/\u{1}"), bad("/a b"), bad("/\u{fc}"), bad("/\u{7f}"), bad_path(Some("/a\tb"))]
        }
        Rule::Fragment => vec![bad("/a#b"), bad_path(Some("/#"))],
        Rule::EncodedNul => vec![bad("/a%00b"), bad("http://a.example/%00")],
        Rule::PathMissing => vec![bad_path(None), bad_path(Some(""))],
        Rule::SchemeInvalid => vec![
            Refused("GET", Http2, pseudo(None, Some("a.example"), Some("/"), None), vec![], Body::None),
            Refused(
                "GET",
                Http2,
                pseudo(Some("ftp"), Some("a.example"), Some("/"), None),
                vec![],
                Body::None,
            ),
        ],
        Rule::ConnectionField => vec![
            bad_field("connection", "close"),
            bad_field("keep-alive", "1"),
            bad_field("proxy-connection", "close"),
            bad_field("transfer-encoding", "chunked"),
            bad_field("upgrade", "websocket"),
        ],
        Rule::TeInHttp2 => vec![bad_field("te", "gzip"), bad_field("te", "trailers, gzip")],
        Rule::LengthRepeated => vec![Refused(
            "POST",
            Http2,
            h2(Some("/"), Some("a.example")),
            vec![("content-length", "1"), ("content-length", "1")],
            Body::Length(1),
        )],
        Rule::LengthInvalid => vec![
            bad_field("content-length", "+1"),
            bad_field("content-length", ""),
            bad_field("content-length", "1,1"),
        ],
        Rule::ControlByte => vec![
            bad_field("x", "a\nb"),
            bad_field("x", "a\0"),
            bad_field("x", " a"),
            bad_field("x", "a\t"),
            bad_field("x", " "),
            bad_field("X", "a"),
            bad_field("a b", "c"),
        ],
        Rule::ProtocolWithoutConnect => vec![
            Refused(
                "GET",
                Http2,
                pseudo(Some("https"), Some("a.example"), Some("/"), Some("websocket")),
                vec![],
                Body::Unknown,
            ),
            Refused(
                "CONNECT",
                Http2,
                pseudo(Some("https"), Some("a.example"), Some("/"), Some("")),
                vec![],
                Body::Unknown,
            ),
        ],
        Rule::UpgradeWithBody => {
            let fields = vec![HOST, ("Connection", "upgrade"), ("Upgrade", "websocket")];
            vec![
                Refused("POST", Http11, line("/"), fields.clone(), Body::Length(3)),
                Refused("POST", Http11, line("/"), fields, Body::Unknown),
            ]
        }
        Rule::ConnectWithBody => vec![
            Refused("CONNECT", Http11, line("a.example:1"), vec![("Host", "a.example:1")], Body::Length(1)),
            Refused("CONNECT", Http2, pseudo(None, Some("a.example:1"), None, None), vec![], Body::Length(1)),
        ],
        Rule::UpgradeRepeated => vec![
            Refused(
                "GET",
                Http11,
                line("/"),
                vec![HOST, ("Connection", "upgrade"), ("Upgrade", "a, b")],
                Body::None,
            ),
            Refused(
                "GET",
                Http11,
                line("/"),
                vec![HOST, ("Connection", "upgrade"), ("Upgrade", "a"), ("Upgrade", "b")],
                Body::None,
            ),
        ],
        Rule::ExpectUnknown => {
            vec![Refused("PUT", Http11, line("/"), vec![HOST, ("Expect", "202-accepted")], Body::Length(1))]
        }
        Rule::Underscore => vec![Refused("GET", Http11, line("/"), vec![HOST, ("a_b", "c")], Body::None)],
        Rule::LengthMismatch => vec![bad_field("content-length", "5"), Exchange],
        Rule::Misdirected
        | Rule::BodyTooLarge
        | Rule::TunnelRefusal
        | Rule::SizeMismatch
        | Rule::MessageFraming => {
            vec![Exchange]
        }
        Rule::UpgradeH2c => vec![Ok_(
            "GET",
            Http11,
            line("/"),
            vec![
                HOST,
                ("Connection", "Upgrade, HTTP2-Settings"),
                ("Upgrade", "h2c"),
                ("HTTP2-Settings", "AAMAAABk"),
            ],
        )],
        Rule::UpgradeUnlisted => vec![
            Ok_("GET", Http11, line("/"), vec![HOST, ("Upgrade", "websocket")]),
            Ok_("GET", Http10, line("/"), vec![HOST, ("Connection", "upgrade"), ("Upgrade", "websocket")]),
        ],
        Rule::HopByHop => vec![Ok_(
            "GET",
            Http11,
            line("/"),
            vec![HOST, ("Connection", "x-hop, keep-alive"), ("X-Hop", "1")],
        )],
        Rule::ProtectedListed => {
            vec![Ok_("GET", Http11, line("/"), vec![HOST, ("Connection", "x-forwarded-for")])]
        }
        Rule::OwnAlias | Rule::UnderscoreDropped => {
            vec![Ok_("GET", Http11, line("/"), vec![HOST, ("x_forwarded_for", "1.2.3.4")])]
        }
        Rule::UntrustedForwarded => {
            vec![Ok_("GET", Http11, line("/"), vec![HOST, ("X-Forwarded-For", "1.2.3.4")])]
        }
        Rule::CookieCrumbs => vec![Ok_(
            "GET",
            Http2,
            h2(Some("/"), Some("a.example")),
            vec![("cookie", "a=b"), ("cookie", "c=d")],
        )],
        Rule::FieldOrder => {
            vec![Ok_("GET", Http11, line("/"), vec![HOST, ("a", "1"), ("b", "2"), ("a", "3")])]
        }
        Rule::Trace => vec![Ok_("TRACE", Http11, line("/"), vec![HOST])],
        Rule::Continue => vec![Ok_("PUT", Http11, line("/"), vec![HOST, ("Expect", "100-Continue")])],
        Rule::Http10WithoutHost => vec![Ok_("GET", Http10, line("/"), vec![])],
        Rule::StatusRange => vec![Answer(99, false, false), Answer(600, false, false)],
        Rule::UnaskedUpgrade => vec![Answer(101, false, true), Answer(101, true, false)],
        Rule::Informational | Rule::ResponseHopByHop => {
            vec![Answer(103, false, false), Answer(200, false, false)]
        }
    }
}

fn listener(rule: Rule) -> spec::Listener {
    let mut listener = spec::Listener {
        name: "web".into(),
        address: ([127, 0, 0, 1], 0).into(),
        public_port: None,
        route_table: "all".into(),
        protocols: Vec::new(),
        require_http11: rule == Rule::Http10,
        tls: None,
        original_destination: None,
        path: spec::PathPolicy::default(),
        headers: spec::HeaderPolicy::default(),
        forwarded: spec::Forwarded::default(),
        request_id: spec::RequestId::default(),
        limits: spec::ListenerLimits::default(),
        timeouts: spec::ListenerTimeouts::default(),
    };
    if rule == Rule::Underscore {
        listener.headers.underscores = spec::UnderscorePolicy::Refuse;
    }
    listener
}

#[test]
fn every_row_of_the_table_does_what_it_says() {
    for (place, row) in TABLE.iter().enumerate() {
        assert_eq!(row.rule as usize, place, "rows are found by rule");
        let examples = examples(row.rule);
        assert!(!examples.is_empty());
        for example in examples {
            let listener = listener(row.rule);
            match example {
                Refused(method, version, target, fields, body) => {
                    let facts = RequestFacts { version, method, target, body };
                    let refusal = request(&facts, &fields, &listener).expect_err(row.meaning);
                    assert_eq!(refusal, row.rule.refusal(), "{:?}: {facts:?} {fields:?}", row.rule);
                    assert!(matches!(row.verdict, Verdict::Refuse { .. }));
                    assert_eq!(refusal.flag, ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR);
                }
                Ok_(method, version, target, fields) => {
                    let facts = RequestFacts { version, method, target, body: Body::None };
                    let admitted = request(&facts, &fields, &listener).expect(row.meaning);
                    assert_eq!(admitted.switch, Switch::No, "{:?}", row.rule);
                    assert!(!matches!(row.verdict, Verdict::Refuse { .. }));
                }
                Answer(status, switching, confirmed) => {
                    let facts = ResponseFacts { version: Version::Http11, status, body: Body::None };
                    let outcome = response(&facts, switching, confirmed);
                    match row.verdict {
                        Verdict::Refuse { .. } => {
                            assert_eq!(outcome, Err(row.rule.refusal()), "{:?}", row.rule);
                        }
                        _ => assert_eq!(outcome, Ok(()), "{:?}", row.rule),
                    }
                }
                Exchange => {}
            }
        }
    }
}

fn admit<'a>(facts: &RequestFacts<'a>, fields: &'a dyn Received) -> Admitted<'a> {
    request(facts, fields, &listener(Rule::Trace)).expect("well-formed")
}

fn get(target: &'static str) -> RequestFacts<'static> {
    RequestFacts { version: Version::Http11, method: "GET", target: line(target), body: Body::None }
}

#[test]
fn targets_come_apart_into_authority_path_and_query() {
    let fields = vec![("Host", "A.example:8080")];
    for (target, path, query) in [
        ("/", "/", None),
        ("/a?b?c", "/a", Some("b?c")),
        ("/a?", "/a", Some("")),
        ("//x", "//x", None),
        ("HTTP://a.EXAMPLE:8080", "/", None),
        ("http://A.example:8080?q", "/", Some("q")),
        ("https://A.example:8080/p/%7B{}|?q", "/p/%7B{}|", Some("q")),
    ] {
        let facts = get(target);
        let admitted = admit(&facts, &fields);
        assert_eq!((admitted.path, admitted.query), (path, query), "{target}");
        assert!(admitted.authority.eq_ignore_ascii_case("a.example:8080"), "{target}");
    }
}

#[test]
fn switches_of_protocol_are_seen() {
    let fields = vec![HOST, ("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
    assert_eq!(admit(&get("/"), &fields).switch, Switch::Upgrade("WebSocket"));
    let none = Vec::new();
    let facts = RequestFacts {
        version: Version::Http2,
        method: "CONNECT",
        target: pseudo(Some("https"), Some("a.example"), Some("/chat"), Some("websocket")),
        body: Body::Unknown,
    };
    let admitted = admit(&facts, &none);
    assert_eq!((admitted.switch, admitted.path), (Switch::Extended("websocket"), "/chat"));
    let facts = RequestFacts { target: pseudo(None, Some("a.example:443"), None, None), ..facts };
    assert_eq!(admit(&facts, &none).switch, Switch::Connect);
    let fields = vec![("Host", "a.example:443")];
    let facts = RequestFacts { version: Version::Http11, target: line("a.example:443"), ..facts };
    assert_eq!(admit(&facts, &fields).switch, Switch::Connect);
}

#[test]
fn hosts_lose_port_and_trailing_dot() {
    for (authority, host) in [
        ("a.example", "a.example"),
        ("a.example.", "a.example"),
        ("a.example.:80", "a.example"),
        ("a.example:", "a.example"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("", ""),
    ] {
        assert_eq!(host_of(authority), host, "{authority}");
    }
}
