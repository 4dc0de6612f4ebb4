//! What servers say about themselves in their answers: `proxy-redirect-*`, `proxy-cookie-path`, `proxy-cookie-domain`.

use super::location::{Location, Scene};
use crate::report::{Level, Reason};
use sluice_model::{
    convert::brief,
    spec::{DomainRewrite, ReferenceRewrite, RegexReplacement, Route, TextReplacement},
    value::Regex,
};

/// Rewrites links and cookies as the location asks for it.
pub(super) fn rewrite(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let defaults = &scene.settings.ingress;
    let annotations = &location.annotations;
    let said = |name, default: &str| annotations.text(name).unwrap_or(default).to_owned();
    let from = said("proxy-redirect-from", &defaults.proxy_redirect_from);
    let to = said("proxy-redirect-to", &defaults.proxy_redirect_to);
    let path = said("proxy-cookie-path", &defaults.proxy_cookie_path);
    let domain = said("proxy-cookie-domain", &defaults.proxy_cookie_domain);

    let rewrites = &mut route.response_rewrite;
    let mut wrong = |name: &str, message: String| {
        let message = format!("{message}; answers pass unchanged");
        scene.report_annotation(location, name, Level::Warning, Reason::Invalid, message);
    };
    match redirect(&from, &to) {
        Ok(rule) => rewrites.location.extend(rule),
        Err(message) => wrong("proxy-redirect-from", message),
    }
    match pair(&path).and_then(|pair| pair.map(|(from, to)| reference(from, to, false)).transpose()) {
        Ok(rule) => rewrites.cookie_path.extend(rule),
        Err(message) => wrong("proxy-cookie-path", message),
    }
    match pair(&domain).and_then(|pair| pair.map(|(from, to)| self::domain(from, to)).transpose()) {
        Ok(rule) => rewrites.cookie_domain.extend(rule),
        Err(message) => wrong("proxy-cookie-domain", message),
    }
}

/// `default` replaces nginx's own name for the group of servers, which no server knows: it changes nothing, like `off`.
fn redirect(from: &str, to: &str) -> Result<Option<ReferenceRewrite>, String> {
    match (from, to) {
        ("off" | "default", _) => Ok(None),
        (_, "off" | "default") => {
            Err("proxy-redirect-from needs a proxy-redirect-to that says what takes its place".to_owned())
        }
        (from, to) => reference(from, relative(to), false).map(Some),
    }
}

/// What begins with the host that the client asked for is what a client reads into a path.
fn relative(to: &str) -> &str {
    let hosts = ["$host", "$http_host", "$best_http_host", "$server_name"];
    let rest = to.strip_prefix("$scheme://").or_else(|| to.strip_prefix("$pass_access_scheme://"));
    rest.and_then(|rest| hosts.iter().find_map(|host| rest.strip_prefix(host)))
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(to)
}

/// The two words of a value; `None` where it says `off`.
fn pair(text: &str) -> Result<Option<(&str, &str)>, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["off"] => Ok(None),
        [from, to] => Ok(Some((from, to))),
        _ => Err(format!(
            "`{}` is not two words: write what is replaced, a space, and what takes its place",
            brief(text)
        )),
    }
}

fn reference(from: &str, to: &str, ignore_case: bool) -> Result<ReferenceRewrite, String> {
    if let Some(pattern) = from.strip_prefix("~*") {
        return regex(pattern, to, true).map(ReferenceRewrite::Regex);
    }
    if let Some(pattern) = from.strip_prefix('~') {
        return regex(pattern, to, ignore_case).map(ReferenceRewrite::Regex);
    }
    literal(from, to).map(ReferenceRewrite::Prefix)
}

/// nginx compares domains without regard to case, expressions included.
fn domain(from: &str, to: &str) -> Result<DomainRewrite, String> {
    match from.strip_prefix('~') {
        Some(pattern) => regex(pattern, to, true).map(DomainRewrite::Regex),
        None => literal(from, to).map(DomainRewrite::Exact),
    }
}

fn literal(from: &str, to: &str) -> Result<TextReplacement, String> {
    for text in [from, to] {
        if text.contains('$') {
            return Err(format!("`{}` holds a variable, which is not evaluated here", brief(text)));
        }
    }
    if from.is_empty() {
        return Err("what is replaced is empty".to_owned());
    }
    Ok(TextReplacement { from: from.to_owned(), to: fit(to)?.to_owned() })
}

fn regex(pattern: &str, to: &str, ignore_case: bool) -> Result<RegexReplacement, String> {
    let pattern: Regex =
        pattern.parse().map_err(|error: sluice_model::value::InvalidValue| error.to_string())?;
    let mut replacement = String::new();
    let mut rest = fit(to)?.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek().copied()) {
            ('$', Some(digit @ '1'..='9')) => {
                rest.next();
                replacement.push('\\');
                replacement.push(digit);
            }
            ('$', _) => return Err(format!("`{}` holds a variable, which is not evaluated here", brief(to))),
            ('\\', _) => replacement.push_str("\\\\"),
            (c, _) => replacement.push(c),
        }
    }
    Ok(RegexReplacement { pattern, replacement, ignore_case })
}

/// What may stand in a header field and in an attribute of a cookie.
fn fit(to: &str) -> Result<&str, String> {
    if to.bytes().any(|byte| byte.is_ascii_control() || byte == b';') {
        return Err(format!("`{}` cannot stand in an answer", brief(to)));
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rule: &ReferenceRewrite) -> String {
        match rule {
            ReferenceRewrite::Prefix(text) => format!("{} -> {}", text.from, text.to),
            ReferenceRewrite::Regex(regex) => {
                format!(
                    "/{}/{} -> {}",
                    regex.pattern,
                    if regex.ignore_case { "i" } else { "" },
                    regex.replacement
                )
            }
        }
    }

    #[test]
    fn redirects_are_rewritten_by_prefix_and_by_expression() {
        let say = |from, to| redirect(from, to).map(|rule| rule.map(|rule| written(&rule)));
        assert_eq!(say("off", ""), Ok(None));
        assert_eq!(say("default", "off"), Ok(None));
        assert_eq!(say("http://web:8080/", "/shop/"), Ok(Some("http://web:8080/ -> /shop/".to_owned())));
        assert_eq!(
            say("http://web/", "$scheme://$host/x/"),
            Ok(Some("http://web/ -> /x/".to_owned())),
            "what the client asked is what a path is read into"
        );
        assert_eq!(
            say("~^http://[^/]+(/.*)$", "/in$1"),
            Ok(Some("/^http://[^/]+(/.*)$/ -> /in\\1".to_owned()))
        );
        assert_eq!(say("~*^HTTP://a", "b\\c"), Ok(Some("/^HTTP://a/i -> b\\\\c".to_owned())));
        assert!(say("http://web/", "off").unwrap_err().contains("needs a proxy-redirect-to"));
        assert!(say("http://web/", "https://$cookie_a/").unwrap_err().contains("variable"));
        assert!(say("~(?=a)", "b").unwrap_err().contains("look-around"));
    }

    #[test]
    fn cookies_need_two_words() {
        assert_eq!(pair("off"), Ok(None));
        assert_eq!(pair("/one /  "), Ok(Some(("/one", "/"))));
        assert!(pair("/one").is_err());
        assert!(pair("/one / ; secure").is_err());
        assert!(literal("/one", "/;secure").is_err(), "nothing gets behind an attribute");
        assert!(
            matches!(domain("~\\.internal$", ".example.com"), Ok(DomainRewrite::Regex(rule)) if rule.ignore_case)
        );
    }
}
