//! How a cluster chooses among its endpoints.

use super::{At, Context, edits, text};
use crate::spec::{Balancer, BalancerCookie, BalancerKey, MadeCookie};

/// The range of `choices`.
const CHOICES: std::ops::RangeInclusive<u32> = 2..=100;
/// The range of `table_size`.
const TABLE_SIZE: std::ops::RangeInclusive<u32> = 2..=5_000_011;

pub(super) fn check(cx: &mut Context<'_>, balancer: &Balancer, at: At<'_>) {
    match balancer {
        Balancer::RoundRobin | Balancer::Random => {}
        Balancer::LeastRequest(least) => {
            if !CHOICES.contains(&least.choices) {
                let at = at.key("least_request");
                let (least, most) = (CHOICES.start(), CHOICES.end());
                cx.error(at.key("choices"), format!("a choice is between {least} and {most} endpoints"));
            }
        }
        Balancer::RingHash(ring) => {
            let at = at.key("ring_hash");
            key(cx, &ring.key, at.key("key"));
        }
        Balancer::Maglev(maglev) => {
            let at = at.key("maglev");
            key(cx, &maglev.key, at.key("key"));
            let size = maglev.table_size;
            if !TABLE_SIZE.contains(&size) || !is_prime(size) {
                let next = (size.clamp(*TABLE_SIZE.start(), *TABLE_SIZE.end())..=*TABLE_SIZE.end())
                    .find(|number| is_prime(*number))
                    .unwrap_or(*TABLE_SIZE.end());
                cx.error(
                    at.key("table_size"),
                    format!("a table's size is a prime number of at most {}", TABLE_SIZE.end()),
                )
                .suggest(format!("write `{next}`"));
            }
        }
    }
}

fn is_prime(number: u32) -> bool {
    number >= 2 && (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

fn key(cx: &mut Context<'_>, key: &BalancerKey, at: At<'_>) {
    match key {
        BalancerKey::Header(_) | BalancerKey::SourceIp => {}
        BalancerKey::Cookie(cookie) => self::cookie(cx, cookie, at.key("cookie")),
        BalancerKey::Query(name) => {
            if name.is_empty() {
                cx.error(at.key("query"), "a parameter needs a name");
            }
        }
        BalancerKey::Template(template) => {
            let at = at.key("template");
            if template.is_empty() {
                cx.error(at, "every request has the same key").suggest("write `%REQ(:path)%`");
            } else {
                edits::template_of_request(cx, at, template);
            }
        }
    }
}

fn cookie(cx: &mut Context<'_>, cookie: &BalancerCookie, at: At<'_>) {
    text::token(cx, at.key("name"), "a cookie's name", &cookie.name);
    let Some(MadeCookie { ttl, path, attributes }) = &cookie.make else { return };
    let at = at.key("make");
    if ttl.is_some_and(|ttl| ttl.get().as_secs() == 0) {
        cx.error(at.key("ttl"), "less than a second would delete the cookie")
            .suggest("leave it out for a session cookie");
    }
    if let Some(path) = path {
        text::path(cx, at.key("path"), path, false);
        if path.contains(';') {
            cx.error(at.key("path"), "a cookie's path cannot hold `;`");
        }
    }
    let all = at.key("attributes");
    for (index, attribute) in attributes.iter().enumerate() {
        let at = all.index(index);
        text::token(cx, at.key("name"), "a cookie attribute's name", &attribute.name);
        if let Some(value) = &attribute.value {
            text::header_value(cx, at.key("value"), value);
            if value.contains(';') {
                cx.error(at.key("value"), "a cookie's attribute cannot hold `;`");
            }
        }
    }
}
