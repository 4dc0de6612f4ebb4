//! Cuts JSON into its parts without reading them, so that one value that cannot be read spoils no other.

/// Keys and values of an object, as they stand there; `None` where the text is no object. Values are not checked beyond
/// where they end.
pub(super) fn fields(text: &str) -> Option<Vec<(&str, &str)>> {
    let parts = parts(text, b'{', b'}')?;
    parts.into_iter().map(split_field).collect()
}

/// The value of a key of an object.
pub(super) fn field<'t>(fields: &[(&str, &'t str)], key: &str) -> Option<&'t str> {
    fields.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

/// The elements of an array; `None` where the text is none.
pub(super) fn elements(text: &str) -> Option<Vec<&str>> {
    parts(text, b'[', b']')
}

/// A string without escapes; no key or word that is asked for here has any.
pub(super) fn text(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['\\', '"'])).then_some(inner)
}

/// What stands between commas inside of a pair of brackets.
fn parts(text: &str, open: u8, close: u8) -> Option<Vec<&str>> {
    let text = text.trim();
    let bytes = text.as_bytes();
    if bytes.first() != Some(&open) || bytes.len() < 2 {
        return None;
    }
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0_usize, 1, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    let last = text[start..at].trim();
                    if !last.is_empty() {
                        parts.push(last);
                    } else if !parts.is_empty() {
                        return None;
                    }
                    return (bytes[at] == close && at + 1 == bytes.len()).then_some(parts);
                }
            }
            b',' if depth == 1 => {
                let part = text[start..at].trim();
                if part.is_empty() {
                    return None;
                }
                parts.push(part);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// `"key": value`.
fn split_field(part: &str) -> Option<(&str, &str)> {
    let bytes = part.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let end = end_of_string(bytes, 0)?;
    let value = part[end + 1..].trim_start().strip_prefix(':')?.trim();
    (!value.is_empty()).then_some((&part[1..end], value))
}

/// Where the string that begins here has its last quotation mark.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_where_they_end_whatever_is_inside() {
        let text = r#" {"type":"ADDED", "object": {"a":[1,{"b":"}],\\\""}], "c":"ü"} } "#;
        let found = fields(text).unwrap();
        assert_eq!(field(&found, "type").and_then(super::text), Some("ADDED"));
        let object = fields(field(&found, "object").unwrap()).unwrap();
        assert_eq!(elements(field(&object, "a").unwrap()).unwrap(), ["1", r#"{"b":"}],\\\""}"#]);
        let deep = format!("[{}{}, 2]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(elements(&deep).unwrap().len(), 2, "depth needs no stack");
        assert_eq!(elements("[]").unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_cut_off_or_no_json_is_nothing() {
        let whole = r#"{"kind":"List","items":[{"a":"\\"},{"b":1}]}"#;
        for end in 0..whole.len() {
            assert_eq!(fields(&whole[..end]), None, "{}", &whole[..end]);
        }
        for wrong in
            ["", "null", "<html>", "{}}", "{\"a\":1}]", "{a:1}", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "[1}"]
        {
            assert!(fields(wrong).is_none() && elements(wrong).is_none(), "{wrong}");
        }
    }
}
