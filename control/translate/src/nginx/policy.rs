//! What directives do to a route.

use super::{fields, rewrite::PathRule};
use sluice_model::{
    spec::{Action, HeaderValue, Route},
    value::{Duration, HeaderName, Size},
};

/// What a snippet does to a route.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Policy {
    SetResponse(HeaderValue),
    AddResponse(HeaderValue),
    RemoveResponse(HeaderName),
    SetRequest(HeaderValue),
    RemoveRequest(HeaderName),
    /// A template of the host that servers see.
    Host(String),
    Answer(Action),
    /// For some of the paths; see [`apply`](Self::apply).
    Path(PathRule),
    ReadTimeout(Duration),
    SendTimeout(Duration),
    MaxBody(Option<Size>),
}

impl Policy {
    /// Makes a route do it. What is for some paths alone comes back: it may need a route of its own.
    pub(crate) fn apply(self, route: &mut Route) -> Option<PathRule> {
        let headers = &mut route.headers;
        match self {
            Self::SetResponse(field) => fields::set(&mut headers.response, field),
            Self::AddResponse(field) => headers.response.add.push(field),
            Self::RemoveResponse(name) => headers.response.remove.push(name),
            Self::SetRequest(field) => fields::set(&mut headers.request, field),
            Self::RemoveRequest(name) => headers.request.remove.push(name),
            Self::Host(value) => {
                if let Ok(name) = "host".parse() {
                    headers.request.set.retain(|field| field.name != name);
                    headers.request.set.push(HeaderValue { name, value });
                }
            }
            Self::Answer(action) => route.action = action,
            Self::ReadTimeout(time) => route.timeouts.idle = time,
            Self::SendTimeout(time) => route.timeouts.send = time,
            Self::MaxBody(most) => route.max_body = most,
            Self::Path(rule) => return Some(rule),
        }
        None
    }
}
