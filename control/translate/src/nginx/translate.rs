//! From directives to what a route can carry. Whatever is not in the list is refused.

use super::{Directive, Refused};
use crate::services::is_host;
use sluice_crds::annotations::{Value, ValueKind};
use sluice_model::{
    convert::brief,
    spec::{Action, DirectResponse, HeaderValue, Redirect, RedirectCode, RedirectPath, Route, Scheme},
    value::{Duration, HeaderName, Size, StatusCode, is_token_byte},
};
use std::fmt::Write;

/// What a snippet does to a route.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Policy {
    SetResponse(HeaderValue),
    AddResponse(HeaderValue),
    RemoveResponse(HeaderName),
    SetRequest(HeaderValue),
    RemoveRequest(HeaderName),
    Answer(Action),
    ReadTimeout(Duration),
    MaxBody(Option<Size>),
}

/// What the directives do, in their order.
pub(crate) fn translate(directives: &[Directive]) -> Result<Vec<Policy>, Refused> {
    let mut policies = Vec::new();
    for directive in directives {
        let refused = |message: String| Refused { line: directive.line, message };
        policies
            .extend(one(directive).map_err(|why| refused(format!("`{}` {why}", brief(&directive.name))))?);
    }
    Ok(policies)
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

fn one(directive: &Directive) -> Result<Vec<Policy>, String> {
    if directive.block.is_some() {
        return Err("is a block, which is not translated".to_owned());
    }
    let words: Vec<&str> = directive.words.iter().map(String::as_str).collect();
    match (directive.name.as_str(), words.as_slice()) {
        ("more_set_headers", fields) => {
            each(fields, |field| set(field, Policy::SetResponse, Policy::RemoveResponse))
        }
        ("more_set_input_headers", fields) => {
            each(fields, |field| set(field, Policy::SetRequest, Policy::RemoveRequest))
        }
        ("more_clear_headers", names) => each(names, |name| header(name).map(Policy::RemoveResponse)),
        ("more_clear_input_headers", names) => each(names, |name| header(name).map(Policy::RemoveRequest)),
        ("add_header", [name, value] | [name, value, "always"]) => {
            Ok(vec![Policy::AddResponse(field(name, value)?)])
        }
        ("proxy_hide_header", [name]) => Ok(vec![Policy::RemoveResponse(header(name)?)]),
        ("proxy_set_header", [name, ""]) => Ok(vec![Policy::RemoveRequest(header(name)?)]),
        ("proxy_set_header", [name, value]) => Ok(vec![Policy::SetRequest(field(name, value)?)]),
        ("return", words) => answer(words).map(|action| vec![Policy::Answer(action)]),
        ("proxy_read_timeout", [text]) => match ValueKind::Time.parse(text) {
            Ok(Value::Time(time)) => {
                let millis = u64::try_from(time.as_millis()).map_err(|error| error.to_string())?;
                Ok(vec![Policy::ReadTimeout(Duration::from_millis(millis))])
            }
            Ok(_) => Err("needs a length of time".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        ("client_max_body_size", [text]) => match ValueKind::Size.parse(text) {
            Ok(Value::Size(size)) => {
                Ok(vec![Policy::MaxBody(Some(Size::bytes(size)).filter(|size| size.get() > 0))])
            }
            Ok(_) => Err("needs a size".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        ("proxy_connect_timeout" | "proxy_send_timeout", _) => {
            Err("is not translated here; write the annotation of the same name, with dashes".to_owned())
        }
        (
            "add_header"
            | "proxy_hide_header"
            | "proxy_set_header"
            | "proxy_read_timeout"
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

/// A field whose value may hold variables.
pub(crate) fn field(name: &str, value: &str) -> Result<HeaderValue, String> {
    Ok(HeaderValue { name: header(name)?, value: template(value)? })
}

/// A field whose value is as it stands.
pub(crate) fn literal_field(name: &str, value: &str) -> Result<HeaderValue, String> {
    let value = fit(value)?.replace('%', "%%");
    Ok(HeaderValue { name: header(name)?, value })
}

/// What may stand in a header field.
fn fit(text: &str) -> Result<&str, String> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("has a value that cannot stand in a header field".to_owned());
    }
    Ok(text)
}

/// `Name: value`; without a value the field is removed.
fn set(
    field: &str,
    set: impl Fn(HeaderValue) -> Policy,
    remove: impl Fn(HeaderName) -> Policy,
) -> Result<Policy, String> {
    let (name, value) = field.split_once(':').unwrap_or((field, ""));
    let name = header(name.trim())?;
    match value.trim() {
        "" => Ok(remove(name)),
        value => Ok(set(HeaderValue { name, value: template(value)? })),
    }
}

fn header(name: &str) -> Result<HeaderName, String> {
    if name.is_empty() || !name.bytes().all(is_token_byte) || name.contains('*') || name.starts_with('-') {
        return Err(format!("has `{}` where the name of a header field should be", brief(name)));
    }
    let name: HeaderName = name.parse().map_err(|_| format!("cannot edit `{}`", brief(name)))?;
    if name.is_hop_by_hop() || name.as_str() == "host" {
        return Err(format!("cannot edit `{}`, which the proxy makes itself", name.as_str()));
    }
    Ok(name)
}

/// A value with nginx's variables, as templates have them.
fn template(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = fit(text)?;
    while let Some(at) = rest.find(['$', '%']) {
        out.push_str(&rest[..at]);
        if rest[at..].starts_with('%') {
            out.push_str("%%");
            rest = &rest[at + 1..];
            continue;
        }
        let after = &rest[at + 1..];
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, behind) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(found) => found,
            None => after.split_at(after.find(|c| !word(c)).unwrap_or(after.len())),
        };
        let operator = match name {
            "remote_addr" => "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT".to_owned(),
            "remote_port" => "DOWNSTREAM_REMOTE_PORT".to_owned(),
            "http_host" => "REQ(:AUTHORITY)".to_owned(),
            "request_method" => "REQ(:METHOD)".to_owned(),
            "request_uri" => "REQ(:PATH)".to_owned(),
            "scheme" => "REQ(:SCHEME)".to_owned(),
            "request_id" | "req_id" => "STREAM_ID".to_owned(),
            "ssl_server_name" => "REQUESTED_SERVER_NAME".to_owned(),
            name => match name.strip_prefix("http_").filter(|header| !header.is_empty()) {
                Some(header) => format!("REQ({})", header.replace('_', "-")),
                None => {
                    return Err(format!(
                        "holds the variable `${}`, which is not evaluated here",
                        brief(name)
                    ));
                }
            },
        };
        let _ = write!(out, "%{operator}%");
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// `return code`, `return code text`, `return code URL`.
fn answer(words: &[&str]) -> Result<Action, String> {
    let (code, text) = match words {
        [code] => (*code, ""),
        [code, text] => (*code, *text),
        _ => return Err("has not the words that it needs".to_owned()),
    };
    let code: u16 = code.parse().map_err(|_| format!("has `{}` where a status should be", brief(code)))?;
    if let Ok(
        code @ (RedirectCode::MovedPermanently
        | RedirectCode::Found
        | RedirectCode::SeeOther
        | RedirectCode::TemporaryRedirect
        | RedirectCode::PermanentRedirect),
    ) = RedirectCode::try_from(code)
    {
        return redirect(code, text).map(Action::Redirect);
    }
    let status = StatusCode::new(code).map_err(|error| error.to_string())?;
    if text.contains('$') {
        return Err("has a text with variables, which are not evaluated here".to_owned());
    }
    if matches!(code, 204 | 205 | 304) && !text.is_empty() {
        return Err(format!("has a text for status {code}, which has none"));
    }
    let content_type = (!text.is_empty()).then(|| "text/html".to_owned());
    Ok(Action::Respond(DirectResponse { status, body: text.to_owned(), content_type }))
}

fn redirect(code: RedirectCode, url: &str) -> Result<Redirect, String> {
    let unclear =
        || format!("has `{}`: write `https://host/path` or `https://$host$request_uri`", brief(url));
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Some(Scheme::Http), rest),
        Some(("https", rest)) => (Some(Scheme::Https), rest),
        Some(("$scheme", rest)) => (None, rest),
        _ => return Err(unclear()),
    };
    let end = rest.find('/').or_else(|| rest.find("$request_uri")).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = match host {
        "$host" | "$http_host" | "$server_name" | "$best_http_host" => None,
        host if is_host(host) => Some(host.to_owned()),
        _ => return Err(unclear()),
    };
    let path = match path {
        "$request_uri" => None,
        "" => Some("/".to_owned()),
        path if path.bytes().all(|byte| byte.is_ascii_graphic() && !b"$#\"<>".contains(&byte)) => {
            Some(path.to_owned())
        }
        _ => return Err(unclear()),
    };
    if scheme.is_none() && host.is_none() && path.is_none() {
        return Err("leads to where the request already is".to_owned());
    }
    let strip_query = path.is_some();
    Ok(Redirect {
        scheme,
        host,
        path: path.map(RedirectPath::Whole),
        strip_query,
        code,
        ..Redirect::default()
    })
}

impl Policy {
    /// Makes a route do it.
    pub(crate) fn apply(self, route: &mut Route) {
        let headers = &mut route.headers;
        match self {
            Self::SetResponse(field) => replace(&mut headers.response.set, field),
            Self::AddResponse(field) => headers.response.add.push(field),
            Self::RemoveResponse(name) => headers.response.remove.push(name),
            Self::SetRequest(field) => replace(&mut headers.request.set, field),
            Self::RemoveRequest(name) => headers.request.remove.push(name),
            Self::Answer(action) => route.action = action,
            Self::ReadTimeout(time) => route.timeouts.idle = time,
            Self::MaxBody(most) => route.max_body = most,
        }
    }
}

/// The last one of a name wins.
fn replace(fields: &mut Vec<HeaderValue>, field: HeaderValue) {
    fields.retain(|other| other.name != field.name);
    fields.push(field);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nginx::parse;

    fn read(text: &str) -> Result<Vec<Policy>, String> {
        parse(text).and_then(|directives| translate(&directives)).map_err(|refused| refused.to_string())
    }

    fn done(text: &str) -> serde_json::Value {
        let mut route = Route::new("r".to_owned(), Action::Redirect(Redirect::default()));
        for policy in read(text).unwrap() {
            policy.apply(&mut route);
        }
        serde_json::to_value(&route).unwrap()
    }

    #[test]
    fn header_fields_are_set_added_and_removed_in_both_directions() {
        let route = done(
            "more_set_headers 'X-Frame-Options: DENY' \"X-Id: $request_id 100%\";\nadd_header X-A b always;\n\
             more_clear_headers Server;\nproxy_hide_header X-Powered-By;\nproxy_set_header X-Real $remote_addr;\n\
             proxy_set_header X-Gone \"\";\nmore_set_input_headers 'X-Ua: ${http_user_agent}';\n",
        );
        let wanted = serde_json::json!({
            "request": {
                "remove": ["x-gone"],
                "set": [{ "name": "x-real", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" },
                        { "name": "x-ua", "value": "%REQ(user-agent)%" }] },
            "response": {
                "remove": ["server", "x-powered-by"],
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
        assert_eq!(
            done("return 308 https://www.example.com$request_uri;")["action"]["redirect"],
            serde_json::json!({ "scheme": "https", "host": "www.example.com", "code": 308 })
        );
        assert_eq!(
            done("return 302 $scheme://$host/login?x=1;")["action"]["redirect"],
            serde_json::json!({ "path": { "whole": "/login?x=1" }, "strip_query": true, "code": 302 })
        );
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
                "more_set_headers 'X: $uri';",
                "line 1: `more_set_headers` holds the variable `$uri`, which is not evaluated here",
            ),
            (
                "more_set_headers -s 404 'X: y';",
                "line 1: `more_set_headers` has `-s` where the name of a header field should be",
            ),
            (
                "proxy_set_header Connection close;",
                "line 1: `proxy_set_header` cannot edit `connection`, which the proxy makes itself",
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
