//! What the client remembers: a few small values by key.

use std::fmt;

/// Small values by key, shared between processes.
///
/// Contract: [`State::write`] replaces a value at once and durably: whoever reads sees the old value
/// or the new one, also after a crash. Values of different keys are not replaced together; the client
/// writes them in an order in which every prefix is a valid state. A lock excludes other holders in
/// this and in all other processes, and ends when its guard is dropped or its process ends in any way.
pub trait State: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// [`StateError`]
    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError>;

    /// Sets the value of a key.
    ///
    /// # Errors
    /// [`StateError`]; the old value stands then.
    fn write(&self, key: &Key, value: &[u8]) -> Result<(), StateError>;

    /// Sets a value that can be had again. After a power failure it may be gone or damaged, so that
    /// nobody waits for a disk; otherwise as [`State::write`], which is what it does if not said.
    ///
    /// # Errors
    /// [`StateError`]; the old value stands then.
    fn keep(&self, key: &Key, value: &[u8]) -> Result<(), StateError> {
        self.write(key, value)
    }

    /// Removes a key and its value. It need not exist.
    ///
    /// # Errors
    /// [`StateError`]
    fn remove(&self, key: &Key) -> Result<(), StateError>;

    /// The keys below a key, in order: those that have it as their first segments.
    ///
    /// # Errors
    /// [`StateError`]
    fn list(&self, below: &Key) -> Result<Vec<Key>, StateError>;

    /// Waits for the lock of this name. It is held while values are replaced, never while a peer is
    /// waited for.
    ///
    /// # Errors
    /// [`StateError`]
    fn lock(&self, key: &Key) -> Result<Box<dyn Guard>, StateError>;
}

/// A lock that is held until this is dropped.
pub trait Guard: Send {}

/// State that cannot be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct StateError {
    /// For people: what failed, where, and why.
    pub message: String,
}

/// Most bytes in a segment of a key.
const SEGMENT_BYTES_MAX: usize = 128;

/// The key of a value: segments with `/` between them.
///
/// **Invariant**: each segment is 1 to 128 of the characters `A-Z a-z 0-9 . _ -` and does not begin
/// with `.`, so that a key can be a relative path everywhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A text that cannot be a segment of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be part of a key")]
pub struct KeyError(pub String);

impl From<KeyError> for StateError {
    fn from(error: KeyError) -> Self {
        Self { message: error.to_string() }
    }
}

impl Key {
    /// A key of these segments.
    ///
    /// # Errors
    /// [`KeyError`] for a segment that breaks the invariant, or if there is none.
    pub fn new<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Result<Self, KeyError> {
        let mut key = String::new();
        for segment in segments {
            let segment = segment.as_ref();
            if !is_segment(segment) {
                return Err(KeyError(segment.to_owned()));
            }
            if !key.is_empty() {
                key.push('/');
            }
            key.push_str(segment);
        }
        if key.is_empty() { Err(KeyError(key)) } else { Ok(Self(key)) }
    }

    /// The text, with `/` between segments.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }
}

fn is_segment(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=SEGMENT_BYTES_MAX).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(legal)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_harmless_relative_path() {
        assert_eq!(
            Key::new(["a", "b.c", "D_1-x"]).map(|key| key.to_string()),
            Ok("a/b.c/D_1-x".into())
        );
        for bad in ["", ".", "..", ".x", "a/b", "a\\b", "a\0", "é", "a b", "C:", &"x".repeat(129)]
        {
            assert_eq!(Key::new(["a", bad]), Err(KeyError(bad.to_owned())));
        }
        assert!(Key::new::<&str>([]).is_err());
    }
}
