//! The table itself: every rule, what it does, and why.

use super::Refusal;
use crate::flags::ResponseFlags;

/// What a rule does with a message that it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answered with the status and not passed on. `close` where the framing is in doubt.
    Refuse {
        /// The status that the client gets.
        status: u16,
        /// Whether the connection is closed as well.
        close: bool,
    },
    /// Brought into the one form that everybody reads the same way.
    Normalise,
    /// Passed on as it is, on purpose.
    Pass,
}

/// Who sent the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Request,
    /// The upstream.
    Response,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its name in tests and in the documentation.
    pub rule: Rule,
    /// Who sent the message.
    pub side: Side,
    /// What is done.
    pub verdict: Verdict,
    /// The flag in the log.
    pub flag: ResponseFlags,
    /// The response code details in the log.
    pub details: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What the message is like.
    pub meaning: &'static str,
}

macro_rules! table {
    ($($side:ident $rule:ident, $verdict:expr, $details:literal, $source:literal, $meaning:literal;)*) => {
        /// The rules by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule { $(#[doc = $meaning] $rule,)* }

        /// Every rule. Framing by `Content-Length` and `Transfer-Encoding`, line ends, token bytes and sizes are the
        /// codecs' own and not repeated here.
        pub const TABLE: &[Row] = &[$(Row {
            rule: Rule::$rule,
            side: Side::$side,
            verdict: $verdict,
            flag: flag(Side::$side, $verdict),
            details: $details,
            source: $source,
            meaning: $meaning,
        },)*];
    };
}

const fn refuse(status: u16) -> Verdict {
    Verdict::Refuse { status, close: false }
}

const fn close(status: u16) -> Verdict {
    Verdict::Refuse { status, close: true }
}

const fn flag(side: Side, verdict: Verdict) -> ResponseFlags {
    match (side, verdict) {
        (Side::Request, Verdict::Refuse { .. }) => ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR,
        (Side::Response, Verdict::Refuse { .. }) => ResponseFlags::UPSTREAM_PROTOCOL_ERROR,
        _ => ResponseFlags::NONE,
    }
}

use Verdict::{Normalise, Pass};

table! {
    Request Http10, refuse(426), "low_version", "RFC 9110 15.5.22", "HTTP/1.0 where the listener demands HTTP/1.1";
    Request HostMissing, close(400), "host_missing", "RFC 9112 3.2", "an HTTP/1.1 request without Host, or HTTP/2 without :authority and host";
    Request HostRepeated, close(400), "host_repeated", "RFC 9112 3.2", "more than one Host field, equal ones included";
    Request HostInvalid, close(400), "host_invalid", "RFC 9110 7.2", "a host that is neither a name, an address nor a bracketed IPv6 address, with an optional port";
    Request HostDisagrees, close(400), "host_disagrees", "RFC 9112 3.2.2, RFC 9113 8.3.1", "Host names another authority than the absolute target or :authority";
    Request UserInfo, close(400), "userinfo_in_target", "RFC 9110 4.2.4", "user information in the authority";
    Request TargetForm, close(400), "target_form", "RFC 9112 3.2", "a target that is neither an absolute path, an http(s) URI, an authority (CONNECT) nor * (OPTIONS)";
    Request TargetBytes, close(400), "target_bytes", "RFC 3986 2", "control bytes, spaces or bytes outside of ASCII in the target";
    Request Fragment, close(400), "fragment_in_target", "RFC 9112 3.2", "a fragment in the target";
    Request EncodedNul, close(400), "encoded_nul", "CWE-626", "%00 in the path";
    Request PathMissing, close(400), "path_missing", "RFC 9113 8.3.1", "an HTTP/2 request with an empty or no :path";
    Request SchemeInvalid, close(400), "scheme_invalid", "RFC 9113 8.3.1", "an HTTP/2 request whose :scheme is missing or is neither http nor https";
    Request ConnectionField, close(400), "connection_field_in_http2", "RFC 9113 8.2.2", "connection, keep-alive, proxy-connection, transfer-encoding or upgrade in HTTP/2";
    Request TeInHttp2, close(400), "te_in_http2", "RFC 9113 8.2.2", "te with anything but trailers in HTTP/2";
    Request LengthRepeated, close(400), "content_length_repeated", "RFC 9113 8.1.1", "more than one content-length in HTTP/2";
    Request LengthInvalid, close(400), "content_length_invalid", "RFC 9110 8.6", "a content-length in HTTP/2 that is not a decimal number";
    Request ControlByte, close(400), "control_byte_in_field", "RFC 9113 8.2.1", "a control byte in a field value, a space around it, or a name that is not a token in lower case, in HTTP/2";
    Request ProtocolWithoutConnect, close(400), "protocol_without_connect", "RFC 8441 4", ":protocol with another method than CONNECT, or one that is not a token";
    Request UpgradeWithBody, close(400), "upgrade_with_body", "RFC 9110 7.8", "Upgrade together with a declared body: where the tunnel starts would be a guess";
    Request ConnectWithBody, close(400), "connect_with_body", "RFC 9110 9.3.6", "CONNECT with a declared body";
    Request UpgradeRepeated, close(400), "upgrade_repeated", "RFC 9110 7.8", "more than one Upgrade field, or one that names several protocols";
    Request ExpectUnknown, refuse(417), "expectation_failed", "RFC 9110 10.1.1", "Expect with anything but 100-continue";
    Request Underscore, refuse(400), "underscore_in_field_name", "nginx underscores_in_headers", "a field name with an underscore where the listener refuses them";
    Request Misdirected, refuse(421), "misdirected_request", "RFC 9110 15.5.20", "a host that belongs to another TLS scope than the one that the connection's server name picked";
    Request BodyTooLarge, refuse(413), "request_payload_too_large", "RFC 9110 15.5.14", "a body that is longer than the route or the listener allows";
    Request LengthMismatch, close(400), "content_length_mismatch", "RFC 9113 8.1.1", "a body that is not as long as was declared";
    Request UpgradeH2c, Normalise, "upgrade_h2c_stripped", "RFC 9113 3.1", "Upgrade: h2c and HTTP2-Settings are removed; the request is served as HTTP/1.1";
    Request UpgradeUnlisted, Normalise, "upgrade_unlisted_stripped", "RFC 9110 7.8", "Upgrade that Connection does not name, or in HTTP/1.0, is removed";
    Request HopByHop, Normalise, "hop_by_hop_stripped", "RFC 9110 7.6.1", "Connection, what it names, Keep-Alive, Proxy-Connection and TE but trailers are removed";
    Request ProtectedListed, Normalise, "protected_field_kept", "CVE-2024-45410", "Connection names a field that others trust (x-forwarded-*, host, authorization ...): it stays";
    Request OwnAlias, Normalise, "own_alias_stripped", "CVE-2026-39858", "an underscore alias of a field that Sluice sets (x_forwarded_for) is removed";
    Request UntrustedForwarded, Normalise, "untrusted_forwarded_stripped", "RFC 7239 8.1", "x-forwarded-*, forwarded and x-envoy-* of an untrusted peer are removed";
    Request UnderscoreDropped, Normalise, "underscore_dropped", "nginx underscores_in_headers", "a field name with an underscore is removed where the listener says so";
    Request CookieCrumbs, Normalise, "cookie_crumbs_joined", "RFC 9113 8.2.3", "the cookie fields of HTTP/2 are joined with `; `";
    Request FieldOrder, Pass, "field_order_kept", "RFC 9110 5.3", "fields of one name keep their order and are not merged";
    Request Trace, Pass, "trace", "RFC 9110 9.3.8", "TRACE is for the upstream to judge";
    Request Continue, Pass, "expect_continue", "RFC 9110 10.1.1", "Expect: 100-continue goes to the upstream; its 100 comes back, ours is never made up";
    Request Http10WithoutHost, Pass, "http10_without_host", "RFC 9112 3.2", "HTTP/1.0 without Host: only a virtual host for all names fits";
    Response StatusRange, close(502), "upstream_status_range", "RFC 9110 15", "a status below 100 or above 599";
    Response UnaskedUpgrade, close(502), "upstream_unasked_upgrade", "RFC 9110 15.2.2", "101 although nothing asked for an upgrade, or to another protocol";
    Response TunnelRefusal, close(502), "upstream_answer_to_connect", "RFC 8441 5", "2xx without a switch of protocols for an extended CONNECT";
    Response SizeMismatch, close(502), "upstream_length_mismatch", "RFC 9112 6.3", "a body that is not as long as was declared";
    Response MessageFraming, close(502), "upstream_protocol_error", "RFC 9112 6.3", "framing or grammar that the codec refuses";
    Response Informational, Pass, "informational", "RFC 9110 15.2", "1xx is passed on to HTTP/1.1 and HTTP/2 clients";
    Response ResponseHopByHop, Normalise, "upstream_hop_by_hop_stripped", "RFC 9110 7.6.1", "Connection, what it names, Keep-Alive, Proxy-Connection, Upgrade are removed";
}

impl Rule {
    /// Its row.
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The refusal that a `Refuse` rule gives; 400 for the others, which refuse nothing.
    pub const fn refusal(self) -> Refusal {
        let row = self.row();
        let (status, close) = match row.verdict {
            Verdict::Refuse { status, close } => (status, close),
            Normalise | Pass => (400, true),
        };
        Refusal { status, flag: row.flag, details: row.details, close }
    }
}
