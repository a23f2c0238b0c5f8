//! The text that a log signs (C2SP tlog-checkpoint).

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};
use wargate_crypto::Digest;

use crate::log::LogLength;

/// A log's statement of its length and root. Its text form is the text of the note to be signed.
///
/// As read from a text it is as trustworthy as that: see [`super::Note::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    length: LogLength,
    root: Digest,
    extensions: Vec<String>,
}

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text does not end with a newline.
    #[error("the text of a checkpoint ends with a newline")]
    UnfinishedText,
    /// There are fewer than three lines.
    #[error("a checkpoint has lines for origin, size and root")]
    TooFewLines,
    /// A line is empty.
    #[error("a checkpoint has no empty lines")]
    EmptyLine,
    /// The origin or an extension contains a control character.
    #[error("a checkpoint has no control characters")]
    ControlCharacter,
    /// The size is no decimal number without sign and leading zeros, or more than 2^63.
    #[error("the size is a decimal number up to 2^63 without leading zeros")]
    Size,
    /// The root is not the padded base64 of 32 bytes.
    #[error("the root is the padded base64 of 32 bytes")]
    Root,
}

impl Checkpoint {
    /// A checkpoint without extension lines, as C2SP recommends.
    ///
    /// # Errors
    /// [`CheckpointError`] if the origin is empty or has control characters.
    pub fn new(origin: &str, length: LogLength, root: Digest) -> Result<Self, CheckpointError> {
        check_line(origin)?;
        Ok(Self { origin: origin.to_owned(), length, root, extensions: Vec::new() })
    }

    /// Appends an extension line, which cosigners sign but do not vouch for.
    ///
    /// # Errors
    /// [`CheckpointError`] if the line is empty or has control characters.
    pub fn with_extension(mut self, line: &str) -> Result<Self, CheckpointError> {
        check_line(line)?;
        self.extensions.push(line.to_owned());
        Ok(self)
    }

    /// Which log it is.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log has.
    pub const fn length(&self) -> LogLength {
        self.length
    }

    /// The root of the log.
    pub const fn root(&self) -> &Digest {
        &self.root
    }

    /// The extension lines, without their newlines.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::UnfinishedText)?;
        let mut lines = lines.split('\n');
        let mut next = || lines.next().ok_or(CheckpointError::TooFewLines);
        let (origin, size, root) = (next()?, next()?, next()?);
        let checkpoint = Self::new(origin, parse_size(size)?, parse_root(root)?)?;
        lines.try_fold(checkpoint, Self::with_extension)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = Base64::encode_string(self.root.as_bytes());
        writeln!(f, "{}\n{}\n{root}", self.origin, self.length)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn check_line(line: &str) -> Result<(), CheckpointError> {
    if line.is_empty() {
        return Err(CheckpointError::EmptyLine);
    }
    if line.bytes().any(|byte| byte < b' ') {
        return Err(CheckpointError::ControlCharacter);
    }
    Ok(())
}

fn parse_size(size: &str) -> Result<LogLength, CheckpointError> {
    let length: Option<u64> = size.parse().ok();
    let length = length.and_then(LogLength::new).ok_or(CheckpointError::Size)?;
    // The only text of the number is the one that would be written.
    if length.to_string() == size { Ok(length) } else { Err(CheckpointError::Size) }
}

fn parse_root(root: &str) -> Result<Digest, CheckpointError> {
    let mut bytes = [0; 32];
    match Base64::decode(root, &mut bytes) {
        Ok(decoded) if decoded.len() == 32 => Ok(Digest::from_bytes(bytes)),
        _ => Err(CheckpointError::Root),
    }
}
