//! The target of a redirect.

use super::RegexRewrite;
use crate::route::{MatchInfo, MatchScratch, RequestView};
use sluice_filter::Fields;
use sluice_model::spec::{self, RedirectPath, Scheme};

/// Tells the client to go elsewhere.
#[derive(Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    scheme: Option<Scheme>,
    host: Option<Box<str>>,
    port: Option<u16>,
    path: Option<Path>,
    relative: bool,
    strip_query: bool,
    trim_slash: bool,
}

/// The new path.
#[derive(Debug)]
enum Path {
    Whole(Box<str>),
    Prefix(Box<str>),
    Regex(RegexRewrite),
}

impl Redirect {
    /// Prepares what a route asks for.
    pub fn compile(redirect: &spec::Redirect) -> Self {
        Self {
            status: redirect.code.get(),
            scheme: redirect.scheme,
            host: redirect.host.as_deref().map(Into::into),
            port: redirect.port,
            path: redirect.path.as_ref().map(|path| match path {
                RedirectPath::Whole(path) => Path::Whole(path.as_str().into()),
                RedirectPath::Prefix(prefix) => Path::Prefix(prefix.as_str().into()),
                RedirectPath::Regex(regex) => Path::Regex(RegexRewrite::compile(regex)),
            }),
            relative: redirect.relative,
            strip_query: redirect.strip_query,
            trim_slash: redirect.trim_slash,
        }
    }

    /// Appends the value of the `location` field: an absolute URL, unless a relative one was asked for.
    pub fn location<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        matched: MatchInfo,
        scratch: &mut MatchScratch,
        out: &mut Vec<u8>,
    ) {
        let scheme = self.scheme.unwrap_or(request.scheme);
        if !self.relative {
            out.extend_from_slice(scheme.as_str().as_bytes());
            out.extend_from_slice(b"://");
            self.authority(scheme, request, out);
        }
        let begin = out.len();
        let mut query = request.query;
        match &self.path {
            None => out.extend_from_slice(request.path.as_bytes()),
            Some(Path::Prefix(prefix)) => {
                super::replace_prefix(prefix, request.path, matched.path, out);
            }
            Some(Path::Regex(regex)) => {
                if !regex.apply(request.path, scratch, out) {
                    out.extend_from_slice(request.path.as_bytes());
                }
            }
            Some(Path::Whole(path)) => {
                out.extend_from_slice(path.as_bytes());
                if path.contains('?') {
                    query = None;
                }
            }
        }
        if out.get(begin) != Some(&b'/') {
            out.insert(begin, b'/');
        }
        if let Some(query) = query.filter(|_| !self.strip_query) {
            out.push(b'?');
            out.extend_from_slice(query.as_bytes());
        }
        if self.trim_slash && out.last() == Some(&b'/') {
            out.pop();
        }
    }

    /// The port: the one asked for; else the one that the new or old host carries, unless the scheme changes and it was
    /// the old scheme's own. The scheme's own port is printed only where it came with the host.
    fn authority<F: Fields + ?Sized>(&self, scheme: Scheme, request: &RequestView<'_, F>, out: &mut Vec<u8>) {
        let authority = self.host.as_deref().unwrap_or(request.authority);
        let (host, port) = split_port(authority);
        out.extend_from_slice(host.as_bytes());
        let port = match self.port {
            Some(port) => Some(port).filter(|port| *port != scheme.default_port()),
            None if self.host.is_none() && scheme != request.scheme => {
                port.filter(|port| *port != request.scheme.default_port())
            }
            None => port,
        };
        if let Some(port) = port {
            out.push(b':');
            out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
        }
    }
}

/// Splits `host:port`; IPv6 addresses keep their brackets.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (authority, None),
        },
        _ => (authority, None),
    }
}
