//! Somebody who keeps every checkpoint, and holds the registry to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};
use wargate_protocol::verify::{
    ConsistencyBytes, PlacedEnvelope, ProofBytes, Session, TrustAnchor, Verified,
};
use wargate_protocol::{
    Checkpoint, LogId, LogLength, Package, RecordId, RegistryIndex, SignedCheckpoint,
};
use wargate_transparency::log::LogProofBundle;

use crate::http::Client;
use crate::load::Published;

pub(crate) struct Witness {
    /// All checkpoints that were ever seen.
    seen: BTreeMap<LogLength, Checkpoint>,
    /// Lengths whose consistency with a later checkpoint was not proven yet.
    unproven: BTreeSet<LogLength>,
    newest: Option<SignedCheckpoint>,
    /// All logs, as far as they were followed.
    verified: Verified,
    /// A record may be in several logs.
    places: HashMap<(LogId, RecordId), RegistryIndex>,
    fetched: u64,
}

impl Witness {
    pub(crate) fn new() -> Self {
        Self {
            seen: BTreeMap::new(),
            unproven: BTreeSet::new(),
            newest: None,
            verified: Verified::nothing(),
            places: HashMap::new(),
            fetched: 0,
        }
    }

    /// How many checkpoints were fetched, and of how many lengths.
    pub(crate) fn count(&self) -> (u64, usize) {
        (self.fetched, self.seen.len())
    }

    /// Fetches checkpoints until the server or all who ring have gone.
    pub(crate) fn watch(&mut self, address: SocketAddr, bell: &Receiver<()>) {
        let Ok(mut client) = Client::connect(address) else { return };
        while bell.recv().is_ok() {
            // Once for all rings so far.
            while bell.try_recv().is_ok() {}
            let Ok(answer) = client.get("v1/fetch/checkpoint") else { return };
            let checkpoint = serde_json::from_value(answer.json(200)).unwrap();
            self.see(checkpoint);
        }
    }

    /// Takes note of a checkpoint. It must be signed by the operator, and the registry does not go
    /// back or say two things of one length.
    fn see(&mut self, signed: SignedCheckpoint) {
        self.fetched += 1;
        if let Some(operator) = self.verified.operator() {
            signed.clone().verify(operator.state()).unwrap();
        }
        let checkpoint = signed.contents.checkpoint;
        let length = checkpoint.log_length;
        if let Some(newest) = &self.newest {
            let before = newest.contents;
            assert!(length >= before.checkpoint.log_length, "a step back from {before:?}");
            assert!(signed.contents.timestamp_seconds >= before.timestamp_seconds, "back in time");
        }
        let known = *self.seen.entry(length).or_insert(checkpoint);
        assert_eq!(known, checkpoint, "two states of one length");
        self.unproven.insert(length);
        self.newest = Some(signed);
    }

    /// Follows all logs to the newest checkpoint and verifies everything that a client can: records,
    /// inclusion in log and map, and the consistency with every checkpoint that was seen since the
    /// last time. What was published must be there.
    pub(crate) fn follow<'a>(
        &mut self,
        client: &mut Client,
        published: impl Iterator<Item = &'a Published> + Clone,
    ) {
        let offered = client.get("v1/fetch/checkpoint").unwrap().json(200);
        let offered: SignedCheckpoint = serde_json::from_value(offered).unwrap();
        self.see(offered.clone());
        let logs: BTreeSet<LogId> = published.clone().map(|published| published.log).collect();
        let known = self.verified.clone();
        let mut session =
            Session::new(TrustAnchor::default(), known, offered.clone(), logs.iter().copied());
        self.fetch(client, &offered, &logs, &mut session);
        let unproven = session.close().unwrap();
        let length = unproven.log_length();
        let leaves: Vec<_> = unproven.leaves().collect();
        let request = json!({ "logLength": length, "leafs": leaves });
        let mut proofs: ProofBytes =
            serde_json::from_value(client.post("v1/proof/inclusion", &request).unwrap().json(200))
                .unwrap();
        for from in unproven.consistent_from() {
            proofs.consistency.push(consistency(client, from, length));
        }
        self.verified = unproven.prove(proofs).unwrap();
        for published in published {
            let place = self.places.get(&(published.log, published.record));
            assert_eq!(place, Some(&published.index), "{published:?}");
        }
        let newest = offered.contents.checkpoint;
        for from in std::mem::take(&mut self.unproven) {
            check_consistency(client, &self.seen[&from], &newest);
        }
    }

    /// Once more, all checkpoints that were ever seen, and all records without what is known.
    pub(crate) fn follow_from_the_start<'a>(
        &mut self,
        client: &mut Client,
        published: impl Iterator<Item = &'a Published> + Clone,
    ) {
        self.verified = Verified::nothing();
        self.places.clear();
        self.unproven = self.seen.keys().copied().collect();
        self.follow(client, published);
    }

    /// Fetches what is new in the logs.
    fn fetch(
        &mut self,
        client: &mut Client,
        offered: &SignedCheckpoint,
        logs: &BTreeSet<LogId>,
        session: &mut Session,
    ) {
        let head = |head: Option<RecordId>| head.map_or(Value::Null, |head| json!(head));
        let operator = self.verified.operator().and_then(|log| log.state().head());
        let mut operator = head(operator.map(|head| head.record_id));
        let mut tokens: BTreeMap<String, Value> = logs
            .iter()
            .map(|log| {
                let known = self.verified.package(log).and_then(|log| log.state().head());
                (log.to_string(), head(known.map(|head| head.record_id)))
            })
            .collect();
        loop {
            let length = offered.contents.checkpoint.log_length;
            let mut request = json!({ "logLength": length, "limit": 1000, "packages": tokens });
            if !operator.is_null() {
                request["operator"] = operator.clone();
            }
            let page = client.post("v1/fetch/logs", &request).unwrap().json(200);
            if let Some(token) = self.take(session, LogId::operator(), &page["operator"]) {
                operator = token;
            }
            for log in logs {
                let text = log.to_string();
                if let Some(token) = self.take(session, *log, &page["packages"][&text]) {
                    tokens.insert(text, token);
                }
            }
            if page["more"] == false {
                return;
            }
        }
    }

    /// Takes some records of one log. Returns the token of the last.
    fn take(&mut self, session: &mut Session, log: LogId, records: &Value) -> Option<Value> {
        let list = records.as_array()?;
        let records: Vec<PlacedEnvelope> = serde_json::from_value(records.clone()).unwrap();
        for record in &records {
            let id = record.envelope.record_id::<Package>();
            self.places.insert((log, id), record.registry_index);
        }
        session.receive(log, records).unwrap();
        list.last().map(|last| last["fetchToken"].clone())
    }
}

fn consistency(client: &mut Client, from: LogLength, to: LogLength) -> ConsistencyBytes {
    let request = json!({ "from": from, "to": to });
    let mut answer = client.post("v1/proof/consistency", &request).unwrap().json(200);
    answer["from"] = json!(from);
    serde_json::from_value(answer).unwrap()
}

fn check_consistency(client: &mut Client, seen: &Checkpoint, newest: &Checkpoint) {
    if seen.log_length == newest.log_length {
        assert_eq!(seen, newest);
        return;
    }
    let proof = consistency(client, seen.log_length, newest.log_length).proof;
    let bundle = LogProofBundle::decode(&proof).unwrap();
    let length = |length: LogLength| length.get().try_into().unwrap();
    let (from, to) = (length(seen.log_length), length(newest.log_length));
    bundle.verify_consistency(from, &seen.log_root, to, &newest.log_root).unwrap();
}
