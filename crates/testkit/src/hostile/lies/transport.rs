//! What HTTP itself can be used for.

use bytes::Bytes;

use crate::hostile::lie::{Lie, Operation, Verdict};
use crate::hostile::reply::{Part, Reply, ReplyBody};
use crate::hostile::story::HELLO;

pub(super) fn lies() -> Vec<Lie> {
    [bodies(), types(), redirects()].into_iter().flatten().collect()
}

const BAD: &[Verdict] = &[Verdict::BadAnswer];

fn bodies() -> Vec<Lie> {
    vec![
        Lie::new("json-endless", "The checkpoint does not end.")
            .reply(Part::Checkpoint, |_, _, it| {
                let first = Bytes::from_static(b"{\"x\":\"");
                it.body = ReplyBody::Endless(first, Bytes::from(vec![b'a'; 64 << 10]));
            })
            .expect(BAD),
        Lie::new("records-endless", "The records do not end.")
            .reply(Part::Logs, |_, _, it| {
                let first = Bytes::from_static(b"{\"more\":false,\"warnings\":[{\"message\":\"\"}");
                let again = ",{\"message\":\"\"}".repeat(4000);
                it.body = ReplyBody::Endless(first, Bytes::from(again));
            })
            .expect(BAD),
        Lie::new("error-endless", "An error does not end.")
            .reply(Part::Checkpoint, |_, _, it| {
                it.status = 400;
                let again = Bytes::from(vec![b' '; 64 << 10]);
                it.body = ReplyBody::Endless(Bytes::from_static(b"{"), again);
            })
            .expect(&[Verdict::BadAnswer, Verdict::Unavailable]),
        Lie::new("json-compressed-bomb", "Some hundred kilobytes of gzip that nobody asked for.")
            .reply(Part::Checkpoint, |_, _, it| {
                it.set("content-encoding", "gzip");
                it.set_bytes(gzip_bomb());
            })
            .expect(BAD),
        Lie::new("records-compressed-bomb", "Likewise, for records.")
            .reply(Part::Logs, |_, _, it| {
                it.set("content-encoding", "gzip");
                it.set_bytes(gzip_bomb());
            })
            .expect(BAD),
        Lie::new("json-of-an-unknown-coding", "The answer is said to be coded as nobody knows.")
            .reply(Part::Checkpoint, |_, _, it| it.set("content-encoding", "x-evil"))
            .expect(BAD),
    ]
}

fn types() -> Vec<Lie> {
    vec![
        Lie::new(
            "checkpoint-as-html",
            "A page of a portal comes for the checkpoint, with status 200.",
        )
        .reply(Part::Checkpoint, |_, _, it| *it = portal())
        .expect(BAD),
        Lie::new("records-as-html", "Likewise, for records.")
            .reply(Part::Logs, |_, _, it| *it = portal())
            .expect(BAD),
        Lie::new("checkpoint-typed-as-html", "The checkpoint is said to be a page.")
            .reply(Part::Checkpoint, |_, _, it| it.set("content-type", "text/html"))
            .expect(&[Verdict::BadAnswer, Verdict::Harmless]),
        Lie::new("checkpoint-without-bytes", "The checkpoint has no bytes.")
            .reply(Part::Checkpoint, |_, _, it| it.set_bytes(""))
            .expect(BAD),
        Lie::new("checkpoint-of-status-206", "A part of the checkpoint, which nobody asked for.")
            .reply(Part::Checkpoint, |_, _, it| {
                it.status = 206;
                let half = it.bytes()[..it.bytes().len() / 2].to_vec();
                it.set_bytes(half);
            })
            .expect(BAD),
        Lie::new(
            "checkpoint-of-status-304",
            "Nothing has changed, to a client that did not ask so.",
        )
        .reply(Part::Checkpoint, |_, _, it| {
            it.status = 304;
            it.set_bytes("");
        })
        .expect(&[Verdict::BadAnswer, Verdict::Unavailable]),
        Lie::new("headers-huge", "The answer has a header of 100 kB.")
            .reply(Part::Checkpoint, |_, _, it| it.set("x-padding", &"h".repeat(100 << 10)))
            .expect(&[Verdict::Harmless, Verdict::BadAnswer, Verdict::Unreachable]),
    ]
}

fn redirects() -> Vec<Lie> {
    const REFUSED: &[Verdict] = &[Verdict::BadAnswer, Verdict::Unreachable, Verdict::Unavailable];
    vec![
        Lie::new("redirect-loop", "The checkpoint is where it is.")
            .reply(Part::Checkpoint, |scene, asked, it| {
                *it = Reply::redirect(302, &format!("{}{}", scene.story.url, asked.path));
            })
            .expect(REFUSED),
        Lie::new("redirect-for-ever", "The checkpoint is somewhere else each time.")
            .when(Operation::Update(&[HELLO]))
            .reply(Part::Rest, |_, asked, it| {
                *it =
                    Reply::redirect(302, &format!("{}x", asked.path.trim_start_matches("again/")));
            })
            .reply(Part::Checkpoint, |scene, _, it| {
                *it = Reply::redirect(302, &format!("{}again/x", scene.story.url));
            })
            .expect(REFUSED),
        Lie::new("redirect-to-a-file", "The checkpoint is a file of the client's machine.")
            .reply(Part::Checkpoint, |_, _, it| *it = Reply::redirect(302, "file:///etc/passwd"))
            .expect(REFUSED),
        Lie::new("redirect-to-another-host", "The checkpoint is on another host, without TLS.")
            .reply(Part::Checkpoint, |_, _, it| {
                *it = Reply::redirect(302, "http://registry.invalid/v1/fetch/checkpoint");
            })
            .expect(REFUSED),
        Lie::new("redirect-to-metadata", "The checkpoint is where a cloud has its secrets.")
            .reply(Part::Checkpoint, |_, _, it| {
                *it = Reply::redirect(302, "http://169.254.169.254/latest/meta-data/");
            })
            .expect(REFUSED),
        Lie::new("redirect-to-a-script", "The checkpoint is a script.")
            .reply(Part::Checkpoint, |_, _, it| *it = Reply::redirect(302, "javascript:alert(1)"))
            .expect(REFUSED),
        Lie::new("redirect-to-nowhere", "The answer is a redirect that does not say where to.")
            .reply(Part::Checkpoint, |_, _, it| *it = Reply::text(302, "text/plain", ""))
            .expect(REFUSED),
        Lie::new("redirect-of-a-question", "A question with a body is sent to another host.")
            .reply(Part::Logs, |_, _, it| {
                *it = Reply::redirect(307, "http://registry.invalid/v1/fetch/logs");
            })
            .expect(REFUSED),
    ]
}

fn portal() -> Reply {
    Reply::text(200, "text/html", "<html><title>Log in</title><body>Pay here</body></html>")
}

/// 256 kB of gzip that become 41 MB of spaces and more for whoever unpacks it.
pub(super) fn gzip_bomb() -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, of fixed codes: a space, and then runs of 258 bytes from one byte before.
    bits.put(1, 1);
    bits.put(0b01, 2);
    bits.put_code(0x30 + 0x20, 8);
    for _ in 0..160_000 {
        bits.put_code(0b1100_0101, 8);
        bits.put_code(0, 5);
    }
    bits.put_code(0, 7);
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    [&head[..], &bits.finish(), &[0; 8]].concat()
}

/// Bits as DEFLATE packs them (RFC 1951, 3.1.1).
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        self.pending |= value << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.bytes.push((self.pending & 0xff) as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// Codes stand with their first bit first.
    fn put_code(&mut self, code: u32, bits: u32) {
        self.put(code.reverse_bits() >> (32 - bits), bits);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push((self.pending & 0xff) as u8);
        }
        self.bytes
    }
}
