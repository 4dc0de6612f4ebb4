//! What a request to an echo server asks for.

use http::request::Parts;
use sluice_model::value::{Duration, Size};
use std::str::FromStr;

/// What a request asks for, in its query or in `x-echo-...` fields; the query wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) status: http::StatusCode,
    pub(super) delay: std::time::Duration,
    /// An answer of this many bytes in place of what was seen.
    pub(super) size: Option<u64>,
    pub(super) json: bool,
}

const MAX_DELAY: std::time::Duration = std::time::Duration::from_mins(1);
const MAX_SIZE: u64 = 1 << 30;

impl Wish {
    /// Reads the wishes of a request; the error is a sentence for whoever sent it.
    pub(super) fn of(head: &Parts) -> Result<Self, String> {
        let wants_json = head
            .headers
            .get(http::header::ACCEPT)
            .is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
        Ok(Self {
            status: parse(
                head,
                "status",
                |status: &u16| (200..=599).contains(status),
                "a number, 200 to 599",
            )?
            .and_then(|status| http::StatusCode::from_u16(status).ok())
            .unwrap_or_default(),
            delay: parse(
                head,
                "delay",
                |delay: &Duration| delay.get() <= MAX_DELAY,
                "such as 100ms, at most 60s",
            )?
            .map(Duration::get)
            .unwrap_or_default(),
            size: parse(head, "size", |size: &Size| size.get() <= MAX_SIZE, "such as 64KiB, at most 1GiB")?
                .map(Size::get),
            json: match raw(head, "format") {
                None => wants_json,
                Some("json") => true,
                Some("text") => false,
                Some(other) => return Err(format!("`format={other}`: write `json` or `text`")),
            },
        })
    }
}

fn parse<T: FromStr>(
    head: &Parts,
    name: &str,
    valid: impl FnOnce(&T) -> bool,
    form: &str,
) -> Result<Option<T>, String> {
    let Some(text) = raw(head, name) else { return Ok(None) };
    match text.parse() {
        Ok(value) if valid(&value) => Ok(Some(value)),
        _ => Err(format!("`{name}={text}`: write {form}")),
    }
}

fn raw<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    let query = head.uri.query().unwrap_or_default();
    let in_query = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    in_query.map(|(_, value)| value).or_else(|| head.headers.get(format!("x-echo-{name}"))?.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn wish(uri: &str, fields: &[(&str, &str)]) -> Result<Wish, String> {
        let mut request = http::Request::get(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Wish::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn nothing_asked_for_is_a_plain_answer() {
        let plain = Wish { status: http::StatusCode::OK, delay: Duration::ZERO, size: None, json: false };
        assert_eq!(wish("/cart?x=1", &[]), Ok(plain));
    }

    #[test]
    fn the_query_beats_the_fields() {
        let asked =
            wish("/?status=503&delay=100ms", &[("x-echo-status", "404"), ("x-echo-size", "1MiB")]).unwrap();
        assert_eq!(asked.status, 503);
        assert_eq!(asked.delay, Duration::from_millis(100));
        assert_eq!(asked.size, Some(1 << 20));
    }

    #[test]
    fn json_is_asked_for_by_accept_or_by_format() {
        assert!(wish("/", &[("accept", "application/json")]).unwrap().json);
        assert!(wish("/?format=json", &[]).unwrap().json);
        assert!(!wish("/?format=text", &[("accept", "application/json")]).unwrap().json);
    }

    #[test]
    fn what_is_out_of_bounds_is_explained() {
        for uri in ["/?status=99", "/?status=600", "/?delay=61s", "/?size=2GiB", "/?size=1", "/?format=xml"] {
            assert!(wish(uri, &[]).unwrap_err().contains("write"), "{uri}");
        }
    }
}
