use super::*;
use crate::flags::ResponseFlags;
use crate::hygiene::Version;
use sluice_filter::NoFields;
use std::time::Instant;

fn record() -> Record {
    let mut record = Record::new(Instant::now());
    record.started_at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_460_751_420_310);
    record.version = Version::Http2;
    record.method.push_str("GET");
    record.authority.push_str("A.example:8080");
    record.path.push_str("/%70?q=1&r");
    record.normal_path.push_str("/p");
    record.status = 503;
    record.details = "no_healthy_upstream";
    record.flags = ResponseFlags::NO_HEALTHY_UPSTREAM.union(ResponseFlags::RETRIES_EXHAUSTED);
    record.bytes_received = 7;
    record.duration = Duration::from_millis(1_234);
    record.response_started = Some(Duration::from_secs(1));
    record.attempts = 2;
    record.peer = "192.0.2.1:5555".parse().expect("an address");
    record.client = "[2001:db8::1]:0".parse().expect("an address");
    record.local = "192.0.2.9:8080".parse().expect("an address");
    record.endpoint = Some("10.0.0.1:80".parse().expect("an address"));
    record.set_request_id(b"1-2-3");
    record
}

fn text(template: &str, missing: Missing) -> String {
    let record = record();
    let request =
        vec![("x-user", "jos\u{e9}"), ("b", "2"), ("cookie", "d=1; c=2"), ("x-forwarded-for", "192.0.2.7")];
    let response = vec![("x-up", "up")];
    let facts = Facts {
        record: &record,
        request: &request,
        response: &response,
        trailers: &NoFields,
        hostname: "box",
    };
    let mut out = Vec::new();
    evaluate(&template.parse().expect("a template"), &facts, missing, &mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn every_operator_has_its_value() {
    for (template, expected) in [
        ("%REQ(:METHOD)% %REQ(:AUTHORITY)%%REQ(:PATH)% %REQ(:SCHEME)%", "GET A.example:8080/%70?q=1&r http"),
        ("%HOST%:%LISTENER_PORT%%PATH%%QUERY_MARK%%QUERY%", "a.example:8080/p?q=1&r"),
        ("%QUERY_PARAM(q)% %QUERY_PARAM(r)% %COOKIE(c)% %COOKIE(no)%", "1 - 2 -"),
        ("%FORWARDED_FOR%", "192.0.2.7, 2001:db8::1"),
        ("%REQ(X-User)% %REQ(a?b)%", "jos\u{e9} 2"),
        ("%RESP(x-up)% %RESP(no)% %TRAILER(grpc-status)%", "up - -"),
        ("%START_TIME%", "2016-04-15T20:17:00.310Z"),
        (
            "%START_TIME(%a %d %b %Y %H:%M:%S.%3f %s %3s)%",
            "Fri 15 Apr 2016 20:17:00.310 1460751420 1460751420310",
        ),
        ("%PROTOCOL% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%", "HTTP/2 503 no_healthy_upstream"),
        ("%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT%", "UH,URX 7 0"),
        ("%DURATION% %REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", "1234 - 1000 234"),
        ("%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_REQUEST_ATTEMPT_COUNT%", "10.0.0.1:80 - 2"),
        (
            "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
            "[2001:db8::1]:0 2001:db8::1",
        ),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_PORT%", "192.0.2.1:5555 8080"),
        ("%STREAM_ID% %HOSTNAME% %ROUTE_NAME% %REQUESTED_SERVER_NAME%", "1-2-3 box - -"),
        ("100%% %REQ(x-user):2%|%REQ(x-user):4%|%REQ(:PATH):3%", "100% jo|jos|/%7"),
    ] {
        assert_eq!(text(template, Missing::Dash), expected, "{template}");
    }
}

#[test]
fn in_header_fields_what_is_missing_is_nothing() {
    assert_eq!(text("[%REQ(no)%%RESPONSE_FLAGS%%UPSTREAM_CLUSTER%]", Missing::Nothing), "[UH,URX]");
}

#[test]
fn days_are_counted_as_the_calendar_does() {
    for (days, expected) in [
        (0, (1970, 1, 1)),
        (59, (1970, 3, 1)),
        (11_016, (2000, 2, 29)),
        (11_017, (2000, 3, 1)),
        (47_541, (2100, 3, 1)),
    ] {
        let civil = civil(days * 86_400);
        assert_eq!((civil.year, civil.month, civil.day), expected, "{days}");
    }
}
