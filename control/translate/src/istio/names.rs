//! Names of hosts.

/// Whether a text is a host as VirtualServices and Gateways have it: a name, `*`, or a wildcard for the beginning of a name.
pub(super) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text == "*" || text.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let first_ok = match first.strip_prefix('*') {
        Some("") => rest.is_some(),
        Some(end) => end.strip_prefix('-').is_some_and(label),
        None => label(first),
    };
    text.len() <= 253 && first_ok && rest.is_none_or(|rest| rest.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_at_the_beginning() {
        for good in ["*", "*.x.com", "*-a.x.com", "a.x.com", "a", "10.0.0.1", "::1", "X.com."] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "*x.com", "a.*.com", "*.", "a..b", "-a.com", "*a", "a b", "a/b", "x.com:80"] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
