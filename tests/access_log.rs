//! The access log: what a line says, in both forms, and that nobody ever waits for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::float_cmp, reason = "counters are whole numbers")]

use serde_json::Value;
use sluice_dsl::{
    Answer, Certificate, Http1, Http2, Nobody, Origin, Request, Script, Signal, Sluice, TlsClient, Wire,
    eventually, eventually_some, sluice, tool,
};
use std::{fs, time::Duration};

/// Lines of a text log that have been written whole.
fn lines(proxy: &Sluice) -> Vec<String> {
    let text = fs::read_to_string(proxy.folder().join("access.log")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

async fn line(proxy: &Sluice) -> String {
    eventually_some("a line in the access log", || lines(proxy).pop()).await
}

fn text_log(format: &str) -> String {
    format!("{{ target: {{ file: access.log }}, format: {{ text: '{format}' }} }}")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What an operator is to be replaced with.
enum Expected {
    Is(String),
    Number,
    Nothing,
    Like(fn(&str) -> bool),
}

#[tokio::test]
async fn each_operator_is_replaced_by_what_it_stands_for() {
    use Expected::{Is, Like, Nothing, Number};
    let certificate = Certificate::of(&["shop.test"]);
    let origin =
        Origin::http1(|_| Answer::ok("hello").field("x-upstream", "yes").trailer("x-sum", "42")).await;
    let proxy = sluice!()
        .certificate("shop", &certificate)
        .listener("tls: { certificates: [shop] }")
        .cluster("origin", &origin)
        .forwarding_to("origin")
        .start()
        .await;
    let (web, is) = (proxy.address(), |text: &str| Is(text.to_owned()));
    let time = |text: &str| text.len() == 24 && text.starts_with("20") && text.ends_with('Z');
    let ours = |text: &str| text.strip_prefix("127.0.0.1:").is_some_and(is_number);
    let table = [
        ("REQ(X-ASKED)", is("why")),
        ("REQ(x-asked)", is("why")),
        ("REQ(X-NONE?X-ASKED)", is("why")),
        ("REQ(X-NONE)", Nothing),
        ("REQ(:METHOD)", is("POST")),
        ("REQ(:PATH)", is("/cart?x=1")),
        ("REQ(:AUTHORITY)", is("shop.test")),
        ("REQ(:SCHEME)", is("https")),
        ("RESP(X-UPSTREAM)", is("yes")),
        ("RESP(X-NONE?X-UPSTREAM)", is("yes")),
        ("TRAILER(X-SUM)", is("42")),
        ("START_TIME", Like(time)),
        ("START_TIME(%Y)", Like(|text| text.len() == 4 && text.starts_with("20"))),
        ("PROTOCOL", is("HTTP/1.1")),
        ("RESPONSE_CODE", is("200")),
        ("RESPONSE_CODE_DETAILS", is("via_upstream")),
        ("RESPONSE_FLAGS", Nothing),
        ("CONNECTION_TERMINATION_DETAILS", Nothing),
        ("BYTES_RECEIVED", is("3")),
        ("BYTES_SENT", is("5")),
        ("DURATION", Number),
        ("REQUEST_DURATION", Number),
        ("RESPONSE_DURATION", Number),
        ("RESPONSE_TX_DURATION", Number),
        ("UPSTREAM_HOST", Is(origin.to_string())),
        ("UPSTREAM_CLUSTER", is("origin")),
        ("UPSTREAM_REQUEST_ATTEMPT_COUNT", is("1")),
        ("UPSTREAM_TRANSPORT_FAILURE_REASON", Nothing),
        ("DOWNSTREAM_REMOTE_ADDRESS", Like(ours)),
        ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", is("127.0.0.1")),
        ("DOWNSTREAM_REMOTE_PORT", Number),
        ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Like(ours)),
        ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", is("127.0.0.1")),
        ("DOWNSTREAM_LOCAL_ADDRESS", Is(web.to_string())),
        ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", is("127.0.0.1")),
        ("DOWNSTREAM_LOCAL_PORT", Is(web.port().to_string())),
        ("REQUESTED_SERVER_NAME", is("shop.test")),
        ("ROUTE_NAME", is("all")),
        ("OBJECT_NAME", is("-")),
        ("VIRTUAL_HOST_NAME", is("all")),
        ("LISTENER_NAME", is("web")),
        ("CONNECTION_ID", Number),
        ("STREAM_ID", Like(|text| text.len() == 36 && text.matches('-').count() == 4)),
        ("HOSTNAME", Like(|text| !text.is_empty() && text != "-")),
    ];
    let format: Vec<String> = table.iter().map(|(operator, _)| format!("%{operator}%")).collect();
    let mut proxy = proxy;
    proxy.change(|recipe| recipe.top("access_log", &text_log(&format!("100%% {}", format.join(" "))))).await;

    let tls = TlsClient::trusting(&certificate, "shop.test", &["http/1.1"]);
    let request = Request::post("/cart?x=1", "tea").host("shop.test").field("x-asked", "why");
    assert_eq!(Http1::connect_tls(web, &tls).await.send(&request).await.text(), "hello");
    let line = line(&proxy).await;
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!((words[0], words.len()), ("100%", table.len() + 1), "{line}");
    for ((operator, expected), word) in table.iter().zip(&words[1..]) {
        let good = match expected {
            Is(text) => word == text,
            Number => is_number(word),
            Nothing => *word == "-",
            Like(good) => good(word),
        };
        assert!(good, "%{operator}% became {word:?}");
    }
}

#[tokio::test]
async fn json_lines_have_every_field_with_its_type() {
    let origin = Origin::http1(|_| Answer::ok("hello")).await;
    let proxy = sluice!().in_front_of(&origin).await;
    let request = Request::post("/a?b=\"c\"", "tea")
        .field("user-agent", "spy \"007\"")
        .field("referer", "http://a/")
        .field("x-forwarded-for", "192.0.2.1");
    assert_eq!(proxy.send(&request).await.status, 200);
    let entry = proxy.logged_path("/a?b=\"c\"").await;
    for (name, value) in [
        ("listener", Value::from("web")),
        ("protocol", "HTTP/1.1".into()),
        ("scheme", "http".into()),
        ("method", "POST".into()),
        ("authority", "sluice.test".into()),
        ("status", 200.into()),
        ("response_flags", "".into()),
        ("details", "via_upstream".into()),
        ("virtual_host", "all".into()),
        ("route", "all".into()),
        ("cluster", "origin".into()),
        ("endpoint", origin.to_string().into()),
        ("upstream_protocol", "HTTP/1.1".into()),
        ("attempts", 1.into()),
        ("mirrors", 0.into()),
        ("bytes_received", 3.into()),
        ("bytes_sent", 5.into()),
        ("local", proxy.address().to_string().into()),
        ("user_agent", "spy \"007\"".into()),
        ("referer", "http://a/".into()),
        ("x_forwarded_for", "192.0.2.1".into()),
    ] {
        assert_eq!(entry[name], value, "{name} in {entry}");
    }
    for name in ["duration_ms", "request_ms", "response_ms"] {
        assert!(entry[name].is_f64(), "{name} in {entry}");
    }
    let (all, answer) = (&entry["duration_ms"], &entry["response_ms"]);
    assert!(answer.as_f64() <= all.as_f64(), "{entry}");
    assert!(
        entry["client"].as_str().unwrap().starts_with("127.0.0.1:"),
        "an untrusted field names nobody: {entry}"
    );
    assert_eq!(entry["request_id"].as_str(), origin.requests()[0].fields.get("x-request-id"));
}

#[tokio::test]
async fn flags_say_why_a_request_ended_as_it_did() {
    let (good, nobody) = (Origin::saying("hello").await, Nobody::new());
    let slow = Origin::http1(|_| Answer::ok("late").after(Duration::from_secs(600))).await;
    let closing = Origin::http1(|_| Answer::reset(0)).await;
    let broken = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n").await;
        wire.read_to_close().await;
    });
    let broken = broken.await;
    let route = |name: &str, cluster: &str, more: &str| {
        format!(
            "- {{ name: {name}, match: [{{ path: {{ exact: /{name} }} }}], \
             action: {{ forward: {{ destinations: [{{ cluster: {cluster} }}] }} }}{more} }}\n"
        )
    };
    let routes = [
        route("good", "good", ""),
        route("refused", "nobody", ""),
        route("slow", "slow", ", timeouts: { request: 50ms }"),
        route("idle", "slow", ", timeouts: { idle: 50ms }"),
        route("closing", "closing", ""),
        route("broken", "broken", ""),
        route("delayed", "good", ", filters: [{ fault: { delay: { fixed: 1ms, percent: 100 } } }]"),
        route(
            "aborted",
            "good",
            ", filters: [{ fault: { abort: { status: { http: 418 }, percent: 100 } } }]",
        ),
        route("left", "slow", ""),
    ];
    let proxy = sluice!()
        .cluster("good", &good)
        .cluster("nobody", &nobody)
        .cluster("slow", &slow)
        .cluster("closing", &closing)
        .cluster("broken", &broken.address())
        .routes(&routes.concat())
        .start()
        .await;
    for (path, status, flags) in [
        ("/good", 200, ""),
        ("/refused", 503, "UF"),
        ("/slow", 504, "UT"),
        ("/idle", 504, "SI"),
        ("/broken", 502, "UPE"),
        ("/delayed", 200, "DI"),
        ("/aborted", 418, "FI"),
        ("/nowhere", 404, "NR"),
    ] {
        assert_eq!(proxy.get(path).await.status, status, "{path}");
        let entry = proxy.logged_path(path).await;
        assert_eq!((&entry["response_flags"], &entry["status"]), (&flags.into(), &status.into()), "{entry}");
        let routed = path != "/nowhere";
        assert_eq!(entry["route"] != "", routed, "{entry}");
        for key in ["object", "cluster", "endpoint"] {
            assert!(entry[key].is_string(), "{key} is always there: {entry}");
        }
    }
    assert_eq!(proxy.send(&Request::post("/closing", "once")).await.status, 503);
    let entry = proxy.logged_path("/closing").await;
    assert!(entry["response_flags"].as_str().unwrap().contains("UC"), "{entry}");
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET /left HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the origin has it", || slow.requests().iter().any(|seen| seen.target == "/left")).await;
    wire.reset();
    let entry = proxy.logged_path("/left").await;
    assert_eq!((&entry["response_flags"], &entry["status"]), (&"DC".into(), &0.into()), "{entry}");
}

#[tokio::test]
async fn what_a_codec_refuses_is_logged_with_what_is_known() {
    let proxy = sluice!().listener("timeouts: { header: 100ms }").in_front_of(&Nobody::new()).await;
    for (bytes, status) in [
        ("GARBAGE\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: ", 408),
        ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        ("GET / HTTP/3.0\r\nhost: a\r\n\r\n", 505),
    ] {
        let before = proxy.log().len();
        let mut wire = Wire::connect(proxy.address()).await;
        wire.send(bytes).await;
        assert_eq!(wire.reply().await.status, status, "{bytes:?}");
        wire.read_to_close().await;
        eventually("a line for it", || proxy.log().len() == before + 1).await;
        let entry = proxy.log().pop().unwrap();
        assert_eq!(
            (&entry["status"], &entry["listener"]),
            (&status.into(), &"web".into()),
            "{bytes:?}: {entry}"
        );
        assert!(!entry["response_flags"].as_str().unwrap().is_empty(), "{bytes:?}: {entry}");
        assert!(entry["details"].is_string(), "{bytes:?}: {entry}");
    }
    let http2 = Http2::connect(proxy.address()).await;
    let reply = http2.send(&Request::get(&format!("/{}", "x".repeat(17_000)))).await.unwrap();
    assert_eq!(reply.status, 414);
    let entry = proxy.logged("the long one", |entry| entry["status"] == 414).await;
    let seen = (&entry["protocol"], &entry["method"], &entry["response_flags"]);
    assert_eq!(seen, (&"HTTP/2".into(), &"GET".into(), &"DPE".into()));
}

#[tokio::test]
async fn attempts_are_counted() {
    let (good, nobody) = (Origin::saying("hello").await, Nobody::new());
    let proxy = sluice!()
        .value("good", &good)
        .value("nobody", &nobody)
        .config(
            "listeners: [{ name: web, address: 127.0.0.1:0, route_table: main }]
route_tables:
  - name: main
    virtual_hosts: [{ name: all, hosts: [\"*\"], routes: [{ name: all, action: { forward: { destinations: [{ cluster: both }] } } }] }]
clusters:
  - { name: both, endpoints: [{ address: \"${nobody}\", weight: 100 }, { address: \"${good}\" }] }
",
        )
        .start()
        .await;
    assert_eq!(proxy.get("/").await.text(), "hello");
    let entry = proxy.logged_path("/").await;
    assert_eq!((&entry["attempts"], &entry["endpoint"]), (&2.into(), &good.to_string().into()), "{entry}");
}

#[tokio::test]
async fn ids_and_traces_reach_the_upstream_and_the_log() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().listener("request_id: keep").in_front_of(&shop).await;
    let fields = [
        ("x-request-id", "7d3f"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "congo=t61rcWkgMzE"),
        ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
        ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"),
        ("x-b3-spanid", "e457b5a2e4d86bd1"),
        ("x-b3-parentspanid", "05e3ac9a4f6e3b90"),
        ("x-b3-sampled", "1"),
        ("x-b3-flags", "1"),
    ];
    let request =
        fields.iter().fold(Request::get("/traced"), |request, (name, value)| request.field(name, value));
    assert_eq!(proxy.send(&request).await.status, 200);
    let seen = &shop.requests()[0];
    for (name, value) in fields {
        assert_eq!(seen.fields.get(name), Some(value), "{name}");
    }
    assert_eq!(proxy.logged_path("/traced").await["request_id"], "7d3f");
    assert_eq!(proxy.get("/new").await.status, 200);
    let entry = proxy.logged_path("/new").await;
    assert_eq!(entry["request_id"].as_str(), shop.requests()[1].fields.get("x-request-id"));
}

// --- Where lines go.

#[tokio::test]
async fn a_pipe_that_nobody_reads_blocks_nothing_and_its_losses_are_counted() {
    let shop = Origin::saying("hello").await;
    let path = format!("/{}", "x".repeat(10_000));
    // One line fills a batch, and no pipe holds many.
    let log =
        "{ target: { file: pipe }, format: { text: '%REQ(:PATH)% %REQ(:PATH)% %REQ(:PATH)% %REQ(:PATH)%' } }";
    let mut proxy = sluice!().in_front_of(&shop).await;
    let pipe = proxy.folder().join("pipe");
    let Some(made) = tool("mkfifo", [&pipe]).await else { return };
    assert_eq!(made.code, 0, "{}", made.stderr);
    let log = log.replace("file: pipe", &format!("file: {}", pipe.display()));
    proxy.change(|recipe| recipe.top("access_log", &log)).await;
    let mut client = Http1::connect(proxy.address()).await;
    for _ in 0..400 {
        assert_eq!(client.get(&path).await.status, 200);
    }
    proxy.stat_becomes("sluice_access_log_dropped_total", &[], |dropped| dropped > 0.0).await;
    assert_eq!(proxy.stat("sluice_access_log_lines_total", &[]).await, 400.0);
    assert_eq!(proxy.admin("/ready").await.status, 200);
    drop(client);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.ended().await, 0, "nor does it keep the process from ending");
}

#[tokio::test]
async fn a_rotated_file_is_opened_again_on_sighup_and_no_line_is_lost() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().in_front_of(&shop).await;
    let (file, rotated) = (proxy.folder().join("access.log"), proxy.folder().join("access.log.1"));
    assert_eq!(proxy.get("/before").await.status, 200);
    proxy.logged_path("/before").await;
    fs::rename(&file, &rotated).unwrap();
    assert_eq!(proxy.get("/between").await.status, 200);
    let text = || fs::read_to_string(&rotated).unwrap();
    eventually("the line in the old file", || text().contains("/between\"")).await;
    proxy.signal(Signal::HUP);
    eventually("the new file", || file.exists()).await;
    assert_eq!(proxy.get("/after").await.status, 200);
    proxy.logged_path("/after").await;
    assert_eq!((text().lines().count(), proxy.log().len()), (2, 1));
}

#[tokio::test]
async fn the_format_follows_a_reload_and_absence_switches_it_off() {
    let shop = Origin::saying("hello").await;
    let mut proxy = sluice!().in_front_of(&shop).await;
    for (format, expected) in [("one %REQ(:PATH)%", "one /a"), ("two %RESPONSE_CODE%", "two 200")] {
        proxy.change(|recipe| recipe.top("access_log", &text_log(format))).await;
        assert_eq!(proxy.get("/a").await.status, 200);
        eventually("the line", || lines(&proxy).pop().as_deref() == Some(expected)).await;
    }
    proxy.change(|recipe| recipe.top("access_log", "null")).await;
    let before = proxy.stat("sluice_access_log_lines_total", &[]).await;
    assert_eq!(proxy.get("/unseen").await.status, 200);
    proxy.stat_becomes("sluice_requests_total", &[], |count| count >= 3.0).await;
    assert_eq!(proxy.stat("sluice_access_log_lines_total", &[]).await, before);
}

#[tokio::test]
async fn a_clients_bytes_cannot_make_another_line() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().top("access_log", &text_log("%REQ(X-A)% %PROTOCOL%")).in_front_of(&shop).await;
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-a: one\ttwo\xe9\r\n\r\n").await;
    assert_eq!(wire.reply().await.status, 200);
    let file = proxy.folder().join("access.log");
    let written =
        eventually_some("a line", || fs::read(&file).ok().filter(|bytes| bytes.ends_with(b"\n"))).await;
    assert_eq!(written, b"one?two\xe9 HTTP/1.1\n");
}
