//! How a cluster chooses among its endpoints.

use super::{At, Context, edits, text};
use crate::spec::{Balancer, BalancerCookie, BalancerKey, MadeCookie, Maglev};

use std::time::Duration;

/// The range of `choices`.
const CHOICES: std::ops::RangeInclusive<u32> = 2..=100;

/// The range of `decay`.
const DECAY: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);

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
        Balancer::PeakEwma(peak) => {
            if !DECAY.contains(&peak.decay.get()) {
                cx.error(
                    at.key("peak_ewma").key("decay"),
                    "averages fade in between 10 milliseconds and an hour",
                )
                .suggest("write `10s`");
            }
        }
        Balancer::RingHash(ring) => {
            let at = at.key("ring_hash");
            key(cx, &ring.key, at.key("key"));
        }
        Balancer::Maglev(maglev) => {
            let at = at.key("maglev");
            key(cx, &maglev.key, at.key("key"));
            if !Maglev::is_size(maglev.table_size) {
                let next = (maglev.table_size..=Maglev::MAX_TABLE_SIZE).find(|size| Maglev::is_size(*size));
                let message =
                    format!("a table's size is a prime number of at most {}", Maglev::MAX_TABLE_SIZE);
                cx.error(at.key("table_size"), message)
                    .suggest(format!("write `{}`", next.unwrap_or(Maglev::TABLE_SIZE)));
            }
        }
    }
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
