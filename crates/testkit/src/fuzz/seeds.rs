//! Inputs to start from, made of the golden vectors and of real files.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use wargate_crypto::{Digest, Ed25519PrivateKey};
use wargate_protocol::base64;
use wargate_transparency::log::{Edge, EntryBundle, LeafHash, LogLength};
use wargate_transparency::map::{MapVersion, MemoryPages, Path};
use wargate_transparency::note::{Checkpoint, KeyName, NoteSigner};

use super::notes::{ORIGIN, SIGNERS};
use crate::registry::Registry;
use crate::vectors::{hex, load, testdata};

/// Largest seed in bytes: larger ones only slow the search down.
const SEED_BYTES_MAX: usize = 64 << 10;

/// What is taken from a vector file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Members in hexadecimal or base64, as bytes.
    Bytes,
    /// Texts as they stand.
    Text,
    /// Objects, and texts that contain one, as JSON.
    Json,
}

/// The inputs to start a target from, sorted, each once. There is at least one for every target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut found: BTreeSet<Vec<u8>> = made(target).into_iter().collect();
    for (files, form) in sources(target) {
        for file in *files {
            collect("", &load(file), *form, &mut found);
        }
    }
    found.into_iter().filter(|seed| seed.len() <= SEED_BYTES_MAX).collect()
}

/// Which files have inputs of a target, and in which form.
fn sources(target: &str) -> &'static [(&'static [&'static str], Form)] {
    use Form::{Bytes, Json, Text};
    match target {
        "api_body" => &[(&["api-json", "api-decoding"], Json), (&["http-probes"], Json)],
        "checkpoint" => &[(&["checkpoints"], Json)],
        "envelope" => &[
            (&["operator-records", "package-records", "package-logs"], Json),
            (&["operator-records", "package-records"], Bytes),
        ],
        "key_text" => {
            &[(&["keys", "signatures", "hashes"], Text), (&["keys", "signatures"], Bytes)]
        }
        "import_name" => &[(&["import-names"], Text)],
        "ledger" => &[(&["registry"], Bytes), (&["leaves"], Json)],
        "log_bundle" => &[(&["log-proofs"], Bytes)],
        "map_bundle" => &[(&["map"], Bytes)],
        "name" | "registry_hint" => &[(&["names-and-log-ids"], Text)],
        "operator_record" => &[(&["operator-records", "operator-logs", "record-decoding"], Bytes)],
        "package_record" => &[(&["package-records", "package-logs", "record-decoding"], Bytes)],
        "state_json" => &[(&["operator-logs", "package-logs"], Json)],
        "version" => &[(&["versions"], Text)],
        _ => &[],
    }
}

/// Walks through a file; `member` is the name under which a value stands.
fn collect(member: &str, value: &Value, form: Form, found: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::Object(members) => {
            if form == Form::Json {
                found.insert(value.to_string().into_bytes());
            }
            // Every file explains its members under this name.
            for (name, value) in members.iter().filter(|(name, _)| *name != "encoding") {
                collect(name, value, form, found);
            }
        }
        Value::Array(values) => {
            for value in values {
                collect(member, value, form, found);
            }
        }
        Value::String(text) => {
            found.extend(match form {
                Form::Bytes if member.ends_with("_hex") => Some(hex(text)),
                Form::Bytes if member.ends_with("_base64") => base64::decode(text).ok(),
                Form::Text => Some(text.clone().into_bytes()),
                Form::Json if text.starts_with('{') => Some(text.clone().into_bytes()),
                _ => None,
            });
        }
        _ => {}
    }
}

/// Inputs that no file has.
fn made(target: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match target {
        "diff" => pairs(&files()),
        "wit" => files(),
        "entry_bundle" => [1_u8, 2, 17].map(entries).into(),
        "import_name" => texts(&[
            "unlocked-dep=<a:b/c@{>=1.2.3-rc.1 <2.0.0}>\n^1.2, <1.9.0\n1.3.0\n1.9.0",
            "unlocked-dep=<a:b@*>\n~0.1\n0.1.7\n0.2.0\n0.1.0-rc.1",
            "locked-dep=<a:b@1.0.0+c>,integrity=<sha256-aa?b  sha512-cc==>\n=1\n1.0.0",
            "url=<https://a.example/>,integrity=<sha384-aa>\n>0.0.3, <=0.0.4\n0.0.4",
            "integrity=<sha256-aa>\n*\n1.0.0",
            "a:b/c@1.0.0",
            "custom-hook",
        ]),
        "link" => vec![components()],
        "lock" => locks(),
        "log_numbers" => [3_u64, 256, 65_537, (1 << 63) - 1].map(numbers).into(),
        "map_page" => pages(),
        "note" | "note_checkpoint" | "note_key" => notes(target),
        "operator_machine" => vec![
            // Begins, defines a namespace, grants to another key, which imports one.
            vec![8, 1, 2, 0, 5, 0, 0, 8, 1, 1, 0x12, 0xff, 9, 1, 1, 6, 1, 2, 0],
            vec![8, 0, 1, 0, 8, 0, 1, 0x13, 2, 0xc8, 0, 0],
        ],
        "package_machine" => vec![
            vec![8, 1, 2, 0, 5, 0, 0, 7, 8, 1, 1, 5, 0, 1, 8, 1, 1, 0x12, 0xff, 9, 1, 1, 5, 1, 0],
            vec![8, 0, 1, 0, 8, 0, 1, 3, 2, 0xc8, 0, 0],
        ],
        "registry_hint" => texts(&["acme=registry.example", "=", "a=b=c", "a="]),
        "resource_path" => texts(&[
            "tile/0/000",
            "tile/1/x001/234.p/56",
            "tile/entries/x001/x234/067",
            "tile/7/000.p/255",
            "tile/0/x018/x446/x744/x073/x709/551",
        ]),
        "plug" => vec![plugs()],
        "wac" => documents(),
        "tile" => [1, 5, 255, 256].map(tile).into(),
        "timestamp" => texts(&["10.5", "-5.999999999", "\"1.0\"", "9223372036854775807.0"]),
        "transcript" => transcripts(),
        _ => Vec::new(),
    }
}

fn entries(count: u8) -> Vec<u8> {
    let entries: Vec<_> = (0..count).map(|number| vec![number; usize::from(number)]).collect();
    [&[count - 1], EntryBundle::new(&entries).unwrap().as_bytes()].concat()
}

/// A root that hands a resource from one release to another, and shares an import with them.
fn components() -> Vec<u8> {
    let handle = r#"(export "handle" (type $h (sub resource)))"#;
    let release = |name: &str, ty: &str| {
        format!(
            r#"(component
                (import "unlocked-dep=<c:c@{{>=1.0.0 <2.0.0}}>" (instance $c {handle}
                    (export "{name}" (func {ty}))))
                (import "c:c/hook@1.0.1" (instance))
                (alias export $c "handle" (type $own))
                (export "handle" (type $own))
                (export "{name}" (func $c "{name}")))"#
        )
    };
    let (make, take) = ("(result (own $h))", r#"(param "it" (own $h))"#);
    let defining = r#"(component
        (type $rep (resource (rep i32)))
        (core module $m
            (func (export "make") (result i32) i32.const 0)
            (func (export "take") (param i32)))
        (core instance $i (instantiate $m))
        (export $h "handle" (type $rep))
        (func $make (result (own $h)) (canon lift (core func $i "make")))
        (func $take (param "it" (own $h)) (canon lift (core func $i "take")))
        (export "make" (func $make))
        (export "take" (func $take)))"#;
    let root = format!(
        r#"(component
            (import "c:c/hook@1.0.0" (instance))
            (import "unlocked-dep=<a:a@{{>=1.0.0 <2.0.0}}>" (instance $a {handle}
                (export "make" (func {make}))))
            (alias export $a "handle" (type $own))
            (import "unlocked-dep=<b:b@{{<2.0.0}}>" (instance $b
                (export "take" (func (param "it" (own $own))))))
            (export "handle" (type $own))
            (export "take" (func $b "take")))"#
    );
    pieces(&[&root, &release("make", make), &release("take", take), defining])
}

/// Components, each behind its length.
fn pieces(all: &[&str]) -> Vec<u8> {
    let pieces = all.iter().map(|wat| {
        let bytes = wat::parse_str(wat).unwrap();
        [&u16::try_from(bytes.len()).unwrap().to_le_bytes(), bytes.as_slice()].concat()
    });
    pieces.collect::<Vec<_>>().concat()
}

/// A socket that wants an interface and a function, and plugs of which one has a resource, in another
/// version, and one wants what the others have.
fn plugs() -> Vec<u8> {
    pieces(&LINKS)
}

/// Components that fit each other.
const LINKS: [&str; 4] = [
    r#"(component
        (import "x:y/z@1.0.1" (instance (export "r" (type $r (sub resource)))
            (export "f" (func (param "r" (borrow $r)) (result string)))))
        (import "g" (func (param "n" (list u8))))
        (export "h" (func 0)))"#,
    r#"(component
        (import "x:y/z@1.0.0" (instance $i (export "r" (type $r (sub resource)))
            (export "f" (func (param "r" (borrow $r)) (result string)))))
        (export "x:y/z@1.0.2" (instance $i)))"#,
    r#"(component (import "g" (func (param "n" (list u8)))) (export "g" (func 0)))"#,
    r#"(component
        (type $rep (resource (rep i32)))
        (export $r "r" (type $rep))
        (import "k" (func $k (result (option (tuple u8 string)))))
        (export "g" (func $k)))"#,
];

/// Documents over these, with most of what the language has.
fn documents() -> Vec<Vec<u8>> {
    let sources = [
        "package q:r@1.0.0;\nlet a = new a:a { ... };\nlet c = new c:c@2.0.0 { g: a.h, ... };\n\
         export c.g as \"g\";\nexport a...;\n",
        "package q:r targets a:a/w;\nimport s as \"t:u/v\": interface { f: func(n: list<u8>); };\n\
         interface i { resource r { constructor(n: u8); m: func() -> option<r>; } }\n\
         type t = tuple<u8, string>;\nworld w { use i.{r}; export g: func(r: r) -> result<t>; }\n\
         let b = new b:b { \"x:y/z@1.0.0\": s };\nexport b[\"x:y/z@1.0.2\"];\n",
        "package q:r;\nlet d = new d:d { ...new c:c { ... } };\nexport d.g;",
    ];
    let components = pieces(&LINKS);
    sources.map(|source| [&components, source.as_bytes()].concat()).into()
}

/// A lock of a root that is a file and of one that is none, with packages of a registry and of a file.
fn locks() -> Vec<Vec<u8>> {
    let [log, map, app, add, inc] = [b"1", b"2", b"3", b"4", b"5"].map(|of| Digest::of(of));
    let lock = format!(
        r#"# A comment.
format = 1

[[registry]]
name = "registry.example"
log-length = 12
log-root = "{log}"
map-root = "{map}"

[[root]]
file = "build/my \"app\".wasm"
digest = "{app}"
dependencies = [
    {{ import = "unlocked-dep=<test:inc@{{>=0.1.0-rc.1 <2.0.0}}>", package = "test:inc@0.1.0" }},
]

[[root]]
dependencies = [{{ import = "unlocked-dep=<test:add@{{>=2.0.0}}>", package = "test:add@2.0.0" }}]

[[package]]
name = "test:add"
version = "1.0.0+linux"
digest = "{add}"
registry = "registry.example"

[[package]]
name = "test:add"
version = "2.0.0"
digest = "{add}"
registry = "registry.example"

[[package]]
name = "test:inc"
version = "0.1.0"
digest = "{inc}"
file = "../inc.wasm"
dependencies = [
    {{ import = "locked-dep=<test:add@1.0.0+linux>", package = "test:add@1.0.0+linux" }},
    {{ import = "unlocked-dep=<test:add/calc@{{>=2.0.0}}>", package = "test:add@2.0.0" }},
]
"#
    );
    vec![lock.into_bytes(), b"format = 1".to_vec()]
}

/// Numbers around one that matters, each with how far it is shifted.
fn numbers(around: u64) -> Vec<u8> {
    let numbers = [around + 1, around, around / 2, around / 3, around - 1];
    numbers.iter().flat_map(|number| [&number.to_le_bytes()[..], &[0]].concat()).collect()
}

fn tile(width: u64) -> Vec<u8> {
    let leaves: Vec<_> = (0..width).map(|leaf| LeafHash::of(&leaf.to_le_bytes())).collect();
    let appended = Edge::empty().append(&leaves).unwrap();
    assert_eq!(Some(appended.length()), LogLength::new(width));
    let tile = appended.tiles[0].tile.encode();
    [&width.to_le_bytes()[..], &[0], &tile].concat()
}

/// Pages of small maps, each behind the length of its id and the id, without its check.
fn pages() -> Vec<Vec<u8>> {
    let mut pages = MemoryPages::default();
    for version in 1..=40_u64 {
        let path = Path::of_key(&version.to_le_bytes());
        pages.set(MapVersion(version), [(path, Digest::of(path.as_bytes()))]).unwrap();
    }
    let framed = pages.iter().map(|(id, page)| {
        let (id_bytes, page) = (id.to_bytes(), page.encode(id));
        let length = u8::try_from(id_bytes.len()).unwrap();
        [&[length], &id_bytes[..], &page[..page.len() - 8]].concat()
    });
    framed.collect()
}

fn notes(target: &str) -> Vec<Vec<u8>> {
    let (log, witness) = &*SIGNERS;
    let length = LogLength::new(1_000).unwrap();
    let checkpoint = Checkpoint::new(ORIGIN, length, Digest::of(b"root")).unwrap();
    let extended = checkpoint.clone().with_extension("an extension").unwrap();
    if target == "note_key" {
        let keys = [log.key().to_string(), witness.key().to_string()];
        return keys.map(String::into_bytes).into();
    }
    let mut seeds = Vec::new();
    for text in [checkpoint.to_string(), extended.to_string()] {
        if target == "note_checkpoint" {
            seeds.push(text.into_bytes());
            continue;
        }
        let stranger: KeyName = "stranger".parse().unwrap();
        let stranger = NoteSigner::new(stranger, Ed25519PrivateKey::from_seed(&[3; 32]));
        let mut note = log.sign(&text).unwrap();
        seeds.push(note.to_string().into_bytes());
        note.push(stranger.signature(&text)).unwrap();
        note.push(witness.cosign(&text, 1_700_000_000).unwrap()).unwrap();
        seeds.push(note.to_string().into_bytes());
    }
    seeds
}

fn transcripts() -> Vec<Vec<u8>> {
    let registry = Registry::load();
    let mut seeds = vec![serde_json::to_vec(&registry.anchor()).unwrap()];
    for length in 1..=registry.length() {
        seeds.push(serde_json::to_vec(&registry.transcript(None, length)).unwrap());
    }
    let consistent = registry.transcript(Some(2), registry.length());
    seeds.push(serde_json::to_vec(&consistent).unwrap());
    let mut refused = consistent;
    refused.proofs.map.clear();
    let misbehaviour = refused.verify(&registry.anchor()).unwrap_err();
    seeds.push(serde_json::to_vec(&misbehaviour.evidence).unwrap());
    seeds
}

/// Small components and WIT packages.
fn files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for folder in ["wit-component/components", "wit-component/interfaces"] {
        for entry in fs::read_dir(testdata().join(folder)).unwrap() {
            files.push(fs::read(entry.unwrap().path()).unwrap());
        }
    }
    files
}

/// Files in pairs as they follow one another in the order of their bytes, each pair in the form of its
/// target.
fn pairs(files: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = files.iter().filter(|file| file.len() < 1 << 12).collect();
    files.sort();
    let pair = |pair: &[&Vec<u8>]| {
        let length = u16::try_from(pair[0].len()).unwrap().to_le_bytes();
        [&length[..], pair[0], pair[1]].concat()
    };
    files.windows(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds() {
        for (target, run) in crate::fuzz::TARGETS {
            let seeds = seeds(target);
            assert!(!seeds.is_empty(), "{target}");
            for seed in &seeds {
                run(seed);
            }
        }
    }
}
