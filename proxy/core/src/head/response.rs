//! The answer's fields on their way down.

use super::request::is_listed;
use super::role::{Role, is_fixed, role_of};
use super::{Edits, FieldSink, Fields, Received};
use crate::hygiene::list;
use sluice_http1::Known;

/// What the fields of an outgoing answer are made of, besides those received.
pub(crate) struct ResponseHead<'a> {
    /// As the upstream sent them; none for a local reply.
    pub(crate) fields: &'a dyn Received,
    /// Recorded edits.
    pub(crate) edits: &'a Edits,
    /// `content-length` goes on although there is no body: HEAD and 304.
    pub(crate) keep_length: bool,
    /// `server`, where the listener replaces it.
    pub(crate) server: Option<&'a str>,
    /// `date` where there is none: for local replies.
    pub(crate) date: Option<&'a str>,
    /// `upgrade`, for 101 to an HTTP/1.1 client.
    pub(crate) upgrade: Option<&'a str>,
    /// The answer to a WebSocket key, where the upstream speaks extended CONNECT and gave none.
    pub(crate) accept: Option<&'a str>,
    /// The handshake's answer goes: the client speaks extended CONNECT.
    pub(crate) drop_accept: bool,
    /// For `x-envoy-upstream-service-time`, in place of what the upstream says.
    pub(crate) service_time: Option<u64>,
}

const SERVICE_TIME: &str = "x-envoy-upstream-service-time";

/// Writes them.
pub(crate) fn write_response(head: &ResponseHead<'_>, sink: &mut dyn FieldSink) {
    let names_fields = names_fields(head.fields);
    let mut dated = false;
    head.fields.each_received(&mut |field| {
        let name = field.name;
        let keep = match role_of(field.known, name) {
            Role::HopByHop | Role::Te => false,
            Role::Length => head.keep_length && field.value.iter().all(u8::is_ascii_digit),
            Role::EndToEnd => match field.known {
                Known::Server => head.server.is_none(),
                Known::Date => {
                    dated = true;
                    true
                }
                _ => {
                    !((head.drop_accept || head.accept.is_some())
                        && name.eq_ignore_ascii_case(b"sec-websocket-accept"))
                }
            },
            Role::Identity => {
                head.service_time.is_none() || !name.eq_ignore_ascii_case(SERVICE_TIME.as_bytes())
            }
            _ => true,
        };
        if keep && !(names_fields && is_listed(head.fields, name)) && !head.edits.drops(name) {
            sink.received(field);
        }
    });
    let ours = [
        ("server", head.server),
        ("date", head.date.filter(|_| !dated)),
        ("upgrade", head.upgrade),
        ("sec-websocket-accept", head.accept),
    ];
    for (name, value) in ours {
        if let Some(value) = value
            && !head.edits.drops(name.as_bytes())
        {
            sink.own(name, value.as_bytes());
        }
    }
    if let Some(millis) = head.service_time
        && !head.edits.drops(SERVICE_TIME.as_bytes())
    {
        sink.own(SERVICE_TIME, itoa::Buffer::new().format(millis).as_bytes());
    }
    for (name, value) in head.edits.brought() {
        if !is_fixed(name) {
            sink.field(name.as_bytes(), value);
        }
    }
}

/// Writes the fields of an interim response: no edits, nothing of ours, nothing of the connection.
pub(crate) fn write_informational(fields: &dyn Received, sink: &mut dyn FieldSink) {
    let names_fields = names_fields(fields);
    fields.each_received(&mut |field| {
        let keep = !matches!(role_of(field.known, field.name), Role::HopByHop | Role::Te | Role::Length);
        if keep && !(names_fields && is_listed(fields, field.name)) {
            sink.received(field);
        }
    });
}

/// Whether `Connection` names anything but the usual options, so that every field has to be looked up in it.
fn names_fields(fields: &dyn Fields) -> bool {
    let mut named = false;
    fields.each_value("connection", &mut |value| {
        named |= list(value).any(|option| {
            !matches!(Known::of(option), Known::KeepAlive | Known::Upgrade)
                && !option.eq_ignore_ascii_case(b"close")
        });
    });
    named
}
