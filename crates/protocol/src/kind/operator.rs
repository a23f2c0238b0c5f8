//! The operator log: who may sign checkpoints and which namespaces a registry has (specification
//! 5.3).

use super::{LogKind, Origin};
use crate::constants::{OPERATOR_RECORD_ID, OPERATOR_RECORD_SIGNATURE, OPERATOR_RECORD_VERSION};
use crate::name::Namespace;
use crate::namespace::NamespaceState;
use crate::permission::named_permission;
use crate::record::{self, Record, RecordError};
use crate::state::InvalidRecord;

/// The kind of the operator log, of which a registry has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {}

named_permission! {
    /// What a key of the operator log may do. The numbers are protobuf's (specification 3.3).
    pub enum OperatorPermission {
        /// Sign checkpoints, grant and revoke.
        Commit = 1, "commit";
        /// Define namespaces as the registry's own.
        DefineNamespace = 2, "defineNamespace";
        /// Import namespaces from other registries.
        ImportNamespace = 3, "importNamespace";
    }
}

/// The entries that only operator logs have (specification 3.3).
///
/// The namespace is any text, as the sender wrote it: the state machine refuses what is no
/// [`Namespace`], the decoder does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorAction {
    /// Defines a namespace as the registry's own.
    DefineNamespace {
        /// The namespace.
        namespace: String,
    },
    /// Says that a namespace is another registry's.
    ImportNamespace {
        /// The namespace.
        namespace: String,
        /// The other registry, unchecked; may be empty.
        registry: String,
    },
}

impl OperatorAction {
    /// The namespace as the sender wrote it.
    pub fn namespace(&self) -> &str {
        match self {
            Self::DefineNamespace { namespace } | Self::ImportNamespace { namespace, .. } => {
                namespace
            }
        }
    }
}

impl LogKind for Operator {
    type Permission = OperatorPermission;
    type Action = OperatorAction;
    type Item = Namespace;
    type ItemState = NamespaceState;

    const NAME: &'static str = "operator";
    const SIGNATURE_PREFIX: &'static [u8] = OPERATOR_RECORD_SIGNATURE;
    const RECORD_ID_PREFIX: &'static [u8] = OPERATOR_RECORD_ID;
    const RECORD_VERSION: u32 = OPERATOR_RECORD_VERSION;
    const DELEGATION_PERMISSION: Option<OperatorPermission> = Some(OperatorPermission::Commit);
    const INIT_KEY_SIGNS: bool = false;
    const ITEMS_MEMBER: &'static str = "namespaces";

    fn decode_record(bytes: &[u8]) -> Result<Record<Self>, RecordError> {
        record::operator::decode(bytes)
    }

    fn encode_record(record: &Record<Self>) -> Vec<u8> {
        record::operator::encode(record)
    }

    fn action_permission(action: &OperatorAction) -> OperatorPermission {
        match action {
            OperatorAction::DefineNamespace { .. } => OperatorPermission::DefineNamespace,
            OperatorAction::ImportNamespace { .. } => OperatorPermission::ImportNamespace,
        }
    }

    fn action_item(action: &OperatorAction) -> Result<Namespace, InvalidRecord> {
        let namespace = action.namespace();
        namespace
            .parse()
            .map_err(|_| InvalidRecord::InvalidNamespace { namespace: namespace.to_owned() })
    }

    fn act(
        action: &OperatorAction,
        _: &Origin<'_>,
        current: Option<NamespaceState>,
    ) -> Result<NamespaceState, InvalidRecord> {
        let namespace = action.namespace().to_owned();
        match (current, action) {
            (Some(_), _) => Err(InvalidRecord::NamespaceAlreadyDefined { namespace }),
            (None, OperatorAction::DefineNamespace { .. }) => Ok(NamespaceState::Defined),
            (None, OperatorAction::ImportNamespace { registry, .. }) => {
                Ok(NamespaceState::Imported { registry: registry.clone() })
            }
        }
    }

    fn is_state_of(_: &Namespace, _: &NamespaceState) -> bool {
        true
    }
}
