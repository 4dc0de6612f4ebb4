//! What happens to a request instead of, or before, going to a destination.

use crate::{
    message::{choice, message, one_of},
    proto::Bytes,
};

message! {
    /// An answer that sends the client to another place.
    #[serde(remote = "Self")]
    pub struct HttpRedirect {
        /// The whole path there; empty leaves it.
        pub uri: String,
        /// The host there; empty leaves it.
        pub authority: String,
        /// The port there.
        pub port: Option<u16>,
        /// How the port is found.
        pub derive_port: Option<RedirectPortSelection>,
        /// `http` or `https`; empty leaves it.
        pub scheme: String,
        /// 301 where it is 0.
        pub redirect_code: u16,
        /// Replaces the prefix that matched; empty leaves it.
        pub prefix_rewrite: String,
    }
}
one_of!(HttpRedirect: port | derive_port);

choice! {
    /// How the port of a redirect is found.
    pub enum RedirectPortSelection {
        /// 80 or 443.
        #[default]
        FromProtocolDefault,
        /// That of the request.
        FromRequestPort,
    }
}

message! {
    /// An answer.
    pub struct HttpDirectResponse {
        /// Its status.
        pub status: u16,
        /// Its body.
        pub body: Option<HttpBody>,
    }
}

message! {
    /// A body.
    #[serde(remote = "Self")]
    pub struct HttpBody {
        /// As text.
        pub string: Option<String>,
        /// As bytes.
        pub bytes: Option<Bytes>,
    }
}
one_of!(HttpBody: string | bytes);

message! {
    /// Another VirtualService.
    pub struct Delegate {
        /// Its name.
        pub name: String,
        /// Its namespace; empty for the same.
        pub namespace: String,
    }
}

message! {
    /// Changes to a request before it goes on.
    pub struct HttpRewrite {
        /// Replaces what matched of the path.
        pub uri: String,
        /// Replaces the host.
        pub authority: String,
        /// Replaces all that matches in the path.
        pub uri_regex_rewrite: Option<RegexRewrite>,
    }
}

message! {
    /// A substitution.
    pub struct RegexRewrite {
        /// What is replaced (RE2 syntax).
        pub r#match: String,
        /// With what; `\1` is the first group.
        pub rewrite: String,
    }
}
