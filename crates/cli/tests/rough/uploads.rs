//! Publishing over bad lines, and by processes that are killed.

use std::process::Stdio;
use std::sync::mpsc;

use wargate_testkit::proxy::{Fault, Seen};

use crate::files::component;
use crate::program::User;
use crate::server::{Rough, fine, log_length, run};

const BYTES: u32 = 200_000;

/// Publishes one version of a package, each with bytes of its own.
struct Publisher {
    user: User,
    url: String,
    next: u32,
}

impl Publisher {
    fn new(rough: &Rough) -> Self {
        let (user, url) = (User::new(), rough.url());
        fine(&user, &url, &["key", "new"]);
        let mut publisher = Self { user, url, next: 0 };
        let line = publisher.line();
        fine(&publisher.user, &publisher.url, &words(&line));
        publisher
    }

    /// The next version's command.
    fn line(&mut self) -> String {
        let number = self.next;
        self.next += 1;
        let path = self.user.home().join(format!("here/{number}.wasm"));
        std::fs::write(path, component(number, BYTES)).unwrap();
        format!("publish {number}.wasm --name rough:up --release 1.{number}.0")
    }

    /// How many requests publishing makes when nothing goes wrong.
    fn requests(&mut self, rough: &Rough) -> u64 {
        let (before, line) = (rough.seen().len(), self.line());
        fine(&self.user, &self.url, &words(&line));
        (rough.seen().len() - before) as u64
    }

    /// Runs the command again, on a good line: it was published once then.
    fn once(&self, line: &str, before: u64, what: &str) {
        let output = run(&self.user, &self.url, "4", &words(line));
        assert_eq!(output.code, Some(0), "{what}: {output}");
        assert_eq!(log_length(&self.user, &self.url), before + 1, "{what}: {output}");
    }
}

/// The fault, as it fits the request: a request is cut in the middle of its body.
fn fitting(fault: &Fault, seen: &Seen) -> Fault {
    let length = seen.header("content-length").and_then(|length| length.parse::<u64>().ok());
    match fault {
        Fault::CutRequest(_) => Fault::CutRequest(length.unwrap_or(0) / 2),
        other => other.clone(),
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn a_publish_whose_line_fails_at_any_request_is_run_again_and_published_once() {
    let rough = Rough::new();
    let mut publisher = Publisher::new(&rough);
    let requests = publisher.requests(&rough);
    assert!(requests > 2, "{requests}");
    for fault in [
        Fault::LoseAnswer,
        Fault::CutRequest(0),
        Fault::ResetAnswer(0),
        Fault::busy(503, "0"),
        Fault::WrongLength(10),
    ] {
        for at in 0..requests {
            let what = format!("{fault:?} from request {at} on");
            let before = log_length(&publisher.user, &publisher.url);
            let line = publisher.line();
            let (first, fault) = (rough.seen().len() as u64 + at, fault.clone());
            rough.let_happen(move |seen| {
                if seen.number >= first { fitting(&fault, seen) } else { Fault::None }
            });
            let output = run(&publisher.user, &publisher.url, "1", &words(&line));
            rough.calm();
            // Where only something unimportant failed, it may have been published.
            if output.code != Some(0) {
                assert!(matches!(output.code, Some(5 | 6)), "{what}: {output}");
                assert!(output.err.contains("hint: "), "{what}: {output}");
            }
            publisher.once(&line, before, &what);
        }
    }
}

#[test]
fn one_failure_anywhere_is_overcome_without_being_noticed() {
    let rough = Rough::new();
    let mut publisher = Publisher::new(&rough);
    let requests = publisher.requests(&rough);
    for fault in [Fault::LoseAnswer, Fault::CutRequest(0), Fault::busy(429, "0")] {
        for at in 0..requests {
            let before = log_length(&publisher.user, &publisher.url);
            let line = publisher.line();
            let (hit, fault) = (rough.seen().len() as u64 + at, fault.clone());
            rough.let_happen(
                move |seen| {
                    if seen.number == hit { fitting(&fault, seen) } else { Fault::None }
                },
            );
            fine(&publisher.user, &publisher.url, &words(&line));
            rough.calm();
            assert_eq!(log_length(&publisher.user, &publisher.url), before + 1, "request {at}");
        }
    }
}

#[test]
fn a_publish_that_is_killed_at_any_request_is_run_again_and_published_once() {
    let rough = Rough::new();
    let mut publisher = Publisher::new(&rough);
    let requests = publisher.requests(&rough);
    for lose in [true, false] {
        for at in 0..requests {
            let before = log_length(&publisher.user, &publisher.url);
            let line = publisher.line();
            let hit = rough.seen().len() as u64 + at;
            let (tell, told) = mpsc::channel();
            rough.let_happen(move |seen| {
                if seen.number < hit {
                    return Fault::None;
                }
                // The test may have heard already.
                let _ = tell.send(());
                // The server has the request, or never gets it.
                if lose { Fault::Silence } else { fitting(&Fault::CutRequest(0), seen) }
            });
            let mut child = publisher
                .user
                .command(&words(&line))
                .env("WARG_REGISTRY", &publisher.url)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            told.recv().unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            rough.calm();
            publisher.once(&line, before, &format!("killed at request {at}, lost: {lose}"));
        }
    }
}

#[test]
fn what_was_collected_stays_until_the_registry_has_it() {
    let rough = Rough::new();
    let publisher = Publisher::new(&rough);
    let (user, url) = (&publisher.user, &publisher.url);
    let submit = ["publish", "submit", "--no-wait"];
    fine(user, url, &["publish", "start", "rough:up"]);
    std::fs::write(user.home().join("here/other.wasm"), component(99, BYTES)).unwrap();
    let release = ["publish", "release", "other.wasm", "--name", "rough:up", "--version", "2.0.0"];
    fine(user, url, &release);
    for path in ["/v1/fetch/", "/record", "/content/"] {
        rough.let_happen_to(path, &[Fault::busy(503, "0")]);
        let output = run(user, url, "1", &submit);
        assert_eq!(output.code, Some(5), "{path}: {output}");
        assert!(fine(user, url, &["publish", "list"]).contains("release 2.0.0"), "{path}");
    }
    rough.calm();
    let before = log_length(user, url);
    fine(user, url, &submit);
    assert_eq!(run(user, url, "1", &["publish", "list"]).code, Some(2));
    assert_eq!(log_length(user, url), before + 1);
}
