//! What plays a transcript, and says what came of it.

use serde_json::Value;
use sluice_core::hygiene::{Rule, Verdict};
use sluice_dsl::{Answer, Frames, Origin, Outcome, Script, Seen, Sluice, Wire, sluice};

pub(crate) const LISTENERS: &str = r#"
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
pub(crate) struct Scene {
    pub(crate) proxy: Sluice,
    pub(crate) origin: Origin,
    _script: Script,
}

/// What is sent, and what must come of it.
pub(crate) struct Transcript {
    pub(crate) listener: &'static str,
    pub(crate) sends: Sends,
    pub(crate) comes: Comes,
}

pub(crate) enum Sends {
    /// Bytes of HTTP/1.
    Line(String),
    /// The fields of an HTTP/2 head, and the body behind it.
    Stream(Vec<(&'static str, &'static str)>, Option<&'static str>),
    /// A request over HTTP/1 whose upstream answers so.
    Answered(&'static str),
}

pub(crate) enum Comes {
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
    pub(crate) async fn new() -> Self {
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
    pub(crate) async fn refused(
        &self,
        listener: &str,
        bytes: &str,
        status: u16,
        details: &str,
    ) -> (Value, bool) {
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
    pub(crate) async fn entry(&self, wire: &Wire, wanted: impl Fn(&Value) -> bool, bytes: &str) -> Value {
        let peer = wire.address().to_string();
        self.proxy.logged(&show(bytes), |entry| entry["peer"] == *peer && wanted(entry)).await
    }

    pub(crate) async fn play(&self, rule: Rule, Transcript { listener, sends, comes }: &Transcript) {
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

pub(crate) fn show(bytes: &str) -> String {
    bytes.chars().take(300).collect::<String>().escape_debug().to_string()
}
