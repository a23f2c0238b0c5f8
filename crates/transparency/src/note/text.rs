//! The form of a signed note (C2SP signed-note, *Format*).

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};

use super::key::{KeyName, KeyNameError, NoteKeyId};
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};

/// What a signature line begins with: an em dash and a space.
const LINE_PREFIX: &str = "\u{2014} ";

/// A text with at least one signature line, none of them verified yet. Its text form is the note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature line: who says to have signed, and the signature, whose form depends on the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: KeyName,
    /// The id of the key.
    pub id: NoteKeyId,
    /// What follows the id: at least one byte.
    pub signature: Vec<u8>,
}

/// Why a text is no signed note, or a text cannot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is longer than is looked at.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes, not {bytes}")]
    TooLong {
        /// The length of the note in bytes.
        bytes: usize,
    },
    /// The note is not valid UTF-8.
    #[error("a note is valid UTF-8")]
    NotUtf8,
    /// There is a control character other than a newline.
    #[error("a note has no control characters but newlines")]
    ControlCharacter,
    /// The text does not end with a newline.
    #[error("the text of a note ends with a newline")]
    UnfinishedText,
    /// No empty line separates text and signatures.
    #[error("an empty line separates the text of a note from its signatures")]
    NoSeparator,
    /// There is no signature.
    #[error("a note has at least one signature")]
    NoSignature,
    /// There are more signatures than are looked at.
    #[error("a note has at most {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// A line after the separator is not a dash, a name and base64 with one space between them,
    /// ended by a newline.
    #[error("signature line {line} is not of the form: em dash, key name, base64")]
    SignatureLine {
        /// The line, counted from 1 after the separator.
        line: usize,
    },
    /// The name of a key is not allowed.
    #[error("signature line {line}: {error}")]
    KeyName {
        /// The line, counted from 1 after the separator.
        line: usize,
        /// What is wrong with the name.
        error: KeyNameError,
    },
    /// What should be a signature has no more than four bytes.
    #[error("signature line {line} has no signature after the key id")]
    SignatureLength {
        /// The line, counted from 1 after the separator.
        line: usize,
    },
}

impl Note {
    /// A note of a text that ends with a newline, and its first signature.
    ///
    /// # Errors
    /// [`NoteError`] if the text is not allowed or the note would be too long.
    pub fn new(text: &str, first: NoteSignature) -> Result<Self, NoteError> {
        check_characters(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::UnfinishedText);
        }
        let mut note = Self { text: text.to_owned(), signatures: Vec::new() };
        note.push(first)?;
        Ok(note)
    }

    /// Appends a signature line, for instance that of a cosigner.
    ///
    /// # Errors
    /// [`NoteError`] if the note would have too many lines or be too long, or if the signature is
    /// empty. The note is as before then.
    pub fn push(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() >= NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        if signature.signature.is_empty() {
            return Err(NoteError::SignatureLength { line: self.signatures.len() + 1 });
        }
        let lines: usize = self.signatures.iter().map(NoteSignature::line_bytes).sum();
        let bytes = self.text.len() + 1 + lines + signature.line_bytes();
        if bytes > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes });
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`] with the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        check_characters(note)?;
        // The text itself may have empty lines; the last one separates.
        let separator = note.rfind("\n\n").ok_or(NoteError::NoSeparator)?;
        let (text, lines) = (&note[..=separator], &note[separator + 2..]);
        if lines.is_empty() {
            return Err(NoteError::NoSignature);
        }
        let mut signatures = Vec::new();
        for (line, content) in (1..).zip(lines.split_inclusive('\n')) {
            if line > NOTE_SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse(line, content)?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, with its final newline, **whoever has written it**: see [`Note::verify`].
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        Self::parse(note.as_bytes())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// The `line`-th line of a note, which must end with its newline.
    fn parse(line: usize, content: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::SignatureLine { line };
        let content = content.strip_suffix('\n').ok_or(malformed)?;
        let (name, encoded) =
            content.strip_prefix(LINE_PREFIX).and_then(|c| c.split_once(' ')).ok_or(malformed)?;
        let name = name.parse().map_err(|error| NoteError::KeyName { line, error })?;
        let bytes = Base64::decode_vec(encoded).map_err(|_| malformed)?;
        match bytes.split_first_chunk() {
            Some((id, signature)) if !signature.is_empty() => {
                let id = NoteKeyId::from_bytes(*id);
                Ok(Self { name, id, signature: signature.to_vec() })
            }
            _ => Err(NoteError::SignatureLength { line }),
        }
    }

    /// Length of the line in bytes, with its newline.
    fn line_bytes(&self) -> usize {
        let encoded = (self.signature.len() + 4).div_ceil(3) * 4;
        LINE_PREFIX.len() + self.name.as_str().len() + 1 + encoded + 1
    }
}

/// The line without its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_bytes(), self.signature.as_slice()].concat();
        write!(f, "{LINE_PREFIX}{} {}", self.name, Base64::encode_string(&bytes))
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::ControlCharacter);
    }
    Ok(())
}
