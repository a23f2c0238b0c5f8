//! Versions and requirements (specification 2.7).

use std::cmp::Ordering;

use wargate_protocol::limits::{VERSION_BYTES_MAX, VERSION_REQ_BYTES_MAX};
use wargate_protocol::{Version, VersionReq};
use wargate_testkit::vectors::{Walk, load};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn versions_follow_the_grammar() {
    for case in load("versions").list("versions") {
        let text = case.text("text");
        let parsed = text.parse::<Version>();
        assert_eq!(parsed.is_ok(), case.flag("valid"), "{text:?}");
        if let Ok(version) = parsed {
            assert_eq!(version.to_string(), case.text("canonical"));
        }
    }
}

#[test]
fn build_metadata_takes_part_in_equality_and_order() {
    for case in load("versions").list("comparisons") {
        let (a, b) = (version(case.text("a")), version(case.text("b")));
        let order = match case.text("order") {
            "less" => Ordering::Less,
            "equal" => Ordering::Equal,
            _ => Ordering::Greater,
        };
        assert_eq!(a.cmp(&b), order, "{a} {b}");
        assert_eq!(a == b, case.flag("equal_as_map_key"), "{a} {b}");
    }
}

#[test]
fn requirements_match() {
    for case in load("versions").list("requirements") {
        let requirement: VersionReq = case.text("requirement").parse().unwrap();
        let version = version(case.text("version"));
        assert_eq!(requirement.matches(&version), case.flag("matches"), "{requirement} {version}");
    }
}

#[test]
fn the_highest_match_is_chosen() {
    let versions = ["1.0.0", "1.2.0", "1.10.0", "1.10.0+b", "1.10.0+a", "2.0.0-rc.1"].map(version);
    let highest = |text: &str| {
        let requirement: VersionReq = text.parse().unwrap();
        requirement.highest(&versions).map(ToString::to_string)
    };
    assert_eq!(highest("^1").as_deref(), Some("1.10.0+b"));
    assert_eq!(highest("<1.10").as_deref(), Some("1.2.0"));
    assert_eq!(highest("2"), None);
    assert_eq!(highest("=2.0.0-rc.1").as_deref(), Some("2.0.0-rc.1"));
    assert_eq!(VersionReq::ANY.highest(&versions), Some(&version("1.10.0+b")));
    assert_eq!(VersionReq::ANY.to_string(), "*");
}

#[test]
fn an_exact_requirement_matches_one_version() {
    for text in ["1.2.3", "1.2.3-rc.1", "1.2.3-rc.1+build"] {
        let exact = VersionReq::exact(&version(text));
        assert!(exact.matches(&version(text)), "{text}");
        assert!(!exact.matches(&version("1.2.4")), "{text}");
    }
    assert!(!VersionReq::exact(&version("1.2.3")).matches(&version("1.2.3-rc.1")));
}

#[test]
fn versions_beyond_the_limit_are_refused() {
    let version = |length: usize| format!("1.0.0-{}", "a".repeat(length - 6));
    assert!(version(VERSION_BYTES_MAX).parse::<Version>().is_ok());
    assert!(version(VERSION_BYTES_MAX + 1).parse::<Version>().is_err());
    let exact = VersionReq::exact(&version(VERSION_BYTES_MAX).parse().unwrap());
    assert_eq!(exact.to_string().parse(), Ok(exact));
    assert!(format!("={}", version(VERSION_REQ_BYTES_MAX)).parse::<VersionReq>().is_err());
}
