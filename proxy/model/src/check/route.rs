//! Routes and what they do, each on its own; what they name is looked at in [`super::references`].

use super::{At, Context, edits, matching, replacement, response, split, text};
use crate::{
    spec::{
        Action, DirectResponse, ErrorPages, Fault, FaultAbortStatus, Filter, HostRewrite, MirrorTarget,
        NormalizePath, PathMatch, PathRewrite, Redirect, RedirectPath, RegexRewrite, ResponseRewrite, Retry,
        RetryOn, Rewrite, Route,
    },
    value::Percent,
};

pub(super) fn check(cx: &mut Context<'_>, route: &Route, form: NormalizePath, at: At<'_>) {
    let matches = at.key("match");
    for (index, each) in route.matches.iter().enumerate() {
        matching::check(cx, each, form, matches.index(index));
    }
    let action = at.key("action");
    match &route.action {
        Action::Forward(forward) => split::check(cx, forward, action.key("forward")),
        Action::Redirect(redirect) => self::redirect(cx, redirect, route, matches, action.key("redirect")),
        Action::Respond(response) => respond(cx, response, action.key("respond")),
    }
    if !matches!(route.action, Action::Forward(_)) {
        if route.rewrite != Rewrite::default() {
            cx.error(at.key("rewrite"), "only `forward` can be rewritten")
                .suggest("a redirect has a `path` of its own");
        }
        if route.response_rewrite != ResponseRewrite::default() {
            cx.error(at.key("response_rewrite"), "only answers to `forward` can be rewritten")
                .suggest("write the answer as the client should get it");
        }
        if route.retry != Retry::default() {
            cx.error(at.key("retry"), "only `forward` can be tried again");
        }
        if !route.mirrors.is_empty() {
            cx.error(at.key("mirrors"), "only `forward` can be mirrored");
        }
    }
    if let Some(pages) = &route.error_pages {
        error_pages(cx, pages, route, at.key("error_pages"));
    }
    rewrite(cx, &route.rewrite, route, matches, at.key("rewrite"));
    retry(cx, &route.retry, at.key("retry"));
    response::check(cx, &route.response_rewrite, at.key("response_rewrite"));
    edits::check(cx, &route.headers, at.key("headers"));
    let mirrors = at.key("mirrors");
    for (index, mirror) in route.mirrors.iter().enumerate() {
        let at = mirrors.index(index);
        if let Some(host) = &mirror.host {
            text::authority(cx, at.key("host"), host);
        }
        if let Some(MirrorTarget::Whole(target)) = &mirror.target {
            let at = at.key("target");
            text::path(cx, at.key("whole"), target, true);
        }
        edits::request(cx, &mirror.headers, at.key("headers"));
        if mirror.percent == Percent::NONE {
            cx.info(at.key("percent"), "`0` copies nothing");
        }
    }
    let filters = at.key("filters");
    for (index, filter) in route.filters.iter().enumerate() {
        let Filter::Fault(fault) = filter;
        self::fault(cx, fault, filters.index(index).key("fault"));
    }
}

fn error_pages(cx: &mut Context<'_>, pages: &ErrorPages, route: &Route, at: At<'_>) {
    if matches!(route.action, Action::Redirect(_)) {
        cx.error(at, "a redirect is no error that a page could replace");
    }
    let list = at.key("statuses");
    if pages.statuses.is_empty() {
        cx.warning(list, "without a status nothing is replaced");
    }
    for (index, status) in pages.statuses.iter().enumerate() {
        if status.get() < 300 {
            cx.error(list.index(index), format!("an answer of status {} is no error", status.get()));
        }
    }
    edits::page(cx, &pages.headers, at.key("headers"));
}

fn rewrite(cx: &mut Context<'_>, rewrite: &Rewrite, route: &Route, matches: At<'_>, at: At<'_>) {
    let path = at.key("path");
    match &rewrite.path {
        None => {}
        Some(PathRewrite::Prefix(prefix)) => replaced_prefix(cx, prefix, route, matches, path.key("prefix")),
        Some(PathRewrite::Whole(whole)) => text::path(cx, path.key("whole"), whole, false),
        Some(PathRewrite::Regex(regex)) => regex_rewrite(cx, regex, path.key("regex")),
    }
    if let Some(HostRewrite::Literal(host)) = &rewrite.host {
        let at = at.key("host");
        text::authority(cx, at.key("literal"), host);
    }
}

/// Whether a prefix stands anywhere among the conditions. A route without any replaces the leading `/`.
/// What takes the place of the prefix that matched.
fn replaced_prefix(cx: &mut Context<'_>, prefix: &str, route: &Route, matches: At<'_>, at: At<'_>) {
    text::path(cx, at, prefix, false);
    if !has_prefix(route) {
        cx.warning(at, "replaces the whole path: no path condition of the route is a prefix")
            .rests_on(matches)
            .suggest("match a `prefix`, or write `whole`");
    }
}

fn has_prefix(route: &Route) -> bool {
    route.matches.is_empty()
        || route
            .matches
            .iter()
            .any(|each| matches!(each.path, None | Some(PathMatch::Prefix(_) | PathMatch::StringPrefix(_))))
}

fn regex_rewrite(cx: &mut Context<'_>, rewrite: &RegexRewrite, at: At<'_>) {
    let at = at.key("replacement");
    let Some(found) = replacement::check(cx, &rewrite.pattern, &rewrite.replacement, at) else { return };
    let replacement::Literal { text: literal, begins_with_capture } = found;
    text::path_characters(cx, at, &literal, false);
    if rewrite.replace_whole && !begins_with_capture && !literal.starts_with('/') {
        cx.error(at, "becomes the whole path, so it begins with `/`");
    }
}

fn retry(cx: &mut Context<'_>, retry: &Retry, at: At<'_>) {
    /// Envoy has no bound; nobody waits for more.
    const MOST: u8 = 50;
    if retry.attempts > MOST {
        cx.error(at.key("attempts"), format!("`{}` is more than {MOST}", retry.attempts));
    }
    if retry.back_off.max < retry.back_off.base {
        let at = at.key("back_off");
        cx.error(at.key("max"), "is less than `base`").rests_on(at.key("base"));
    }
    let list = at.key("on");
    if retry.attempts == 0 && retry.on != Retry::default().on {
        cx.warning(list, "has no effect: `attempts` is 0");
    }
    if retry.attempts > 0 && retry.on.is_empty() {
        cx.warning(list, "nothing is tried again").suggest("write `attempts: 0`");
    }
    for (index, on) in retry.on.iter().enumerate() {
        let at = list.index(index);
        match on {
            RetryOn::Status(status) if status.get() < 400 => {
                cx.error(at.key("status"), format!("an answer of status {} is no failure", status.get()));
            }
            RetryOn::Grpc(status) if !(1..=16).contains(status) => {
                cx.error(at.key("grpc"), "a gRPC status that is a failure is a number from 1 to 16");
            }
            RetryOn::ConnectFailure
            | RetryOn::RefusedStream
            | RetryOn::Reset
            | RetryOn::ResetBeforeRequest
            | RetryOn::Timeout
            | RetryOn::InvalidAnswer
            | RetryOn::Status(_)
            | RetryOn::Grpc(_) => {}
        }
    }
}

fn redirect(cx: &mut Context<'_>, redirect: &Redirect, route: &Route, matches: At<'_>, at: At<'_>) {
    let same = Redirect { code: redirect.code, relative: redirect.relative, ..Redirect::default() };
    if *redirect == same {
        cx.error(at, "redirects to where the request already is")
            .suggest("give a scheme, a host, a port or a path");
    }
    if let Some(host) = &redirect.host {
        text::authority(cx, at.key("host"), host);
        if redirect.port.is_some()
            && host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        {
            cx.error(at.key("port"), "the host has a port already");
        }
    }
    if redirect.port == Some(0) {
        cx.error(at.key("port"), "nobody listens on port 0");
    }
    let path = at.key("path");
    match &redirect.path {
        None => {}
        Some(RedirectPath::Whole(whole)) => text::path(cx, path.key("whole"), whole, true),
        Some(RedirectPath::Prefix(prefix)) => replaced_prefix(cx, prefix, route, matches, path.key("prefix")),
        Some(RedirectPath::Regex(regex)) => regex_rewrite(cx, regex, path.key("regex")),
    }
    if redirect.relative && (redirect.scheme.is_some() || redirect.host.is_some() || redirect.port.is_some())
    {
        cx.error(at.key("relative"), "a path alone names no scheme, host or port");
    }
}

fn respond(cx: &mut Context<'_>, response: &DirectResponse, at: At<'_>) {
    const LARGEST: usize = 1 << 20;
    if response.body.len() > LARGEST {
        cx.error(at.key("body"), format!("has {} bytes; 1MiB is the most", response.body.len()));
    }
    let status = response.status.get();
    if matches!(status, 204 | 205 | 304) && !response.body.is_empty() {
        cx.error(at.key("body"), format!("an answer of status {status} has no body"));
    }
    if let Some(kind) = &response.content_type {
        let at = at.key("content_type");
        text::header_value(cx, at, kind);
        if response.body.is_empty() {
            cx.warning(at, "has no effect without a body");
        } else if !kind.contains('/') {
            cx.warning(at, "is not a media type such as `text/html; charset=utf-8`");
        }
    }
}

fn fault(cx: &mut Context<'_>, fault: &Fault, at: At<'_>) {
    if fault.delay.is_none() && fault.abort.is_none() {
        cx.warning(at, "has no effect without `delay` or `abort`");
    }
    if let Some(delay) = &fault.delay
        && delay.fixed.limit().is_none()
    {
        let at = at.key("delay");
        cx.warning(at.key("fixed"), "`0` delays nothing");
    }
    if let Some(abort) = &fault.abort
        && let FaultAbortStatus::Grpc(status) = abort.status
        && status > 16
    {
        let at = at.key("abort");
        let at = at.key("status");
        cx.error(at.key("grpc"), "a gRPC status is a number from 0 to 16");
    }
}
