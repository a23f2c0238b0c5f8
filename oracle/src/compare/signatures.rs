//! Signatures and checkpoints.

use std::rc::Rc;

use warg_crypto::{Encode, Signable};
use warg_protocol::{SerdeEnvelope, operator, registry};
use wargate_crypto::Digest;
use wargate_oracle::keys::KeyPair;
use wargate_oracle::random::Random;
use wargate_oracle::records::{self, Twin};
use wargate_protocol::{
    Checkpoint, Envelope, LogLength, Operator, OperatorEntry, OperatorRecord, OperatorState,
    SignedCheckpoint, Timestamp, TimestampedCheckpoint,
};

use crate::measure::{Row, Side};
use crate::sizes::{INPUTS, MESSAGE_BYTES};

pub(crate) fn rows() -> Vec<Row> {
    let random = Random::new(0);
    let pair = Rc::new(KeyPair::random(&random));
    vec![signing(&random, &pair), verification(&random, &pair), checkpoint(&random, &pair)]
}

fn signing(random: &Random, pair: &Rc<KeyPair>) -> Row {
    let messages = messages(random);
    let (our_pair, our_messages) = (Rc::clone(pair), Rc::clone(&messages));
    let their_pair = Rc::clone(pair);
    Row {
        name: "sign".to_owned(),
        measures: "an ECDSA P-256 signature (RFC 6979) over 256 bytes",
        ours: Side::repeated(move |at| our_pair.ours.sign(&[&our_messages[at % INPUTS]])),
        theirs: Side::repeated(move |at| their_pair.theirs.sign(&messages[at % INPUTS])),
    }
}

fn verification(random: &Random, pair: &Rc<KeyPair>) -> Row {
    let messages = messages(random);
    let our_signatures: Vec<_> =
        messages.iter().map(|message| pair.ours.sign(&[message])).collect();
    let their_signatures: Vec<_> =
        messages.iter().map(|message| pair.theirs.sign(message).unwrap()).collect();
    let (our_key, our_messages) = (pair.our_public(), Rc::clone(&messages));
    let their_key = pair.their_public();
    Row {
        name: "verify a signature".to_owned(),
        measures: "an ECDSA P-256 signature over 256 bytes; key and signature are parsed before",
        ours: Side::repeated(move |at| {
            our_key.verify(&[&our_messages[at % INPUTS]], &our_signatures[at % INPUTS]).unwrap();
        }),
        theirs: Side::repeated(move |at| {
            their_key.verify(&messages[at % INPUTS], &their_signatures[at % INPUTS]).unwrap();
        }),
    }
}

fn checkpoint(random: &Random, pair: &KeyPair) -> Row {
    let entries = vec![OperatorEntry::init(pair.our_public())];
    let record = OperatorRecord::new(None, Timestamp::from_seconds(1), entries);
    let envelope = Envelope::sign(&record, &pair.ours).unwrap();
    let their_envelope = records::envelope::<Operator>(envelope.signed()).unwrap();
    let mut our_state = OperatorState::new();
    our_state.append(&envelope).unwrap();
    let their_state = Operator::validate(operator::LogState::new(), &their_envelope).unwrap();

    let contents = |at: usize| TimestampedCheckpoint {
        checkpoint: Checkpoint {
            log_root: Digest::from_bytes(random.array()),
            log_length: LogLength::new(100_000 + at as u64),
            map_root: Digest::from_bytes(random.array()),
        },
        timestamp_seconds: 1_700_000_000,
    };
    let ours: Vec<_> =
        (0..INPUTS).map(|at| SignedCheckpoint::sign(contents(at), &pair.ours)).collect();
    let theirs: Vec<SerdeEnvelope<registry::TimestampedCheckpoint>> = ours
        .iter()
        .map(|ours| serde_json::from_value(serde_json::to_value(ours).unwrap()).unwrap())
        .collect();
    Row {
        name: "verify a checkpoint".to_owned(),
        measures: "a parsed checkpoint against the state of the operator log: key, encoding, \
                   signature; ours also the permission",
        ours: Side::repeated(move |at| ours[at % INPUTS].clone().verify(&our_state).unwrap()),
        theirs: Side::repeated(move |at| {
            let checkpoint = &theirs[at % INPUTS];
            let key = their_state.public_key(checkpoint.key_id()).unwrap();
            let encoding = checkpoint.as_ref().encode();
            let signature = checkpoint.signature();
            registry::TimestampedCheckpoint::verify(key, &encoding, signature).unwrap();
        }),
    }
}

fn messages(random: &Random) -> Rc<Vec<Vec<u8>>> {
    Rc::new((0..INPUTS).map(|_| random.bytes(MESSAGE_BYTES)).collect())
}
