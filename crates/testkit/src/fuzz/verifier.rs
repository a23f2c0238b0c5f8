//! The verifier over whole transcripts.

use std::sync::LazyLock;

use wargate_protocol::VersionReq;
use wargate_protocol::verify::{
    Evidence, Transcript, TrustAnchor, VerifyError, transcript as verify,
};

use super::json;
use crate::registry::Registry;

/// Transcripts in JSON, verified on first use and with an anchor; anchors; evidence.
pub fn transcript(data: &[u8]) {
    static ANCHOR: LazyLock<TrustAnchor> = LazyLock::new(|| {
        let registry = Registry::load();
        TrustAnchor { checkpoint: Some(registry.checkpoint(2)), ..registry.anchor() }
    });
    json::<TrustAnchor>(data);
    json::<Evidence>(data);
    let read = json::<Transcript>(data);
    for anchor in [&TrustAnchor::default(), &*ANCHOR] {
        match verify(data, anchor) {
            Ok(verified) => {
                let transcript = read.clone().expect("only a transcript can be verified");
                assert_eq!(verified.checkpoint(), Some(&transcript.checkpoint));
                let again = transcript.verify(anchor).expect("the verdict does not change");
                assert_eq!(again, verified);
                for package in verified.packages().values() {
                    package.state().latest(&VersionReq::ANY);
                }
            }
            Err(VerifyError::Unreadable(_)) => assert_eq!(read, None),
            Err(VerifyError::Misbehaviour(misbehaviour)) => {
                assert_eq!(misbehaviour.evidence.summary, misbehaviour.fault.to_string());
                let evidence = serde_json::to_vec(&misbehaviour.evidence).unwrap();
                assert_eq!(json(&evidence), Some(misbehaviour.evidence));
            }
        }
    }
}
