//! What an echo server saw of a request.

use super::Identity;
use http::{HeaderMap, Version, request::Parts};
use serde_json::{Map, Value, json};
use std::{fmt::Write, net::SocketAddr};

/// What an echo server saw of a request.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) by: &'a Identity,
    pub(super) head: &'a Parts,
    pub(super) peer: SocketAddr,
    pub(super) body_bytes: u64,
    pub(super) trailers: Option<HeaderMap>,
}

impl Seen<'_> {
    /// The request line as it would be written in HTTP/1.
    pub(super) fn request_line(&self) -> String {
        let target = self.head.uri.path_and_query().map_or("/", |target| target.as_str());
        format!("{} {target} {}", self.head.method, self.protocol())
    }

    /// For people: who answered, then the request as it arrived.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} {}\n{}\n", self.by.name, self.by.version, self.request_line());
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name}: {value}");
        };
        if let Some(authority) = self.head.uri.authority() {
            line(":authority", authority.as_str());
        }
        for (name, value) in &self.head.headers {
            line(name.as_str(), &value.as_bytes().escape_ascii().to_string());
        }
        for (name, value) in self.trailers.iter().flatten() {
            line(&format!("trailer {name}"), &value.as_bytes().escape_ascii().to_string());
        }
        let _ = writeln!(text, "({} bytes of body, from {})", self.body_bytes, self.peer);
        text
    }

    /// For programs. Repeated fields are joined with `, `.
    pub(super) fn json(&self) -> Value {
        let uri = &self.head.uri;
        json!({
            "name": self.by.name,
            "version": self.by.version,
            "method": self.head.method.as_str(),
            "path": uri.path(),
            "query": uri.query(),
            "authority": uri.authority().map(http::uri::Authority::as_str),
            "protocol": self.protocol(),
            "headers": fields(&self.head.headers),
            "trailers": self.trailers.as_ref().map(fields),
            "body_bytes": self.body_bytes,
            "peer": self.peer.to_string(),
        })
    }

    fn protocol(&self) -> &'static str {
        match self.head.version {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2",
            _ => "HTTP/1.1",
        }
    }
}

fn fields(map: &HeaderMap) -> Map<String, Value> {
    map.keys()
        .map(|name| {
            let values: Vec<String> =
                map.get_all(name).iter().map(|value| value.as_bytes().escape_ascii().to_string()).collect();
            (name.as_str().to_owned(), Value::String(values.join(", ")))
        })
        .collect()
}
