//! `warg inspect`, `warg wit` and `warg diff`, on files, on releases, and on both.

use std::fs;

use serde_json::Value;

use crate::program::Output;
use crate::schema::check;
use crate::with_registry::{COMPONENT, OTHER, Registry, Session};

/// A WIT package with one interface, which has these functions.
fn interface(functions: &[&str]) -> Vec<u8> {
    let functions: Vec<_> =
        functions.iter().map(|name| format!("(export \"{name}\" (func))")).collect();
    let functions = functions.concat();
    let text = format!(
        r#"(component (type (component
                (type (instance {functions}))
                (export "demo:greet/api" (instance (type 0)))))
            (export "api" (type 0)))"#
    );
    wat::parse_str(text).unwrap()
}

fn json(session: &Session<'_>, arguments: &[&str]) -> Value {
    let text = session.fine(&[arguments, &["--json"]].concat());
    let value = serde_json::from_str(&text).unwrap();
    check(arguments[0], &value);
    value
}

#[test]
fn files_and_releases_are_looked_into_alike() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["key", "new"]);
    session.fine(&["publish", COMPONENT, "--name", "demo:greet", "--release", "1.0.0"]);
    let of_file = json(&session, &["inspect", COMPONENT]);
    let of_release = json(&session, &["inspect", "demo:greet"]);
    assert_eq!(of_release["subject"]["version"], "1.0.0");
    assert_eq!(of_file["subject"]["digest"], of_release["subject"]["digest"]);
    for member in ["kind", "exports", "anatomy", "metadata"] {
        assert_eq!(of_file[member], of_release[member], "{member}");
    }
    let text = session.fine(&["inspect", "demo:greet@^1", "--parts"]);
    for word in [
        "Kind:",
        "component",
        "example:greet/greeting@0.1.0",
        "EXPORT",
        "SPACE",
        "code",
        "█",
        "PART ",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }

    let wit = session.fine(&["wit", "demo:greet@1.0.0"]);
    assert!(wit.contains("export example:greet/greeting@0.1.0;"), "{wit}");
    session.fine(&["wit", OTHER, "-o", "wit"]);
    let here = session.user.home().join("here/wit");
    let world = fs::read_to_string(here.join("world.wit")).unwrap();
    assert!(world.contains("import example:greet/greeting@0.1.0;"), "{world}");
    assert!(here.join("deps/example-greet-0.1.0/package.wit").is_file());
    json(&session, &["wit", OTHER, "-o", "wit"]);
    // What somebody has changed is not lost.
    fs::write(here.join("world.wit"), "// mine").unwrap();
    let kept = session.run(&["wit", OTHER, "-o", "wit"]);
    assert_eq!(kept.code, Some(2), "{kept}");
    // What an earlier component needed is not taken for what this one needs.
    let earlier = here.join("deps/old-one");
    fs::create_dir_all(&earlier).unwrap();
    fs::write(earlier.join("package.wit"), "package old:one;").unwrap();
    session.fine(&["wit", OTHER, "-o", "wit", "--overwrite"]);
    assert!(!earlier.exists());
    #[cfg(unix)]
    {
        // Nor is anything removed behind a link.
        let outside = session.user.home().join("outside/one");
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("package.wit"), "package their:own;").unwrap();
        let _ = fs::remove_dir_all(here.join("deps"));
        std::os::unix::fs::symlink(outside.parent().unwrap(), here.join("deps")).unwrap();
        session.run(&["wit", OTHER, "-o", "wit", "--overwrite"]);
        assert!(outside.join("package.wit").exists());
        fs::remove_file(here.join("deps")).unwrap();
    }
    assert_eq!(fs::read_to_string(here.join("world.wit")).unwrap(), world);

    fs::write(session.user.home().join("here/text.wasm"), "no component").unwrap();
    for line in [&["inspect", "text.wasm"], &["wit", "text.wasm"], &["inspect", "none.wasm"]] {
        let output = session.run(line);
        assert_eq!(output.code, Some(2), "{output}");
        assert!(output.err.contains("hint: "), "{output}");
    }
}

#[test]
fn what_changed_is_told_and_judged() {
    let registry = Registry::start();
    let session = Session::new(&registry);
    session.fine(&["key", "new"]);
    let here = session.user.home().join("here");
    let publish = |version: &str, functions: &[&str]| {
        fs::write(here.join("wit.wasm"), interface(functions)).unwrap();
        session.fine(&["publish", "wit.wasm", "--name", "demo:greet", "--release", version]);
    };
    publish("1.0.0", &["a"]);
    publish("1.1.0", &["a", "b"]);
    publish("1.1.1", &["b"]);
    let diff = |arguments: &[&str]| -> Output { session.run(&[&["diff"], arguments].concat()) };

    let grown = diff(&["demo:greet@1.0.0", "demo:greet@1.1.0", "--check"]);
    assert_eq!(grown.code, Some(0), "{grown}");
    assert!(grown.out.contains("Compatible"), "{grown}");
    assert!(grown.out.contains("1.1.0 may follow 1.0.0."), "{grown}");
    let broken = diff(&["demo:greet@1.1.0", "--check"]);
    assert_eq!(broken.code, Some(1), "{broken}");
    assert!(broken.out.contains("BREAKS"), "{broken}");
    assert!(broken.out.contains("1.1.1 must not follow 1.1.0; 2.0.0 may."), "{broken}");
    let told = json(&session, &["diff", "demo:greet@1.1.0"]);
    assert_eq!((&told["fine"], &told["step"]), (&false.into(), &"major".into()));

    // A file and a release.
    let same = diff(&["demo:greet@1.1.1", "wit.wasm"]);
    assert!(same.out.contains("the same to the last byte"), "{same}");
    let told = json(&session, &["diff", "wit.wasm", "demo:greet@1.0.0"]);
    assert_eq!(told["before"]["file"], "wit.wasm");
    assert_eq!(told["after"]["version"], "1.0.0");
    let nothing = diff(&["wit.wasm"]);
    assert_eq!(nothing.code, Some(2), "{nothing}");
}
