//! The verifier as a component: `wargate_protocol::verify` behind `wit/verifier.wit`.

mod bindings {
    #![expect(clippy::pedantic, reason = "generated")]
    wit_bindgen::generate!({ path: "wit", world: "verifier" });

    use super::Component;
    export!(Component);
}

use wargate_protocol::verify::{self, Transcript, TrustAnchor, VerifyError};
use wargate_protocol::{LogId, PackageName, PackageState, ReleaseState};

use bindings::exports::wargate::verifier::verification::{
    Culprit, Guest, Misbehaviour, PackageLog, Refusal, Release, Verified,
};

struct Component;

impl Guest for Component {
    fn verify(transcript: Vec<u8>, anchor: Vec<u8>) -> Result<Verified, Refusal> {
        let anchor: TrustAnchor = serde_json::from_slice(&anchor)
            .map_err(|error| Refusal::Unreadable(format!("the trust anchor: {error}")))?;
        let transcript = Transcript::from_json(&transcript).map_err(refusal)?;
        let names: Vec<_> = transcript.packages.iter().map(|log| log.name.clone()).collect();
        let verified = transcript.verify(&anchor).map_err(VerifyError::from).map_err(refusal)?;
        present(&names, &verified)
            .ok_or_else(|| Refusal::Unreadable("the transcript holds no registry".into()))
    }
}

fn present(names: &[PackageName], verified: &verify::Verified) -> Option<Verified> {
    let contents = verified.checkpoint()?.contents;
    let packages = names.iter().map(|name| {
        let log = verified.package(&LogId::package(name))?;
        Some(PackageLog { name: name.to_string(), releases: releases(log.state()) })
    });
    Some(Verified {
        operator_key: verified.operator_key()?.to_string(),
        log_length: contents.checkpoint.log_length.get(),
        log_root: contents.checkpoint.log_root.to_string(),
        map_root: contents.checkpoint.map_root.to_string(),
        signed_at: contents.timestamp_seconds,
        packages: packages.collect::<Option<_>>()?,
    })
}

fn releases(log: &PackageState) -> Vec<Release> {
    let release = |release: &wargate_protocol::Release| Release {
        version: release.version.to_string(),
        content: match &release.state {
            ReleaseState::Released { content } => Some(content.to_string()),
            ReleaseState::Yanked { .. } => None,
        },
    };
    log.releases().map(release).collect()
}

fn refusal(error: VerifyError) -> Refusal {
    let misbehaviour = match error {
        VerifyError::Unreadable(reason) => return Refusal::Unreadable(reason),
        VerifyError::Misbehaviour(misbehaviour) => misbehaviour,
    };
    let culprit = match misbehaviour.culprit {
        verify::Culprit::Registry { key_id } => Culprit::Registry(key_id.to_string()),
        verify::Culprit::Server => Culprit::Server,
    };
    let evidence = serde_json::to_string(&misbehaviour.evidence).unwrap_or_default();
    Refusal::Misbehaviour(Misbehaviour { culprit, fault: misbehaviour.fault.to_string(), evidence })
}
