//! A registry that lies, one lie at a time, and the client that meets it: on this machine, and as a
//! component in a WebAssembly runtime. Whatever is told, the client refuses it with the right words,
//! keeps evidence where there is some, and remembers and keeps nothing of it: as soon as the truth is
//! told again, all goes on.

#![expect(clippy::unwrap_used, reason = "tests")]

mod component;
mod kept;
mod native;

use std::collections::BTreeMap;
use std::fmt::Write;

use wargate_testkit::hostile::{
    Culprit, FaultKind, Hostile, Lie, Mode, Operation, PRESENT, Phase, Served, Stage, Verdict,
    lies, truth,
};

/// The content that is published.
const CONTENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// What a client said.
#[derive(Debug)]
struct Said {
    /// [`Error::code`](wargate_client::Error::code); `None` if it worked.
    code: Option<String>,
    message: String,
    culprit: Option<String>,
    /// Whether evidence was kept, and can be read.
    evidence: bool,
}

/// A client, wherever it runs. Each call is a process of its own that shares state and cache with the
/// others.
trait Runner: Sync {
    fn new(served: &Served) -> Self;

    /// Believes a checkpoint that another client has seen.
    fn believe(&mut self, checkpoint: String);

    async fn run(&self, operation: Operation) -> Said;

    /// All that is believed and kept, apart from evidence and from what was being done.
    fn kept(&self) -> BTreeMap<String, Vec<u8>>;

    /// Whether this client ever does this.
    fn does(operation: Operation) -> bool;
}

/// The operation before the lie.
fn before(operation: Operation) -> Operation {
    use Operation::{Discover, Follow, Get, Names, Publish, Update};
    match operation {
        Update(_) | Names => operation,
        Get(..) | Publish(_) | Discover | Follow(_) => {
            Update(&[wargate_testkit::hostile::HELLO, wargate_testkit::hostile::OTHER])
        }
    }
}

/// Tells a lie to a client, and returns what is wrong with how the client takes it.
async fn meets<R: Runner>(lie: Lie, mode: Mode) -> Result<(), String> {
    let served = Hostile::serve(lie.clone(), mode, PRESENT).await;
    let mut client = R::new(&served);
    if lie.phase == Phase::Warm {
        served.hostile.set(Stage::Before);
        let said = client.run(before(lie.operation)).await;
        if said.code.is_some() {
            return Err(format!("before the lie: {said:?}"));
        }
    }
    if lie.gossip {
        let checkpoint = served.hostile.story().true_checkpoint();
        client.believe(serde_json::to_string(&checkpoint).unwrap());
    }
    let kept = client.kept();
    served.hostile.set(Stage::Lie);
    let said = client.run(lie.operation).await;
    if !is_expected(&lie, &said)? {
        let mut now = client.kept();
        if !matches!(lie.operation, Operation::Update(_) | Operation::Names) {
            // The logs may have been true, and are believed then; what was kept of content is not.
            now.retain(|key, _| kept.contains_key(key) || key.starts_with("cache"));
            let believed = kept.keys().filter(|key| !key.starts_with("cache"));
            now.extend(believed.map(|key| (key.clone(), kept[key].clone())));
        }
        if kept != now {
            return Err(format!("{said:?}; it changed: {}", difference(&kept, &now)));
        }
    }
    served.hostile.set(Stage::After);
    if lie.gossip || matches!(lie.operation, Operation::Publish(_) | Operation::Follow(_)) {
        return Ok(());
    }
    let after = client.run(lie.operation).await;
    match after.code {
        None => Ok(()),
        Some(_) => Err(format!("{said:?}; the truth afterwards: {after:?}")),
    }
}

/// Whether what was said is what had to be said; `true` if the lie did no harm.
fn is_expected(lie: &Lie, said: &Said) -> Result<bool, String> {
    let wrong = |what: &str| Err(format!("{what}: {said:?}, expected {:?}", lie.expect));
    if said.code.is_none() && matches!(lie.operation, Operation::Get(..)) {
        // The right content, from another place. Its digest was checked.
        return Ok(true);
    }
    let expected = |verdict: &&Verdict| is_verdict(said.code.as_deref(), **verdict);
    let Some(verdict) = lie.expect.iter().find(expected) else { return wrong("it says") };
    if said.message.chars().any(char::is_control) {
        return wrong("control characters");
    }
    if said.message.chars().count() > 4_000 {
        return wrong("too many words");
    }
    if let Verdict::Misbehaviour(_) = verdict {
        let culprit = match lie.culprit {
            Culprit::Registry => "registry",
            Culprit::Server => "server",
        };
        if said.culprit.as_deref() != Some(culprit) {
            return wrong("it blames somebody else");
        }
        if !said.evidence {
            return wrong("without evidence");
        }
    }
    Ok(*verdict == Verdict::Harmless)
}

/// Whether an error's word is that of a verdict.
fn is_verdict(code: Option<&str>, verdict: Verdict) -> bool {
    match (verdict, code) {
        (Verdict::Harmless, code) => code.is_none(),
        (_, None) => false,
        (Verdict::Misbehaviour(fault), Some(code)) => code == fault_word(fault),
        (Verdict::BadAnswer, Some(code)) => code == "bad-answer" || code == "wrong-name",
        (Verdict::WrongContent, Some(code)) => code == "wrong-content",
        (Verdict::Unreachable, Some(code)) => code == "unreachable",
        (Verdict::Unavailable, Some(code)) => code == "unavailable",
        (Verdict::NotFound, Some(code)) => {
            let none = ["no-content", "no-such-release", "unknown-package", "unknown-namespace"];
            none.contains(&code) || code == "imported-namespace"
        }
        (Verdict::Rejected, Some(code)) => code == "rejected",
        (Verdict::StillWaiting, Some(code)) => code == "still-waiting",
        (Verdict::Undecided, Some(code)) => code == "undecided",
    }
}

fn fault_word(fault: FaultKind) -> &'static str {
    match fault {
        FaultKind::Rollback => "rollback",
        FaultKind::Fork => "fork",
        FaultKind::Inconsistent => "inconsistent",
        FaultKind::Stale => "stale-checkpoint",
        FaultKind::Early => "early-checkpoint",
        FaultKind::EmptyLog => "empty-log",
        FaultKind::UntrustedOperator => "untrusted-operator",
        FaultKind::CheckpointKeyUnknown
        | FaultKind::CheckpointKeyWithoutCommit
        | FaultKind::CheckpointSignature => "bad-checkpoint",
        FaultKind::Undecodable => "undecodable-record",
        FaultKind::InvalidRecord => "invalid-record",
        FaultKind::Misplaced => "misplaced-record",
        FaultKind::Unrequested => "unrequested-log",
        FaultKind::MissingLog => "missing-log",
        FaultKind::NotInLog => "not-in-log",
        FaultKind::NotInMap => "not-in-map",
    }
}

fn difference(before: &BTreeMap<String, Vec<u8>>, now: &BTreeMap<String, Vec<u8>>) -> String {
    let mut text = String::new();
    for key in before.keys().chain(now.keys().filter(|key| !before.contains_key(*key))) {
        if before.get(key) != now.get(key) {
            write!(text, "{key} ").unwrap();
        }
    }
    text
}

/// Tells all lies, and fails with all that went wrong.
async fn meets_all<R: Runner>(mode: Mode) {
    let all = lies();
    assert!(all.len() >= 60, "only {} lies", all.len());
    let (mut failures, mut told) = (String::new(), 0);
    for lie in std::iter::once(truth()).chain(all) {
        if !R::does(lie.operation) {
            continue;
        }
        let name = lie.name;
        told += 1;
        if let Err(failure) = meets::<R>(lie, mode).await {
            writeln!(failures, "{name}: {failure}").unwrap();
        }
    }
    assert!(told >= 60, "only {told} lies were told");
    assert!(failures.is_empty(), "{failures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_refuses_every_lie() {
    meets_all::<native::Native>(Mode::Transcript).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_refuses_every_lie_of_a_registry_without_transcripts() {
    meets_all::<native::Native>(Mode::Separate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_component_refuses_every_lie() {
    meets_all::<component::Guest>(Mode::Transcript).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_component_refuses_every_lie_of_a_registry_without_transcripts() {
    meets_all::<component::Guest>(Mode::Separate).await;
}
