//! `return`, and where redirects lead.

use super::{
    Policy,
    variables::{self, Place},
};
use sluice_model::{
    convert::brief,
    spec::{Action, DirectResponse, HeaderValue},
    template::Moment,
    value::StatusCode,
};

/// Statuses whose text is the place that clients are sent to.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// `return code`, `return code text`, `return code URL`.
pub(super) fn answer(words: &[&str], place: &Place<'_>) -> Result<Vec<Policy>, String> {
    let (code, text) = match words {
        [code] => (*code, ""),
        [code, text] => (*code, *text),
        _ => return Err("has not the words that it needs".to_owned()),
    };
    let code: u16 = code.parse().map_err(|_| format!("has `{}` where a status should be", brief(code)))?;
    let status = StatusCode::new(code).map_err(|error| error.to_string())?;
    let respond = |body: String, content_type| {
        Policy::Answer(Action::Respond(DirectResponse { status, body, content_type }))
    };
    if REDIRECTS.contains(&code) {
        let to = Policy::SetResponse(location(text, place, false)?);
        return Ok(vec![respond(String::new(), None), to]);
    }
    if text.contains('$') {
        return Err("has a text with variables, which are not put into texts".to_owned());
    }
    if matches!(code, 204 | 205 | 304) && !text.is_empty() {
        return Err(format!("has a text for status {code}, which has none"));
    }
    let content_type = (!text.is_empty()).then(|| "text/html".to_owned());
    Ok(vec![respond(text.to_owned(), content_type)])
}

/// The field that says where clients are sent. A path becomes absolute unless it shall stay `relative`.
pub(crate) fn location(url: &str, place: &Place<'_>, relative: bool) -> Result<HeaderValue, String> {
    let known = ["http://", "https://", "/", "$"].iter().any(|start| url.starts_with(start));
    if !known || url.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(format!(
            "has `{}`: write `https://host/path` or `https://$host$request_uri`",
            brief(url)
        ));
    }
    let here = ["$host", "$http_host", "$best_http_host", "$server_name"];
    let behind_host = |rest: &str| here.iter().any(|host| rest.strip_prefix(host) == Some("$request_uri"));
    if url.strip_prefix("$scheme://").is_some_and(behind_host) || url == "$request_uri" {
        return Err("leads to where the request already is".to_owned());
    }
    let absolute = if url.starts_with('/') && !relative { "%REQ(:SCHEME)%://%HOST%" } else { "" };
    let value = format!("{absolute}{}", variables::template(url, place, Moment::Response)?);
    let name = "location".parse().map_err(|_| "cannot be sent".to_owned())?;
    Ok(HeaderValue { name, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_keep_their_text_and_get_the_variables_of_the_model() {
        let made = |url| location(url, &Place::default(), false).map(|field| field.value);
        assert_eq!(made("https://a.example/100%25").unwrap(), "https://a.example/100%%25");
        assert_eq!(made("https://a.example$request_uri").unwrap(), "https://a.example%REQ(:PATH)%");
        assert_eq!(made("${scheme}://x/$http_x_user/").unwrap(), "%REQ(:SCHEME)%://x/%REQ(x-user)%/");
        assert_eq!(made("https://$host/new").unwrap(), "https://%HOST%/new", "without the port");
        assert_eq!(made("https://$http_host/new").unwrap(), "https://%REQ(:AUTHORITY)%/new");
        assert_eq!(made("/new").unwrap(), "%REQ(:SCHEME)%://%HOST%/new");
        assert_eq!(location("/new", &Place::default(), true).unwrap().value, "/new");
        assert!(made("https://a.example/$upstream_x").unwrap_err().contains("`$upstream_x`"));
        for wrong in ["", "a.example", "$scheme://$host$request_uri", "$request_uri", "https://a b"] {
            assert!(made(wrong).is_err(), "{wrong}");
        }
    }
}
