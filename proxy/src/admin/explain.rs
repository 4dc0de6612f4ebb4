//! `GET /explain?host=...&path=...`: what the configuration in force would do with a request.

use super::PageContent;
use crate::state::State;
use sluice_core::explain::{Question, explain};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

/// The page. Values are percent-encoded; `header` is `name: value` and may come several times.
pub(super) fn page(state: &State, query: &str) -> PageContent {
    let question = match question(query) {
        Ok(question) => question,
        Err(why) => return PageContent::BadQuery(why),
    };
    let published = state.published();
    let bound =
        published.listeners.iter().map(|listener| (listener.name.to_string(), listener.address.port()));
    let question = Question { bound: bound.collect(), ..question };
    let mut text = explain(&published.generation.snapshot, &question).to_string();
    if let Some(extension) = &state.extension {
        text.push_str(&extension.explain(&question.authority));
    }
    PageContent::Text(text)
}

fn question(query: &str) -> Result<Question, String> {
    let mut question = Question {
        listener: None,
        port: None,
        bound: BTreeMap::new(),
        method: "GET".to_owned(),
        authority: "localhost".to_owned(),
        server_name: None,
        target: "/".to_owned(),
        fields: Vec::new(),
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` has no value"))?;
        let value = decoded(value).ok_or_else(|| format!("{name}: the value is not percent-encoded text"))?;
        let not_a = |what: &str| format!("{name}: `{value}` is not {what}");
        match name {
            "listener" => question.listener = Some(value),
            "port" => question.port = Some(value.parse().map_err(|_| not_a("a port"))?),
            "method" => question.method = value,
            "host" => question.authority = value,
            "sni" => question.server_name = Some(value),
            "path" if !value.starts_with('/') && value != "*" => {
                return Err(not_a("a path: it begins with `/`"));
            }
            "path" => question.target = value,
            "source" => question.source = value.parse().map_err(|_| not_a("an address"))?,
            "header" => {
                let (field, content) = value.split_once(':').ok_or_else(|| not_a("`name: value`"))?;
                question.fields.push((field.trim().to_ascii_lowercase(), content.trim().to_owned()));
            }
            other => {
                return Err(format!(
                    "`{other}` is not known here; ask with listener, port, method, host, sni, path, source and header"
                ));
            }
        }
    }
    Ok(question)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_from_the_query() {
        let asked =
            question("host=shop.test%3A8080&path=%2Fa%3Fb%3D%26c&header=X-User%3A%20ann&port=443").unwrap();
        assert_eq!((asked.authority.as_str(), asked.target.as_str()), ("shop.test:8080", "/a?b=&c"));
        assert_eq!(asked.fields, [("x-user".to_owned(), "ann".to_owned())]);
        assert_eq!(asked.port, Some(443));
    }

    #[test]
    fn a_question_that_makes_no_sense_is_told_why() {
        for (query, why) in [
            ("port=many", "port: `many` is not a port"),
            ("path=%4", "path: the value is not percent-encoded text"),
            ("path=%FF", "path: the value is not percent-encoded text"),
            ("path=cart", "path: `cart` is not a path"),
            ("header=x-user", "header: `x-user` is not `name: value`"),
            ("pth=/", "`pth` is not known here"),
            ("host", "`host` has no value"),
        ] {
            let said = question(query).unwrap_err();
            assert!(said.starts_with(why), "{query}: {said}");
        }
    }
}
