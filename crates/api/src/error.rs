//! Error bodies in general (specification 13).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer with an error status whose body says nothing that this API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registry answered with an error in a form that is not part of the protocol")]
pub struct UnreadableError;

/// The members of every error body. What is absent is not written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// The HTTP status once more.
    pub status: u16,
    /// Which kind of proof failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What kind of thing `id` names.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Text, or a number for a length or an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// The log that is not in the map; the name is written in snake case.
    #[serde(rename = "log_id", skip_serializing_if = "Option::is_none")]
    pub log_id: Option<String>,
    /// The root that a proof should have led to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The root that it led to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

impl ErrorBody {
    /// The general form: a status and a message.
    pub fn message(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: Some(message.into()), ..Self::default() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn entity(status: u16, kind: &str, id: impl Into<Value>) -> Self {
        Self { status, kind: Some(kind.into()), id: Some(id.into()), ..Self::default() }
    }

    /// The id as text of a type; `None` if it is absent, a number, or not of that type.
    pub(crate) fn id_as<T: std::str::FromStr>(&self) -> Option<T> {
        self.id.as_ref()?.as_str()?.parse().ok()
    }

    /// The id as a number; `None` if it is absent or text.
    pub(crate) fn id_as_number(&self) -> Option<u64> {
        self.id.as_ref()?.as_u64()
    }

    /// Reads a body member by member: one of another type than it should have counts as absent.
    pub(crate) fn read(body: &[u8]) -> Result<Self, UnreadableError> {
        #[derive(Deserialize)]
        struct Members {
            status: u16,
            #[serde(default)]
            reason: Value,
            #[serde(default)]
            message: Value,
            #[serde(default, rename = "type")]
            kind: Value,
            #[serde(default)]
            id: Value,
            #[serde(default, rename = "log_id")]
            log_id: Value,
            #[serde(default)]
            root: Value,
            #[serde(default)]
            found: Value,
        }
        let text = |member: Value| match member {
            Value::String(text) => Some(text),
            _ => None,
        };
        let members: Members = serde_json::from_slice(body).map_err(|_| UnreadableError)?;
        Ok(Self {
            status: members.status,
            reason: text(members.reason),
            message: text(members.message),
            kind: text(members.kind),
            id: Some(members.id).filter(|id| !id.is_null()),
            log_id: text(members.log_id),
            root: text(members.root),
            found: text(members.found),
        })
    }

    /// The status and the message, where no specific shape fits.
    pub(crate) fn general(&self) -> Option<(u16, String)> {
        Some((self.status, self.message.clone()?))
    }
}

/// Gives an error of one part of the API its status and its way to and from a body.
macro_rules! api_error {
    ($error:ty) => {
        impl $error {
            /// The HTTP status that it is answered with.
            pub fn status(&self) -> u16 {
                self.to_body().status
            }

            /// Reads the body of an answer with an error status.
            ///
            /// # Errors
            /// [`UnreadableError`](crate::UnreadableError) if it is none of this part of the API.
            pub fn from_json(body: &[u8]) -> Result<Self, crate::UnreadableError> {
                let body = crate::ErrorBody::read(body)?;
                Self::from_body(&body).ok_or(crate::UnreadableError)
            }
        }

        impl serde::Serialize for $error {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                self.to_body().serialize(to)
            }
        }
    };
}
pub(crate) use api_error;
