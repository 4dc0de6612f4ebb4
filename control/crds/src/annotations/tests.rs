use super::*;
use proptest::prelude::*;
use std::{collections::HashSet, time::Duration};

#[test]
fn the_table_has_136_annotations_and_two_aliases() {
    let names: HashSet<&str> = all().iter().map(|annotation| annotation.name).collect();
    assert_eq!(names.len(), 138);
    for (alias, name) in ALIASES {
        let row = |name| all().iter().find(|row| row.name == name).copied().unwrap();
        assert_eq!(Annotation { name, ..row(alias) }, row(name));
        assert_eq!(canonical(alias), name);
    }
}

#[test]
fn defaults_are_values_of_their_row() {
    for row in all() {
        if let Some(default) = row.default {
            assert!(row.parse(default).is_ok(), "{}: {default}", row.name);
        }
    }
}

/// The rows of which the issue of a forgotten lock would be an open door.
#[test]
fn what_protects_fails_closed_until_it_is_in_effect() {
    for name in [
        "auth-type",
        "auth-secret",
        "auth-url",
        "auth-snippet",
        "auth-tls-secret",
        "allowlist-source-range",
        "whitelist-source-range",
        "denylist-source-range",
        "satisfy",
        "proxy-ssl-verify",
        "ssl-passthrough",
        "enable-modsecurity",
        "modsecurity-snippet",
    ] {
        let Lookup::Known(row) = look_up(name) else { panic!("{name} is no annotation") };
        assert!(row.verdict.fails_closed() || row.verdict.is_in_effect(), "{name}");
    }
}

#[test]
fn names_are_told_apart() {
    assert!(matches!(look_up("canary"), Lookup::Known(_)));
    assert_eq!(look_up("canary-wieght"), Lookup::Unknown(Some("canary-weight")));
    assert_eq!(look_up("something-else-entirely"), Lookup::Unknown(None));
    assert_eq!(look_up("secure-backends"), Lookup::WithoutEffect);
    assert_eq!(look_up("global-rate-limit-window"), Lookup::WithoutEffect);
}

#[test]
fn values_are_read_by_their_kind() {
    let list = |texts: &[&str]| Value::List(texts.iter().map(|text| (*text).to_owned()).collect());
    let text = |text: &str| Value::Text(text.to_owned());
    let good = [
        (ValueKind::Bool, "T", Value::Bool(true)),
        (ValueKind::Bool, " false ", Value::Bool(false)),
        (ValueKind::OnOff, "off", Value::Bool(false)),
        (ValueKind::Int, "-5", Value::Int(-5)),
        (ValueKind::Float, "0.01", Value::Float(0.01)),
        (ValueKind::Seconds, "60", Value::Time(Duration::from_secs(60))),
        (ValueKind::Time, "1h 30m5s250ms", Value::Time(Duration::from_millis(5_405_250))),
        (ValueKind::Time, "60", Value::Time(Duration::from_secs(60))),
        (ValueKind::GoDuration, "1m30s", Value::Time(Duration::from_secs(90))),
        (ValueKind::Size, "0", Value::Size(0)),
        (ValueKind::Size, "8K", Value::Size(8192)),
        (ValueKind::OneOf(&["None", "Lax"]), "lax", text("Lax")),
        (ValueKind::HeaderName, "X-Canary", text("X-Canary")),
        (ValueKind::HeaderNames, "a, b_c,", list(&["a", "b_c"])),
        (ValueKind::Methods, "GET, PUT", list(&["GET", "PUT"])),
        (ValueKind::Origins, "https://*.a.com:8443, *", list(&["https://*.a.com:8443", "*"])),
        (ValueKind::Names, "*.a.com,~^b[0-9]", list(&["*.a.com", "~^b[0-9]"])),
        (ValueKind::Codes, "404,503", Value::Codes(vec![404, 503])),
        (ValueKind::Regex, "^a.*b$", text("^a.*b$")),
        (ValueKind::Path, "/app", text("/app")),
        (ValueKind::Url, "https://a.com/$request_uri", text("https://a.com/$request_uri")),
        (ValueKind::ServiceName, "errors", text("errors")),
        (ValueKind::ObjectName, "ns/name.x", Value::Object(Some("ns".to_owned()), "name.x".to_owned())),
        (ValueKind::NextUpstream, "error  http_503", list(&["error", "http_503"])),
        (ValueKind::Snippet, " a;\n", text(" a;\n")),
    ];
    for (kind, written, value) in good {
        assert_eq!(kind.parse(written), Ok(value), "{kind:?} {written}");
    }
    let addresses = ValueKind::Addresses.parse("10.0.0.0/8, 192.0.2.1,2001:db8::/32");
    assert!(matches!(addresses, Ok(Value::Addresses(list)) if list.len() == 3));
}

#[test]
fn bad_values_are_explained() {
    for (kind, written, told) in [
        (ValueKind::Bool, "yes", "`yes` is not a truth value: write `true` or `false`"),
        (ValueKind::OnOff, "true", "`true` is not `on` or `off`: write one of them"),
        (ValueKind::Int, "10%", "`10%` is not a whole number: write digits alone, without a unit"),
        (ValueKind::Seconds, "60s", "`60s` is not a number of seconds: write a whole number without a unit"),
        (ValueKind::Size, "8kb", "`8kb` is not a size: write `8k`, `1m` or `1g`, or bytes without a unit"),
        (ValueKind::OneOf(&["all", "any"]), "some", "`some` is not known here: write `all` or `any`"),
        (ValueKind::HeaderName, "a b", "`a b` is not a name: use letters, digits, `-` and `_`"),
        (
            ValueKind::Addresses,
            "10.0.0.0/8, x",
            "`x` is not an address or a network: write `192.0.2.1` or `10.0.0.0/8`",
        ),
        (
            ValueKind::Codes,
            "5xx",
            "`5xx` is not the status of an error: write numbers from 300 to 599, such as `404, 503`",
        ),
        (ValueKind::Path, "//evil.com", "`//evil.com` is not a path: begin it with one `/`"),
        (
            ValueKind::Url,
            "javascript:x",
            "`javascript:x` is not a URL: begin it with `http://`, `https://` or `/`",
        ),
        (
            ValueKind::ObjectName,
            "a/b/c",
            "`a/b/c` is not the name of an object: write `name` or `namespace/name`",
        ),
        (
            ValueKind::Time,
            "5 parsecs",
            "`5 parsecs` is not a length of time: write `30s`, `250ms` or `1h 30m`",
        ),
    ] {
        assert_eq!(kind.parse(written).unwrap_err().to_string(), told);
    }
    for (kind, written) in [
        (ValueKind::Regex, "(?=a)b"),
        (ValueKind::Regex, "("),
        (ValueKind::Names, "a b"),
        (ValueKind::Names, "~("),
        (ValueKind::Origins, "a.com"),
        (ValueKind::Origins, "https://*"),
        (ValueKind::NextUpstream, "always"),
        (ValueKind::Size, ""),
        (ValueKind::Size, "99999999999999999999g"),
        (ValueKind::Time, "99999999999999999999y"),
    ] {
        assert!(kind.parse(written).is_err(), "{kind:?} {written}");
    }
}

#[test]
fn a_bad_value_never_opens_what_its_row_protects() {
    for row in all() {
        let Err(error) = row.parse("(?=a)b, \u{1}") else { continue };
        if row.verdict.fails_closed() {
            assert_ne!(row.bad_value(&error), BadValue::Ignored, "{}", row.name);
        }
    }
    let outcome = |name, text| {
        let Lookup::Known(row) = look_up(name) else { panic!("{name}") };
        row.bad_value(&row.parse(text).unwrap_err())
    };
    assert_eq!(outcome("ssl-redirect", "yes"), BadValue::Ignored);
    assert_eq!(outcome("whitelist-source-range", "10.0.0.0/99"), BadValue::Denied);
    assert_eq!(outcome("limit-rps", "ten"), BadValue::Dropped);
    assert_eq!(outcome("server-alias", "a b"), BadValue::Ignored);
    assert_eq!(outcome("server-alias", "~^(?!www)"), BadValue::Dropped, "never approximated");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_answered(text in "\\PC{0,12}|[0-9a-zA-Z.,:/*~$ -]{0,12}") {
        for row in all() {
            if let Err(error) = row.parse(&text) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
