//! Directives that are safe to leave out: what they do here, or do not yet.

use super::Directive;
use crate::report::{Level, Reason};
use sluice_crds::{Need, Verdict};

/// What is to be said about a directive that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) level: Level,
    pub(crate) reason: Reason,
    /// With the line and the directive.
    pub(crate) message: String,
}

const STREAMED: Verdict = Verdict::NoEffect("bodies are streamed, there is no buffer to shape");
const NOTHING: Verdict = Verdict::NoEffect("connections are the proxy's own, there is nothing to shape");

/// What becomes of it; `None` where it is not one of these.
fn verdict(name: &str, words: &[&str]) -> Option<Verdict> {
    let off = words == ["off"];
    Some(match name {
        "proxy_buffering"
        | "proxy_buffers"
        | "proxy_buffer_size"
        | "proxy_busy_buffers_size"
        | "proxy_max_temp_file_size"
        | "proxy_temp_file_write_size"
        | "grpc_buffer_size"
        | "client_body_buffer_size"
        | "client_body_in_single_buffer"
        | "output_buffers"
        | "postpone_output" => STREAMED,
        "proxy_request_buffering" if off => STREAMED,
        "proxy_request_buffering" => Verdict::NotYet(Need::BodyPolicies),
        "gzip" if off => Verdict::NoEffect("nothing is compressed here"),
        "gzip" | "gzip_types" | "gzip_min_length" | "gzip_comp_level" | "gzip_proxied" | "gzip_vary"
        | "gzip_disable" | "gzip_http_version" | "gzip_buffers" => Verdict::NotYet(Need::Compression),
        "auth_basic" if off => Verdict::NoEffect("what this Ingress does not ask for asks for no password"),
        "access_log" => Verdict::NotYet(Need::AccessLog),
        "log_not_found" | "log_subrequest" => Verdict::NoEffect("there is no log of its own for it"),
        "rewrite_log" => Verdict::NoEffect("`sluice explain` says why a request went where it went"),
        "limit_rate" | "limit_rate_after" => Verdict::NotYet(Need::Limits),
        "expires" if off => Verdict::NoEffect("answers keep the lifetime that servers give them"),
        "expires" => Verdict::Never("write `more_set_headers \"Cache-Control: ...\"`"),
        "proxy_connect_timeout" | "grpc_connect_timeout" => {
            Verdict::Never("write the annotation `proxy-connect-timeout`")
        }
        "proxy_next_upstream" | "grpc_next_upstream" => {
            Verdict::Never("write the annotation `proxy-next-upstream`")
        }
        "proxy_next_upstream_tries" | "grpc_next_upstream_tries" => {
            Verdict::Never("write the annotation `proxy-next-upstream-tries`")
        }
        "proxy_next_upstream_timeout" | "grpc_next_upstream_timeout" => {
            Verdict::Never("write the annotation `proxy-next-upstream-timeout`")
        }
        "proxy_redirect" if off || words == ["default"] => Verdict::NoEffect("links pass as they are"),
        "proxy_redirect" => {
            Verdict::Never("write the annotations `proxy-redirect-from` and `proxy-redirect-to`")
        }
        "proxy_cookie_path" | "proxy_cookie_domain" if off => Verdict::NoEffect("cookies pass as they are"),
        "proxy_cookie_path" => Verdict::Never("write the annotation `proxy-cookie-path`"),
        "proxy_cookie_domain" => Verdict::Never("write the annotation `proxy-cookie-domain`"),
        "client_body_timeout" | "client_header_timeout" | "keepalive_timeout" => {
            Verdict::Never("it is a setting of listeners; write it in the ConfigMap of the controller")
        }
        "proxy_http_version" if words == ["1.1"] => Verdict::NoEffect("it is so in any case"),
        "proxy_set_header" | "grpc_set_header" if is_upgrade(words) => {
            Verdict::NoEffect("upgrades and connections are passed on in any case")
        }
        "server_tokens" => Verdict::NoEffect("answers do not name the proxy"),
        "chunked_transfer_encoding"
        | "tcp_nodelay"
        | "tcp_nopush"
        | "sendfile"
        | "aio"
        | "directio"
        | "proxy_socket_keepalive"
        | "proxy_headers_hash_max_size"
        | "proxy_headers_hash_bucket_size" => NOTHING,
        _ => return None,
    })
}

/// What nginx has to be told for WebSockets to pass, and for connections to be kept.
fn is_upgrade(words: &[&str]) -> bool {
    let [name, value] = words else { return false };
    let values: &[&str] = match &*name.to_ascii_lowercase() {
        "upgrade" => &["$http_upgrade", "websocket"],
        "connection" => &["", "upgrade", "keep-alive", "$connection_upgrade", "$http_connection"],
        _ => &[],
    };
    values.iter().any(|known| known.eq_ignore_ascii_case(value))
}

/// What is to be said about such a directive; `None` about others.
pub(super) fn note(directive: &Directive, words: &[&str]) -> Option<Note> {
    let verdict = verdict(&directive.name, words)?;
    let (level, reason) = match verdict {
        Verdict::NoEffect(_) | Verdict::InEffect => (Level::Info, Reason::NoEffect),
        _ => (Level::Warning, Reason::NotInEffect),
    };
    let message = format!("line {}: `{}`: {verdict}", directive.line, directive.name);
    Some(Note { level, reason, message })
}
