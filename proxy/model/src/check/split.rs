//! Where requests are forwarded to: destinations, canaries, sticky positions. What they name is looked at in
//! [`super::references`].

use super::{At, Context, edits, text};
use crate::spec::{Canary, CanaryHeaderRule, Forward, HashKey, Sticky, StickyCookie};

pub(super) fn check(cx: &mut Context<'_>, forward: &Forward, at: At<'_>) {
    let all = at.key("destinations");
    if forward.destinations.is_empty() {
        let message = if forward.canaries.is_empty() {
            "there is nowhere to forward to"
        } else {
            "canaries need a destination that they are the alternative to"
        };
        cx.error(all, message).suggest("write `[{ cluster: ... }]`");
    }
    let sum: u64 = forward.destinations.iter().map(|destination| u64::from(destination.weight)).sum();
    if forward.destinations.len() > 1 && sum == 0 {
        cx.error(all, "all weights are 0, so no destination can be chosen");
    }
    for (index, destination) in forward.destinations.iter().enumerate() {
        let at = all.index(index);
        edits::check(cx, &destination.headers, at.key("headers"));
    }
    let canaries = at.key("canaries");
    for (index, canary) in forward.canaries.iter().enumerate() {
        self::canary(cx, canary, canaries.index(index));
    }
    totals(cx, forward, at);
    if let Some(sticky) = &forward.sticky {
        self::sticky(cx, sticky, at.key("sticky"));
        if forward.canaries.is_empty() && forward.destinations.len() == 1 {
            cx.warning(at.key("sticky"), "has no effect: there is only one place to go");
        }
    }
}

fn totals(cx: &mut Context<'_>, forward: &Forward, at: At<'_>) {
    if forward.canary_total == 0 {
        cx.error(at.key("canary_total"), "weights are parts of at least 1").suggest("leave it out for 100");
        return;
    }
    let sum: u64 = forward.canaries.iter().map(|canary| u64::from(canary.weight)).sum();
    if sum > u64::from(forward.canary_total) {
        let message = format!(
            "the canaries' weights sum up to {sum}, more than `canary_total` ({}), so the destinations get nothing",
            forward.canary_total
        );
        cx.warning(at.key("canaries"), message);
    }
}

fn canary(cx: &mut Context<'_>, canary: &Canary, at: At<'_>) {
    edits::check(cx, &canary.headers, at.key("headers"));
    if canary.weight == 0 && canary.header.is_none() && canary.cookie.is_none() {
        cx.info(at, "no request takes the canary: it has no weight, header or cookie");
    }
    if let Some(cookie) = &canary.cookie {
        text::token(cx, at.key("cookie"), "a cookie's name", cookie);
    }
    if canary.cookie_value.is_some() && canary.cookie.is_none() {
        cx.error(at.key("cookie_value"), "needs the name of a cookie")
            .suggest("write `cookie: ...` beside it");
    }
    if let Some(header) = &canary.header
        && let CanaryHeaderRule::Value(value) = &header.rule
    {
        let at = at.key("header");
        let at = at.key("rule");
        let at = at.key("value");
        text::header_value(cx, at, value);
        if value.is_empty() {
            cx.warning(at, "only an empty header takes the canary")
                .suggest("write `rule: present` for any value");
        }
    }
}

fn sticky(cx: &mut Context<'_>, sticky: &Sticky, at: At<'_>) {
    match sticky {
        Sticky::Hash(HashKey::Cookie(name)) => {
            let at = at.key("hash");
            text::token(cx, at.key("cookie"), "a cookie's name", name);
        }
        Sticky::Hash(HashKey::Query(name)) if name.is_empty() => {
            let at = at.key("hash");
            cx.error(at.key("query"), "a parameter needs a name");
        }
        Sticky::Hash(_) => {}
        Sticky::Cookie(cookie) => sticky_cookie(cx, cookie, at.key("cookie")),
    }
}

fn sticky_cookie(cx: &mut Context<'_>, cookie: &StickyCookie, at: At<'_>) {
    text::token(cx, at.key("name"), "a cookie's name", &cookie.name);
    if cookie.ttl.is_some_and(|ttl| ttl.get().as_secs() == 0) {
        cx.error(at.key("ttl"), "less than a second would delete the cookie")
            .suggest("leave it out for a session cookie");
    }
    text::path(cx, at.key("path"), &cookie.path, false);
    if cookie.path.contains(';') {
        cx.error(at.key("path"), "a cookie's path cannot hold `;`");
    }
}
