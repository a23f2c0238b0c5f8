//! Names of imports: the golden vectors, and what differs from the reference on purpose.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use wargate_component::{ImportName, ImportNameError, Integrity, PackageRange};
use wargate_crypto::Digest;
use wargate_testkit::vectors::{Walk, load};

fn read(text: &str) -> Result<ImportName, ImportNameError> {
    text.parse()
}

/// The reference reads these as dependencies, although something is wrong with them that no valid
/// component can have. We refuse them: ignoring text would hide what an import says.
const REFUSED: &[&str] = &[
    "unlocked-dep=<test:add>trailing",
    "locked-dep=<test:add@1.0.0",
    "locked-dep=<test:add@1.0.0>,junk",
];

/// The reference drops the pre-release parts of bounds and locked versions. We keep them: they are
/// part of what the import asks for.
const PRE_RELEASES: &[(&str, &str)] = &[
    ("unlocked-dep=<test:add@{>=1.0.0-rc.1 <2.0.0-rc.2}>", ">=1.0.0-rc.1, <2.0.0-rc.2"),
    ("locked-dep=<test:add@1.0.0-rc.1>,integrity=<sha256-aa>", "=1.0.0-rc.1"),
];

/// The reference refuses locked names without a version, which are legal.
const WITHOUT_VERSION: &[&str] =
    &["locked-dep=<test:add>", "locked-dep=<test:add>,integrity=<sha256-aa>"];

fn requirement(name: &ImportName) -> String {
    match name {
        ImportName::Unlocked { range, .. } => range.requirement().to_string(),
        ImportName::Locked { version: Some(version), .. } => format!("={version}"),
        ImportName::Interface(name) => format!("={}", name.version.as_ref().unwrap()),
        other => unreachable!("{other:?} has no version"),
    }
}

#[test]
fn vectors() {
    let file = load("import-names");
    for case in file.list("import_names") {
        let text = case.text("import_name");
        let parsed = case.text("outcome") == "parsed";
        let is_dependency = text.starts_with("unlocked-dep=") || text.starts_with("locked-dep=");
        if !is_dependency {
            other(text, parsed.then_some(case));
        } else if !parsed && !WITHOUT_VERSION.contains(&text) {
            let error = read(text).unwrap_err();
            assert!(!error.to_string().is_empty(), "{text}");
        } else if REFUSED.contains(&text) {
            assert!(matches!(read(text), Err(ImportNameError::Expected { .. })), "{text}");
        } else if WITHOUT_VERSION.contains(&text) {
            let name = read(text).unwrap();
            assert!(matches!(&name, ImportName::Locked { version: None, .. }), "{name:?}");
            assert_eq!(name.to_string(), text);
        } else {
            dependency(text, case);
        }
    }
}

fn dependency(text: &str, case: &Value) {
    let name = read(text).unwrap();
    assert_eq!(name.dependency().unwrap().as_str(), case.text("name"), "{text}");
    let kept = PRE_RELEASES.iter().find(|(kept, _)| *kept == text);
    let expected = kept.map_or(case.text("requirement"), |(_, requirement)| requirement);
    assert_eq!(requirement(&name), expected, "{text}");
    match &name {
        ImportName::Unlocked { range, .. } => {
            assert_eq!(case["kind"], "unlocked", "{text}");
            assert!(kept.is_some() || range.to_string() == case.text("display"), "{text}");
        }
        ImportName::Locked { integrity, .. } => {
            let text = integrity.as_ref().map(Integrity::as_str);
            assert_eq!(case["kind"]["locked"].as_str(), text);
        }
        other => unreachable!("{other:?} is no dependency"),
    }
    assert_eq!(name.to_string(), text.replace("@*", ""), "a name is written as it was read");
}

/// The reference fails on every name that has no version. To us they are names like others, only not
/// of packages.
fn other(text: &str, parsed: Option<&Value>) {
    let name = read(text).unwrap();
    assert_eq!(name.dependency(), None, "{text}");
    assert_eq!(name.to_string(), text);
    match (&name, parsed) {
        (ImportName::Interface(interface), Some(case)) => {
            let path = format!("{}/{}", interface.package, interface.interface);
            assert_eq!(path, case.text("name"));
            assert_eq!(requirement(&name), case.text("requirement"));
        }
        // A package is not an interface, so that this is no legal name at all.
        (ImportName::Plain(_), Some(_)) => assert_eq!(text, "test:add@1.0.0"),
        (ImportName::Interface(interface), None) => assert_eq!(interface.version, None),
        (_, parsed) => assert!(parsed.is_none(), "{text}"),
    }
}

#[test]
fn names_that_are_no_dependencies() {
    assert!(matches!(read("url=<https://x>,integrity=<sha512-aa==>").unwrap(),
        ImportName::Url { url, integrity: Some(_) } if url == "https://x"));
    assert!(matches!(read("integrity=<sha256-aa sha384-bb?x>").unwrap(), ImportName::Integrity(_)));
    assert!(matches!(read("wasi:http/types@0.2.0").unwrap(), ImportName::Interface(_)));
    for plain in [
        "url=<a<b>",
        "url=<a>x",
        "url=a",
        "integrity=<>",
        "integrity=<md5-aa>",
        "integrity=<sha256-a===>",
        "integrity=<sha256-aa>x",
        "custom-hook",
        "a:b/c@1",
        "a:b/",
        "[method]a.b",
        "relative-url=<x>",
    ] {
        assert_eq!(read(plain).unwrap(), ImportName::Plain(plain.to_owned()));
        assert_eq!(read(plain).unwrap().to_string(), plain);
    }
}

#[test]
fn what_is_legal_and_not_in_the_vectors() {
    let ImportName::Unlocked { package, projection, range } =
        read("unlocked-dep=<test:add/iface@{>=1.2.3 <1.3.0}>").unwrap()
    else {
        unreachable!("an unlocked name");
    };
    assert_eq!((package.as_str(), projection.as_deref()), ("test:add", Some("iface")));
    assert_eq!(
        (range.lower(), range.upper()),
        (Some(&"1.2.3".parse().unwrap()), Some(&"1.3.0".parse().unwrap()))
    );
    assert!(range.requirement().matches(&"1.2.9".parse().unwrap()));
    assert!(!range.requirement().matches(&"1.3.0".parse().unwrap()));
    for text in [
        "unlocked-dep=<test:add/iface@{>=1.2.3 <1.3.0}>",
        "locked-dep=<test:add/iface@1.0.0+a>",
        "locked-dep=<a:b@1.0.0>,integrity=<sha256-aa  sha512-bb>",
        "unlocked-dep=<a:b@{<2.0.0-0}>",
    ] {
        assert_eq!(read(text).unwrap().to_string(), text);
    }
    let any = read("unlocked-dep=<a:b@{*}>").unwrap();
    assert!(matches!(any, ImportName::Unlocked { range, .. } if range == PackageRange::ANY));
}

#[test]
fn dependencies_that_cannot_be_read_say_where() {
    for (text, expected, at) in [
        ("unlocked-dep=a:b", "<", 13),
        ("unlocked-dep=<a:b", ">", 17),
        ("unlocked-dep=<a:b@1.0.0>", "{", 18),
        ("unlocked-dep=<a:b@{>=1.0.0>", "}", 26),
        ("unlocked-dep=<a:b@{=1.0.0}>", "<", 19),
        ("unlocked-dep=<a:b@{>=1.0.0 >2.0.0}>", "<", 27),
        ("locked-dep=<a:b@1.0.0>,x", ",integrity=<", 22),
        ("locked-dep=<a:b>,integrity=<sha256-aa", ">", 37),
        ("locked-dep=<a:b>,integrity=<sha256-aa>x", "the end", 38),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error, ImportNameError::Expected { expected, offset: at }, "{text}");
    }
    assert!(matches!(read("locked-dep=<a:b>,integrity=<>"), Err(ImportNameError::Integrity)));
    assert!(matches!(read("locked-dep=<a:b/>"), Err(ImportNameError::Projection)));
    assert!(matches!(read("locked-dep=<a:b@1>"), Err(ImportNameError::Version(_))));
    assert!(matches!(read("unlocked-dep=<ab>"), Err(ImportNameError::Package(_))));
    let long = format!("unlocked-dep=<a:{}>", "b".repeat(1 << 13));
    assert!(matches!(read(&long), Err(ImportNameError::TooLong { .. })));
}

#[test]
fn digests_are_read_from_base64_and_from_the_hexadecimal_of_the_reference() {
    let file = load("import-names");
    let locked = &file["locked_dependency_text"];
    let digest: Digest = locked.text("digest").parse().unwrap();
    let ImportName::Locked { integrity: Some(integrity), .. } =
        read(locked.text("import_name")).unwrap()
    else {
        unreachable!("a locked name with integrity");
    };
    assert_eq!(integrity.sha256(), Some(digest));
    let ours = Integrity::of(&digest);
    assert_eq!(ours.sha256(), Some(digest));
    assert_eq!(ours.as_str().parse::<Integrity>().unwrap(), ours);
    let with_options = format!("sha512-aa {ours}?x=y");
    assert_eq!(with_options.parse::<Integrity>().unwrap().sha256(), Some(digest));
    for none in [
        "sha256-aa".to_owned(),
        "sha512-aa".to_owned(),
        format!("{ours} {ours}"),
        format!("sha256-{}", "Z".repeat(64)),
    ] {
        assert_eq!(none.parse::<Integrity>().unwrap().sha256(), None, "{none}");
    }
}
