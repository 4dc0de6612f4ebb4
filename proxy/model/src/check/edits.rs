//! Header edits.

use super::{At, Context, text};
use crate::{
    convert::brief,
    spec::{HeaderEdits, HeaderValue, RouteHeaders},
    template::{InvalidTemplate, Moment, Segment, Template},
    value::HeaderName,
};
use std::collections::HashSet;

/// What nginx calls the variables that people try first.
const NGINX: [(&str, &str); 13] = [
    ("$remote_addr", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("$remote_port", "%DOWNSTREAM_REMOTE_PORT%"),
    ("$host", "%HOST%"),
    ("$uri", "%PATH%"),
    ("$args", "%QUERY%"),
    ("$server_port", "%LISTENER_PORT%"),
    ("$proxy_add_x_forwarded_for", "%FORWARDED_FOR%"),
    ("$http_host", "%REQ(:AUTHORITY)%"),
    ("$request_method", "%REQ(:METHOD)%"),
    ("$request_uri", "%REQ(:PATH)%"),
    ("$scheme", "%REQ(:SCHEME)%"),
    ("$request_id", "%STREAM_ID%"),
    ("$ssl_server_name", "%REQUESTED_SERVER_NAME%"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    /// Up, to what replaces an answer that is known.
    Page,
    Down,
}

/// Both directions of a route or a destination.
pub(super) fn check(cx: &mut Context<'_>, headers: &RouteHeaders, at: At<'_>) {
    edits(cx, &headers.request, at.key("request"), Direction::Up);
    edits(cx, &headers.response, at.key("response"), Direction::Down);
}

/// The request headers of a mirror.
pub(super) fn request(cx: &mut Context<'_>, headers: &HeaderEdits, at: At<'_>) {
    edits(cx, headers, at, Direction::Up);
}

/// The request headers of an error page.
pub(super) fn page(cx: &mut Context<'_>, headers: &HeaderEdits, at: At<'_>) {
    edits(cx, headers, at, Direction::Page);
}

fn edits(cx: &mut Context<'_>, edits: &HeaderEdits, at: At<'_>, direction: Direction) {
    let remove = at.key("remove");
    for (index, header) in edits.remove.iter().enumerate() {
        name(cx, header, remove.index(index));
        if direction != Direction::Down && header.as_str() == "host" {
            cx.error(remove.index(index), "every request needs a host").suggest("`set` it to another value");
        }
    }
    let mut seen = HashSet::new();
    for (key, list) in [("set", &edits.set), ("add", &edits.add)] {
        let at = at.key(key);
        for (index, field) in list.iter().enumerate() {
            let at = at.index(index);
            name(cx, &field.name, at.key("name"));
            value(cx, field, at.key("value"), direction);
            if key == "set" && !seen.insert(&field.name) {
                cx.warning(at.key("name"), format!("`{}` is set twice; the last one wins", field.name));
            }
            if key == "add"
                && direction != Direction::Down
                && field.name.as_str() == "host"
                && seen.contains(&field.name)
            {
                cx.warning(at.key("name"), "`host` is set above; there can be only one");
            }
        }
    }
}

fn name(cx: &mut Context<'_>, name: &HeaderName, at: At<'_>) {
    if name.is_hop_by_hop() {
        let message = format!(
            "`{name}` belongs to the connection or to the framing of the message; Sluice makes it itself"
        );
        cx.error(at, message);
    }
}

fn value(cx: &mut Context<'_>, field: &HeaderValue, at: At<'_>, direction: Direction) {
    let Some(template) = template(cx, at, &field.value) else { return };
    text::header_value(cx, at, &field.value);
    if field.value.is_empty() {
        cx.warning(at, "an empty value is left out").suggest("use `remove` to take a field away");
    }
    known(cx, at, &template, direction);
    nginx(cx, at, &field.value);
}

/// A template that is evaluated before a request is sent up.
pub(super) fn template_of_request(cx: &mut Context<'_>, at: At<'_>, text: &str) {
    let Some(template) = template(cx, at, text) else { return };
    known(cx, at, &template, Direction::Up);
    nginx(cx, at, text);
}

fn template(cx: &mut Context<'_>, at: At<'_>, text: &str) -> Option<Template> {
    text.parse()
        .map_err(|error: InvalidTemplate| {
            let finding = cx.error(at, error.message);
            finding.suggestion = error.suggestion;
        })
        .ok()
}

/// Whether the variables have values when they are asked for.
fn known(cx: &mut Context<'_>, at: At<'_>, template: &Template, direction: Direction) {
    let now = if direction == Direction::Up { Moment::Request } else { Moment::Response };
    for segment in template.segments() {
        if let Segment::Variable { operator, .. } = segment
            && operator.known() > now
        {
            let message = match direction {
                Direction::Up => format!("`%{}%` is not known before the answer", operator.name()),
                Direction::Page | Direction::Down => {
                    format!("`%{}%` is only known when the answer is over", operator.name())
                }
            };
            cx.error(at, message);
        }
    }
}

fn nginx(cx: &mut Context<'_>, at: At<'_>, value: &str) {
    if value.contains('$') {
        let word = |text: &str| {
            let end = text[1..]
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .map_or(text.len(), |end| end + 1);
            text[..end].to_owned()
        };
        let found = value.match_indices('$').find_map(|(start, _)| {
            let word = word(&value[start..]);
            NGINX.iter().find(|(nginx, _)| *nginx == word)
        });
        if let Some((nginx, ours)) = found {
            let message = format!("`{}` is sent as it stands: variables are written `%...%`", brief(nginx));
            cx.warning(at, message).suggest(format!("write `{ours}`"));
        }
    }
}
