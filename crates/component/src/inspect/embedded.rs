//! The custom sections in which core modules keep the worlds that they were made for.

use wasmparser::BinaryReader;

/// The beginning of the names of these sections.
pub(crate) const EMBEDDED_WORLD: &str = "component-type";

/// What such a section begins with in the format that tools wrote until the end of 2023. Today's begins
/// as a component does.
const OLD_FORMAT: u8 = 3;

/// Where a section has its world. Nothing of it was validated.
pub(crate) struct EmbeddedWorld<'a> {
    /// A WIT package in its binary form.
    pub(crate) package: &'a [u8],
    /// Which of its worlds it is, in the old format. In today's there is only one.
    pub(crate) name: Option<&'a str>,
}

impl<'a> EmbeddedWorld<'a> {
    /// Finds the world in the contents of a section, which may be anything.
    pub(crate) fn new(section: &'a [u8]) -> Self {
        Self::old(section).unwrap_or(Self { package: section, name: None })
    }

    /// Format, encoding of strings, name of the world, package.
    fn old(section: &'a [u8]) -> Option<Self> {
        let mut reader = BinaryReader::new(section, 0);
        if reader.read_u8().ok()? != OLD_FORMAT {
            return None;
        }
        reader.read_u8().ok()?;
        let name = Some(reader.read_string().ok()?);
        let position = usize::try_from(reader.original_position()).ok()?;
        Some(Self { package: section.get(position..)?, name })
    }

    /// Whether a world of the package is the one, by its full name as in `wasi:cli/command@0.2.0`.
    pub(crate) fn is(&self, full: &str) -> bool {
        self.name.is_none_or(|name| {
            let path = full.split_once('@').map_or(full, |(path, _)| path);
            full == name || path.rsplit('/').next() == Some(name)
        })
    }
}
