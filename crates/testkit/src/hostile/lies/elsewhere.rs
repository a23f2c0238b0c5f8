//! Where else something is said to be: hints, discovery, and names.

use bytes::Bytes;
use serde_json::{Value, json};

use super::transport::gzip_bomb;
use crate::hostile::lie::{Lie, Operation, Verdict};
use crate::hostile::reply::{Part, Reply, ReplyBody};
use crate::hostile::story::{ELSEWHERE, HELLO, log};

pub(super) fn lies() -> Vec<Lie> {
    [hints(), hint_targets(), discovery(), documents(), names()].into_iter().flatten().collect()
}

/// The package is not here, whatever is said of where it may be.
const NOT_HERE: &[Verdict] = &[
    Verdict::NotFound,
    Verdict::BadAnswer,
    Verdict::Undecided,
    Verdict::Unreachable,
    Verdict::Unavailable,
];

fn follow(name: &'static str, about: &'static str) -> Lie {
    Lie::new(name, about).cold().when(Operation::Follow(ELSEWHERE))
}

fn hint(it: &mut Reply, hint: &str) {
    if it.status == 404 {
        it.set("warg-registry-hint", hint);
    }
}

fn hints() -> Vec<Lie> {
    vec![
        follow("hint-with-a-path", "The registry of the namespace is a path.")
            .reply(Part::Logs, |_, _, it| hint(it, "elsewhere=../../../../tmp/owned"))
            .expect(NOT_HERE),
        follow("hint-with-an-absolute-path", "The registry of the namespace is a file.")
            .reply(Part::Logs, |_, _, it| hint(it, "elsewhere=/etc/passwd"))
            .expect(NOT_HERE),
        follow("hint-of-a-path", "The namespace of the hint is a path.")
            .reply(Part::Logs, |_, _, it| hint(it, "../../../../tmp/owned=other.example"))
            .expect(NOT_HERE),
        follow("hint-of-another-namespace", "The hint is about a namespace that nobody asked for.")
            .reply(Part::Logs, |_, _, it| hint(it, "test=other.example"))
            .expect(NOT_HERE),
        follow("hint-without-a-registry", "The hint names nothing.")
            .reply(Part::Logs, |_, _, it| hint(it, "elsewhere="))
            .expect(NOT_HERE),
        follow("hint-of-other-bytes", "The hint is no text.")
            .reply(Part::Logs, |_, _, it| hint(it, "elsewhere=\u{e9}\u{202e}\u{85}.example"))
            .expect(NOT_HERE),
        follow("hint-huge", "The hint has 100 kB.")
            .reply(Part::Logs, |_, _, it| {
                hint(it, &format!("elsewhere={}.example", "a".repeat(100 << 10)));
            })
            .expect(NOT_HERE),
    ]
}

fn hint_targets() -> Vec<Lie> {
    vec![
        follow("hint-with-a-url", "The registry of the namespace is a URL without TLS.")
            .reply(Part::Logs, |_, _, it| hint(it, "elsewhere=http://registry.invalid/x?y#z"))
            .expect(NOT_HERE),
        follow("hint-with-a-password", "The registry of the namespace has a password in it.")
            .reply(Part::Logs, |_, _, it| hint(it, "elsewhere=root:secret@registry.invalid"))
            .expect(NOT_HERE),
        follow("hint-to-metadata", "The registry of the namespace is a cloud's own.")
            .reply(Part::Logs, |_, _, it| hint(it, "elsewhere=169.254.169.254"))
            .expect(NOT_HERE),
        follow("hint-to-itself", "The registry of the namespace is this one.")
            .reply(Part::Logs, |scene, _, it| {
                let host = scene.story.url.trim_start_matches("http://").trim_end_matches('/');
                hint(it, &format!("elsewhere={host}"));
            })
            .expect(NOT_HERE),
        follow("hint-to-itself-by-name", "The registry of the namespace is this one's other name.")
            .reply(Part::Logs, |scene, _, it| {
                let port = scene.story.url.trim_end_matches('/').rsplit(':').next().unwrap();
                hint(it, &format!("elsewhere=localhost:{port}"));
            })
            .expect(NOT_HERE),
    ]
}

fn discover(name: &'static str, about: &'static str) -> Lie {
    Lie::new(name, about).cold().when(Operation::Discover)
}

fn document(it: &mut Reply, document: &Value) {
    *it = Reply::json(document);
}

fn discovery() -> Vec<Lie> {
    const REFUSED: &[Verdict] = &[
        Verdict::BadAnswer,
        Verdict::Undecided,
        Verdict::Unreachable,
        Verdict::Unavailable,
        Verdict::NotFound,
    ];
    vec![
        discover("discovery-without-tls", "The API is on another host, without TLS.")
            .reply(Part::Discovery, |_, _, it| {
                document(it, &json!({ "wargUrl": "http://registry.invalid/" }));
            })
            .expect(REFUSED),
        discover("discovery-of-a-file", "The API is a file.")
            .reply(Part::Discovery, |_, _, it| {
                document(it, &json!({ "warg": { "url": "file:///etc/" } }));
            })
            .expect(REFUSED),
        discover("discovery-of-a-script", "The API is a script.")
            .reply(Part::Discovery, |_, _, it| {
                document(it, &json!({ "warg": { "url": "javascript:alert(1)//" } }));
            })
            .expect(REFUSED),
        discover("discovery-of-metadata", "The API is where a cloud has its secrets.")
            .reply(Part::Discovery, |_, _, it| {
                document(it, &json!({ "warg": { "url": "http://169.254.169.254/latest/" } }));
            })
            .expect(REFUSED),
        discover("discovery-with-a-password", "The API's URL has a password in it.")
            .reply(Part::Discovery, |_, _, it| {
                document(it, &json!({ "wargUrl": "https://root:secret@registry.invalid/" }));
            })
            .expect(REFUSED),
        discover("discovery-of-no-url", "The API is nowhere.")
            .reply(Part::Discovery, |_, _, it| {
                document(it, &json!({ "warg": { "url": "\u{1b}[2J:: no" } }));
            })
            .expect(REFUSED),
    ]
}

fn documents() -> Vec<Lie> {
    // A registry without a document is found where it is said to be, and so is this one.
    const UNREADABLE: &[Verdict] = &[Verdict::BadAnswer, Verdict::Harmless];
    vec![
        discover("discovery-as-html", "A page of a portal comes, with status 200.")
            .reply(Part::Discovery, |_, _, it| {
                *it = Reply::text(200, "text/html", "<html>Log in</html>");
            })
            .expect(UNREADABLE),
        discover("discovery-is-a-list", "The document is a list.")
            .reply(Part::Discovery, |_, _, it| document(it, &json!([1, 2, 3])))
            .expect(UNREADABLE),
        discover("discovery-endless", "The document does not end.")
            .reply(Part::Discovery, |_, _, it| {
                let again = Bytes::from(vec![b' '; 64 << 10]);
                it.body = ReplyBody::Endless(Bytes::from_static(b"{"), again);
            })
            .expect(UNREADABLE),
        discover("discovery-compressed-bomb", "The document comes packed, which nobody asked for.")
            .reply(Part::Discovery, |_, _, it| {
                it.set("content-encoding", "gzip");
                it.set_bytes(gzip_bomb());
            })
            .expect(UNREADABLE),
        discover("discovery-deep", "The document is a million lists inside each other.")
            .reply(Part::Discovery, |_, _, it| {
                it.set_bytes(format!("{{\"x\":{}", "[".repeat(500_000)));
            })
            .expect(UNREADABLE),
    ]
}

fn names() -> Vec<Lie> {
    fn ask(name: &'static str, about: &'static str) -> Lie {
        Lie::new(name, about).when(Operation::Names)
    }
    vec![
        ask("name-of-another-log", "A log is said to be of another package.")
            .reply(Part::Names, |_, _, it| {
                it.edit(|it| it["packages"][log(HELLO).to_string()] = json!("test:goodbye"));
            })
            .expect(&[Verdict::BadAnswer]),
        ask("name-with-a-path", "A package's name is a path.")
            .reply(Part::Names, |_, _, it| {
                it.edit(|it| it["packages"][log(HELLO).to_string()] = json!("test:../../x"));
            })
            .expect(&[Verdict::BadAnswer]),
        ask("name-with-escapes", "A package's name has terminal escapes.")
            .reply(Part::Names, |_, _, it| {
                it.edit(|it| it["packages"][log(HELLO).to_string()] = json!("test:\u{1b}[2J"));
            })
            .expect(&[Verdict::BadAnswer]),
        ask("name-unasked", "A log is named that nobody asked for.")
            .reply(Part::Names, |_, _, it| {
                it.edit(|it| it["packages"][log("test:evil").to_string()] = json!("test:evil"));
            })
            .expect(&[Verdict::BadAnswer, Verdict::Harmless]),
    ]
}
