//! Who may ask admin: nobody whom a web page sends. A page that makes its own name point at 127.0.0.1 (DNS rebinding)
//! still sends that name in `host`; a page elsewhere cannot change anything with a GET.

use http::{Method, StatusCode, request::Parts, uri::Authority};
use std::net::IpAddr;

/// Why a request is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
    /// The methods that would be.
    pub(super) allow: Option<&'static str>,
}

/// IP addresses, `localhost` and the configured names may be asked for. A request with an `origin` comes from a web
/// page; it must be a page of ours.
pub(super) fn check(head: &Parts, allowed: &[String]) -> Result<(), Refused> {
    let refused = |why| Err(Refused { status: StatusCode::FORBIDDEN, why, allow: None });
    let mut hosts = head.headers.get_all(http::header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Refused {
            status: StatusCode::BAD_REQUEST,
            why: "one host field is needed",
            allow: None,
        });
    };
    if !is_known(host.as_bytes(), allowed) {
        return refused("this host is not served here; see admin.allowed_hosts");
    }
    if let Some(authority) = head.uri.authority()
        && !is_known(authority.as_str().as_bytes(), allowed)
    {
        return refused("this host is not served here; see admin.allowed_hosts");
    }
    if let Some(origin) = head.headers.get(http::header::ORIGIN)
        && origin.as_bytes().strip_prefix(b"http://") != Some(host.as_bytes())
    {
        return refused("requests of other pages are not answered");
    }
    Ok(())
}

/// What anybody may ask for, under any name: a page that made its own name point here could read it and change nothing.
pub(super) fn check_anybody(head: &Parts) -> Result<(), Refused> {
    if !matches!(head.uri.path(), "/ready" | "/healthz" | "/metrics") {
        let why = "there are /ready, /healthz and /metrics here; everything else is on the admin endpoint";
        return Err(Refused { status: StatusCode::NOT_FOUND, why, allow: None });
    }
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let why = "this is read with GET";
        return Err(Refused { status: StatusCode::METHOD_NOT_ALLOWED, why, allow: Some("GET, HEAD") });
    }
    Ok(())
}

fn is_known(host: &[u8], allowed: &[String]) -> bool {
    let Ok(authority) = Authority::try_from(host) else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let name = host.strip_suffix('.').unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn status(fields: &[(&str, &str)]) -> Option<u16> {
        let mut request = Request::builder().uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        check(&head, &["proxy.internal".to_owned()]).err().map(|refused| refused.status.as_u16())
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_served() {
        for host in [
            "127.0.0.1:15000",
            "[::1]:15000",
            "10.0.0.7",
            "localhost",
            "LOCALHOST:1",
            "proxy.internal:9",
            "localhost.",
        ] {
            assert_eq!(status(&[("host", host)]), None, "{host}");
        }
    }

    #[test]
    fn rebound_names_and_foreign_pages_are_not() {
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "user@localhost", ""]
        {
            assert_eq!(status(&[("host", host)]), Some(403), "{host}");
        }
        assert_eq!(status(&[]), Some(400));
        assert_eq!(status(&[("host", "localhost"), ("host", "localhost")]), Some(400));
        assert_eq!(status(&[("host", "localhost:1"), ("origin", "http://evil.example")]), Some(403));
        assert_eq!(status(&[("host", "localhost:1"), ("origin", "null")]), Some(403));
        assert_eq!(status(&[("host", "localhost:1"), ("origin", "http://localhost:1")]), None);
    }
}
