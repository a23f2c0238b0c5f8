//! What can go wrong inside, and what the caller is told of it.

use rusqlite::ErrorCode;
use wargate_registry::store::{CommitError, StoreError};

/// Why a piece of work on a connection failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Damaged(String),
    #[error("every connection is in use")]
    Exhausted,
    #[error("another writer was faster")]
    Conflict,
}

impl Fault {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    /// Whether the connection is better not used again.
    pub(crate) fn breaks_connection(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        error.sqlite_error_code().is_some_and(|code| {
            !matches!(
                code,
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::DiskFull
                    | ErrorCode::TooBig
                    | ErrorCode::TypeMismatch
            )
        })
    }

    pub(crate) fn into_store_error(self) -> StoreError {
        match self {
            Self::Sqlite(error) if is_passing(&error) => StoreError::Unavailable(Box::new(error)),
            Self::Sqlite(error) => StoreError::Damaged(error.to_string()),
            Self::Damaged(what) => StoreError::Damaged(what),
            Self::Exhausted | Self::Conflict => StoreError::Unavailable(Box::new(self)),
        }
    }

    pub(crate) fn into_commit_error(self) -> CommitError {
        match self {
            Self::Conflict => CommitError::Conflict,
            other => CommitError::Store(other.into_store_error()),
        }
    }
}

/// Whether the medium or another user of the file is at fault, so that the same may succeed later.
/// What is left is a file that contradicts itself, its schema or its caller.
fn is_passing(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code().is_some_and(|code| {
        !matches!(
            code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
                | ErrorCode::ParameterOutOfRange
                | ErrorCode::ApiMisuse
                | ErrorCode::Unknown
        )
    })
}
