//! A component in pieces.

use std::borrow::Cow;
use std::io;

use wargate_crypto::Digest;

use crate::provenance::Provenance;

/// A component that was put together. It refers to the contents that it holds.
#[derive(Clone, Debug)]
pub struct Output<'a> {
    segments: Vec<Segment<'a>>,
    len: u64,
}

/// Bytes that stand together, and in whose content.
#[derive(Clone, Debug)]
pub(super) struct Segment<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// The number of the part that they are of, if they are not the wrapper's.
    pub(super) part: Option<usize>,
}

impl From<Vec<u8>> for Output<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        let mut output = Self::empty();
        output.push(Segment { bytes: Cow::Owned(bytes), part: None });
        output
    }
}

impl<'a> Output<'a> {
    /// How many bytes it has.
    #[expect(clippy::len_without_is_empty, reason = "a component is never empty")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The bytes, in pieces that follow each other.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.segments.iter().map(|segment| segment.bytes.as_ref())
    }

    /// Writes the bytes.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_to(&self, writer: &mut impl io::Write) -> io::Result<()> {
        self.segments().try_for_each(|bytes| writer.write_all(bytes))
    }

    /// All bytes, copied.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(usize::try_from(self.len).unwrap_or_default());
        self.segments().for_each(|bytes| all.extend_from_slice(bytes));
        all
    }

    /// Says in it what it was made from.
    pub fn state(&mut self, said: &Provenance) {
        self.push(Segment { bytes: Cow::Owned(said.to_section()), part: None });
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&self.segments().collect::<Vec<_>>())
    }

    /// Bytes as they are.
    pub(super) fn borrowed(bytes: &'a [u8]) -> Self {
        let mut output = Self::empty();
        output.push(Segment { bytes: Cow::Borrowed(bytes), part: Some(0) });
        output
    }

    /// Bytes of nobody's.
    #[cfg(feature = "compose")]
    pub(crate) fn own(&mut self, bytes: Vec<u8>) {
        self.push(Segment { bytes: Cow::Owned(bytes), part: None });
    }

    /// Bytes of a content.
    #[cfg(feature = "compose")]
    pub(crate) fn borrow(&mut self, bytes: &'a [u8]) {
        self.push(Segment { bytes: Cow::Borrowed(bytes), part: None });
    }

    pub(crate) const fn empty() -> Self {
        Self { segments: Vec::new(), len: 0 }
    }

    pub(super) fn push(&mut self, segment: Segment<'a>) {
        if !segment.bytes.is_empty() {
            self.len += segment.bytes.len() as u64;
            self.segments.push(segment);
        }
    }

    pub(super) fn pieces(&self) -> &[Segment<'a>] {
        &self.segments
    }
}
