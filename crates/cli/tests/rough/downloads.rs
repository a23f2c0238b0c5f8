//! Downloads over bad lines.

use wargate_testkit::proxy::Fault;

use crate::files::{below, component};
use crate::program::User;
use crate::server::{Rough, fine, run};

const BYTES: u32 = 400_000;

/// A user who knows the registry, and what is to be fetched. Nothing of it is in the cache.
fn prepared(rough: &Rough) -> (User, Vec<u8>) {
    let (publisher, url) = (User::new(), rough.url());
    let bytes = component(1, BYTES);
    std::fs::write(publisher.home().join("here/a.wasm"), &bytes).unwrap();
    fine(&publisher, &url, &["key", "new"]);
    fine(&publisher, &url, &["publish", "a.wasm", "--name", "rough:line", "--release", "1.0.0"]);
    let user = User::new();
    fine(&user, &url, &["update", "rough:line"]);
    (user, bytes)
}

#[test]
fn a_download_goes_on_where_the_line_was_cut() {
    let rough = Rough::new();
    let (user, bytes) = prepared(&rough);
    let path = user.home().join("here/out.wasm");
    for (faults, resumes) in [
        (vec![Fault::CutAnswer(100_000), Fault::None], true),
        (vec![Fault::ResetAnswer(150_000), Fault::CutAnswer(100_000), Fault::None], true),
        (vec![Fault::WrongLength(1000), Fault::None], false),
        (vec![Fault::busy(429, "0"), Fault::busy(503, "1"), Fault::None], false),
        (vec![Fault::LoseAnswer, Fault::CutAnswer(0), Fault::None], false),
    ] {
        fine(&user, &rough.url(), &["clear"]);
        let _ = std::fs::remove_file(&path);
        let before = rough.seen().len();
        rough.let_happen_to("/content/sha256-", &faults);
        fine(&user, &rough.url(), &["get", "rough:line", "-o", "out.wasm"]);
        assert!(std::fs::read(&path).unwrap() == bytes, "{faults:?}");
        let ranges = rough.seen().split_off(before);
        let ranges = ranges.iter().filter(|seen| seen.header("range").is_some()).count();
        assert!(!resumes || ranges > 0, "{faults:?}: {ranges} ranges were asked for");
        rough.calm();
    }
}

#[test]
fn a_download_that_fails_says_why_and_leaves_the_file_that_was_there() {
    let rough = Rough::new();
    let (user, bytes) = prepared(&rough);
    let here = user.home().join("here");
    for fault in [
        Fault::CutAnswer(0),
        Fault::ResetAnswer(1000),
        Fault::busy(429, "0"),
        Fault::busy(503, "0"),
        Fault::WrongLength(10),
        Fault::WrongLength(-10),
        Fault::LoseAnswer,
    ] {
        for there in [false, true] {
            fine(&user, &rough.url(), &["clear"]);
            let _ = std::fs::remove_file(here.join("out.wasm"));
            if there {
                user.write("here/out.wasm", "mine");
            }
            rough.let_happen_to("/content/sha256-", std::slice::from_ref(&fault));
            let output = run(&user, &rough.url(), "2", &["get", "rough:line", "-o", "out.wasm"]);
            rough.calm();
            // Some of these a client can get around, but then with all bytes.
            let file = std::fs::read(here.join("out.wasm")).ok();
            if output.code == Some(0) {
                assert!(file.is_some_and(|file| file == bytes), "{fault:?}: {output}");
                continue;
            }
            assert!(matches!(output.code, Some(5 | 6)), "{fault:?}: {output}");
            assert!(output.err.contains("error: ") && output.err.contains("hint: "), "{output}");
            assert_eq!(file.as_deref(), there.then_some(b"mine".as_slice()), "{fault:?}: {output}");
            let left = below(&here);
            assert_eq!(left.len(), usize::from(there), "{fault:?}: {left:?}");
            // Once the line is good, the same command does it.
            fine(&user, &rough.url(), &["get", "rough:line", "-o", "out.wasm"]);
            assert!(std::fs::read(here.join("out.wasm")).unwrap() == bytes, "{fault:?}");
        }
    }
}

#[test]
fn what_is_known_of_a_registry_survives_a_bad_line() {
    let rough = Rough::new();
    let (user, _) = prepared(&rough);
    for fault in [
        Fault::CutAnswer(20),
        Fault::ResetAnswer(0),
        Fault::busy(429, "0"),
        Fault::busy(503, "0"),
        Fault::WrongLength(10),
        Fault::WrongLength(-10),
        Fault::LoseAnswer,
        Fault::Compressed,
    ] {
        rough.let_happen_to("/v1/fetch/", std::slice::from_ref(&fault));
        let output = run(&user, &rough.url(), "2", &["update", "rough:line"]);
        assert!(matches!(output.code, Some(5 | 6)), "{fault:?}: {output}");
        assert!(output.err.contains("hint: "), "{fault:?}: {output}");
        // What is known is known, and needs no line.
        assert!(fine(&user, &rough.url(), &["show", "rough:line", "--offline"]).contains("1.0.0"));
        rough.calm();
        fine(&user, &rough.url(), &["update", "rough:line"]);
    }
}
