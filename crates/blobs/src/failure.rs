//! What goes wrong with object storage, in words that can be shown to anybody.
//!
//! Answers of object storage may have the access key or what was signed in them, so only the kind of
//! an error and its status are told on.

use std::io;

use object_store::Error;

/// Why object storage did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What was asked for is not there.
    #[error("object storage does not have it")]
    NotFound,
    /// The credentials are missing, wrong, or not permitted to do this.
    #[error(
        "object storage refuses the credentials\nhint: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN) must be set, and permitted to list, read, write and delete there"
    )]
    Denied,
    /// It answered with an error.
    #[error("object storage answers {0}")]
    Status(u16),
    /// It did not answer in time.
    #[error("object storage does not answer in time")]
    TimedOut,
    /// It cannot be reached, or the connection broke.
    #[error("object storage cannot be reached")]
    Unreachable,
    /// It answered with something else than was asked for.
    #[error("object storage answers with something else than was asked for: {0}")]
    Wrong(&'static str),
}

impl Failure {
    /// What is worth telling of an error.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::NotFound { .. } => Self::NotFound,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Self::Denied,
            Error::NotSupported { .. } | Error::NotImplemented { .. } => Self::Status(501),
            Error::Precondition { .. } => Self::Status(412),
            Error::AlreadyExists { .. } => Self::Status(409),
            error => Self::of_text(&error.to_string()),
        }
    }

    /// The crate has one kind for all else, and says what it is in words only.
    fn of_text(text: &str) -> Self {
        let status = text.split_once("status code: ").and_then(|(_, rest)| {
            let digits = rest.get(..3)?;
            digits.parse().ok()
        });
        match status {
            Some(401 | 403) => Self::Denied,
            Some(status) => Self::Status(status),
            None if text.contains("timed out") || text.contains("timeout") => Self::TimedOut,
            None if text.contains("ange") && text.contains("equested") => {
                Self::Wrong("another part of the file")
            }
            None => Self::Unreachable,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::NotFound => io::ErrorKind::NotFound,
            Failure::Denied => io::ErrorKind::PermissionDenied,
            Failure::TimedOut => io::ErrorKind::TimedOut,
            Failure::Unreachable => io::ErrorKind::NotConnected,
            Failure::Wrong(_) => io::ErrorKind::InvalidData,
            Failure::Status(_) => io::ErrorKind::Other,
        };
        Self::new(kind, failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_server_says_is_told_on() {
        let secret = "Server returned non-2xx status code: 403 Forbidden: <AWSAccessKeyId>AKIA</AWSAccessKeyId>";
        let error = Error::Generic { store: "S3", source: secret.into() };
        assert_eq!(Failure::of(&error), Failure::Denied);
        let error = Error::Generic { store: "S3", source: "error: operation timed out".into() };
        assert_eq!(Failure::of(&error), Failure::TimedOut);
        let error = Error::Generic { store: "S3", source: "status code: 503 Slow".into() };
        assert_eq!(Failure::of(&error), Failure::Status(503));
        assert!(!io::Error::from(Failure::of(&error)).to_string().contains("Slow"));
    }
}
