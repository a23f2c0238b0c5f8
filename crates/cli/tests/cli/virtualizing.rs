//! `warg virtualize`: folders of this machine, sealed in files and in releases.

use std::fs;

use serde_json::{Value, json};

use crate::program::Output;
use crate::schema::check;
use crate::with_registry::{COMPONENT, Registry, Session};

/// A command that reads environment and files.
const PROBE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/virtualize/probe.wasm");

fn json(session: &Session<'_>, arguments: &[&str]) -> Value {
    let text = session.fine(&[&["virtualize"], arguments, &["--json"]].concat());
    let value = serde_json::from_str(&text).unwrap();
    check("virtualize", &value);
    value
}

#[test]
fn files_and_releases_are_sealed_alike() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["key", "new"]);
    session.fine(&["publish", PROBE, "--name", "demo:probe", "--release", "1.0.0"]);
    let here = session.user.home().join("here");
    fs::create_dir_all(here.join("site/deep")).unwrap();
    fs::write(here.join("site/index.html"), "<p>Hello").unwrap();
    fs::write(here.join("site/deep/data"), vec![7; 5000]).unwrap();
    let sealing =
        ["--env", "TOKEN=s3cret", "--env", "EMPTY=", "--dir", "site", "--dir", "site::/www"];

    for (dir, output, shown) in [
        ("site::/a", "site/deep/out.wasm", "within a folder that is sealed"),
        ("site::/a/../b", "out.wasm", "leads out of what the component sees"),
    ] {
        let refused = session.run(&["virtualize", PROBE, "--dir", dir, "--output", output]);
        assert!(refused.code == Some(2) && refused.err.contains(shown), "{refused}");
    }
    let text = session.fine(&[&["virtualize", PROBE][..], &sealing].concat());
    assert!(text.contains("-> probe.virtual.wasm"), "{text}");
    for words in ["environment  EMPTY TOKEN", "/www", "site", "2 files, 4.89 KiB"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    let of_release =
        json(&session, &[&["demo:probe@^1"][..], &sealing, &["-o", "release.wasm"]].concat());
    assert!(!of_release.to_string().contains("s3cret"), "{of_release:#}");
    assert_eq!(of_release["environment"], json!(["EMPTY", "TOKEN"]));
    let folders: Vec<Value> =
        ["/www", "site"].map(|path| json!({ "path": path, "files": 2, "size": 5008 })).into();
    assert_eq!(of_release["folders"], json!(folders));
    let read = |name: &str| fs::read(here.join(name)).unwrap();
    // But for what they say they were made from.
    let bare = |name: &str| {
        let bytes = read(name);
        let at = bytes.windows(12).rposition(|bytes| bytes == b"warg-sources").unwrap();
        // Before it are a kind, a length of one byte or two, and the length of the name.
        let length = if bytes.len() - at + 1 < 0x80 { 1 } else { 2 };
        bytes[..at - 2 - length].to_vec()
    };
    assert!(bare("probe.virtual.wasm") == bare("release.wasm"));

    let inspected = session.fine(&["inspect", "release.wasm", "--json"]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let imports = inspected["imports"].to_string();
    assert!(imports.contains("wasi:io/streams"), "{imports}");
    assert!(!imports.contains("wasi:filesystem"), "{imports}");
    assert!(!imports.contains("wasi:cli/environment"), "{imports}");

    let kept = json(&session, &[PROBE, "--host-files", "--host-arguments", "-o", "kept.wasm"]);
    assert_eq!((&kept["answered"], &kept["unread"]), (&json!([]), &json!([])));
    let useless = [COMPONENT, "--env", "A=B", "--dir", "site", "-o", "same.wasm"];
    let unread = json(&session, &useless);
    assert_eq!(unread["unread"], json!(["environment", "files"]));
    assert_eq!(read("same.wasm"), fs::read(COMPONENT).unwrap());
    let text = session.fine(&[&["virtualize"], &useless[..]].concat());
    assert!(text.contains("It reads no files: what was given is not in it."), "{text}");
    assert!(text.contains("and is what it was."), "{text}");
}

#[test]
fn what_is_not_meant_is_refused() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    let here = session.user.home().join("here");
    fs::create_dir_all(here.join("site")).unwrap();
    fs::write(here.join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    fs::copy(PROBE, here.join("probe.wasm")).unwrap();
    // What has nothing to be sealed is validated as well.
    let invalid = wat::parse_str("(component (core module (func (result i32))))").unwrap();
    fs::write(here.join("invalid.wasm"), invalid).unwrap();
    let home = here.display().to_string();
    let rows: &[(&[&str], &str)] = &[
        (&["none.wasm"], "none.wasm"),
        (&["module.wasm"], "it is a core module"),
        (&["invalid.wasm", "--env", "A=1"], "invalid.wasm: "),
        (&["probe.wasm", "--env", "s3cret"], "a variable is named without a value"),
        (&["probe.wasm", "--env", "A=1", "--env", "A=2"], "`A` is named twice"),
        (&["probe.wasm", "--env", "=1"], "`` is no name of a variable"),
        (&["probe.wasm", "--dir", "missing"], "cannot read missing"),
        (&["probe.wasm", "--dir", "probe.wasm"], "probe.wasm is no folder"),
        (&["probe.wasm", "--dir", "../here"], "`../here` is a place on this machine"),
        (&["probe.wasm", "--dir", &home], "is a place on this machine"),
        (&["probe.wasm", "--dir", "site::"], "seen at no path"),
        (&["probe.wasm", "--dir", "site", "--dir", "site"], "two folders are to be seen at `site`"),
        (&["probe.wasm", "--dir", "site", "--host-files"], "cannot be used with"),
        (&["probe.wasm", "-o", "./probe.wasm"], "would be written over"),
        (&["probe.wasm", "-o", "-", "--json"], "both content and JSON"),
    ];
    let refused = |arguments: &[&str], words: &str| {
        let output: Output = session.run(&[&["virtualize"], arguments].concat());
        assert_eq!(output.code, Some(2), "{arguments:?}: {output}");
        let said = format!("{}{}", output.err, output.out);
        assert!(said.contains(words), "{arguments:?}: {output}");
        assert!(!said.contains("s3cret"), "{output}");
    };
    for (arguments, words) in rows {
        refused(arguments, words);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/hostname", here.join("site/link")).unwrap();
        refused(&["probe.wasm", "--dir", "site"], "site/link is a link");
    }
}
