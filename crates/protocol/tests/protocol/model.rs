//! Random logs against a second, naive state machine that is written from the specification's text
//! over plain sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wargate_crypto::{Digest, PrivateKey};
use wargate_protocol::state::{Overlay, Prefetched, validate};
use wargate_protocol::{
    Entry, Envelope, LogKind, LogState, NamespaceState, Operator, Package, Permission, Record,
    RecordId, Release, SignedEnvelope, Timestamp, Version,
};

use crate::keys::private_key;

const KEYS: [&str; 3] = ["operator", "alice", "bob"];

/// An entry in small numbers: keys, permissions and items by position.
#[derive(Clone, Debug)]
enum Word {
    Init(usize),
    Grant(usize, Vec<usize>),
    Revoke(usize, Vec<usize>),
    /// The first or second action of the kind, on an item.
    Act(usize, usize),
}

/// A record in small numbers.
#[derive(Clone, Debug)]
struct Sentence {
    signer: usize,
    prev: Prev,
    version: u32,
    later_by: i64,
    forged: bool,
    words: Vec<Word>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Prev {
    Head,
    Absent,
    Other,
}

/// A kind of log, spelled out for the model.
trait Spell: LogKind {
    const PACKAGE: bool;
    fn action(action: usize, item: usize) -> Entry<Self>;
    fn item(item: &Self::Item) -> usize;
    fn status(state: &Self::ItemState) -> &'static str;
}

impl Spell for Package {
    const PACKAGE: bool = true;

    fn action(action: usize, item: usize) -> Entry<Self> {
        let version = Version::new(item as u64, 0, 0);
        match action {
            0 => Entry::release(version, Digest::of(b"content")),
            _ => Entry::yank(version),
        }
    }

    fn item(version: &Version) -> usize {
        usize::try_from(version.as_semver().major).unwrap()
    }

    fn status(release: &Release) -> &'static str {
        if release.is_yanked() { "yanked" } else { "released" }
    }
}

const NAMESPACES: [&str; 3] = ["zero", "one-more", "no namespace"];

impl Spell for Operator {
    const PACKAGE: bool = false;

    fn action(action: usize, item: usize) -> Entry<Self> {
        match action {
            0 => Entry::<Operator>::define_namespace(NAMESPACES[item]),
            _ => Entry::import_namespace(NAMESPACES[item], "elsewhere"),
        }
    }

    fn item(namespace: &Self::Item) -> usize {
        NAMESPACES.iter().position(|text| *text == namespace.as_str()).unwrap()
    }

    fn status(state: &NamespaceState) -> &'static str {
        match state {
            NamespaceState::Defined => "defined",
            NamespaceState::Imported { .. } => "imported",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    package: bool,
    begun: bool,
    time: i64,
    known: BTreeSet<usize>,
    held: BTreeSet<(usize, usize)>,
    items: BTreeMap<usize, &'static str>,
}

type Verdict<T> = Result<T, &'static str>;

impl Model {
    fn read(&self, sentence: &Sentence) -> Verdict<Self> {
        let mut next = self.clone();
        match sentence.prev {
            Prev::Head | Prev::Other if !self.begun => return Err("PreviousHashOnFirstRecord"),
            Prev::Absent if self.begun => return Err("NoPreviousHashAfterInit"),
            Prev::Other => return Err("RecordHashDoesNotMatch"),
            _ => {}
        }
        if sentence.version != 0 {
            return Err("ProtocolVersionNotAllowed");
        }
        if self.begun && sentence.later_by < 0 {
            return Err("TimestampLowerThanPrevious");
        }
        next.time = self.time + sentence.later_by;
        for word in &sentence.words {
            next.read_word(word, sentence.signer)?;
        }
        if !next.begun {
            return Err("InitialRecordDoesNotInit");
        }
        if !next.known.contains(&sentence.signer) {
            return Err("KeyIDNotRecognized");
        }
        if sentence.forged {
            return Err("SignatureError");
        }
        Ok(next)
    }

    fn read_word(&mut self, word: &Word, signer: usize) -> Verdict<()> {
        let blanket = match word {
            Word::Init(_) => vec![],
            Word::Act(action, _) if self.package => vec![*action],
            Word::Act(action, _) => vec![action + 1],
            _ if self.package => vec![],
            _ => vec![0],
        };
        self.must_hold(signer, &blanket)?;
        if let Word::Init(key) = word {
            return self.begin(*key, signer);
        }
        if !self.begun {
            return Err("FirstEntryIsNotInit");
        }
        match word {
            Word::Init(_) => {}
            Word::Grant(key, permissions) => {
                self.must_hold(signer, permissions)?;
                self.known.insert(*key);
                self.held.extend(permissions.iter().map(|permission| (*key, *permission)));
            }
            Word::Revoke(key, permissions) => {
                self.must_hold(signer, permissions)?;
                for permission in permissions {
                    if !self.held.remove(&(*key, *permission)) {
                        return Err("PermissionNotFoundToRevoke");
                    }
                }
            }
            Word::Act(action, item) => self.act(*action, *item)?,
        }
        Ok(())
    }

    fn begin(&mut self, key: usize, signer: usize) -> Verdict<()> {
        if self.begun {
            return Err("InitialEntryAfterBeginning");
        }
        if self.package && key != signer {
            return Err("KeyIDNotRecognized");
        }
        self.begun = true;
        self.known.insert(key);
        self.held.extend((0..if self.package { 2 } else { 3 }).map(|all| (signer, all)));
        Ok(())
    }

    fn act(&mut self, action: usize, item: usize) -> Verdict<()> {
        let status = match (self.package, action, self.items.get(&item).copied()) {
            (true, 0, None) => "released",
            (true, 0, Some(_)) => return Err("ReleaseOfReleased"),
            (true, _, None) => return Err("YankOfUnreleased"),
            (true, _, Some("yanked")) => return Err("YankOfYanked"),
            (true, _, Some(_)) => "yanked",
            (false, ..) if item == 2 => return Err("InvalidNamespace"),
            (false, _, Some(_)) => return Err("NamespaceAlreadyDefined"),
            (false, 0, None) => "defined",
            (false, _, None) => "imported",
        };
        self.items.insert(item, status);
        Ok(())
    }

    fn must_hold(&self, key: usize, permissions: &[usize]) -> Verdict<()> {
        let holds_all =
            permissions.iter().all(|permission| self.held.contains(&(key, *permission)));
        if holds_all { Ok(()) } else { Err("UnauthorizedAction") }
    }
}

fn spell_out<K: Spell>(
    sentence: &Sentence,
    keys: &[PrivateKey],
    state: &LogState<K>,
) -> Envelope<K> {
    let permissions = |positions: &[usize]| -> Vec<K::Permission> {
        positions.iter().map(|position| K::Permission::ALL[*position]).collect()
    };
    let entries = sentence.words.iter().map(|word| match word {
        Word::Init(key) => Entry::init(keys[*key].public_key()),
        Word::Grant(key, held) => Entry::grant(keys[*key].public_key(), permissions(held)),
        Word::Revoke(key, held) => Entry::revoke(keys[*key].public_key().id(), permissions(held)),
        Word::Act(action, item) => K::action(*action, *item),
    });
    let other = RecordId::from_digest(Digest::of(b"another record"));
    let head = state.head();
    let prev = match sentence.prev {
        Prev::Head => Some(head.map_or(other, |head| head.record_id)),
        Prev::Absent => None,
        Prev::Other => Some(other),
    };
    let seconds = head.map_or(0, |head| head.timestamp.seconds()) + sentence.later_by;
    let timestamp = Timestamp::from_seconds(seconds);
    let record =
        Record { version: sentence.version, ..Record::new(prev, timestamp, entries.collect()) };

    let signer = &keys[sentence.signer];
    let envelope = Envelope::sign(&record, signer).unwrap();
    if !sentence.forged {
        return envelope;
    }
    let signature = signer.sign(&[b"something else"]);
    let content = envelope.into_signed().content_bytes().to_vec();
    Envelope::decode(SignedEnvelope::new(content, signer.public_key().id(), signature)).unwrap()
}

/// What the model would say about a state.
fn summary<K: Spell>(state: &LogState<K>, keys: &[PrivateKey]) -> Model {
    let ids: Vec<_> = keys.iter().map(|key| key.public_key().id()).collect();
    let position = |id| ids.iter().position(|known| known == id).unwrap();
    let held = state.permissions().iter().flat_map(|(id, held)| {
        held.iter().map(move |permission| (position(id), usize::from(permission.number()) - 1))
    });
    Model {
        package: K::PACKAGE,
        begun: state.head().is_some(),
        time: state.head().map_or(0, |head| head.timestamp.seconds()),
        known: state.keys().keys().map(position).collect(),
        held: held.collect(),
        items: state.items().iter().map(|(item, is)| (K::item(item), K::status(is))).collect(),
    }
}

/// A view of what the record says it reads.
fn prefetched<K: LogKind>(envelope: &Envelope<K>, state: &LogState<K>) -> Prefetched<K> {
    let reads = envelope.reads();
    let mut view = Prefetched::new(reads.clone(), state.head());
    for key in reads.keys.iter().filter_map(|id| state.keys().get(id)) {
        view.insert_key(key.clone());
    }
    for id in reads.permissions {
        let held = state.permissions().get(&id).copied().unwrap_or_default();
        view.insert_permissions(id, held);
    }
    for item in reads.items {
        if let Some(found) = state.items().get(&item) {
            view.insert_item(item, found.clone());
        }
    }
    view
}

fn check<K: Spell>(sentences: &[Sentence]) {
    let keys = KEYS.map(private_key);
    let mut model = Model { package: K::PACKAGE, ..Model::default() };
    let mut state = LogState::<K>::new();
    let empty = LogState::<K>::new();
    let mut overlay = Overlay::new(&empty);
    for sentence in sentences {
        let envelope = spell_out(sentence, &keys, &state);
        let delta = validate(&envelope, &state);
        assert_eq!(validate(&envelope, &overlay), delta, "{sentence:?}");
        let from_reads = validate(&envelope, &prefetched(&envelope, &state));
        match (delta, model.read(sentence)) {
            (Ok(delta), Ok(next)) => {
                assert_eq!(from_reads.as_ref(), Ok(&delta));
                overlay.push(delta.clone()).unwrap().unwrap();
                state.apply(delta).unwrap();
                model = next;
            }
            (Err(error), Err(kind)) => {
                assert_eq!(from_reads.unwrap_err().to_string(), error.to_string());
                assert_eq!(wargate_protocol::InvalidRecord::from(error).kind(), kind);
            }
            (ours, theirs) => panic!("{ours:?} {theirs:?} {sentence:?}"),
        }
        assert_eq!(summary(&state, &keys), model);
    }
    let json = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<LogState<K>>(&json).unwrap(), state);
}

fn word(permissions: usize) -> impl Strategy<Value = Word> {
    let key = || 0..KEYS.len();
    let list = move || prop::collection::vec(0..permissions, 0..3);
    prop_oneof![
        1 => key().prop_map(Word::Init),
        3 => (key(), list()).prop_map(|(key, held)| Word::Grant(key, held)),
        2 => (key(), list()).prop_map(|(key, held)| Word::Revoke(key, held)),
        4 => (0..2_usize, 0..3_usize).prop_map(|(action, item)| Word::Act(action, item)),
    ]
}

fn log(permissions: usize) -> impl Strategy<Value = Vec<Sentence>> {
    let prev = prop_oneof![18 => Just(Prev::Head), 1 => Just(Prev::Absent), 1 => Just(Prev::Other)];
    let version = prop_oneof![19 => Just(0), 1 => Just(1)];
    let later_by = prop_oneof![9 => 0..3_i64, 1 => Just(-1)];
    let forged = prop::bool::weighted(0.05);
    let signer = prop_oneof![3 => Just(0), 2 => 0..KEYS.len()];
    let words = prop::collection::vec(word(permissions), 0..4);
    let sentence = (signer, prev, version, later_by, forged, words).prop_map(
        |(signer, prev, version, later_by, forged, words)| Sentence {
            signer,
            prev,
            version,
            later_by,
            forged,
            words,
        },
    );
    // Most logs begin well, or nearly all of them would never begin.
    let begin = prop::option::weighted(0.9, 0..KEYS.len());
    (begin, prop::collection::vec(sentence, 1..16)).prop_map(|(begin, mut sentences)| {
        if let Some(key) = begin {
            let first = &mut sentences[0];
            (first.signer, first.prev, first.version) = (0, Prev::Absent, 0);
            first.words.insert(0, Word::Init(usize::from(key == 2)));
        }
        sentences
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn package_logs_behave_as_the_model(sentences in log(2)) {
        check::<Package>(&sentences);
    }

    #[test]
    fn operator_logs_behave_as_the_model(sentences in log(3)) {
        check::<Operator>(&sentences);
    }
}
