use super::request::Handshake;
use super::*;
use crate::hygiene::Version;
use sluice_http1::{Limits, Parse};
use sluice_model::spec::{self, Believed, ForwardedFields, UnderscorePolicy};
use std::net::IpAddr;

fn base<'a>(fields: &'a dyn Received, edits: &'a Edits) -> RequestHead<'a> {
    RequestHead {
        fields,
        edits,
        more_edits: None,
        names_fields: true,
        te_trailers: false,
        crumbs: false,
        trusted: false,
        append: true,
        forwarded: ForwardedFields::Standard,
        believed: true,
        client_field: "x-forwarded-for",
        client: "198.51.100.9",
        peer: "192.0.2.1",
        scheme: "https",
        authority: "a.example:8443",
        port: "8443",
        request_id: Some("id"),
        attempt: None,
        original_path: None,
        underscores: UnderscorePolicy::Allow,
        without_expect: false,
        handshake: Handshake::Keep,
    }
}

fn written(head: &RequestHead<'_>) -> Vec<String> {
    let mut out: Vec<(String, String)> = Vec::new();
    write_request(head, &mut Vec::new(), &mut out);
    out.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

const STAMPS: [&str; 5] = [
    "x-forwarded-for: 192.0.2.1",
    "x-forwarded-proto: https",
    "x-forwarded-host: a.example:8443",
    "x-forwarded-port: 8443",
    "x-request-id: id",
];

fn with_stamps(fields: &[&str]) -> Vec<String> {
    fields.iter().chain(&STAMPS).map(ToString::to_string).collect()
}

#[test]
fn what_belongs_to_the_connection_stays_there() {
    let fields = vec![
        ("Host", "a.example"),
        ("Connection", "keep-alive, X-Hop, Upgrade, TE"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "gzip, trailers"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABk"),
        ("X-Hop", "1"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("X-KEEP", "Case"),
        ("traceparent", "00-1-2-01"),
        ("X-B3-TraceId", "1"),
    ];
    let edits = Edits::new();
    let head = RequestHead { te_trailers: true, ..base(&fields, &edits) };
    let mut expected = vec!["X-KEEP: Case", "traceparent: 00-1-2-01", "X-B3-TraceId: 1", "te: trailers"];
    expected.extend(STAMPS);
    assert_eq!(written(&head), expected);
}

#[test]
fn connection_cannot_talk_away_what_others_trust() {
    let fields = vec![
        (
            "Connection",
            "x-forwarded-for, Authorization, cookie, x-request-id, x-forwarded-proto, x-real-ip, traceparent",
        ),
        ("Authorization", "Basic x"),
        ("Cookie", "a=b"),
        ("X-Real-IP", "1.1.1.1"),
        ("traceparent", "00-1-2-01"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Proto", "http"),
    ];
    let edits = Edits::new();
    let head = RequestHead { trusted: true, ..base(&fields, &edits) };
    assert_eq!(
        written(&head),
        [
            "Authorization: Basic x",
            "Cookie: a=b",
            "X-Real-IP: 1.1.1.1",
            "traceparent: 00-1-2-01",
            "X-Forwarded-Proto: http",
            "x-forwarded-for: 10.0.0.1, 192.0.2.1",
            "x-forwarded-host: a.example:8443",
            "x-forwarded-port: 8443",
            "x-request-id: id"
        ]
    );
}

#[test]
fn identity_of_untrusted_peers_is_removed_and_of_trusted_ones_kept() {
    let fields = vec![
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Client-Cert", "Hash=1"),
        ("X-Forwarded-Proto", "http"),
        ("Forwarded", "for=10.0.0.1"),
        ("x-envoy-internal", "true"),
        ("X-Request-Id", "theirs"),
        ("a", "b"),
    ];
    let edits = Edits::new();
    assert_eq!(written(&base(&fields, &edits)), with_stamps(&["a: b"]));
    let trusted = RequestHead { trusted: true, append: false, request_id: None, ..base(&fields, &edits) };
    assert_eq!(
        written(&trusted),
        fields.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>(),
        "with `append` off everything of a trusted peer passes unchanged"
    );
    let untrusted = RequestHead { append: false, request_id: None, ..base(&fields, &edits) };
    assert_eq!(written(&untrusted), ["X-Request-Id: theirs", "a: b"]);
    let proto = |head: &RequestHead<'_>| written(&RequestHead { forwarded: ForwardedFields::Proto, ..*head });
    assert_eq!(proto(&trusted), written(&trusted), "it is there already");
    for append in [false, true] {
        let untrusted = RequestHead { append, ..untrusted };
        assert_eq!(proto(&untrusted), ["X-Request-Id: theirs", "a: b", "x-forwarded-proto: https"]);
    }
}

#[test]
fn aliases_of_our_own_names_never_pass() {
    let fields = vec![
        ("X_Forwarded_For", "1"),
        ("x-forwarded_for", "1"),
        ("x_forwarded_client_cert", "1"),
        ("X_Request_Id", "1"),
        ("content_length", "1"),
        ("transfer_encoding", "chunked"),
        ("x_envoy_internal", "1"),
        ("x_forwarded_and_a_very_long_name_behind_it", "1"),
        ("my_own", "kept"),
    ];
    let edits = Edits::new();
    let head = RequestHead { trusted: true, ..base(&fields, &edits) };
    assert_eq!(written(&head), with_stamps(&["my_own: kept"]));
    let head = RequestHead { underscores: UnderscorePolicy::Drop, ..head };
    assert_eq!(written(&head), with_stamps(&[]));
}

#[test]
fn edits_win_over_everything_but_framing() {
    let fields = vec![("a", "1"), ("A", "2"), ("b", "3"), ("c", "4")];
    let mut edits = Edits::new();
    for (name, value) in [
        ("x-forwarded-for", "set"),
        ("a", "5"),
        ("content-length", "9"),
        ("host", "evil"),
        ("x-request-id", "7"),
    ] {
        edits.set(name, value.as_bytes()).expect("a field");
    }
    edits.remove("b").expect("a name");
    edits.add("c", b"6").expect("a field");
    let more = {
        let mut more = Edits::new();
        more.set("a", b"mirror").expect("a field");
        more
    };
    assert_eq!(
        written(&base(&fields, &edits)),
        [
            "c: 4",
            "x-forwarded-proto: https",
            "x-forwarded-host: a.example:8443",
            "x-forwarded-port: 8443",
            "x-forwarded-for: set",
            "a: 5",
            "x-request-id: 7",
            "c: 6"
        ]
    );
    let mirror =
        RequestHead { more_edits: Some(&more), append: false, request_id: None, ..base(&fields, &edits) };
    assert_eq!(written(&mirror), ["c: 4", "x-forwarded-for: set", "x-request-id: 7", "c: 6", "a: mirror"]);
}

#[test]
fn cookie_crumbs_are_joined() {
    let fields = vec![("cookie", "a=b"), ("x", "y"), ("cookie", "c=d"), ("cookie", "e=f")];
    let edits = Edits::new();
    let head = RequestHead { crumbs: true, append: false, request_id: None, ..base(&fields, &edits) };
    assert_eq!(written(&head), ["x: y", "cookie: a=b; c=d; e=f"]);
}

#[test]
fn a_rewritten_path_is_told_and_not_forged() {
    let fields = vec![("x-envoy-original-path", "/forged")];
    let edits = Edits::new();
    let head = RequestHead {
        trusted: true,
        append: false,
        request_id: None,
        original_path: Some("/was"),
        ..base(&fields, &edits)
    };
    assert_eq!(written(&head), ["x-envoy-original-path: /was"]);
}

#[test]
fn a_mirror_carries_no_expect() {
    let fields = vec![("Expect", "100-continue"), ("a", "b")];
    let edits = Edits::new();
    let head = RequestHead { without_expect: true, append: false, request_id: None, ..base(&fields, &edits) };
    assert_eq!(written(&head), ["a: b"]);
}

fn answered(head: &ResponseHead<'_>) -> Vec<String> {
    let mut out: Vec<(String, String)> = Vec::new();
    write_response(head, &mut out);
    out.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn answers_lose_what_belongs_to_the_upstream_connection() {
    let fields = vec![
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "12"),
        ("Set-Cookie", "a=b"),
        ("Set-Cookie", "c=d"),
        ("Server", "theirs"),
        ("Date", "then"),
    ];
    let mut edits = Edits::new();
    edits.add("x-added", b"1").expect("a field");
    let head = ResponseHead {
        fields: &fields,
        edits: &edits,
        keep_length: false,
        server: None,
        date: Some("now"),
        upgrade: None,
        accept: None,
        drop_accept: false,
        service_time: None,
    };
    assert_eq!(
        answered(&head),
        ["Set-Cookie: a=b", "Set-Cookie: c=d", "Server: theirs", "Date: then", "x-added: 1"]
    );
    let head = ResponseHead { keep_length: true, server: Some("sluice"), ..head };
    assert_eq!(
        answered(&head),
        [
            "Content-Length: 12",
            "Set-Cookie: a=b",
            "Set-Cookie: c=d",
            "Date: then",
            "server: sluice",
            "x-added: 1"
        ]
    );
}

#[test]
fn interim_responses_carry_their_fields_only() {
    let fields = vec![("Link", "</a>; rel=preload"), ("Connection", "close")];
    let mut out: Vec<(String, String)> = Vec::new();
    write_informational(&fields, &mut out);
    assert_eq!(out, [("Link".to_owned(), "</a>; rel=preload".to_owned())]);
}

#[test]
fn the_client_is_the_rightmost_address_that_is_not_trusted() {
    let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|block| block.parse().expect("a block"));
    let peer: IpAddr = "10.0.0.9".parse().expect("an address");
    for (forwarded, client) in [
        (vec![], "10.0.0.9"),
        (vec!["203.0.113.7"], "203.0.113.7"),
        (vec!["203.0.113.7, 10.0.0.1"], "203.0.113.7"),
        (vec!["198.51.100.1, 203.0.113.7", "10.0.0.1"], "203.0.113.7"),
        (vec!["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        (vec!["203.0.113.7, nonsense, 10.0.0.2"], "10.0.0.2"),
        (vec!["203.0.113.7, nonsense"], "10.0.0.9"),
        (vec!["203.0.113.7:1234"], "203.0.113.7"),
        (vec!["[2001:db8::1]:80, [2001:4::1]"], "2001:4::1"),
        (vec!["::ffff:203.0.113.7"], "203.0.113.7"),
    ] {
        let fields: Vec<(&str, &str)> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
        assert_eq!(
            client_address(&trusted, "x-forwarded-for", peer, &fields).to_string(),
            client,
            "{forwarded:?}"
        );
    }
    let stranger: IpAddr = "203.0.113.9".parse().expect("an address");
    assert_eq!(
        client_address(&trusted, "x-forwarded-for", stranger, &vec![("x-forwarded-for", "1.1.1.1")]),
        stranger
    );
}

#[test]
fn trust_settles_the_scheme() {
    let forwarded =
        spec::Forwarded { trusted: vec!["10.0.0.0/8".parse().expect("a block")], ..Default::default() };
    let fields = vec![("x-forwarded-proto", "HTTPS")];
    let trust = |peer: &str| Trust::of(&forwarded, peer.parse().expect("an address"), false, &fields).scheme;
    assert_eq!(trust("10.0.0.1").as_str(), "https");
    assert_eq!(trust("::ffff:10.0.0.1").as_str(), "https");
    assert_eq!(trust("192.0.2.1").as_str(), "http");
}

/// Both codecs show the same fields in the same way, and both sinks take them.
#[test]
fn the_views_of_both_codecs_agree() {
    let block = b"GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-two: 2\r\nX-ONE: 3\r\n\r\n";
    let mut index = sluice_http1::RequestHead::new();
    let limits = Limits { head: 4096, target: 1024, fields: 20 };
    assert!(matches!(index.parse(block, &limits), Ok(Parse::Complete { .. })));
    let view = BlockFields(index.view(block).fields());
    let mut map = http::HeaderMap::new();
    view.each(&mut |name, value| HeaderMapSink(&mut map).field(name, value));
    let map = MapFields(&map);
    assert_eq!((view.count(), map.count()), (4, 4));
    for fields in [&view as &dyn Fields, &map] {
        assert_eq!(fields.first("x-one"), Some(&b"1"[..]));
        assert_eq!(fields.first("x-three"), None);
        let mut values = Vec::new();
        fields.each_value("x-one", &mut |value| values.push(value.to_vec()));
        assert_eq!(values, [b"1", b"3"]);
    }
    let mut out = Vec::new();
    map.each(&mut |name, value| BlockSink(&mut out).field(name, value));
    assert_eq!(out, b"host: a\r\nx-one: 1\r\nx-one: 3\r\nx-two: 2\r\n");
    assert!(has_crumbs(Version::Http2) && !has_crumbs(Version::Http11));
}

#[test]
fn upstreams_are_told_what_ingress_nginx_tells_them() {
    let fields = vec![
        ("X-Forwarded-For", "203.0.113.5, 10.0.0.1"),
        ("X-Forwarded-Host", "www.example, inner"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Port", "99"),
        ("X-Forwarded-Scheme", "gopher"),
        ("X-Real-Ip", "1.1.1.1"),
        ("X-Scheme", "gopher"),
        ("X-Original-Forwarded-For", "me"),
        ("Proxy", "http://evil.example"),
        ("SSL-Client-Verify", "SUCCESS"),
        ("ssl-client-subject-dn", "CN=admin"),
        ("x-kept", "1"),
    ];
    let edits = Edits::new();
    let head =
        |trusted, believed, forwarded| RequestHead { trusted, forwarded, believed, ..base(&fields, &edits) };
    let told = |port: &str, forwarded_for: &str| {
        let fields = [
            "x-kept: 1",
            "x-real-ip: 198.51.100.9",
            "x-forwarded-host: a.example:8443",
            &format!("x-forwarded-port: {port}"),
            "x-forwarded-proto: https",
            "x-forwarded-scheme: https",
            "x-scheme: https",
            "x-original-forwarded-for: 203.0.113.5, 10.0.0.1",
            &format!("x-forwarded-for: {forwarded_for}"),
            "x-original-forwarded-host: www.example, inner",
            "x-request-id: id",
        ];
        fields.map(str::to_owned)
    };
    assert_eq!(written(&head(false, true, ForwardedFields::Nginx)), told("8443", "198.51.100.9"));
    assert_eq!(written(&head(true, true, ForwardedFields::Nginx)), told("99", "198.51.100.9"));
    assert_eq!(written(&head(true, false, ForwardedFields::Nginx)), told("8443", "198.51.100.9"));
    let all = "203.0.113.5, 10.0.0.1, 192.0.2.1";
    assert_eq!(written(&head(true, true, ForwardedFields::NginxFull)), told("99", all));
    assert_eq!(
        written(&head(false, true, ForwardedFields::NginxFull)),
        told("8443", "192.0.2.1"),
        "what a stranger claims is passed on as a claim alone"
    );
}

#[test]
fn the_client_alone_is_believed_and_of_the_field_that_was_named() {
    let forwarded = spec::Forwarded {
        trusted: vec!["10.0.0.0/8".parse().expect("a block")],
        believed: Believed::Client,
        client_field: "cf-connecting-ip".parse().expect("a name"),
        fields: ForwardedFields::Nginx,
        ..Default::default()
    };
    let fields = vec![
        ("x-forwarded-for", "192.0.2.1"),
        ("cf-connecting-ip", "203.0.113.5"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "www.example"),
    ];
    let trust = Trust::of(&forwarded, "10.0.0.1".parse().expect("an address"), false, &fields);
    assert_eq!((trust.client.to_string().as_str(), trust.scheme), ("203.0.113.5", spec::Scheme::Http));
    assert_eq!(forwarded_host(&forwarded, &fields), None);
    let all = spec::Forwarded { believed: Believed::All, ..forwarded };
    assert_eq!(forwarded_host(&all, &fields), Some("www.example"));
    assert_eq!(forwarded_host(&all, &vec![("x-forwarded-host", "a b, c")]), None, "it is no host");
}

#[test]
fn a_gateway_of_istio_adds_to_the_addresses_and_says_who_the_client_is() {
    let fields = vec![
        ("X-Forwarded-For", "198.51.100.9, junk"),
        ("x-forwarded-for", "203.0.113.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Envoy-External-Address", "6.6.6.6"),
        ("X-Envoy-Attempt-Count", "9"),
        ("X-Envoy-Upstream-Rq-Timeout-Ms", "1"),
    ];
    let edits = Edits::new();
    let head = RequestHead {
        forwarded: ForwardedFields::Envoy,
        attempt: Some(2),
        client: "203.0.113.1",
        ..base(&fields, &edits)
    };
    let said = [
        "x-forwarded-for: 198.51.100.9, junk, 203.0.113.1, 192.0.2.1",
        "x-forwarded-proto: https",
        "x-forwarded-host: a.example:8443",
        "x-forwarded-port: 8443",
        "x-request-id: id",
        "x-envoy-attempt-count: 2",
        "x-envoy-external-address: 203.0.113.1",
    ];
    assert_eq!(written(&head), said);
    let trusted = RequestHead { trusted: true, ..head };
    let kept = written(&trusted);
    assert!(kept.contains(&"X-Forwarded-Proto: http".to_owned()), "{kept:?}");
    for once in ["external-address", "attempt-count"] {
        let found: Vec<_> = kept.iter().filter(|line| line.to_ascii_lowercase().contains(once)).collect();
        assert_eq!(found.len(), 1, "{kept:?}");
    }
    assert!(!kept.iter().any(|line| line.contains("Timeout")), "it was meant for us: {kept:?}");
}

#[test]
fn the_time_that_an_answer_took_is_said_once() {
    let fields = vec![("X-Envoy-Upstream-Service-Time", "7"), ("x-envoy-other", "1")];
    let edits = Edits::new();
    let head = ResponseHead {
        fields: &fields,
        edits: &edits,
        keep_length: false,
        server: None,
        date: None,
        upgrade: None,
        accept: None,
        drop_accept: false,
        service_time: None,
    };
    assert_eq!(answered(&head), ["X-Envoy-Upstream-Service-Time: 7", "x-envoy-other: 1"]);
    let head = ResponseHead { service_time: Some(12), ..head };
    assert_eq!(answered(&head), ["x-envoy-other: 1", "x-envoy-upstream-service-time: 12"]);
}
