//! Redirects and answers of the gateway's own.

use super::{notes::Notes, site::Here};
use crate::report::Reason;
use sluice_crds::istio::{
    HttpDirectResponse, HttpMatchRequest, HttpRedirect, RedirectPortSelection, StringMatch,
};
use sluice_model::{
    spec::{DirectResponse, Redirect, RedirectCode, RedirectPath, Scheme},
    value::StatusCode,
};

/// The longest body that Istio takes, and the length from which on it frowns.
const MAX_BODY: usize = 1 << 20;
const LARGE_BODY: usize = 100 * 1024;

/// A redirect, seen from one place; `None` where it is wrong.
pub(super) fn redirect(
    written: &HttpRedirect,
    matching: Option<&HttpMatchRequest>,
    here: &Here<'_>,
    at: &str,
    notes: &mut Notes<'_>,
) -> Option<Redirect> {
    let scheme = match written.scheme.as_str() {
        "" => None,
        "http" => Some(Scheme::Http),
        "https" => Some(Scheme::Https),
        other => {
            notes.invalid(&format!("{at}.scheme"), format!("`{other}` is not `http` or `https`"));
            return None;
        }
    };
    let path = match (written.uri.as_str(), written.prefix_rewrite.as_str()) {
        ("", "") => None,
        (uri, "") => Some(RedirectPath::Whole(uri.to_owned())),
        ("", prefix) => {
            let by_prefix = matching.and_then(|matching| matching.uri.as_ref());
            if !matches!(by_prefix, Some(StringMatch::Prefix(prefix)) if !prefix.is_empty()) {
                notes.invalid(
                    &format!("{at}.prefixRewrite"),
                    "each match of the rule needs `uri: { prefix: ... }`",
                );
                return None;
            }
            Some(RedirectPath::Prefix(prefix.to_owned()))
        }
        _ => {
            notes.invalid(at, "only one of `uri` and `prefixRewrite` can be set");
            return None;
        }
    };
    let code = match written.redirect_code {
        0 => RedirectCode::default(),
        code => match RedirectCode::try_from(code) {
            Ok(code) => code,
            Err(error) => {
                notes.invalid(&format!("{at}.redirectCode"), error.to_string());
                return None;
            }
        },
    };
    let port = written.port.or(written.derive_port.map(|derived| match derived {
        RedirectPortSelection::FromProtocolDefault => scheme.unwrap_or(here.scheme).default_port(),
        RedirectPortSelection::FromRequestPort => here.port,
    }));
    let host = (!written.authority.is_empty()).then(|| written.authority.clone());
    Some(Redirect { scheme, host, port, path, code, ..Redirect::default() })
}

/// An answer; `None` where it is wrong.
pub(super) fn respond(
    written: &HttpDirectResponse,
    at: &str,
    notes: &mut Notes<'_>,
) -> Option<DirectResponse> {
    let status = match StatusCode::new(written.status) {
        Ok(status) => status,
        Err(error) => {
            notes.invalid(&format!("{at}.status"), error.to_string());
            return None;
        }
    };
    let at = format!("{at}.body");
    let body = match &written.body {
        None => String::new(),
        Some(body) => match (&body.string, &body.bytes) {
            (Some(text), _) => text.clone(),
            (None, Some(bytes)) => match String::from_utf8(bytes.0.clone()) {
                Ok(text) => text,
                Err(_) => {
                    notes.invalid(&format!("{at}.bytes"), "bytes that are not UTF-8 cannot be answered with");
                    return None;
                }
            },
            (None, None) => {
                notes.invalid(&at, "write `string` or `bytes`");
                return None;
            }
        },
    };
    if body.len() > MAX_BODY {
        notes.invalid(&at, format!("the body has {} bytes; 1 MiB is the most", body.len()));
        return None;
    }
    if body.len() > LARGE_BODY {
        notes.odd(
            Reason::NoEffect,
            &at,
            format!("a body of {} bytes is kept in memory; 100 kB are a lot", body.len()),
        );
    }
    if matches!(status.get(), 204 | 205 | 304) && !body.is_empty() {
        notes.odd(Reason::NoEffect, &at, format!("an answer of status {status} has no body; it is left out"));
        return Some(DirectResponse { status, body: String::new(), content_type: None });
    }
    Some(DirectResponse { status, body, content_type: None })
}
