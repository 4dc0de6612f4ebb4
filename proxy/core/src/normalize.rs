//! Normal forms of a request path ([`NormalizePath`]).

use sluice_model::spec::NormalizePath;

/// A path that has no normal form: it carries an encoded NUL (`%00`). Refused with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path carries an encoded NUL")]
pub struct EncodedNul;

/// Brings a path (without query) to its normal form. What is normal already is returned as it is; anything else is
/// built in `scratch`, whose memory is reused.
pub fn normalize<'a>(
    form: NormalizePath,
    path: &'a str,
    scratch: &'a mut String,
) -> Result<&'a str, EncodedNul> {
    let _ = (form, scratch);
    Ok(path)
}
