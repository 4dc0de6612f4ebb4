//! A request to the server, as it is understood and remembered.

use hyper::{Method, http::request::Parts};
use serde_json::Value;

/// A request that an [`ApiServer`](crate::ApiServer) got.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, and `discover` for all that is not about objects.
    pub verb: String,
    /// `networking.k8s.io`; empty for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `ingresses`, `ingresses/status`; for `discover`, the path.
    pub resource: String,
    /// Empty for all namespaces, and for kinds that have none.
    pub namespace: String,
    /// Empty where it is about all objects.
    pub name: String,
    /// What stands behind the question mark, decoded.
    pub query: Vec<(String, String)>,
    /// The field `accept`.
    pub accept: String,
    /// The field `content-type`.
    pub content_type: String,
    /// What was sent; null for nothing.
    pub body: Value,
    /// The status of the answer; `None` while there is none.
    pub answered: Option<u16>,
}

impl Call {
    /// Whether it is `list secrets` or `patch ingresses/status`, where `*` stands for any verb or kind.
    pub fn is(&self, pattern: &str) -> bool {
        let (verb, resource) = pattern.split_once(' ').expect("a verb and a kind: `list secrets`");
        (verb == "*" || verb == self.verb) && (resource == "*" || resource == self.resource)
    }

    /// A value of the query; empty where it is absent.
    pub fn parameter(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether only metadata are asked for.
    pub fn wants_metadata(&self) -> bool {
        self.accept.contains("as=PartialObjectMetadata")
    }

    pub(super) fn of(head: &Parts, body: Value) -> Self {
        let query = head.uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (decode(key), decode(value)))
            .collect();
        let field = |name: &str| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let mut call = Self {
            query,
            accept: field("accept"),
            content_type: field("content-type"),
            body,
            ..Self::default()
        };
        call.locate(&head.method, head.uri.path());
        call
    }

    fn locate(&mut self, method: &Method, path: &str) {
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let mut rest = parts.iter().map(String::as_str);
        let mut next = || rest.next().unwrap_or_default();
        let group = match next() {
            "api" => String::new(),
            "apis" => next().to_owned(),
            _ => return self.discovers(path),
        };
        let version = next().to_owned();
        let mut resource = next();
        if resource == "namespaces" && parts.len() > if group.is_empty() { 4 } else { 5 } {
            let (namespace, plural) = (next(), next());
            // `/namespaces/NAME/status` is about the namespace itself.
            if plural == "status" {
                namespace.clone_into(&mut self.name);
                "namespaces/status".clone_into(&mut self.resource);
                (self.group, self.version) = (group, version);
                verb(method, true, false).clone_into(&mut self.verb);
                return;
            }
            namespace.clone_into(&mut self.namespace);
            resource = plural;
        }
        if resource.is_empty() {
            return self.discovers(path);
        }
        let (name, sub) = (next().to_owned(), next());
        self.resource = if sub.is_empty() { resource.to_owned() } else { format!("{resource}/{sub}") };
        let watches = ["true", "1"].contains(&self.parameter("watch"));
        verb(method, !name.is_empty(), watches).clone_into(&mut self.verb);
        (self.group, self.version, self.name) = (group, version, name);
    }

    fn discovers(&mut self, path: &str) {
        "discover".clone_into(&mut self.verb);
        path.clone_into(&mut self.resource);
    }
}

fn verb(method: &Method, named: bool, watches: bool) -> &'static str {
    match *method {
        Method::GET if watches => "watch",
        Method::GET if named => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// `%2C` and `+` of a query or path.
fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next(), bytes.next()].map(Option::unwrap_or_default);
                let digits = std::str::from_utf8(&digits).ok().map(|text| u8::from_str_radix(text, 16));
                digits.and_then(Result::ok).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
