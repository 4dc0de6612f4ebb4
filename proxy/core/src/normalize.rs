//! Normal forms of a request path ([`NormalizePath`]).
//!
//! Every form but [`NormalizePath::None`] is a fixed point: what came out goes in unchanged, so nothing behind the proxy
//! can find a second meaning by decoding once more. A `%` that begins no escape is written `%25` for that reason.

use sluice_model::spec::NormalizePath;

/// A path that has no normal form: it carries an encoded NUL (`%00`). Refused with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path carries an encoded NUL")]
pub struct EncodedNul;

/// Brings a path (without query) to its normal form. What is normal already is returned as it is; anything else is
/// built in `scratch`, whose memory is reused. A path that does not begin with `/` (`*`) has only one form.
pub fn normalize<'a>(
    form: NormalizePath,
    path: &'a str,
    scratch: &'a mut String,
) -> Result<&'a str, EncodedNul> {
    if path.contains("%00") {
        return Err(EncodedNul);
    }
    if form == NormalizePath::None || !path.starts_with('/') || is_normal(form, path.as_bytes()) {
        return Ok(path);
    }
    scratch.clear();
    decode(form, path, scratch);
    if form >= NormalizePath::MergeSlashes {
        merge_slashes(scratch);
    }
    remove_dot_segments(scratch);
    Ok(scratch)
}

/// Whether nothing could change. Escapes always take the long way.
fn is_normal(form: NormalizePath, path: &[u8]) -> bool {
    let mut slash = false;
    for (at, byte) in path.iter().enumerate() {
        match byte {
            b'%' | b'\\' => return false,
            b'/' if slash && form >= NormalizePath::MergeSlashes => return false,
            b'.' if slash && is_dot_segment(&path[at..]) => return false,
            byte if form == NormalizePath::DecodeAll && !stands(*byte) => return false,
            _ => {}
        }
        slash = *byte == b'/';
    }
    true
}

fn is_dot_segment(rest: &[u8]) -> bool {
    matches!(rest, [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..])
}

/// Whether a byte stands in a path as it is, in the form in which all are decoded.
const fn stands(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'#' | b'?' | b'%')
}

fn encode(byte: u8, out: &mut String) {
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
    }
}

/// Text without escapes.
fn literal(form: NormalizePath, text: &str, out: &mut String) {
    if form != NormalizePath::DecodeAll || text.bytes().all(stands) {
        return out.push_str(text);
    }
    for byte in text.bytes() {
        if stands(byte) { out.push(char::from(byte)) } else { encode(byte, out) }
    }
}

fn decode(form: NormalizePath, path: &str, out: &mut String) {
    let mut rest = path;
    while let Some(at) = rest.find(['%', '\\']) {
        literal(form, &rest[..at], out);
        let escape = rest.as_bytes().get(at + 1..at + 3).and_then(hex_pair);
        match (rest.as_bytes()[at], escape) {
            (b'\\', _) => {
                out.push('/');
                rest = &rest[at + 1..];
            }
            (_, None) => {
                out.push_str("%25");
                rest = &rest[at + 1..];
            }
            (_, Some(byte)) => {
                match byte {
                    b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
                    byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
                    b'/' | b'\\' if form >= NormalizePath::DecodeAndMergeSlashes => out.push('/'),
                    byte if form == NormalizePath::DecodeAll && stands(byte) => out.push(char::from(byte)),
                    byte => encode(byte, out),
                }
                rest = &rest[at + 3..];
            }
        }
    }
    literal(form, rest, out);
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match digits {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    }
}

fn merge_slashes(path: &mut String) {
    let mut slash = false;
    path.retain(|character| {
        let keep = !(slash && character == '/');
        slash = character == '/';
        keep
    });
}

/// RFC 3986 section 5.2.4. `..` cannot climb above the root. An empty segment counts as one.
fn remove_dot_segments(path: &mut String) {
    let length = path.len();
    let mut at = 1;
    // The result grows behind the part that is still to be read, and replaces it at the end.
    loop {
        let end = path[at..length].find('/').map_or(length, |slash| at + slash);
        let last = end == length;
        match &path[at..end] {
            "." => {
                if last {
                    path.push('/');
                }
            }
            ".." => {
                if let Some(slash) = path[length..].rfind('/') {
                    path.truncate(length + slash);
                }
                if last {
                    path.push('/');
                }
            }
            _ => {
                path.push('/');
                path.extend_from_within(at..end);
            }
        }
        if last {
            break;
        }
        at = end + 1;
    }
    if path.len() == length {
        path.push('/');
    }
    path.drain(..length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use NormalizePath::{Base, DecodeAll, DecodeAndMergeSlashes, MergeSlashes, None as Raw};
    use proptest::prelude::*;

    fn form(form: NormalizePath, path: &str) -> String {
        normalize(form, path, &mut String::new()).unwrap().to_owned()
    }

    #[test]
    fn brings_paths_to_the_form_that_was_asked_for() {
        for (path, base, merged, decoded) in [
            ("/", "/", "/", "/"),
            ("/a/./b", "/a/b", "/a/b", "/a/b"),
            ("/a/../b", "/b", "/b", "/b"),
            ("/../../etc", "/etc", "/etc", "/etc"),
            ("/a/..", "/", "/", "/"),
            ("/a/.", "/a/", "/a/", "/a/"),
            ("/a//b", "/a//b", "/a/b", "/a/b"),
            ("/a//../b", "/a/b", "/b", "/b"),
            ("/a\\b", "/a/b", "/a/b", "/a/b"),
            ("/%61%2d%7E", "/a-~", "/a-~", "/a-~"),
            ("/%2e%2E/x", "/x", "/x", "/x"),
            ("/a%2fb%5cc", "/a%2Fb%5Cc", "/a%2Fb%5Cc", "/a/b/c"),
            ("/a%2f%2fb", "/a%2F%2Fb", "/a%2F%2Fb", "/a/b"),
            ("/a%2f..%2fb", "/a%2F..%2Fb", "/a%2F..%2Fb", "/b"),
            ("/%%32e%%32e/x", "/%252e%252e/x", "/%252e%252e/x", "/%252e%252e/x"),
            ("/50%", "/50%25", "/50%25", "/50%25"),
            ("/.hidden/...", "/.hidden/...", "/.hidden/...", "/.hidden/..."),
            ("*", "*", "*", "*"),
        ] {
            assert_eq!(form(Raw, path), path);
            assert_eq!(form(Base, path), base, "base of {path}");
            assert_eq!(form(MergeSlashes, path), merged, "merge_slashes of {path}");
            assert_eq!(form(DecodeAndMergeSlashes, path), decoded, "decode_and_merge_slashes of {path}");
        }
    }

    #[test]
    fn what_nginx_reads_as_the_same_path_has_one_form_where_all_is_decoded() {
        for (path, one) in [
            ("/%61dmin%40x%3Ay%21", "/admin@x:y!"),
            ("/a%2Fb%5cc%2F..%2fd", "/a/b/d"),
            ("/a%20b%3fc%23d%22", "/a%20b%3Fc%23d%22"),
            ("/a\"<b>", "/a%22%3Cb%3E"),
            ("/%C3%a9", "/%C3%A9"),
            ("/é", "/%C3%A9"),
            // Once, as nginx does: what is encoded twice is another path.
            ("/%2561dmin", "/%2561dmin"),
            ("/%25%36%31dmin", "/%2561dmin"),
            ("/a%0d%0Ab", "/a%0D%0Ab"),
            ("/50%", "/50%25"),
        ] {
            assert_eq!(form(DecodeAll, path), one, "{path}");
        }
    }

    #[test]
    fn refuses_an_encoded_nul_and_borrows_what_is_normal() {
        assert_eq!(normalize(Raw, "/a%00", &mut String::new()), Err(EncodedNul));
        let path = "/orders/17/items";
        let mut scratch = String::new();
        assert_eq!(normalize(DecodeAndMergeSlashes, path, &mut scratch).unwrap().as_ptr(), path.as_ptr());
        assert_eq!(scratch.capacity(), 0);
    }

    proptest! {
        #[test]
        fn every_form_is_a_fixed_point_without_dot_segments(path in "/([a./%2eEfF5cC4:\"\\\\]|é){0,24}") {
            for form_ in [Base, MergeSlashes, DecodeAndMergeSlashes, DecodeAll] {
                let mut scratch = String::new();
                let Ok(once) = normalize(form_, &path, &mut scratch) else { continue };
                prop_assert!(once.starts_with('/'));
                prop_assert!(!once.split('/').any(|segment| segment == "." || segment == ".."), "{once}");
                prop_assert_eq!(form(form_, once), once);
            }
        }
    }
}
