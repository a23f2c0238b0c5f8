//! The recorded session of the reference client and server, verified from the wire: every checkpoint,
//! record and proof in it.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde::de::DeserializeOwned;
use serde_json::Value;
use wargate_api::fetch::{FetchLogsRequest, FetchLogsResponse, SignedCheckpoint};
use wargate_api::proof::{
    ConsistencyRequest, ConsistencyResponse, InclusionRequest, InclusionResponse,
};
use wargate_api::{paths, publish::PackageRecord};
use wargate_protocol::verify::{
    ConsistencyBytes, ProofBytes, Session, TrustAnchor, Unproven, Verified,
};
use wargate_protocol::{LogId, SignedEnvelope};
use wargate_testkit::vectors::{Walk, load};

fn body<T: DeserializeOwned>(exchange: &Value, side: &str) -> T {
    serde_json::from_str(exchange[side].text("text")).unwrap()
}

/// The client's side of the session, with our verifier in the reference client's place.
struct Client {
    anchor: TrustAnchor,
    known: Verified,
    checkpoint: Option<SignedCheckpoint>,
    unproven: Option<Unproven>,
    proofs: ProofBytes,
    verified: usize,
}

impl Client {
    fn checkpoint(&mut self, exchange: &Value) {
        self.settle();
        self.checkpoint = Some(body(exchange, "response_body"));
    }

    fn logs(&mut self, exchange: &Value) {
        let request: FetchLogsRequest = body(exchange, "request_body");
        let response: FetchLogsResponse = body(exchange, "response_body");
        assert!(!response.more, "the session has no pages");
        let offered = self.checkpoint.take().unwrap();
        assert_eq!(offered.contents.checkpoint.log_length, request.log_length);
        for (log, token) in &request.packages {
            if token.is_none() {
                self.known.forget(log);
            }
        }
        let wanted = request.packages.keys().copied();
        let mut session = Session::new(self.anchor.clone(), self.known.clone(), offered, wanted);
        let operator = response.operator.into_iter().map(|published| published.record);
        session.receive(LogId::operator(), operator).unwrap();
        for (log, records) in response.packages {
            session.receive(log, records.into_iter().map(|published| published.record)).unwrap();
        }
        self.unproven = Some(session.close().unwrap());
        self.proofs = ProofBytes::default();
    }

    fn inclusion(&mut self, exchange: &Value) {
        let request: InclusionRequest = body(exchange, "request_body");
        let response: InclusionResponse = body(exchange, "response_body");
        let unproven = self.unproven.as_ref().unwrap();
        assert_eq!(request.log_length, unproven.log_length());
        assert_eq!(request.leafs, unproven.leaves().collect::<Vec<_>>());
        (self.proofs.log, self.proofs.map) = (response.log, response.map);
    }

    fn consistency(&mut self, exchange: &Value) {
        let request: ConsistencyRequest = body(exchange, "request_body");
        let response: ConsistencyResponse = body(exchange, "response_body");
        let unproven = self.unproven.as_ref().unwrap();
        assert!(unproven.consistent_from().eq([request.from]));
        assert_eq!(request.to, unproven.log_length());
        let proof = ConsistencyBytes { from: request.from, proof: response.proof };
        self.proofs.consistency.push(proof);
    }

    /// What came last is complete once something else comes.
    fn settle(&mut self) {
        if let Some(unproven) = self.unproven.take() {
            self.known = unproven.prove(std::mem::take(&mut self.proofs)).unwrap();
            self.verified += 1;
        }
    }
}

#[test]
fn every_answer_of_the_recorded_session_verifies() {
    let file = load("http-cli-session");
    let keys = load("keys");
    let operator = &keys.list("keys").iter().find(|key| key.text("label") == "operator").unwrap();
    let operator_keys = vec![operator.text("key_id").into()];
    let mut client = Client {
        anchor: TrustAnchor { operator_keys, ..TrustAnchor::default() },
        known: Verified::nothing(),
        checkpoint: None,
        unproven: None,
        proofs: ProofBytes::default(),
        verified: 0,
    };
    for command in file.list("commands") {
        for exchange in command.list("exchanges") {
            let path = exchange.text("path").trim_start_matches('/');
            match (path, exchange.number("status")) {
                (paths::FETCH_CHECKPOINT, 200) => client.checkpoint(exchange),
                (paths::FETCH_LOGS, 200) => client.logs(exchange),
                (paths::PROVE_INCLUSION, 200) => client.inclusion(exchange),
                (paths::PROVE_CONSISTENCY, 200) => client.consistency(exchange),
                _ => {}
            }
        }
        client.settle();
    }
    assert_eq!(client.verified, 19);
}

#[test]
fn records_of_the_session_have_the_ids_that_the_server_gave_them() {
    let mut records = 0;
    for command in load("http-cli-session").list("commands") {
        for exchange in command.list("exchanges") {
            if exchange.number("status") != 202 {
                continue;
            }
            let request: Value = body(exchange, "request_body");
            let envelope: SignedEnvelope =
                serde_json::from_value(request["record"].clone()).unwrap();
            let answer: PackageRecord = body(exchange, "response_body");
            assert_eq!(envelope.record_id::<wargate_protocol::Package>(), answer.record_id);
            records += 1;
        }
    }
    assert_eq!(records, 14);
}
