//! The transcripts of each row of the hygiene table.

use crate::scene::{Comes, Sends, Transcript};
use sluice_core::hygiene::Rule;
use sluice_dsl::{Outcome, Seen};

/// A request of HTTP/1 that its row refuses.
pub(crate) fn line(bytes: impl Into<String>) -> Transcript {
    Transcript { listener: "web", sends: Sends::Line(bytes.into()), comes: Comes::Refusal }
}

/// A GET with these fields behind `Host`, and what the upstream gets of it.
pub(crate) fn get(fields: &str, upstream: fn(&Seen)) -> Transcript {
    let bytes = format!("GET /x HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
    Transcript { listener: "web", sends: Sends::Line(bytes), comes: Comes::Upstream(upstream) }
}

/// A request of HTTP/2 that its row refuses.
pub(crate) fn stream(fields: &[(&'static str, &'static str)]) -> Transcript {
    Transcript { listener: "web", sends: Sends::Stream(fields.to_vec(), None), comes: Comes::Refusal }
}

/// One that the HTTP/2 codec refuses before its row can.
pub(crate) fn cut(fields: &[(&'static str, &'static str)]) -> Transcript {
    Transcript { comes: Comes::Cut(Outcome::Reset(1)), ..stream(fields) }
}

/// One for which the HTTP/2 codec ends the connection.
pub(crate) fn ended(fields: &[(&'static str, &'static str)]) -> Transcript {
    Transcript { comes: Comes::Cut(Outcome::GoAway(1)), ..stream(fields) }
}

/// An HTTP/2 GET with one more field.
pub(crate) fn field(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut fields = H2.to_vec();
    fields.push((name, value));
    fields
}

pub(crate) fn answer(answer: &'static str) -> Transcript {
    Transcript { listener: "web", sends: Sends::Answered(answer), comes: Comes::Refusal }
}

pub(crate) fn at(listener: &'static str, transcript: Transcript) -> Transcript {
    Transcript { listener, ..transcript }
}

pub(crate) const H2: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x")];

pub(crate) fn pseudo(
    method: &'static str,
    scheme: &'static str,
    authority: &'static str,
    path: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let all = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)];
    all.into_iter().filter(|(_, value)| *value != "-").collect()
}

/// The transcripts of a row.
pub(crate) fn of(rule: Rule) -> Vec<Transcript> {
    let get_of = |target: &str| line(format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    let host = |host: &str| line(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    match rule {
        Rule::Http10 => vec![at("strict", line("GET /x HTTP/1.0\r\nHost: a.example\r\n\r\n"))],
        Rule::HostMissing => vec![
            line("GET /x HTTP/1.1\r\n\r\n"),
            line("GET http://a.example/x HTTP/1.1\r\n\r\n"),
            stream(&pseudo("GET", "http", "-", "/x")),
        ],
        Rule::HostRepeated => vec![
            line("GET /x HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n"),
            line("GET /x HTTP/1.1\r\nHost: a.example\r\nhost: a.example\r\n\r\n"),
            stream(&[&field("host", "a.example")[..], &[("host", "a.example")]].concat()),
        ],
        Rule::HostInvalid => vec![
            host(""),
            host("a b"),
            host("a/b"),
            host("a,b"),
            host("a:99999"),
            host("[::1"),
            host("a.example:80:80"),
            stream(&[&pseudo("GET", "http", "-", "/x")[..], &[("host", "a/b")]].concat()),
            cut(&pseudo("GET", "http", "a b", "/x")),
        ],
        Rule::HostDisagrees => vec![
            get_of("http://b.example/x"),
            get_of("http://a.example:80/x"),
            line("CONNECT b.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"),
            stream(&field("host", "b.example")),
        ],
        Rule::UserInfo => vec![
            get_of("http://user@a.example/x"),
            host("user@a.example"),
            stream(&pseudo("GET", "http", "user@a.example", "/x")),
        ],
        Rule::TargetForm => vec![
            get_of("x"),
            get_of("*"),
            get_of("ftp://a.example/"),
            get_of("a.example:443"),
            line("CONNECT /x HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            stream(&pseudo("GET", "http", "a.example", "*")),
            cut(&pseudo("CONNECT", "http", "a.example:1", "/x")),
        ],
        Rule::TargetBytes => vec![get_of("/\u{fc}"), cut(&pseudo("GET", "http", "a.example", "/a b"))],
        // The HTTP/2 codec cuts a fragment off, so that nobody sees it.
        Rule::Fragment => vec![
            get_of("/a#b"),
            Transcript {
                comes: Comes::Upstream(|seen| assert_eq!(seen.target, "/a")),
                ..stream(&pseudo("GET", "http", "a.example", "/a#b"))
            },
        ],
        Rule::EncodedNul => vec![get_of("/a%00b"), stream(&pseudo("GET", "http", "a.example", "/a%00b"))],
        Rule::PathMissing => vec![
            stream(&[(":method", "GET"), (":scheme", "http"), ("host", "a.example")]),
            cut(&pseudo("GET", "http", "a.example", "-")),
            cut(&pseudo("GET", "http", "a.example", "")),
        ],
        Rule::SchemeInvalid => vec![
            stream(&pseudo("GET", "ftp", "a.example", "/x")),
            cut(&pseudo("GET", "-", "a.example", "/x")),
        ],
        Rule::ConnectionField => vec![
            cut(&field("connection", "close")),
            cut(&field("keep-alive", "1")),
            cut(&field("proxy-connection", "close")),
            cut(&field("transfer-encoding", "chunked")),
            cut(&field("upgrade", "h2c")),
        ],
        Rule::TeInHttp2 => vec![cut(&field("te", "gzip")), cut(&field("te", "trailers, gzip"))],
        Rule::LengthRepeated => vec![
            stream(&[&field("content-length", "0")[..], &[("content-length", "0")]].concat()),
            cut(&[&field("content-length", "0")[..], &[("content-length", "1")]].concat()),
        ],
        Rule::LengthInvalid => {
            vec![cut(&field("content-length", "+1")), cut(&field("content-length", "1,1"))]
        }
        Rule::ControlByte => vec![
            ended(&field("x", "a\nb")),
            ended(&field("x", "a\0")),
            ended(&field("X", "a")),
            ended(&field("a b", "c")),
            stream(&field("x", " a")),
        ],
        Rule::ProtocolWithoutConnect => vec![
            cut(&[&pseudo("GET", "http", "a.example", "/x")[..], &[(":protocol", "websocket")]].concat()),
            stream(&[&pseudo("CONNECT", "http", "a.example", "/x")[..], &[(":protocol", "")]].concat()),
        ],
        Rule::UpgradeWithBody => vec![
            line(
                "POST /x HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
            ),
            line(
                "POST /x HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
        ],
        Rule::ConnectWithBody => vec![Transcript {
            sends: Sends::Stream(
                vec![(":method", "CONNECT"), (":authority", "a.example:1"), ("content-length", "1")],
                Some("x"),
            ),
            ..stream(&[])
        }],
        Rule::UpgradeRepeated => vec![
            line("GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: a, b\r\n\r\n"),
            line(
                "GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n",
            ),
        ],
        Rule::ExpectUnknown => vec![
            line("PUT /x HTTP/1.1\r\nHost: a.example\r\nExpect: 202-accepted\r\nContent-Length: 1\r\n\r\nx"),
            line("GET /x HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue, x\r\n\r\n"),
            stream(&field("expect", "y")),
        ],
        Rule::Underscore => vec![
            at("strict", line("GET /x HTTP/1.1\r\nHost: a.example\r\na_b: c\r\n\r\n")),
            at("strict", stream(&field("a_b", "c"))),
        ],
        Rule::BodyTooLarge => vec![
            line("POST /small HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nabcde"),
            Transcript {
                sends: Sends::Stream(pseudo("POST", "http", "a.example", "/small"), Some("abcde")),
                ..stream(&[])
            },
        ],
        Rule::LengthMismatch => vec![
            cut(&field("content-length", "5")),
            Transcript { sends: Sends::Stream(field("content-length", "5"), Some("four")), ..cut(&[]) },
        ],
        // Needs TLS and two scopes: tests/misdirected.rs.
        Rule::Misdirected => Vec::new(),
        Rule::UpgradeH2c => vec![get(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            |seen| assert_eq!(own(seen), [] as [&str; 0]),
        )],
        Rule::UpgradeUnlisted => {
            vec![get("Upgrade: websocket\r\n", |seen| assert!(!seen.fields.has("upgrade")))]
        }
        Rule::HopByHop => vec![
            get(
                "Connection: x-hop, close\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\nTE: gzip\r\nX-Stays: 1\r\n",
                |seen| {
                    assert_eq!(own(seen), ["X-Stays"]);
                },
            ),
            get("Connection: content-length, transfer-encoding\r\n", |seen| assert!(own(seen).is_empty())),
        ],
        Rule::ProtectedListed => vec![get(
            "Connection: authorization, cookie, host, x-forwarded-for\r\nAuthorization: me\r\nCookie: a=b\r\n",
            |seen| {
                assert_eq!((seen.fields.get("authorization"), seen.host.as_str()), (Some("me"), "a.example"));
                assert_eq!(seen.fields.get("x-forwarded-for"), Some("127.0.0.1"));
            },
        )],
        Rule::OwnAlias => vec![get(
            "X_Forwarded_For: 1.2.3.4\r\nx-forwarded_proto: https\r\nX_Request_Id: 7\r\nother_name: 1\r\n",
            |seen| {
                assert_eq!(own(seen), ["other_name"]);
            },
        )],
        Rule::UntrustedForwarded => vec![get(
            "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.2.3.4\r\nX-Envoy-Internal: true\r\n",
            |seen| {
                assert_eq!(seen.fields.get("x-forwarded-for"), Some("127.0.0.1"));
                assert_eq!(seen.fields.get("x-forwarded-proto"), Some("http"));
                assert!(!seen.fields.has("forwarded") && !seen.fields.has("x-envoy-internal"));
            },
        )],
        Rule::UnderscoreDropped => {
            vec![at("dropping", get("a_b: c\r\nab: c\r\n", |seen| assert_eq!(own(seen), ["ab"])))]
        }
        Rule::CookieCrumbs => vec![Transcript {
            comes: Comes::Upstream(|seen| assert_eq!(seen.fields.all("cookie"), ["a=b; c=d"])),
            ..stream(&[&field("cookie", "a=b")[..], &[("cookie", "c=d")]].concat())
        }],
        Rule::FieldOrder => vec![get("a: 1\r\nb: 2\r\nA: 3\r\n", |seen| {
            assert_eq!((seen.fields.all("a"), own(seen)), (vec!["1", "3"], vec!["a", "b", "A"]));
        })],
        Rule::Trace => vec![Transcript {
            sends: Sends::Line("TRACE /x HTTP/1.1\r\nHost: a.example\r\n\r\n".to_owned()),
            ..get("", |seen| assert_eq!(seen.method, "TRACE"))
        }],
        Rule::Continue => vec![Transcript {
            sends: Sends::Line(
                "PUT /x HTTP/1.1\r\nHost: a.example\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi"
                    .to_owned(),
            ),
            ..get("", |seen| assert_eq!((seen.fields.has("expect"), &*seen.body), (true, &b"hi"[..])))
        }],
        Rule::Http10WithoutHost => vec![Transcript {
            sends: Sends::Line("GET /x HTTP/1.0\r\n\r\n".to_owned()),
            ..get("", |seen| assert_eq!((&*seen.version, &*seen.target), ("HTTP/1.1", "/x")))
        }],
        Rule::StatusRange => vec![
            answer("HTTP/1.1 600 Odd\r\ncontent-length: 0\r\n\r\n"),
            answer("HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n"),
        ],
        Rule::UnaskedUpgrade => {
            vec![answer("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")]
        }
        Rule::TunnelRefusal => vec![stream(&[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "a.example"),
            (":path", "/scripted"),
            ("x-answer", "HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n"),
        ])],
        // The head is out by then: what the client gets is cut short.
        Rule::SizeMismatch => vec![Transcript {
            comes: Comes::Client("\r\n\r\nabc", ""),
            ..answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc")
        }],
        Rule::MessageFraming => vec![
            answer("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx"),
            answer("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ],
        Rule::Informational => vec![Transcript {
            comes: Comes::Client("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n", ""),
            ..answer(
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            )
        }],
        Rule::ResponseHopByHop => vec![Transcript {
            comes: Comes::Client("\r\n\r\n", "hop"),
            ..answer(
                "HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\nkeep-alive: hop\r\nproxy-connection: hop\r\nupgrade: hop\r\ncontent-length: 0\r\n\r\n",
            )
        }],
    }
}

/// The names of fields that the proxy did not add by itself.
pub(crate) fn own(seen: &Seen) -> Vec<&str> {
    let added = [
        "host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-request-id",
    ];
    seen.fields.names().into_iter().filter(|name| !added.contains(&name.to_lowercase().as_str())).collect()
}
