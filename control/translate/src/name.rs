//! Names of the model that are made of what objects say.

/// So many bytes fit with whatever stands before or behind them.
const MOST: usize = 200;
const KEPT: usize = 180;

/// A name that the model takes: one line, and not too long. What is cut ends in a number that all of it makes, so that
/// different texts stay different.
pub(crate) fn fit(text: String) -> String {
    if text.len() <= MOST && !text.chars().any(char::is_control) {
        return text;
    }
    let mut kept: String = text.chars().filter(|c| !c.is_control()).collect();
    kept.truncate(kept.floor_char_boundary(KEPT));
    format!("{kept}~{:016x}", fnv1a(text.as_bytes()))
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay_different() {
        assert_eq!(fit("prefix /a".to_owned()), "prefix /a");
        let long = |end: &str| fit(format!("path /{}{end}", "\u{e9}".repeat(300)));
        assert!(long("a").len() <= MOST && long("a").starts_with("path /\u{e9}"));
        assert_ne!(long("a"), long("b"));
        let broken = fit("path /a\nb".to_owned());
        assert!(broken.starts_with("path /ab~") && broken != fit("path /ab\n".to_owned()));
    }
}
