//! Random request ids.

/// A version 4 UUID (RFC 9562) as text, without allocating.
pub(super) fn uuid(rng: &mut fastrand::Rng) -> [u8; 36] {
    let random = (rng.u128(..) & !(0xf << 76) & !(0x3 << 62)) | 0x4 << 76 | 0x2 << 62;
    let [a, b, c, d] = [96, 64, 32, 0].map(|shift| hex((random >> shift) as u32));
    let mut text = [b'-'; 36];
    // The dashes stand behind digits 8, 12, 16 and 20.
    text[..8].copy_from_slice(&a);
    text[9..13].copy_from_slice(&b[..4]);
    text[14..18].copy_from_slice(&b[4..]);
    text[19..23].copy_from_slice(&c[..4]);
    text[24..28].copy_from_slice(&c[4..]);
    text[28..].copy_from_slice(&d);
    text
}

/// Eight hexadecimal digits, all at once: each half byte gets a byte of its own, and those beyond 9 go on at `a`.
fn hex(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let beyond_nine = ((digits + ONES * 6) >> 4) & ONES;
    (digits + ONES * u64::from(b'0') + beyond_nine * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 0x0123_4567, 0x89ab_cdef, 0x9a0f_f0a9, u32::MAX] {
            assert_eq!(str::from_utf8(&super::hex(number)).expect("ascii"), format!("{number:08x}"));
        }
    }

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
