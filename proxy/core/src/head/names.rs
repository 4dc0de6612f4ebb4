//! Known names in the form that header maps want.

use http::header::{self, HeaderName};
use sluice_http1::Known;

/// A name that need not be parsed again, and has no memory of its own; `None` for [`Known::Other`].
pub fn header_name(known: Known) -> Option<HeaderName> {
    Some(match known {
        Known::Other => return None,
        Known::Te => header::TE,
        Known::Via => header::VIA,
        Known::Host => header::HOST,
        Known::Date => header::DATE,
        Known::Cookie => header::COOKIE,
        Known::Server => header::SERVER,
        Known::Expect => header::EXPECT,
        Known::Accept => header::ACCEPT,
        Known::Origin => header::ORIGIN,
        Known::Upgrade => header::UPGRADE,
        Known::Trailer => header::TRAILER,
        Known::Location => header::LOCATION,
        Known::Forwarded => header::FORWARDED,
        Known::Connection => header::CONNECTION,
        Known::KeepAlive => const { HeaderName::from_static("keep-alive") },
        Known::UserAgent => header::USER_AGENT,
        Known::SetCookie => header::SET_COOKIE,
        Known::ContentType => header::CONTENT_TYPE,
        Known::XRequestId => const { HeaderName::from_static("x-request-id") },
        Known::Authorization => header::AUTHORIZATION,
        Known::CacheControl => header::CACHE_CONTROL,
        Known::ContentRange => header::CONTENT_RANGE,
        Known::ContentLength => header::CONTENT_LENGTH,
        Known::Http2Settings => const { HeaderName::from_static("http2-settings") },
        Known::XForwardedFor => const { HeaderName::from_static("x-forwarded-for") },
        Known::AcceptEncoding => header::ACCEPT_ENCODING,
        Known::ProxyConnection => const { HeaderName::from_static("proxy-connection") },
        Known::ContentEncoding => header::CONTENT_ENCODING,
        Known::XForwardedHost => const { HeaderName::from_static("x-forwarded-host") },
        Known::XForwardedPort => const { HeaderName::from_static("x-forwarded-port") },
        Known::TransferEncoding => header::TRANSFER_ENCODING,
        Known::XForwardedProto => const { HeaderName::from_static("x-forwarded-proto") },
        Known::ProxyAuthorization => header::PROXY_AUTHORIZATION,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_itself() {
        for known in Known::ALL {
            assert_eq!(header_name(*known).as_ref().map(HeaderName::as_str), Some(known.name()));
        }
        assert_eq!(header_name(Known::Other), None);
    }
}
