//! Conditions of routes.

use super::{At, Context, text};
use crate::{
    convert::brief,
    spec::{NormalizePath, PathMatch, PseudoHeader, RouteMatch, ValueMatch},
};

/// Methods that everybody knows, for the case that somebody writes them in lower case.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

pub(super) fn check(cx: &mut Context<'_>, each: &RouteMatch, form: NormalizePath, at: At<'_>) {
    match &each.path {
        Some(path) => self::path(cx, path, form, at.key("path")),
        None if each.ignore_path_case => {
            cx.warning(at.key("ignore_path_case"), "has no effect without `path`");
        }
        None => {}
    }
    let methods = at.key("methods");
    for (index, method) in each.methods.iter().enumerate() {
        let at = methods.index(index);
        if text::token(cx, at, "a method", method) && !METHODS.contains(&&**method) {
            let upper = method.to_ascii_uppercase();
            if METHODS.contains(&&*upper) {
                cx.warning(at, format!("`{method}` is not `{upper}`: methods are compared as sent"))
                    .suggest(format!("write `{upper}`"));
            }
        }
    }
    if let Some(method) = &each.method {
        value(cx, method, true, at.key("method"));
    }
    let headers = at.key("headers");
    for (index, header) in each.headers.iter().enumerate() {
        let at = headers.index(index);
        value(cx, &header.value, true, at.key("value"));
        if header.missing_as_empty && matches!(header.value, ValueMatch::Present | ValueMatch::Absent) {
            cx.warning(
                at.key("missing_as_empty"),
                "makes every field present, so the condition decides nothing",
            );
        }
    }
    let query = at.key("query");
    for (index, parameter) in each.query.iter().enumerate() {
        let at = query.index(index);
        if parameter.name.is_empty() {
            cx.error(at.key("name"), "a parameter needs a name");
        } else if parameter.name.contains(['=', '&', '?', '#', ' ']) {
            cx.warning(at.key("name"), format!("no parameter is called `{}`", brief(&parameter.name)))
                .suggest("write the name alone, percent-encoded as it is sent");
        }
        value(cx, &parameter.value, false, at.key("value"));
    }
    let cookies = at.key("cookies");
    for (index, cookie) in each.cookies.iter().enumerate() {
        let at = cookies.index(index);
        text::token(cx, at.key("name"), "a cookie's name", &cookie.name);
        value(cx, &cookie.value, false, at.key("value"));
    }
    if each.port == Some(0) {
        cx.error(at.key("port"), "no request comes in on port 0");
    }
    if let Some(authority) = &each.authority {
        self::authority(cx, authority, at.key("authority"));
    }
    let pseudo_headers = at.key("pseudo_headers");
    for (index, pseudo) in each.pseudo_headers.iter().enumerate() {
        let at = pseudo_headers.index(index);
        match pseudo.name {
            PseudoHeader::Authority => authority(cx, &pseudo.value, at.key("value")),
            PseudoHeader::Method | PseudoHeader::Scheme | PseudoHeader::Path => {
                value(cx, &pseudo.value, true, at.key("value"));
            }
        }
    }
}

fn authority(cx: &mut Context<'_>, authority: &ValueMatch, at: At<'_>) {
    value(cx, authority, true, at);
    if let ValueMatch::Exact(text)
    | ValueMatch::Prefix(text)
    | ValueMatch::Suffix(text)
    | ValueMatch::Contains(text) = authority
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
    {
        cx.warning(at, "authorities are compared in lower case, so this is found in none")
            .suggest(format!("write `{}`", brief(&text.to_ascii_lowercase())));
    }
}

fn path(cx: &mut Context<'_>, path: &PathMatch, form: NormalizePath, at: At<'_>) {
    let (key, written) = match path {
        // `OPTIONS *` is the one target without a slash.
        PathMatch::Exact(path) if path == "*" => return,
        PathMatch::Exact(path) => ("exact", path),
        PathMatch::Prefix(path) => ("prefix", path),
        PathMatch::StringPrefix(path) => ("string_prefix", path),
        PathMatch::Regex(regex) => {
            if regex.pattern.as_str().contains("\\?") {
                let at = at.key("regex");
                cx.info(at.key("pattern"), "a path does not include the query, so there is no `?` in it");
            }
            return;
        }
    };
    let at = at.key(key);
    text::path(cx, at, written, false);
    if written.len() > 1 && (written.ends_with('*') && key != "exact") {
        cx.warning(at, "`*` stands for itself in a path")
            .suggest("leave it out: a prefix matches what follows");
    }
    let never =
        if form >= NormalizePath::Base && written.split('/').any(|segment| matches!(segment, "." | "..")) {
            "dot segments are removed"
        } else if form >= NormalizePath::Base && written.contains('\\') {
            "`\\` is read as `/`"
        } else if form >= NormalizePath::MergeSlashes && written.contains("//") {
            "slashes are merged"
        } else {
            return;
        };
    cx.warning(at, format!("never matches: {never} before paths are compared"));
}

fn value(cx: &mut Context<'_>, value: &ValueMatch, header: bool, at: At<'_>) {
    let (key, text) = match value {
        ValueMatch::Present | ValueMatch::Absent | ValueMatch::Regex(_) => return,
        ValueMatch::Exact(text) => ("exact", text),
        ValueMatch::Prefix(text) => ("prefix", text),
        ValueMatch::Suffix(text) => ("suffix", text),
        ValueMatch::Contains(text) => ("contains", text),
    };
    let at = at.key(key);
    if text.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        cx.warning(at, "never matches: no value holds control bytes");
    } else if header && key == "exact" && text.trim_matches([' ', '\t']) != text {
        cx.warning(at, "never matches: spaces at the ends of a value are not part of it");
    } else if text.is_empty() && key != "exact" {
        cx.warning(at, "an empty text is found in every value").suggest("write `present`");
    }
}
