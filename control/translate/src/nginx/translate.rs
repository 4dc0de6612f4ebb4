//! From directives to what a route can carry. Whatever is neither in the list nor safe to leave out is refused.

use super::{
    Directive, Refused,
    answer::answer,
    fields::{field, header},
    note::{Note, note},
    policy::Policy,
    rewrite,
    variables::{Place, template},
};
use sluice_crds::annotations::{Value, ValueKind};
use sluice_model::{
    convert::brief,
    spec::HeaderValue,
    template::Moment,
    value::{Duration, HeaderName, Size},
};

/// What a snippet comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Translated {
    /// In the order of the directives.
    pub(crate) policies: Vec<Policy>,
    /// About directives that change nothing.
    pub(crate) notes: Vec<Note>,
}

/// What the directives do in a place.
pub(crate) fn translate(directives: &[Directive], place: &Place<'_>) -> Result<Translated, Refused> {
    let mut translated = Translated::default();
    for directive in directives {
        let refused = |message: String| Refused { line: directive.line, message };
        let words: Vec<&str> = directive.words.iter().map(String::as_str).collect();
        if directive.block.is_none()
            && let Some(note) = note(directive, &words)
        {
            translated.notes.push(note);
            continue;
        }
        let policies = one(directive, &words, place);
        let policies = policies.map_err(|why| refused(format!("`{}` {why}", brief(&directive.name))))?;
        translated.policies.extend(policies);
    }
    Ok(translated)
}

/// Whether a directive, or one in its block, says who may come: ignoring it would open what it protects. An answer that is an
/// error shuts something, and whatever ends a request under a condition or at a place may be there to keep somebody out.
pub(crate) fn protects(directive: &Directive) -> bool {
    let name = directive.name.as_str();
    let first = directive.words.first().map_or("", String::as_str);
    let own = match name {
        "allow" | "deny" | "satisfy" | "internal" | "limit_except" | "secure_link" | "valid_referers"
        | "limit_req" | "limit_conn" => true,
        "auth_basic" => first != "off",
        "return" => first.starts_with(['4', '5']),
        _ => {
            ["auth_", "modsecurity", "ssl_verify"].iter().any(|start| name.starts_with(start))
                || name.contains("_by_lua")
        }
    };
    let ends = |inner: &Directive| matches!(inner.name.as_str(), "return" | "rewrite");
    own || directive.block.iter().flatten().any(|inner| ends(inner) || protects(inner))
}

fn one(directive: &Directive, words: &[&str], place: &Place<'_>) -> Result<Vec<Policy>, String> {
    if directive.block.is_some() {
        return Err("is a block, which is not translated".to_owned());
    }
    let (request, response) = (Moment::Request, Moment::Response);
    match (directive.name.as_str(), words) {
        ("more_set_headers", fields) => {
            each(fields, |field| set(field, place, response, Policy::SetResponse, Policy::RemoveResponse))
        }
        ("more_set_input_headers", fields) => {
            each(fields, |field| set(field, place, request, Policy::SetRequest, Policy::RemoveRequest))
        }
        ("more_clear_headers", names) => each(names, |name| header(name).map(Policy::RemoveResponse)),
        ("more_clear_input_headers", names) => each(names, |name| header(name).map(Policy::RemoveRequest)),
        ("add_header", [name, value] | [name, value, "always"]) => {
            Ok(vec![Policy::AddResponse(field(name, value, place, response)?)])
        }
        ("proxy_hide_header", [name]) => Ok(vec![Policy::RemoveResponse(header(name)?)]),
        ("proxy_set_header" | "grpc_set_header", [name, value])
            if name.eq_ignore_ascii_case("host") && !value.is_empty() =>
        {
            Ok(vec![Policy::Host(template(value, place, request)?)])
        }
        ("proxy_set_header" | "grpc_set_header", [name, ""]) => {
            Ok(vec![Policy::RemoveRequest(header(name)?)])
        }
        ("proxy_set_header" | "grpc_set_header", [name, value]) => {
            Ok(vec![Policy::SetRequest(field(name, value, place, request)?)])
        }
        ("return", words) => answer(words, place),
        ("rewrite", words) => rewrite::policies(directive, words, place),
        ("proxy_read_timeout" | "grpc_read_timeout", [text]) => Ok(vec![Policy::ReadTimeout(time(text)?)]),
        ("proxy_send_timeout" | "grpc_send_timeout", [text]) => Ok(vec![Policy::SendTimeout(time(text)?)]),
        ("client_max_body_size", [text]) => match ValueKind::Size.parse(text) {
            Ok(Value::Size(size)) => {
                Ok(vec![Policy::MaxBody(Some(Size::bytes(size)).filter(|size| size.get() > 0))])
            }
            Ok(_) => Err("needs a size".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        (
            "add_header"
            | "proxy_hide_header"
            | "proxy_set_header"
            | "grpc_set_header"
            | "proxy_read_timeout"
            | "grpc_read_timeout"
            | "proxy_send_timeout"
            | "grpc_send_timeout"
            | "client_max_body_size",
            _,
        ) => Err("has not the words that it needs".to_owned()),
        _ => Err("is not among the directives that are translated".to_owned()),
    }
}

fn each(words: &[&str], policy: impl Fn(&str) -> Result<Policy, String>) -> Result<Vec<Policy>, String> {
    if words.is_empty() {
        return Err("has not the words that it needs".to_owned());
    }
    words.iter().map(|word| policy(word)).collect()
}

fn time(text: &str) -> Result<Duration, String> {
    match ValueKind::Time.parse(text) {
        Ok(Value::Time(time)) => {
            u64::try_from(time.as_millis()).map(Duration::from_millis).map_err(|error| error.to_string())
        }
        Ok(_) => Err("needs a length of time".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `Name: value`; without a value the field is removed.
fn set(
    written: &str,
    place: &Place<'_>,
    moment: Moment,
    set: impl Fn(HeaderValue) -> Policy,
    remove: impl Fn(HeaderName) -> Policy,
) -> Result<Policy, String> {
    let (name, value) = written.split_once(':').unwrap_or((written, ""));
    match value.trim() {
        "" => header(name.trim()).map(remove),
        value => field(name.trim(), value, place, moment).map(set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        nginx::{parse, rewrite::Then},
        report::Level,
    };
    use sluice_model::spec::{Action, Route};

    fn read(text: &str) -> Result<Translated, String> {
        let translated = parse(text).and_then(|directives| translate(&directives, &Place::default()));
        translated.map_err(|refused| refused.to_string())
    }

    fn done(text: &str) -> serde_json::Value {
        let mut route = Route::new("r".to_owned(), Action::Redirect(sluice_model::spec::Redirect::default()));
        for policy in read(text).unwrap().policies {
            assert_eq!(policy.apply(&mut route), None);
        }
        serde_json::to_value(&route).unwrap()
    }

    #[test]
    fn header_fields_are_set_added_and_removed_in_both_directions() {
        let route = done(
            "more_set_headers 'X-Frame-Options: DENY' \"X-Id: $request_id 100%\";\nadd_header X-A b always;\n\
             more_clear_headers Server;\nproxy_hide_header X-Powered-By;\nproxy_set_header X-Real $remote_addr;\n\
             proxy_set_header Host $http_x_tenant.internal;proxy_set_header X-Gone \"\";\nmore_set_input_headers 'X-Ua: ${http_user_agent}';\n",
        );
        let wanted = serde_json::json!({
            "request": {
                "remove": ["x-real", "x-gone", "x-ua"],
                "set": [{ "name": "x-real", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" },
                        { "name": "host", "value": "%REQ(x-tenant)%.internal" },
                        { "name": "x-ua", "value": "%REQ(user-agent)%" }] },
            "response": {
                "remove": ["x-id", "server", "x-powered-by"],
                "set": [{ "name": "x-frame-options", "value": "DENY" }, { "name": "x-id", "value": "%STREAM_ID% 100%%" }],
                "add": [{ "name": "x-a", "value": "b" }] },
        });
        assert_eq!(route["headers"], wanted);
    }

    #[test]
    fn answers_and_bounds_are_those_of_the_route() {
        let route = done("return 200 'all is well';\nclient_max_body_size 8m;\nproxy_read_timeout 2m;");
        assert_eq!(
            route["action"]["respond"],
            serde_json::json!({ "status": 200, "body": "all is well", "content_type": "text/html" })
        );
        assert_eq!((&route["max_body"], &route["timeouts"]["idle"]), (&"8MiB".into(), &"2m".into()));
        let away = done("return 308 https://www.example.com$request_uri;");
        assert_eq!(away["action"]["respond"], serde_json::json!({ "status": 308 }));
        assert_eq!(
            away["headers"]["response"]["set"],
            serde_json::json!([{ "name": "location", "value": "https://www.example.com%REQ(:PATH)%" }])
        );
        assert_eq!(done("proxy_send_timeout 5;")["timeouts"]["send"], "5s");
    }

    #[test]
    fn what_is_safe_to_leave_out_is_said_line_by_line_and_the_rest_is_done() {
        let translated = read(
            "gzip off;\nproxy_set_header Upgrade $http_upgrade; proxy_buffering off;\nmore_set_headers 'A: b';\ngzip on;\nproxy_connect_timeout 3s;\nexpires 1h;",
        )
        .unwrap();
        assert_eq!(translated.policies.len(), 1);
        let said: Vec<(Level, &str)> =
            translated.notes.iter().map(|note| (note.level, note.message.as_str())).collect();
        assert_eq!(
            said,
            [
                (Level::Info, "line 1: `gzip`: no effect: nothing is compressed here"),
                (
                    Level::Info,
                    "line 2: `proxy_set_header`: no effect: upgrades and connections are passed on in any case"
                ),
                (
                    Level::Info,
                    "line 2: `proxy_buffering`: no effect: bodies are streamed, there is no buffer to shape"
                ),
                (Level::Warning, "line 4: `gzip`: not in effect yet: it needs compression"),
                (
                    Level::Warning,
                    "line 5: `proxy_connect_timeout`: not supported: write the annotation `proxy-connect-timeout`"
                ),
                (
                    Level::Warning,
                    "line 6: `expires`: not supported: write `more_set_headers \"Cache-Control: ...\"`"
                ),
            ]
        );
    }

    #[test]
    fn paths_are_rewritten_and_sent_elsewhere_by_expressions() {
        let rule = |text: &str| match &read(text).unwrap().policies[..] {
            [Policy::Path(rule)] => rule.then.clone(),
            other => panic!("{other:?}"),
        };
        let Then::Redirect(redirect) = rule("rewrite ^/old/(.*)$ /new/$1 permanent;") else { panic!() };
        assert_eq!(
            serde_json::to_value(&redirect).unwrap(),
            serde_json::json!({ "code": 301, "path": { "regex": { "pattern": "^/old/(.*)$", "replacement": "/new/\\1", "replace_whole": true } } })
        );
        let Then::Redirect(redirect) = rule("rewrite ^ https://b.example/x?;") else { panic!() };
        assert_eq!((redirect.code.get(), redirect.strip_query), (302, true));
        assert_eq!(redirect.host.as_deref(), Some("b.example"));
        let Then::Path(path) = rule("rewrite ^/api/(.*)$ /$1 break;") else { panic!() };
        assert_eq!((path.replacement.as_str(), path.ignore_case), ("/\\1", false));
    }

    #[test]
    fn everything_else_is_refused_with_line_and_directive() {
        for (text, told) in [
            (
                "\nproxy_pass http://x;",
                "line 2: `proxy_pass` is not among the directives that are translated",
            ),
            ("if ($http_x = 'a') { return 403; }", "line 1: `if` is a block, which is not translated"),
            ("add_header X;", "line 1: `add_header` has not the words that it needs"),
            (
                "more_set_headers 'X: $lua_a $lua_b';",
                "line 1: `more_set_headers` holds the variables `$lua_a`, `$lua_b`, which cannot be had here",
            ),
            (
                "more_set_headers -s 404 'X: y';",
                "line 1: `more_set_headers` has `-s` where the name of a header field should be",
            ),
            (
                "proxy_set_header Connection close;",
                "line 1: `proxy_set_header` cannot edit `connection`, which the proxy makes itself",
            ),
            (
                "rewrite ^/a /b last;",
                "line 1: `rewrite` looks for another location with the new path; write `break`, `redirect` or `permanent` \
                 behind it",
            ),
            ("return 999;", "line 1: `return` `999` is not a final status code: write 200 to 599"),
            ("content_by_lua_block { ngx.say(1) }", "line 1: `ngx.say(1)` does not end in `;`"),
        ] {
            assert_eq!(read(text).unwrap_err(), told, "{text}");
        }
    }

    #[test]
    fn what_says_who_may_come_is_known_in_blocks_too() {
        for (text, found) in [
            ("allow 10.0.0.0/8; deny all;", true),
            ("if ($http_x = a) { return 403; }", true),
            ("auth_request /x;", true),
            ("if ($request_method !~ ^(GET|HEAD)$) { return 405; }", true),
            ("if ($remote_addr !~ ^10) { rewrite ^ https://deny.test/ redirect; }", true),
            ("location = /metrics { return 404; }", true),
            ("rewrite_by_lua_block { no; }", true),
            ("more_set_headers 'A: b'; return 404;", true),
            ("return 301 https://a.test;", false),
            ("auth_basic off; more_set_headers 'A: b';", false),
            ("if ($http_x = a) { set $y b; }", false),
        ] {
            assert_eq!(parse(text).unwrap().iter().any(protects), found, "{text}");
        }
    }
}
