//! The request's fields on their way up.

use super::nginx;
use super::role::{Role, is_fixed, is_protected, role_of};
use super::{Edits, FieldSink, Fields, Received, ReceivedField};
use crate::hygiene::Version;
use crate::hygiene::list;
use sluice_http1::Known;
use sluice_model::spec::{ForwardedFields, UnderscorePolicy};

const EXTERNAL_ADDRESS: &str = "x-envoy-external-address";
const ATTEMPT_COUNT: &str = "x-envoy-attempt-count";

/// What the fields of an outgoing request are made of, besides those received.
pub(crate) struct RequestHead<'a> {
    /// As received.
    pub(crate) fields: &'a dyn Received,
    /// Recorded edits.
    pub(crate) edits: &'a Edits,
    /// More edits, after those: a mirror's own.
    pub(crate) more_edits: Option<&'a Edits>,
    /// `Connection` names fields that have to go.
    pub(crate) names_fields: bool,
    /// `te: trailers` goes on.
    pub(crate) te_trailers: bool,
    /// The client speaks HTTP/2, so cookies may come in crumbs.
    pub(crate) crumbs: bool,
    /// The peer's forwarded headers are believed.
    pub(crate) trusted: bool,
    /// Ours are stamped.
    pub(crate) append: bool,
    /// What upstreams are told about the client.
    pub(crate) forwarded: ForwardedFields,
    /// Trusted peers are believed what the client asked, too.
    pub(crate) believed: bool,
    /// Where the client's address, and those of proxies, came.
    pub(crate) client_field: &'a str,
    /// The client, as trust settles it.
    pub(crate) client: &'a str,
    /// For `x-forwarded-for`.
    pub(crate) peer: &'a str,
    /// For `x-forwarded-proto`.
    pub(crate) scheme: &'a str,
    /// For `x-forwarded-host`.
    pub(crate) authority: &'a str,
    /// For `x-forwarded-port`.
    pub(crate) port: &'a str,
    /// What `x-request-id` becomes: `None` leaves the received one alone.
    pub(crate) request_id: Option<&'a str>,
    /// For `x-envoy-attempt-count`, where Envoy's fields are spoken.
    pub(crate) attempt: Option<u32>,
    /// For `x-envoy-original-path`, where the path was rewritten.
    pub(crate) original_path: Option<&'a str>,
    /// What happens to names with underscores.
    pub(crate) underscores: UnderscorePolicy,
    /// `expect` stays behind: mirrors never wait.
    pub(crate) without_expect: bool,
    /// The WebSocket handshake changes between Upgrade and extended CONNECT.
    pub(crate) handshake: Handshake<'a>,
}

/// What happens to the key of a WebSocket handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake<'a> {
    /// Nothing: both sides speak the same version.
    Keep,
    /// It goes: extended CONNECT has none.
    Drop,
    /// This one is added: the client, with extended CONNECT, sent none.
    Key(&'a str),
}

/// Writes them. `scratch` is written on.
pub(crate) fn write_request(head: &RequestHead<'_>, scratch: &mut Vec<u8>, sink: &mut dyn FieldSink) {
    let dropped =
        |name: &[u8]| head.edits.drops(name) || head.more_edits.is_some_and(|edits| edits.drops(name));
    let nginx = head.forwarded.is_nginx();
    let append = head.append && head.forwarded != ForwardedFields::Proto;
    let mut had = Stamped::default();
    let mut cookies = 0;
    head.fields.each_received(&mut |field| {
        let name = field.name;
        let keep = match role_of(field.known, name) {
            Role::EndToEnd if nginx && nginx::is_told(name) => false,
            Role::EndToEnd => !is_special(head, field),
            Role::HopByHop | Role::Length | Role::Host | Role::Te | Role::OwnAlias => false,
            Role::Cookie if head.crumbs => {
                cookies += 1;
                false
            }
            Role::Cookie => true,
            Role::ForwardedFor | Role::ForwardedFact if nginx => false,
            Role::ForwardedFor => head.trusted && !append,
            Role::ForwardedFact => {
                had.note(field.known, head.trusted && head.believed);
                head.trusted && head.believed
            }
            Role::Identity if nginx && name.eq_ignore_ascii_case(b"x-forwarded-scheme") => false,
            Role::Identity => head.trusted && !is_replaced(head, name),
            Role::RequestId => head.request_id.is_none(),
            Role::Underscore => head.underscores == UnderscorePolicy::Allow,
        };
        if keep && !(head.names_fields && is_listed(head.fields, name)) && !dropped(name) {
            sink.received(field);
        }
    });
    if cookies > 0 && !dropped(b"cookie") {
        join(head.fields, "cookie", b"; ", scratch);
        sink.own("cookie", scratch);
    }
    if head.te_trailers {
        sink.own("te", b"trailers");
    }
    if let Handshake::Key(key) = head.handshake {
        sink.own("sec-websocket-key", key.as_bytes());
    }
    if nginx {
        nginx::tell(head, &dropped, scratch, sink);
    } else if append {
        stamp_forwarded(head, &had, &dropped, scratch, sink);
    } else if head.forwarded == ForwardedFields::Proto && !had.proto && !dropped(b"x-forwarded-proto") {
        sink.own("x-forwarded-proto", head.scheme.as_bytes());
    }
    if let Some(id) = head.request_id
        && !id.is_empty()
        && !dropped(b"x-request-id")
    {
        sink.own("x-request-id", id.as_bytes());
    }
    if let Some(attempt) = head.attempt
        && !dropped(ATTEMPT_COUNT.as_bytes())
    {
        sink.own(ATTEMPT_COUNT, itoa::Buffer::new().format(attempt).as_bytes());
    }
    if head.forwarded == ForwardedFields::Envoy && !dropped(EXTERNAL_ADDRESS.as_bytes()) {
        sink.own(EXTERNAL_ADDRESS, head.client.as_bytes());
    }
    if let Some(path) = head.original_path
        && !dropped(b"x-envoy-original-path")
    {
        sink.own("x-envoy-original-path", path.as_bytes());
    }
    for (name, value) in head.edits.brought() {
        if !is_fixed(name) && !head.more_edits.is_some_and(|edits| edits.drops(name.as_bytes())) {
            sink.field(name.as_bytes(), value);
        }
    }
    for (name, value) in head.more_edits.iter().flat_map(|edits| edits.brought()) {
        if !is_fixed(name) {
            sink.field(name.as_bytes(), value);
        }
    }
}

/// The facts that a trusted peer has stamped already.
#[derive(Default)]
struct Stamped {
    proto: bool,
    host: bool,
    port: bool,
}

impl Stamped {
    fn note(&mut self, known: Known, trusted: bool) {
        match known {
            Known::XForwardedProto => self.proto |= trusted,
            Known::XForwardedHost => self.host |= trusted,
            _ => self.port |= trusted,
        }
    }
}

fn stamp_forwarded(
    head: &RequestHead<'_>,
    had: &Stamped,
    dropped: &dyn Fn(&[u8]) -> bool,
    scratch: &mut Vec<u8>,
    sink: &mut dyn FieldSink,
) {
    if !dropped(b"x-forwarded-for") {
        scratch.clear();
        if head.trusted || head.forwarded == ForwardedFields::Envoy {
            join(head.fields, "x-forwarded-for", b", ", scratch);
        }
        if scratch.is_empty() {
            sink.own("x-forwarded-for", head.peer.as_bytes());
        } else {
            scratch.extend_from_slice(b", ");
            scratch.extend_from_slice(head.peer.as_bytes());
            sink.own("x-forwarded-for", scratch);
        }
    }
    let facts = [
        ("x-forwarded-proto", head.scheme, had.proto),
        ("x-forwarded-host", head.authority, had.host),
        ("x-forwarded-port", head.port, had.port),
    ];
    for (name, value, there) in facts {
        if !there && !value.is_empty() && !dropped(name.as_bytes()) {
            sink.own(name, value.as_bytes());
        }
    }
}

fn is_special(head: &RequestHead<'_>, field: &ReceivedField<'_>) -> bool {
    (head.without_expect && field.known == Known::Expect)
        || (head.handshake == Handshake::Drop && field.name.eq_ignore_ascii_case(b"sec-websocket-key"))
}

/// Whether we say that ourselves, or what it says was meant for us.
fn is_replaced(head: &RequestHead<'_>, name: &[u8]) -> bool {
    const HEEDED: [&str; 3] = [ATTEMPT_COUNT, "x-envoy-upstream-rq-timeout-ms", "x-envoy-max-retries"];
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    head.original_path.is_some() && is("x-envoy-original-path")
        || head.attempt.is_some() && HEEDED.into_iter().any(is)
        || head.forwarded == ForwardedFields::Envoy && is(EXTERNAL_ADDRESS)
}

/// Whether `Connection` names this field and may take it away.
pub(super) fn is_listed(fields: &dyn Fields, name: &[u8]) -> bool {
    let mut listed = false;
    fields.each_value("connection", &mut |value| {
        listed |= list(value).any(|option| option.eq_ignore_ascii_case(name));
    });
    listed && !is_protected(name)
}

/// All values of a name, joined, in place of what `scratch` held.
pub(super) fn join(fields: &dyn Fields, name: &str, separator: &[u8], scratch: &mut Vec<u8>) {
    scratch.clear();
    fields.each_value(name, &mut |value| {
        if !scratch.is_empty() && !value.is_empty() {
            scratch.extend_from_slice(separator);
        }
        scratch.extend_from_slice(value);
    });
}

/// Whether cookies of this version come in crumbs.
pub(crate) const fn has_crumbs(version: Version) -> bool {
    matches!(version, Version::Http2)
}
