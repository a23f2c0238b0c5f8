//! Strict DER for `SEQUENCE { INTEGER r, INTEGER s }` of P-256 (specification 2.5, SEC1 C.5).
//!
//! Only the one canonical encoding of each pair is accepted: short-form lengths, minimal integers,
//! nothing behind the end, both scalars in `1..n-1`.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// The order of the P-256 group, big endian (SEC2 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Reads a signature into `r || s`, 32 bytes each, big endian. `None` if it is not canonical.
pub(crate) fn decode(der: &[u8]) -> Option<[u8; 64]> {
    let [SEQUENCE, length, body @ ..] = der else { return None };
    // Both integers have at most 33 bytes, so the length always fits the short form.
    if *length >= 0x80 || usize::from(*length) != body.len() {
        return None;
    }
    let (r, rest) = integer(body)?;
    let (s, rest) = integer(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let mut fixed = [0; 64];
    fixed[..32].copy_from_slice(&r);
    fixed[32..].copy_from_slice(&s);
    Some(fixed)
}

/// Writes `r || s` as DER. Both scalars must be in range, as [`decode`] leaves them.
pub(crate) fn encode(fixed: &[u8; 64]) -> Vec<u8> {
    let mut body = Vec::with_capacity(72);
    body.extend([SEQUENCE, 0]);
    for scalar in [&fixed[..32], &fixed[32..]] {
        let digits = &scalar[scalar.iter().take_while(|byte| **byte == 0).count()..];
        let sign = usize::from(digits.first().is_some_and(|byte| *byte >= 0x80));
        // At most 33, so the cast is exact.
        #[expect(clippy::cast_possible_truncation, reason = "at most 33")]
        body.extend([INTEGER, (digits.len() + sign) as u8]);
        body.extend(std::iter::repeat_n(0, sign));
        body.extend(digits);
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 70")]
    {
        body[1] = (body.len() - 2) as u8;
    }
    body
}

/// One INTEGER as a scalar in `1..n-1`, and what follows it.
fn integer(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let [INTEGER, length, rest @ ..] = der else { return None };
    let length = usize::from(*length);
    if length == 0 || length > 33 || rest.len() < length {
        return None;
    }
    let (digits, rest) = rest.split_at(length);
    let digits = match digits {
        // Negative.
        [first, ..] if *first >= 0x80 => return None,
        // A zero in front is canonical only where the next byte would read as a sign.
        [0, next, ..] if *next < 0x80 => return None,
        [0, digits @ ..] | digits => digits,
    };
    if digits.len() > 32 {
        return None;
    }
    let mut scalar = [0; 32];
    scalar[32 - digits.len()..].copy_from_slice(digits);
    (scalar != [0; 32] && scalar < ORDER).then_some((scalar, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_extremes_survives() {
        let mut one = [0; 32];
        one[31] = 1;
        let mut most = ORDER;
        most[31] -= 1;
        let mut sign = [0; 32];
        sign[12] = 0x80;
        for r in [one, most, sign] {
            for s in [one, most, sign] {
                let mut fixed = [0; 64];
                fixed[..32].copy_from_slice(&r);
                fixed[32..].copy_from_slice(&s);
                assert_eq!(decode(&encode(&fixed)), Some(fixed));
            }
        }
    }

    #[test]
    fn scalars_out_of_range_are_refused() {
        for scalar in [[0; 32], ORDER, [0xff; 32]] {
            let mut fixed = [1; 64];
            fixed[..32].copy_from_slice(&scalar);
            assert_eq!(decode(&encode(&fixed)), None);
        }
    }

    #[test]
    fn no_other_encoding_of_a_signature_is_accepted() {
        let der = encode(&[0x91; 64]);
        for cut in 0..der.len() {
            assert_eq!(decode(&der[..cut]), None, "cut at {cut}");
        }
        for at in 0..der.len() {
            for bit in 0..8 {
                let mut changed = der.clone();
                changed[at] ^= 1 << bit;
                if let Some(fixed) = decode(&changed) {
                    assert_eq!(encode(&fixed), changed, "byte {at} bit {bit}");
                }
            }
        }
    }
}
