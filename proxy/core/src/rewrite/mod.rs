//! What becomes of path and host: rewrites on the way up, and the target of redirects.

use crate::route::{MatchInfo, MatchScratch, RequestView};
use sluice_filter::Fields;

/// How path and host change on the way up.
#[derive(Debug, Default)]
pub struct Rewrite {
    host: Option<HostRewrite>,
}

/// The new host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRewrite {
    /// This host, with or without a port.
    Literal(Box<str>),
    /// [`crate::snapshot::Endpoint::authority`] of the endpoint that gets the request.
    Endpoint,
}

/// Tells the client to go elsewhere.
#[derive(Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

impl Rewrite {
    /// The new host; absent keeps the request's.
    pub fn host(&self) -> Option<&HostRewrite> {
        self.host.as_ref()
    }

    /// Appends the new path (without the query, which is always kept) and says so; `false`: the path stays and nothing
    /// was appended.
    pub fn path(
        &self,
        path: &str,
        matched: MatchInfo,
        scratch: &mut MatchScratch,
        out: &mut Vec<u8>,
    ) -> bool {
        let _ = (path, matched, scratch, out);
        false
    }
}

impl Redirect {
    /// Appends the value of the `location` field.
    pub fn location<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        matched: MatchInfo,
        out: &mut Vec<u8>,
    ) {
        let _ = (request, matched, out);
        todo!()
    }
}
