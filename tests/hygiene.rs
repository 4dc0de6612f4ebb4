//! The hygiene table as byte transcripts: what a client sends, what it gets, what the log says, what the upstream sees.
//!
//! Each row of [`TABLE`] has at least one transcript ([`of`]). What the HTTP/1 codec refuses by itself is not in the table; its
//! transcripts are [`SMUGGLING`] and those beside it.

#![allow(clippy::panic, reason = "a test that cannot go on fails")]

use serde_json::Value;
use sluice_core::hygiene::{Rule, TABLE, Verdict};
use sluice_dsl::{Answer, Frames, Origin, Outcome, Script, Seen, Sluice, Wire, sluice};

const LISTENERS: &str = r#"
listeners:
  - { name: web, address: "127.0.0.1:0", route_table: main }
  - name: strict
    address: "127.0.0.1:0"
    route_table: main
    require_http11: true
    headers: { underscores: refuse }
    limits: { head: 1KiB, target: 100B, header_count: 8, concurrent_streams: 2 }
    timeouts: { header: 60ms, body_idle: 60ms }
  - { name: dropping, address: "127.0.0.1:0", route_table: main, headers: { underscores: drop } }
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: ["*"]
        routes:
          - name: small
            match: [{ path: { prefix: /small } }]
            action: { forward: { destinations: [{ cluster: origin }] } }
            max_body: 4B
          - name: scripted
            match: [{ path: { prefix: /scripted } }]
            action: { forward: { destinations: [{ cluster: scripted }] } }
          - { name: rest, action: { forward: { destinations: [{ cluster: origin }] } } }
clusters:
  - { name: origin, endpoints: [{ address: "${origin}" }] }
  - { name: scripted, endpoints: [{ address: "${scripted}" }] }
"#;

/// A proxy with its listeners, an upstream that answers, and one that says what the transcript wants.
struct Scene {
    proxy: Sluice,
    origin: Origin,
    _script: Script,
}

/// What is sent, and what must come of it.
struct Transcript {
    listener: &'static str,
    sends: Sends,
    comes: Comes,
}

enum Sends {
    /// Bytes of HTTP/1.
    Line(String),
    /// The fields of an HTTP/2 head, and the body behind it.
    Stream(Vec<(&'static str, &'static str)>, Option<&'static str>),
    /// A request over HTTP/1 whose upstream answers so.
    Answered(&'static str),
}

enum Comes {
    /// The row's refusal.
    Refusal,
    /// The HTTP/2 codec resets the stream or ends the connection before there is a request.
    Cut(Outcome),
    /// The upstream gets this.
    Upstream(fn(&Seen)),
    /// The client gets these bytes, without those behind them.
    Client(&'static str, &'static str),
}

impl Scene {
    async fn new() -> Self {
        let origin = Origin::http1(|_| Answer::ok("hello")).await;
        let script = Script::start(|mut wire, _| async move {
            let head = wire.read_head().await;
            if let Some(answer) = head.lines().find_map(|line| line.strip_prefix("x-answer: ")) {
                wire.send(answer.replace("\\r\\n", "\r\n")).await;
                wire.finish().await;
            }
            wire.read_to_close().await;
        })
        .await;
        let recipe = sluice!().value("origin", &origin).value("scripted", &script);
        let proxy = recipe.config(LISTENERS).start().await;
        Self { proxy, origin, _script: script }
    }

    /// Plays a refused HTTP/1 message, with another request right behind it. Says how the log has it, and whether
    /// the connection was closed.
    async fn refused(&self, listener: &str, bytes: &str, status: u16, details: &str) -> (Value, bool) {
        let before = self.origin.requests().len();
        let mut wire = Wire::connect(self.proxy.listener(listener)).await;
        // The refusal may come, and the end with it, before everything has been sent.
        let _ = wire.try_send(format!("{bytes}GET /after HTTP/1.1\r\nhost: a.example\r\n\r\n")).await;
        let method = bytes.split(' ').next().unwrap_or_default();
        let reply = wire.reply_to(if method == "HEAD" { method } else { "GET" }).await;
        assert_eq!(reply.status, status, "{}", show(bytes));
        let closes = reply.fields.get("connection") == Some("close");
        if closes {
            wire.expect_close().await;
        } else {
            assert_eq!(wire.reply().await.status, 200, "what is behind {}", show(bytes));
        }
        let entry = self.entry(&wire, |entry| entry["details"] == details, bytes).await;
        assert_eq!((&entry["status"], &entry["response_flags"]), (&status.into(), &"DPE".into()), "{entry}");
        let seen = self.origin.requests().len() - before;
        assert_eq!(seen, usize::from(!closes), "nothing of it reached the upstream: {}", show(bytes));
        (entry, closes)
    }

    /// The access log entry of a connection.
    async fn entry(&self, wire: &Wire, wanted: impl Fn(&Value) -> bool, bytes: &str) -> Value {
        let peer = wire.address().to_string();
        self.proxy.logged(&show(bytes), |entry| entry["peer"] == *peer && wanted(entry)).await
    }

    async fn play(&self, rule: Rule, Transcript { listener, sends, comes }: &Transcript) {
        let row = rule.row();
        match (sends, comes) {
            (Sends::Line(bytes), Comes::Refusal) => {
                let Verdict::Refuse { status, close } = row.verdict else {
                    panic!("{rule:?} refuses nothing")
                };
                let (entry, closed) = self.refused(listener, bytes, status, row.details).await;
                assert!(closed || !close, "{rule:?} closes: {}", show(bytes));
                let mut words = bytes.split(' ');
                assert_eq!(entry["method"], words.next().unwrap_or_default(), "{entry}");
                assert_eq!(entry["path"], words.next().unwrap_or_default(), "{entry}");
            }
            (Sends::Stream(fields, body), comes) => {
                self.play_stream(rule, listener, fields, *body, comes).await;
            }
            (Sends::Line(bytes), Comes::Upstream(check)) => {
                let before = self.origin.requests().len();
                let mut wire = Wire::connect(self.proxy.listener(listener)).await;
                wire.send(bytes).await;
                assert_eq!(wire.reply().await.status, 200, "{rule:?}: {}", show(bytes));
                check(&self.origin.requests()[before]);
                let entry = self.entry(&wire, |_| true, bytes).await;
                assert_eq!(entry["response_flags"], "", "{entry}");
            }
            (Sends::Answered(answer), comes) => self.play_answer(rule, listener, answer, comes).await,
            (Sends::Line(_), Comes::Client(..) | Comes::Cut(_)) => panic!("{rule:?} is no transcript"),
        }
    }

    async fn play_stream(
        &self,
        rule: Rule,
        listener: &str,
        fields: &[(&str, &str)],
        body: Option<&str>,
        comes: &Comes,
    ) {
        let before = self.origin.requests().len();
        let mut frames = Frames::connect(self.proxy.listener(listener)).await;
        frames.head(1, fields, body.is_none()).await;
        if let Some(body) = body {
            frames.frame(Frames::DATA, 1, 1, body.as_bytes()).await;
        }
        let row = rule.row();
        let outcome = frames.outcome(1).await;
        let what = format!("{rule:?}: {fields:?}");
        match comes {
            Comes::Refusal => {
                let Verdict::Refuse { status, .. } = row.verdict else { panic!("{rule:?} refuses nothing") };
                assert_eq!(outcome, Outcome::Status(status), "{what}");
                let entry = self.entry(frames.wire(), |entry| entry["details"] == row.details, &what).await;
                assert_eq!(entry["response_flags"], row.flag.to_string(), "{entry}");
                assert_eq!(entry["protocol"], "HTTP/2", "{entry}");
                let method = fields.iter().find(|(name, _)| *name == ":method").map(|(_, method)| *method);
                assert_eq!(entry["method"].as_str(), method, "{entry}");
            }
            Comes::Cut(wanted) => {
                assert_eq!(outcome, *wanted, "{what}");
                let broken = |entry: &Value| {
                    entry["response_flags"].as_str().is_some_and(|flags| flags.contains("DPE"))
                };
                let entry = self.entry(frames.wire(), broken, &what).await;
                assert!(
                    entry["details"].as_str().is_some_and(|details| details.starts_with("http2_")),
                    "{entry}"
                );
            }
            Comes::Upstream(check) => {
                assert_eq!(outcome, Outcome::Status(200), "{what}");
                return check(&self.origin.requests()[before]);
            }
            Comes::Client(..) => panic!("{rule:?} is no transcript"),
        }
        assert_eq!(self.origin.requests().len(), before, "{what}");
    }

    async fn play_answer(&self, rule: Rule, listener: &str, answer: &str, comes: &Comes) {
        let mut wire = Wire::connect(self.proxy.listener(listener)).await;
        let answer = answer.replace("\r\n", "\\r\\n");
        wire.send(format!("GET /scripted HTTP/1.1\r\nhost: a.example\r\nx-answer: {answer}\r\n\r\n")).await;
        match comes {
            Comes::Client(bytes, without) => {
                let text = String::from_utf8_lossy(&wire.read_until(*bytes).await).into_owned();
                assert!(without.is_empty() || !text.contains(without), "{rule:?}: {text}");
            }
            _ => {
                let Verdict::Refuse { status, .. } = rule.row().verdict else {
                    panic!("{rule:?} refuses nothing")
                };
                assert_eq!(wire.reply().await.status, status, "{rule:?}: {answer}");
                let entry = self.entry(&wire, |_| true, &answer).await;
                assert_eq!(entry["response_flags"], "UPE", "{entry}");
            }
        }
    }
}

fn show(bytes: &str) -> String {
    bytes.chars().take(300).collect::<String>().escape_debug().to_string()
}

/// A request of HTTP/1 that its row refuses.
fn line(bytes: impl Into<String>) -> Transcript {
    Transcript { listener: "web", sends: Sends::Line(bytes.into()), comes: Comes::Refusal }
}

/// A GET with these fields behind `Host`, and what the upstream gets of it.
fn get(fields: &str, upstream: fn(&Seen)) -> Transcript {
    let bytes = format!("GET /x HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
    Transcript { listener: "web", sends: Sends::Line(bytes), comes: Comes::Upstream(upstream) }
}

/// A request of HTTP/2 that its row refuses.
fn stream(fields: &[(&'static str, &'static str)]) -> Transcript {
    Transcript { listener: "web", sends: Sends::Stream(fields.to_vec(), None), comes: Comes::Refusal }
}

/// One that the HTTP/2 codec refuses before its row can.
fn cut(fields: &[(&'static str, &'static str)]) -> Transcript {
    Transcript { comes: Comes::Cut(Outcome::Reset(1)), ..stream(fields) }
}

/// One for which the HTTP/2 codec ends the connection.
fn ended(fields: &[(&'static str, &'static str)]) -> Transcript {
    Transcript { comes: Comes::Cut(Outcome::GoAway(1)), ..stream(fields) }
}

/// An HTTP/2 GET with one more field.
fn field(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut fields = H2.to_vec();
    fields.push((name, value));
    fields
}

fn answer(answer: &'static str) -> Transcript {
    Transcript { listener: "web", sends: Sends::Answered(answer), comes: Comes::Refusal }
}

fn at(listener: &'static str, transcript: Transcript) -> Transcript {
    Transcript { listener, ..transcript }
}

const H2: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x")];

fn pseudo(
    method: &'static str,
    scheme: &'static str,
    authority: &'static str,
    path: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let all = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)];
    all.into_iter().filter(|(_, value)| *value != "-").collect()
}

/// The transcripts of a row.
fn of(rule: Rule) -> Vec<Transcript> {
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
fn own(seen: &Seen) -> Vec<&str> {
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

#[tokio::test]
async fn every_row_of_the_table_does_to_bytes_what_it_says() {
    let scene = Scene::new().await;
    for row in TABLE {
        let transcripts = of(row.rule);
        assert!(!transcripts.is_empty() || row.rule == Rule::Misdirected, "{:?} has no transcript", row.rule);
        for transcript in &transcripts {
            scene.play(row.rule, transcript).await;
        }
    }
}

/// A POST with these fields and this body.
macro_rules! post {
    ($fields:literal, $body:literal) => {
        concat!("POST /x HTTP/1.1\r\nHost: a.example\r\n", $fields, "\r\n", $body)
    };
}

/// What proxies have been smuggled through with: bytes, the status, the details in the log.
const SMUGGLING: &[(&str, u16, &str)] = &[
    // Two framings.
    (
        post!("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
        400,
        "http1.conflicting_framing",
    ),
    (
        post!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n"),
        400,
        "http1.conflicting_framing",
    ),
    (post!("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, "http1.repeated_content_length"),
    (post!("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400, "http1.repeated_content_length"),
    // Lengths that two readers read differently.
    (post!("Content-Length: 5, 5\r\n", "hello"), 400, "http1.content_length"),
    (post!("Content-Length: +5\r\n", "hello"), 400, "http1.content_length"),
    (post!("Content-Length: -5\r\n", ""), 400, "http1.content_length"),
    (post!("Content-Length: 0x5\r\n", "hello"), 400, "http1.content_length"),
    (post!("Content-Length: 5 5\r\n", "hello"), 400, "http1.content_length"),
    (post!("Content-Length: \r\n", ""), 400, "http1.content_length"),
    (post!("Content-Length: 18446744073709551616\r\n", ""), 400, "http1.content_length"),
    // Transfer codings that one reader sees and another does not.
    (
        post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        400,
        "http1.transfer_encoding",
    ),
    (
        post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
        400,
        "http1.transfer_encoding",
    ),
    (post!("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: , chunked\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400, "http1.transfer_encoding"),
    (post!("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), 400, "http1.field_value"),
    (post!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400, "http1.field_name"),
    (post!("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), 400, "http1.field_name"),
    (post!(" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "http1.obs_fold"),
    (post!("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "http1.obs_fold"),
    (post!("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400, "http1.obs_fold"),
    (post!("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "http1.bare_lf"),
    (post!("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "http1.bare_cr"),
    (post!("Transfer-Encoding: identity\r\n", ""), 501, "http1.unsupported_transfer_encoding"),
    (post!("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, "http1.unsupported_transfer_encoding"),
    (post!("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501, "http1.unsupported_transfer_encoding"),
    (
        "POST /x HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "http1.transfer_encoding_in_http10",
    ),
    (
        "CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\nContent-Length: 1\r\n\r\nx",
        400,
        "http1.unexpected_body",
    ),
    // Lines.
    ("GET /x HTTP/1.1\nHost: a.example\n\n", 400, "http1.bare_lf"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\n\n", 400, "http1.bare_lf"),
    ("GET /x HTTP/1.1\r\nHost: a.example\rX: y\r\n\r\n", 400, "http1.bare_cr"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\nX: a\0b\r\n\r\n", 400, "http1.field_value"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\nX\0: ab\r\n\r\n", 400, "http1.field_name"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\nX@: ab\r\n\r\n", 400, "http1.field_name"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\n: ab\r\n\r\n", 400, "http1.field_name"),
    ("GET /x HTTP/1.1\r\nHost: a.example\r\nno colon\r\n\r\n", 400, "http1.field_name"),
    ("\r\n\r\nGET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.leading_blank"),
    ("\nGET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.bare_lf"),
    // Request lines.
    ("GET /x\r\nHost: a.example\r\n\r\n", 400, "http1.target"),
    ("GET /x HTTP/1.1 \r\nHost: a.example\r\n\r\n", 400, "http1.version"),
    ("GET  /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.target"),
    ("GET /x  HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.version"),
    ("GET /x\tHTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.target"),
    ("GET /\x01 HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.target"),
    (" GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.method"),
    ("G(T /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.method"),
    ("GET /x http/1.1\r\nHost: a.example\r\n\r\n", 400, "http1.version"),
    ("GET /x HTTP/1.10\r\nHost: a.example\r\n\r\n", 400, "http1.version"),
    ("GET /x HTTP/1.2\r\nHost: a.example\r\n\r\n", 505, "http1.unsupported_version"),
    ("GET /x HTTP/0.9\r\nHost: a.example\r\n\r\n", 505, "http1.unsupported_version"),
    ("GET /x HTTP/2.0\r\nHost: a.example\r\n\r\n", 505, "http1.unsupported_version"),
    ("GET /x HTTP/3.0\r\nHost: a.example\r\n\r\n", 505, "http1.unsupported_version"),
];

#[tokio::test]
async fn whoever_smuggles_is_refused_and_what_is_behind_never_served() {
    let scene = Scene::new().await;
    for (bytes, status, details) in SMUGGLING {
        let (entry, closed) = scene.refused("web", bytes, *status, details).await;
        assert!(closed, "{}", show(bytes));
        // What could be read of the request line is in the log.
        let line = bytes.strip_prefix("\r\n").unwrap_or(bytes);
        if line.starts_with("POST /x HTTP/1.") {
            assert_eq!((&entry["method"], &entry["path"]), (&"POST".into(), &"/x".into()), "{entry}");
        }
    }
    let refusals = scene.proxy.stat("sluice_refusals_total", &["rule=\"http1.transfer_encoding\""]).await;
    assert!((refusals - 8.0).abs() < 0.5, "each is counted by its rule: {refusals}");
}

#[tokio::test]
async fn bodies_that_break_their_framing_end_the_connection_and_the_upstreams() {
    let chunked = "POST /scripted HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = "x".repeat(2_000);
    let extensions = format!("1;{}\r\nx\r\n", "e".repeat(1_000)).repeat(20);
    let trailers = "t: v\r\n".repeat(101);
    let bodies = [
        ("x\r\n", 400, "http1.chunk_size"),
        ("\r\n", 400, "http1.chunk_size"),
        ("-1\r\n", 400, "http1.chunk_size"),
        ("0x1\r\nx\r\n", 400, "http1.chunk_size"),
        (" 1\r\nx\r\n", 400, "http1.chunk_size"),
        ("1 \r\nx\r\n", 400, "http1.chunk_size"),
        ("10000000000000000\r\n", 400, "http1.chunk_size"),
        ("1\nx\n", 400, "http1.bare_lf"),
        ("1\rx", 400, "http1.bare_cr"),
        ("1\r\nxy\r\n", 400, "http1.chunk_end"),
        ("1\r\nx\n0\r\n", 400, "http1.chunk_end"),
        ("1;a\0\r\nx\r\n", 400, "http1.chunk_extension"),
        ("1;a\nx\r\n", 400, "http1.bare_lf"),
        (&format!("1;{long}\r\nx\r\n"), 400, "http1.chunk_extension_too_large"),
        (&extensions, 400, "http1.chunk_extension_too_large"),
        ("0\r\nt : v\r\n\r\n", 400, "http1.field_name"),
        ("0\r\n t: v\r\n\r\n", 400, "http1.obs_fold"),
        (&format!("0\r\n{trailers}\r\n"), 431, "http1.trailers_too_large"),
        (&format!("0\r\nt: {}\r\n\r\n", "v".repeat(20_000)), 431, "http1.trailers_too_large"),
    ];
    // It answers only what has ended well.
    let upstream = Script::start(|mut wire, _| async move {
        assert!(!String::from_utf8_lossy(&wire.read_to_close().await).ends_with("\r\n0\r\n\r\n"));
    });
    let (mut upstream, origin) = (upstream.await, Origin::saying("hello").await);
    let recipe = sluice!().value("origin", &origin).value("scripted", &upstream);
    let proxy = recipe.config(LISTENERS).start().await;
    for (body, status, details) in bodies {
        let mut wire = Wire::connect(proxy.listener("web")).await;
        let _ = wire.try_send(format!("{chunked}{body}GET /after HTTP/1.1\r\nHost: a.example\r\n\r\n")).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.field("connection")), (status, "close"), "{}", show(body));
        wire.expect_close().await;
        let peer = wire.address().to_string();
        let entry = proxy.logged(&show(body), |entry| entry["peer"] == *peer).await;
        assert_eq!(
            (&entry["details"], &entry["response_flags"]),
            (&details.into(), &"DPE".into()),
            "{entry}"
        );
        upstream.finished().await;
    }
    assert!(origin.requests().is_empty());
}

#[tokio::test]
async fn sizes_and_times_have_bounds_with_a_status_each() {
    let scene = Scene::new().await;
    let long = "x".repeat(2_000);
    let get =
        |target: &str, fields: &str| format!("GET /{target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
    for (bytes, status, details) in [
        (get(&long[..200], ""), 414, "http1.target_too_long"),
        (get("x", &format!("x: {long}\r\n")), 431, "http1.head_too_large"),
        (get("x", &"x: y\r\n".repeat(8)), 431, "http1.too_many_fields"),
        (format!("{} / HTTP/1.1\r\nHost: a.example\r\n\r\n", &long[..65]), 501, "http1.method_too_long"),
    ] {
        scene.refused("strict", &bytes, status, details).await;
    }
    for (bytes, details) in [
        ("GET /slow HTTP/1.1\r\nHost", "request_header_timeout"),
        ("POST /scripted HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n1", "request_body_timeout"),
    ] {
        let mut wire = Wire::connect(scene.proxy.listener("strict")).await;
        wire.send(bytes).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.field("connection")), (408, "close"));
        wire.expect_close().await;
        let entry = scene.entry(&wire, |_| true, bytes).await;
        assert_eq!((&entry["details"], &entry["response_flags"]), (&details.into(), &"SI".into()), "{entry}");
        assert_eq!(entry["path"].as_str(), bytes.split(' ').nth(1), "{entry}");
    }
    for (fields, status, details) in [
        (
            pseudo(
                "GET",
                "http",
                "a.example",
                "/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/",
            ),
            414,
            "target_too_long",
        ),
        ([&H2[..], &[("a", "b"); 9]].concat(), 431, "too_many_fields"),
    ] {
        let mut frames = Frames::connect(scene.proxy.listener("strict")).await;
        frames.head(1, &fields, true).await;
        assert_eq!(frames.outcome(1).await, Outcome::Status(status));
        let entry = scene.entry(frames.wire(), |_| true, details).await;
        assert_eq!((&entry["details"], &entry["method"]), (&details.into(), &"GET".into()), "{entry}");
    }
    // The codec holds no more than that, and answers by itself.
    let mut frames = Frames::connect(scene.proxy.listener("strict")).await;
    frames.head(1, &[H2.to_vec(), vec![("a", "b"); 600]].concat(), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Status(431));
    let entry =
        scene.entry(frames.wire(), |entry| entry["details"] == "http2_head_too_large", "by the codec").await;
    assert_eq!((&entry["status"], &entry["response_flags"]), (&431.into(), &"DPE".into()));
}

#[tokio::test]
async fn the_http2_preface_is_no_request_of_an_http1_connection() {
    let scene = Scene::new().await;
    let mut wire = Wire::connect(scene.proxy.listener("web")).await;
    wire.send("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    assert_eq!(wire.reply().await.status, 200);
    wire.send(Frames::PREFACE).await;
    assert_eq!(wire.reply().await.status, 505);
    wire.expect_close().await;
    scene.entry(&wire, |entry| entry["status"] == 505, "the preface").await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_head_is_in_the_log() {
    let scene = Scene::new().await;
    let mut wire = Wire::connect(scene.proxy.listener("web")).await;
    wire.send("GET /half HTTP/1.1\r\nHost: a.ex").await;
    wire.finish().await;
    wire.expect_close().await;
    let entry = scene.proxy.logged_path("/half").await;
    assert_eq!(
        (&entry["status"], &entry["response_flags"], &entry["method"]),
        (&0.into(), &"DC".into(), &"GET".into())
    );
    // One that has begun nothing is not.
    let mut wire = Wire::connect(scene.proxy.listener("web")).await;
    wire.send("\r\n").await;
    wire.finish().await;
    wire.expect_close().await;
    scene.proxy.get("/x").await;
    scene.proxy.logged_path("/x").await;
    assert_eq!(scene.proxy.log().len(), 2);
}
