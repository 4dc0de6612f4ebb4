//! Random request ids.

/// A version 4 UUID (RFC 9562) as text, without allocating.
pub(super) fn uuid(rng: &mut fastrand::Rng) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let random = (rng.u128(..) & !(0xf << 76) & !(0x3 << 62)) | 0x4 << 76 | 0x2 << 62;
    let mut text = [b'-'; 36];
    let mut place = 0;
    for (index, byte) in random.to_be_bytes().into_iter().enumerate() {
        // The dashes stand behind bytes 4, 6, 8 and 10.
        place += usize::from(matches!(index, 4 | 6 | 8 | 10));
        text[place] = DIGITS[usize::from(byte >> 4)];
        text[place + 1] = DIGITS[usize::from(byte & 0xf)];
        place += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_a_version_4_uuid() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..100 {
            let id = super::uuid(&mut rng);
            let text = str::from_utf8(&id).expect("ascii");
            assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{text}");
            assert!(&text[14..15] == "4" && "89ab".contains(&text[19..20]), "{text}");
        }
    }
}
