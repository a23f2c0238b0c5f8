//! Names and versions, and the ids that follow from names (specification 2.6, 2.7, 4.4).

use warg_crypto::hash::Sha256;
use warg_protocol::registry;
use wargate_protocol::{LogId, Namespace, PackageName, Version, VersionReq};

use crate::each_seed;

#[test]
fn package_names_and_their_logs_are_the_same() {
    each_seed(20_000, |random| {
        let length = random.between(0, 12);
        let text = random.text("aabcz09--::A_é ", length);
        let (ours, theirs) = (text.parse::<PackageName>(), registry::PackageName::new(&text));
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text:?}");
        let namespace = registry::PackageName::is_valid_namespace(&text);
        assert_eq!(text.parse::<Namespace>().is_ok(), namespace, "{text:?}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(ours.as_str(), theirs.as_ref());
            assert_eq!(ours.namespace().as_str(), theirs.namespace());
            assert_eq!(ours.name(), theirs.name());
            let theirs = registry::LogId::package_log::<Sha256>(&theirs);
            assert_eq!(LogId::package(&ours).to_string(), theirs.to_string());
        }
    });
}

#[test]
fn long_names_have_the_same_log() {
    each_seed(200, |random| {
        let (first, second) = (random.between(1, 120), random.between(1, 120));
        let text = format!("{}:{}", random.text("abc", first), random.text("abc", second));
        let theirs = registry::PackageName::new(&text).unwrap();
        let theirs = registry::LogId::package_log::<Sha256>(&theirs);
        assert_eq!(LogId::package(&text.parse().unwrap()).to_string(), theirs.to_string());
    });
    let theirs = registry::LogId::operator_log::<Sha256>();
    assert_eq!(LogId::operator().to_string(), theirs.to_string());
}

#[test]
fn versions_are_read_and_matched_alike() {
    each_seed(5_000, |random| {
        let length = random.between(5, 14);
        let text = format!("1.{}", random.text("0012..--+ab", length));
        let (ours, theirs) = (text.parse::<Version>(), text.parse::<warg_protocol::Version>());
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}");
        let requirement = format!("{}{}", random.pick(&["", "^", "~", ">=", "<", "="]), "1.0");
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return };
        assert_eq!(ours.to_string(), theirs.to_string());
        let our_requirement: VersionReq = requirement.parse().unwrap();
        let their_requirement: warg_protocol::VersionReq = requirement.parse().unwrap();
        assert_eq!(our_requirement.matches(&ours), their_requirement.matches(&theirs));
    });
}
