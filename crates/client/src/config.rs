//! Configuration: files and variables, one on top of the other.

/// A configuration that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct ConfigError {
    /// Where it stands: a file with its line, or a variable.
    pub origin: String,
    /// What is wrong, and what is possible.
    pub message: String,
}
