//! Checkpoints that came another way: whether they and ours are of one history.
//!
//! A registry that shows one history to one client and another to the next is found out when the two
//! compare what they were shown.

use serde::Serialize;
use wargate_api::fetch::{FetchLogsRequest, LIMIT_MAX};
use wargate_protocol::{Envelope, LogLength, OperatorState, RegistryIndex, SignedCheckpoint};

use super::{Finding, Flaw, Scene, Subject};
use crate::error::Error;
use crate::limits::PAGES_MAX;
use crate::registry::Registry;
use crate::trust::Known;

/// What two checkpoints of one history are to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Comparison {
    /// The checkpoint that was given.
    pub given: SignedCheckpoint,
    /// Ours, the newest.
    pub ours: SignedCheckpoint,
    /// How the given one stands to ours.
    pub relation: Relation,
}

/// How a checkpoint stands to ours, which is of the same history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Relation {
    /// It is an earlier state.
    Earlier,
    /// It is the same state.
    Same,
    /// It is a later state: the registry shows us less than it showed others.
    Later,
}

impl Registry {
    /// Compares a checkpoint, which somebody else was shown, with what this client is shown: it must be
    /// signed by a key that may, and the shorter of the two states must be an earlier one of the other.
    /// Brings what is known of the registry up to date first.
    ///
    /// # Errors
    /// [`Error::Misbehaviour`] if the two are no states of one history; if both are of one length, the
    /// evidence convicts the registry. [`Error::Finding`] with [`Finding::NotItsCheckpoint`] if it is not
    /// signed by the registry. [`Error`] otherwise.
    pub async fn compare(&self, given: &SignedCheckpoint) -> Result<Comparison, Error> {
        Box::pin(self.refresh()).await?;
        let remote = self.remote().await?;
        let subject = Subject { registry: self, remote: &remote };
        let ours = self.trust().load(&[])?;
        let Some(checkpoint) = ours.verified.checkpoint().cloned() else {
            return Err(self.bad_answer("it has no checkpoint"));
        };
        let (length, given_length) =
            (checkpoint.contents.checkpoint.log_length, given.contents.checkpoint.log_length);
        let relation = if given_length > length {
            // The registry has to show a state to us that it has shown to others.
            let checked = subject.sync().check_offered(&ours, given.clone()).await;
            checked.map_err(|error| subject.failed(&ours, error))?;
            Relation::Later
        } else {
            subject.check_signature(given, &ours).await?;
            let before = Known { checkpoint: Some(given.clone()), ..Known::default() };
            let checked = subject.sync().check(&before, &[]).await;
            checked.map_err(|error| subject.failed(&before, error))?;
            if given_length == length { Relation::Same } else { Relation::Earlier }
        };
        Ok(Comparison { given: given.clone(), ours: checkpoint, relation })
    }
}

impl Subject<'_> {
    /// A checkpoint that is no longer than ours must be signed by a key that could at its length.
    async fn check_signature(&self, given: &SignedCheckpoint, ours: &Known) -> Result<(), Error> {
        let length = given.contents.checkpoint.log_length;
        let operator = self.operator_at(length, ours).await?;
        let Err(reason) = given.clone().verify(&operator) else { return Ok(()) };
        let client = self.registry.client();
        let scene = Scene {
            remote: self.remote,
            state: &*client.parts.state,
            offered: given,
            seen: ours.verified.checkpoint(),
            operator_key: ours.verified.operator_key(),
        };
        // It may be anybody's: the registry has done nothing that would have to be kept.
        Err(scene.bare(Flaw::from(Finding::NotItsCheckpoint(reason.to_string()))))
    }

    /// The operator log at an earlier length of the log that we believe. Its records lead to the state
    /// that was proven, so they are those.
    async fn operator_at(&self, length: LogLength, ours: &Known) -> Result<OperatorState, Error> {
        let registry = self.registry;
        let wrong = || registry.bad_answer("its operator log does not lead to what it has proven");
        let Some(operator) = ours.verified.operator() else { return Err(wrong()) };
        let (mut state, mut then, mut token) = (OperatorState::new(), None, None);
        let mut last: Option<RegistryIndex> = None;
        for _ in 0..PAGES_MAX {
            let request = FetchLogsRequest {
                log_length: operator.as_of(),
                limit: Some(LIMIT_MAX),
                operator: token,
                packages: [].into_iter().collect(),
            };
            let page = self.remote.logs(&request).await.map_err(|error| registry.refused(error))?;
            let ended = page.operator.len() < usize::from(LIMIT_MAX);
            token = page.operator.last().map(|last| last.fetch_token.clone());
            for published in page.operator {
                let index = published.record.registry_index;
                if last.replace(index).is_some_and(|last| index <= last) {
                    return Err(wrong());
                }
                if !length.contains(index) && then.is_none() {
                    then = Some(state.clone());
                }
                let envelope = Envelope::decode(published.record.envelope).map_err(|_| wrong())?;
                state.append(&envelope).map_err(|_| wrong())?;
                if state == *operator.state() {
                    return Ok(then.unwrap_or(state));
                }
            }
            if ended {
                break;
            }
        }
        Err(wrong())
    }
}
