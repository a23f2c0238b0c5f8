//! What an operator log says about a namespace (specification 5.3 and 5.5).

use serde::{Deserialize, Serialize};

/// The state of a namespace that an operator log names. It never changes again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Json", into = "Json")]
pub enum NamespaceState {
    /// The registry's own: its packages are published here.
    Defined,
    /// Another registry's.
    Imported {
        /// The other registry as the operator wrote it, unchecked; may be empty.
        registry: String,
    },
}

/// The JSON form: `{"state": "defined"}` or `{"state": {"imported": {"registry": …}}}`.
#[derive(Serialize, Deserialize)]
struct Json {
    state: StateJson,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StateJson {
    Defined,
    Imported { registry: String },
}

impl From<Json> for NamespaceState {
    fn from(json: Json) -> Self {
        match json.state {
            StateJson::Defined => Self::Defined,
            StateJson::Imported { registry } => Self::Imported { registry },
        }
    }
}

impl From<NamespaceState> for Json {
    fn from(state: NamespaceState) -> Self {
        Self {
            state: match state {
                NamespaceState::Defined => StateJson::Defined,
                NamespaceState::Imported { registry } => StateJson::Imported { registry },
            },
        }
    }
}
