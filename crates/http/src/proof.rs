//! Proofs, and whether a checkpoint is ours (specification 12.7 and 12.8).

use wargate_api::fetch::SignedCheckpoint;
use wargate_api::monitor::{Verification, VerifyCheckpointResponse};
use wargate_api::proof::{
    ConsistencyRequest, ConsistencyResponse, InclusionRequest, InclusionResponse,
};
use wargate_registry::ReadError;

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::front::FEW;

/// `POST v1/proof/inclusion`
pub(crate) async fn inclusion(mut call: Call) -> Answer {
    let InclusionRequest { log_length, leafs } = call.json().await?;
    let few = leafs.len() <= FEW;
    let answered = call.front.ask_about(few, move |registry| {
        let proofs = registry.prove_inclusion(log_length, &leafs)?;
        Ok::<_, ReadError>(answer::json(&InclusionResponse { log: proofs.log, map: proofs.map }))
    });
    answered.await?
}

/// `POST v1/proof/consistency`
pub(crate) async fn consistency(mut call: Call) -> Answer {
    let ConsistencyRequest { from, to } = call.json().await?;
    let proof = call.front.registry().prove_consistency(from, to)?;
    answer::json(&ConsistencyResponse { proof })
}

/// `POST v1/verify/checkpoint`
pub(crate) async fn verify(mut call: Call) -> Answer {
    let checkpoint: SignedCheckpoint = call.json().await?;
    let verified = call.front.ask(move |registry| registry.verify_checkpoint(&checkpoint));
    let (checkpoint, signature) = verified.await?;
    let outcome = |holds| if holds { Verification::Verified } else { Verification::Invalid };
    answer::json(&VerifyCheckpointResponse {
        checkpoint: outcome(checkpoint),
        signature: outcome(signature),
        retry_after: None,
    })
}
