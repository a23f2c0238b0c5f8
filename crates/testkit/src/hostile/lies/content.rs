//! Content that is not what its digest says, and places where it is not.

use bytes::Bytes;
use serde_json::{Value, json};

use super::transport::gzip_bomb;
use crate::hostile::lie::{Lie, Operation, Verdict};
use crate::hostile::reply::{Asked, Part, Reply, ReplyBody};
use crate::hostile::scene::Scene;
use crate::hostile::story::{HELLO, OTHER, content, digest};

pub(super) fn lies() -> Vec<Lie> {
    [bytes(), streams(), places(), forms(), redirects()].into_iter().flatten().collect()
}

const GET: Operation = Operation::Get(HELLO, "0.2.0");
const WRONG: &[Verdict] = &[Verdict::WrongContent];
const NOWHERE: &[Verdict] = &[
    Verdict::WrongContent,
    Verdict::BadAnswer,
    Verdict::Unreachable,
    Verdict::Unavailable,
    Verdict::NotFound,
];

fn get(name: &'static str, about: &'static str) -> Lie {
    Lie::new(name, about).cold().when(GET)
}

fn bytes() -> Vec<Lie> {
    vec![
        get("content-flipped", "A bit of the content is another.")
            .reply(Part::Content, |_, _, it| {
                let mut bytes = it.bytes().to_vec();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                it.set_bytes(bytes);
            })
            .expect(WRONG),
        get("content-truncated", "The last byte of the content is missing, and nobody says so.")
            .reply(Part::Content, |_, _, it| {
                let bytes = it.bytes()[..it.bytes().len() - 1].to_vec();
                it.set_bytes(bytes);
            })
            .expect(NOWHERE),
        get("content-longer", "A byte comes behind the content.")
            .reply(Part::Content, |_, _, it| {
                let bytes = [it.bytes(), b"\0"].concat();
                it.set_bytes(bytes);
            })
            .expect(NOWHERE),
        get("content-empty", "The content has no bytes.")
            .reply(Part::Content, |_, _, it| it.set_bytes(""))
            .expect(NOWHERE),
        get("content-of-another-package", "The content of another package's release comes.")
            .reply(Part::Content, |_, _, it| it.set_bytes(content(OTHER, "1.0.0", false)))
            .expect(WRONG),
        get("content-of-another-release", "The content of another release comes.")
            .reply(Part::Content, |_, _, it| it.set_bytes(content(HELLO, "0.4.0", false)))
            .expect(WRONG),
        get("content-of-another-history", "Other content comes under the release's name.")
            .reply(Part::Content, |_, _, it| it.set_bytes(content(HELLO, "0.2.0", true)))
            .expect(WRONG),
        get("content-of-a-portal", "A page of a portal comes, with status 200.")
            .reply(Part::Content, |_, _, it| {
                *it = Reply::text(200, "text/html", "<html>Log in</html>");
            })
            .expect(WRONG),
    ]
}

fn streams() -> Vec<Lie> {
    vec![
        get("content-endless", "The content does not end.")
            .reply(Part::Content, |_, _, it| {
                let piece = Bytes::from(vec![0; 256 << 10]);
                it.body = ReplyBody::Endless(piece.clone(), piece);
            })
            .expect(&[Verdict::WrongContent, Verdict::BadAnswer]),
        get("content-compressed-bomb", "The content comes packed, which nobody asked for.")
            .reply(Part::Content, |_, _, it| {
                it.set("content-encoding", "gzip");
                it.set_bytes(gzip_bomb());
            })
            .expect(&[Verdict::WrongContent, Verdict::BadAnswer]),
        get("content-resumed-with-another", "What is cut off goes on with other bytes.")
            .reply(Part::Content, |_, asked, it| {
                let whole = content(HELLO, "0.2.0", false);
                if asked.headers.contains_key("range") {
                    let from = range_start(asked);
                    let length = whole.len();
                    let rest = vec![0; length - from];
                    *it = Reply::text(206, "application/wasm", rest)
                        .with("content-range", &format!("bytes {from}-{}/{length}", length - 1));
                } else {
                    let half = whole[..whole.len() / 2].to_vec();
                    it.status = 200;
                    it.body = ReplyBody::Cut(half.into(), whole.len() as u64);
                }
            })
            .expect(NOWHERE),
        get(
            "content-resumed-elsewhere",
            "What is cut off goes on at another place than was asked.",
        )
        .reply(Part::Content, |_, asked, it| {
            let whole = content(HELLO, "0.2.0", false);
            if asked.headers.contains_key("range") {
                let length = whole.len();
                *it = Reply::text(206, "application/wasm", whole[1..].to_vec())
                    .with("content-range", &format!("bytes 1-{}/{length}", length - 1));
            } else {
                let half = whole[..whole.len() / 2].to_vec();
                it.status = 200;
                it.body = ReplyBody::Cut(half.into(), whole.len() as u64);
            }
        })
        .expect(NOWHERE),
        get("content-of-status-206", "A part of the content comes to who asked for all of it.")
            .reply(Part::Content, |_, _, it| {
                let half = it.bytes()[..it.bytes().len() / 2].to_vec();
                let last = half.len() - 1;
                *it = Reply::text(206, "application/wasm", half)
                    .with("content-range", &format!("bytes 0-{last}/{}", last + 1));
            })
            .expect(NOWHERE),
    ]
}

fn range_start(asked: &Asked) -> usize {
    let range = asked.headers.get("range").and_then(|range| range.to_str().ok());
    let range = range.and_then(|range| range.strip_prefix("bytes="));
    range.and_then(|range| range.split('-').next()?.parse().ok()).unwrap_or_default()
}

/// These URLs for the release that is asked for.
fn sources(it: &mut Reply, urls: &[&str]) {
    let source = |url: &&str| json!({ "type": "httpGet", "url": url });
    let sources: Vec<_> = urls.iter().map(source).collect();
    it.edit(|it| it["contentSources"] = json!({ (digest(HELLO, "0.2.0").to_string()): sources }));
}

fn places() -> Vec<Lie> {
    vec![
        get("source-is-a-file", "The content is a file of the client's machine.")
            .reply(Part::Sources, |_, _, it| sources(it, &["file:///etc/passwd"]))
            .expect(NOWHERE),
        get("source-is-a-script", "The content is a script.")
            .reply(Part::Sources, |_, _, it| sources(it, &["javascript:alert(1)"]))
            .expect(NOWHERE),
        get("source-is-data", "The content stands in the URL.")
            .reply(Part::Sources, |_, _, it| {
                sources(it, &["data:application/wasm;base64,AGFzbQ=="]);
            })
            .expect(NOWHERE),
        get("source-without-tls", "The content is on another host, without TLS.")
            .reply(Part::Sources, |_, _, it| sources(it, &["http://registry.invalid/content"]))
            .expect(NOWHERE),
        get("source-is-metadata", "The content is where a cloud has its secrets.")
            .reply(Part::Sources, |_, _, it| {
                sources(it, &["http://169.254.169.254/latest/meta-data/iam"]);
            })
            .expect(NOWHERE),
        get("source-with-a-password", "The content's URL has somebody's password in it.")
            .reply(Part::Sources, |_, _, it| {
                sources(it, &["https://root:secret@registry.invalid/content"]);
            })
            .expect(NOWHERE),
        get("source-is-no-url", "The content is nowhere.")
            .reply(Part::Sources, |_, _, it| sources(it, &["", "::", "../../../etc/passwd\u{0}"]))
            .expect(NOWHERE),
        get("sources-none", "The content has no place.")
            .reply(Part::Sources, |_, _, it| sources(it, &[]))
            .expect(NOWHERE),
        get("sources-a-thousand", "The content is in a thousand places, and in none of them.")
            .reply(Part::Sources, |scene, _, it| {
                let urls: Vec<_> =
                    (0..1000).map(|n| format!("{}nothing/{n}", scene.story.url)).collect();
                sources(it, &urls.iter().map(String::as_str).collect::<Vec<_>>());
            })
            .expect(NOWHERE),
        get(
            "sources-bad-and-good",
            "The content is where it is, behind places where it must not be.",
        )
        .reply(Part::Sources, |scene, _, it| {
            let good = format!(
                "{}content/{}",
                scene.story.url,
                digest(HELLO, "0.2.0").to_string().replace(':', "-")
            );
            sources(it, &["file:///etc/passwd", "javascript:alert(1)", &good]);
        })
        .expect(&[Verdict::Harmless]),
    ]
}

fn forms() -> Vec<Lie> {
    vec![
        get("sources-of-another", "The places of another content are told.")
            .reply(Part::Sources, |scene, _, it| {
                let other = digest(OTHER, "1.0.0").to_string();
                let url = format!("{}content/{}", scene.story.url, other.replace(':', "-"));
                let source = json!([{ "type": "httpGet", "url": url }]);
                it.edit(|it| it["contentSources"] = json!({ (other): source }));
            })
            .expect(NOWHERE),
        get("sources-of-a-path", "The digest of the content is a path.")
            .reply(Part::Sources, |_, _, it| {
                it.edit(|it| it["contentSources"] = json!({ "sha256:../../../../etc/passwd": [] }));
            })
            .expect(NOWHERE),
        get("sources-are-no-list", "The places are a number.")
            .reply(Part::Sources, |_, _, it| it.edit(|it| it["contentSources"] = json!(1)))
            .expect(&[Verdict::BadAnswer]),
        get("sources-of-an-unknown-kind", "The content is in a place of a kind that there is not.")
            .reply(Part::Sources, |_, _, it| {
                let source = json!([{ "type": "exec", "url": "sh -c evil" }]);
                let digest = digest(HELLO, "0.2.0").to_string();
                it.edit(|it| it["contentSources"] = json!({ (digest): source }));
            })
            .expect(NOWHERE),
        get("sources-of-a-wrong-size", "The content is said to be larger than a disk.")
            .reply(Part::Sources, |_, _, it| {
                it.edit(|it| {
                    let sources = it["contentSources"].as_object_mut().unwrap();
                    for source in sources.values_mut().filter_map(Value::as_array_mut).flatten() {
                        source["size"] = json!(u64::MAX);
                    }
                });
            })
            .expect(&[Verdict::Harmless, Verdict::BadAnswer, Verdict::WrongContent]),
        get("content-not-there", "The content of a release is said not to be there.")
            .reply(Part::Sources, |_, _, it| not_found(it))
            .expect(&[
                Verdict::NotFound,
                Verdict::Unavailable,
                Verdict::WrongContent,
                Verdict::BadAnswer,
            ]),
    ]
}

fn not_found(it: &mut Reply) {
    let digest = digest(HELLO, "0.2.0").to_string();
    let body = json!({ "status": 404, "type": "contentDigest", "id": digest });
    *it = Reply::text(404, "application/json", body.to_string());
}

fn redirects() -> Vec<Lie> {
    fn to(it: &mut Reply, url: &str) {
        *it = Reply::redirect(302, url);
    }
    fn same(scene: &Scene, asked: &Asked) -> String {
        format!("{}{}", scene.story.url, asked.path)
    }
    vec![
        get("content-redirect-loop", "The content is where it is.")
            .reply(Part::Content, |scene, asked, it| to(it, &same(scene, asked)))
            .expect(NOWHERE),
        get("content-redirect-to-a-file", "The content is redirected to a file.")
            .reply(Part::Content, |_, _, it| to(it, "file:///etc/passwd"))
            .expect(NOWHERE),
        get("content-redirect-without-tls", "The content is redirected to a host without TLS.")
            .reply(Part::Content, |_, _, it| to(it, "http://registry.invalid/content"))
            .expect(NOWHERE),
        get("content-redirect-to-metadata", "The content is redirected to a cloud's secrets.")
            .reply(Part::Content, |_, _, it| to(it, "http://169.254.169.254/latest/user-data"))
            .expect(NOWHERE),
    ]
}
