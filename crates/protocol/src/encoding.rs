//! Primitive encodings (specification 2.2) and text forms for serde.

/// Appends the shortest unsigned LEB128 form of a number, 1 to 10 bytes.
pub(crate) fn put_leb128(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let group = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return out.push(group);
        }
        out.push(group | 0x80);
    }
}

/// Appends a text behind its length in bytes.
pub(crate) fn put_length_prefixed(out: &mut Vec<u8>, text: &str) {
    put_leb128(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads and writes a type as its `Display` and `FromStr` text.
macro_rules! serde_as_text {
    ($($type:ty),+) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serde_as_text;

#[cfg(test)]
mod tests {
    use super::*;

    fn leb128(number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_leb128(&mut out, number);
        out
    }

    #[test]
    fn leb128_takes_the_shortest_form() {
        assert_eq!(leb128(0), [0]);
        assert_eq!(leb128(127), [0x7f]);
        assert_eq!(leb128(128), [0x80, 1]);
        assert_eq!(leb128(300), [0xac, 2]);
        assert_eq!(leb128(u64::MAX), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn a_length_of_251_takes_two_bytes() {
        let mut out = Vec::new();
        put_length_prefixed(&mut out, &"n".repeat(251));
        assert_eq!(out[..3], [0xfb, 1, b'n']);
        assert_eq!(out.len(), 253);
    }
}
