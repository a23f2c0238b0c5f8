//! Bodies of JSON: every field missing, null, of every other type, too large, twice, and what is no
//! JSON at all.

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::{Value, json};
use wargate_crypto::Digest;

use super::{Page, Scene, Table};
use crate::world::{JSON, request};

/// What takes the place of a field: a name for the table, and the value.
fn others() -> Vec<(&'static str, Value)> {
    vec![
        ("null", Value::Null),
        ("true", json!(true)),
        ("7", json!(7)),
        ("-1", json!(-1)),
        ("1.5", json!(1.5)),
        ("2^64-1", json!(u64::MAX)),
        ("empty text", json!("")),
        ("a text", json!("nonsense")),
        ("100 kB of text", json!("x".repeat(100_000))),
        ("text with NUL", json!("a\0b")),
        ("a short digest", json!("sha256:abcd")),
        ("an unknown digest", json!(Digest::of(b"unknown").to_string())),
        ("[]", json!([])),
        ("[null]", json!([null])),
        ("10000 elements", json!(vec![0; 10_000])),
        ("{}", json!({})),
        ("{x: 1}", json!({ "x": 1 })),
    ]
}

/// Where the members and elements of a body are.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(child, &place, found);
    }
}

fn without(body: &Value, place: &str) -> Value {
    let (mut body, (parent, name)) = (body.clone(), place.rsplit_once('/').unwrap());
    match body.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(elements) => drop(elements.remove(name.parse().unwrap())),
        _ => {}
    }
    body
}

fn with(body: &Value, place: &str, value: &Value) -> Value {
    let mut body = body.clone();
    *body.pointer_mut(place).unwrap() = value.clone();
    body
}

/// The body with a member twice. Only top-level members: the reader is the same below.
fn doubled(body: &Value, name: &str) -> String {
    let text = body.to_string();
    let member = format!("{}:{}", json!(name), body[name]);
    text.replacen('{', &format!("{{{member},"), 1)
}

#[tokio::test]
async fn every_field_of_every_body() {
    let scene = Scene::new().await;
    let mut page = Page::default();
    for (path, body) in scene.bodies() {
        assert!(scene.post(&path, body.to_string()).await.starts_with('2'), "{path}");
        let mut found = Vec::new();
        places(&body, "", &mut found);
        for place in &found {
            let mut table = Table::default();
            let bytes = without(&body, place).to_string();
            table.add("missing", scene.post(&path, bytes).await);
            for (name, value) in others() {
                let bytes = with(&body, place, &value).to_string();
                table.add(name, scene.post(&path, bytes).await);
            }
            if let Some(name) = place.strip_prefix('/').filter(|name| !name.contains('/')) {
                table.add("twice", scene.post(&path, doubled(&body, name)).await);
            }
            page.add(format!("{path} {place}"), table);
        }
    }
    scene.unchanged();
    insta::assert_snapshot!("fields", scene.named(&page.text()));
}

/// What no reader of JSON takes, or should.
fn not_json() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    let deep = |depth: usize| {
        let mut text = br#"{"packages":"#.to_vec();
        text.extend(nested(depth));
        text.push(b'}');
        text
    };
    vec![
        ("nothing", Vec::new()),
        ("spaces", b"   ".to_vec()),
        ("a word", b"nonsense".to_vec()),
        ("half an object", br#"{"packages""#.to_vec()),
        ("two values", b"{}{}".to_vec()),
        ("a comment", b"{} // hello".to_vec()),
        ("a comma too much", br#"{"packages":[],}"#.to_vec()),
        ("no UTF-8", b"{\"packages\":[\"\xff\xfe\"]}".to_vec()),
        ("no UTF-8 in a name", b"{\"\xc3\x28\":1}".to_vec()),
        ("half a surrogate", br#"{"packages":["\ud800"]}"#.to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("UTF-16", "{}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("NUL bytes", vec![0; 100]),
        ("1e400", br#"{"logLength":1e400,"leafs":[],"from":1e400,"to":1}"#.to_vec()),
        ("2^64", br#"{"logLength":18446744073709551616,"leafs":[]}"#.to_vec()),
        ("NaN", br#"{"logLength":NaN}"#.to_vec()),
        ("an array", b"[]".to_vec()),
        ("a text", br#""text""#.to_vec()),
        ("null", b"null".to_vec()),
        ("200 levels", nested(200)),
        ("200 levels in a member", deep(200)),
        ("100000 levels", nested(100_000)),
        ("2 MiB and a byte", vec![b' '; (2 << 20) + 1]),
        ("100000 members", {
            let members: Vec<_> = (0..100_000).map(|n| format!("\"m{n}\":0")).collect();
            format!("{{{}}}", members.join(",")).into_bytes()
        }),
    ]
}

#[tokio::test]
async fn bodies_that_are_no_json() {
    let scene = Scene::new().await;
    let mut page = Page::default();
    for (path, _) in scene.bodies() {
        let mut table = Table::default();
        for (name, bytes) in not_json() {
            table.add(name, scene.post(&path, bytes).await);
        }
        page.add(path, table);
    }
    scene.unchanged();
    insta::assert_snapshot!("not-json", scene.named(&page.text()));
}

#[tokio::test]
async fn content_types_and_lengths_that_do_not_fit() {
    let scene = Scene::new().await;
    let mut page = Page::default();
    for (path, body) in scene.bodies() {
        let mut table = Table::default();
        for kind in [
            None,
            Some(&b""[..]),
            Some(b"text/plain"),
            Some(b"application/x-www-form-urlencoded"),
            Some(b"multipart/form-data; boundary=x"),
            Some(b"application/"),
            Some(b"application/+json"),
            Some(b"json"),
            Some(b"application/json; charset=utf-16"),
            Some(b"APPLICATION/JSON"),
            Some(b"application/\xff"),
        ] {
            let builder = request("POST", &path);
            let builder =
                kind.into_iter().fold(builder, |it, kind| it.header("content-type", kind));
            let name = kind
                .map_or("no type".into(), |kind| format!("{:?}", kind.escape_ascii().to_string()));
            table.add(name, scene.ask(builder.body(Body::from(body.to_string())).unwrap()).await);
        }
        // As a server sees them that has read the header and not the body.
        for length in ["99999999999999999999999", "18446744073709551615", "2097153", "-1", "x"] {
            let builder = request("POST", &path).header("content-type", JSON);
            let builder = builder.header("content-length", length);
            let answer = scene.ask(builder.body(Body::from(body.to_string())).unwrap()).await;
            table.add(format!("content-length {length}"), answer);
        }
        let broken = stream::iter([
            Ok(Bytes::from_static(b"{\"packages\":")),
            Err(std::io::Error::other("the line is dead")),
        ]);
        table.add("breaks off", scene.post(&path, Body::from_stream(broken)).await);
        let endless =
            stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 4096])));
        table.add("never ends", scene.post(&path, Body::from_stream(endless)).await);
        page.add(path, table);
    }
    scene.unchanged();
    insta::assert_snapshot!("types-and-lengths", scene.named(&page.text()));
}
