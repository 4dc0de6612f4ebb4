//! Header fields as directives and ConfigMaps write them.

use super::variables::{self, Place};
use sluice_model::{
    convert::brief,
    spec::{HeaderEdits, HeaderValue},
    template::Moment,
    value::{HeaderName, is_token_byte},
};

/// A field whose value may hold variables. The error completes "it ...".
pub(crate) fn field(
    name: &str,
    value: &str,
    place: &Place<'_>,
    moment: Moment,
) -> Result<HeaderValue, String> {
    Ok(HeaderValue { name: header(name)?, value: variables::template(fit(value)?, place, moment)? })
}

/// A field whose value is as it stands.
pub(crate) fn literal_field(name: &str, value: &str) -> Result<HeaderValue, String> {
    let value = fit(value)?.replace('%', "%%");
    Ok(HeaderValue { name: header(name)?, value })
}

/// Sets a field; the last one of a name wins. As in nginx, one whose value comes out empty is not there at all, whatever
/// whoever sent the head had there.
pub(crate) fn set(edits: &mut HeaderEdits, field: HeaderValue) {
    edits.set.retain(|other| other.name != field.name);
    if !variables::is_constant(&field.value) && !edits.remove.contains(&field.name) {
        edits.remove.push(field.name.clone());
    }
    edits.set.push(field);
}

/// The name of a field that may be edited.
pub(super) fn header(name: &str) -> Result<HeaderName, String> {
    if name.is_empty() || !name.bytes().all(is_token_byte) || name.contains('*') || name.starts_with('-') {
        return Err(format!("has `{}` where the name of a header field should be", brief(name)));
    }
    let name: HeaderName = name.parse().map_err(|_| format!("cannot edit `{}`", brief(name)))?;
    if name.is_hop_by_hop() || name.as_str() == "host" {
        return Err(format!("cannot edit `{}`, which the proxy makes itself", name.as_str()));
    }
    Ok(name)
}

/// What may stand in a header field.
fn fit(text: &str) -> Result<&str, String> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("has a value that cannot stand in a header field".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_may_come_out_empty_takes_away_what_was_sent() {
        let made = |value: &str| field("X-User", value, &Place::default(), Moment::Request).unwrap();
        let mut edits = HeaderEdits::default();
        set(&mut edits, made("fixed"));
        assert!(edits.remove.is_empty());
        set(&mut edits, made("$http_x_remote_user"));
        set(&mut edits, made("$cookie_user"));
        assert_eq!(edits.remove, ["x-user".parse::<HeaderName>().unwrap()]);
        assert_eq!(edits.set.len(), 1);
        assert_eq!(edits.set[0].value, "%COOKIE(user)%");
    }
}
