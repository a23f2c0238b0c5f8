//! Registries' URLs and names, by the vectors and against hostile texts.

use wargate_testkit::vectors::{Walk, load};

use super::*;
use crate::seams::Key;

#[test]
fn the_vectors_hold() {
    let vectors = load("registry-urls");
    for case in vectors.list("cases") {
        let input = case.text("input");
        let url: Result<RegistryUrl, _> = input.parse();
        if case.text("input").contains('@') {
            // The reference client keeps user and password in the URL, and so on the disk. We do not.
            assert!(matches!(url, Err(RegistryUrlError::Credentials(_))), "{input}");
        } else if case["accepted"] == true {
            let url = url.unwrap_or_else(|error| unreachable!("{input}: {error}"));
            assert_eq!(url.as_url().as_str(), case.text("url"));
            assert_eq!(url.domain().as_str(), case.text("label"));
            assert_eq!(url.domain().as_str(), case.text("domain"));
        } else {
            assert!(url.is_err(), "{input}");
        }
    }
}

#[test]
fn a_number_is_not_taken_for_an_address() {
    for text in
        ["5", "0", "https://2130706433", "http://0x7f000001:80/", "127.1", "https://0177.0.0.1"]
    {
        let error = text.parse::<RegistryUrl>().unwrap_err().to_string();
        assert!(error.contains("its host is a number"), "{text}: {error}");
    }
    for text in ["127.0.0.1", "https://127.0.0.1:8090/x?y", "http://127.0.0.1#x", "5.example"] {
        assert!(text.parse::<RegistryUrl>().is_ok(), "{text}");
    }
}

#[test]
fn a_name_leads_back_to_its_url() {
    let vectors = load("registry-urls");
    let accepted = vectors.list("cases").iter().filter(|case| case["accepted"] == true);
    for case in accepted.filter(|case| !case.text("input").contains('@')) {
        let url: RegistryUrl = case.text("url").parse().unwrap();
        let mut plain = url.as_url().clone();
        plain.set_query(None);
        plain.set_fragment(None);
        let back = url.domain().to_url().unwrap();
        assert_eq!(back.domain(), url.domain());
        // What the name has as `.2A` was not written as `%2A` in the URL, which means the same.
        if !plain.as_str().contains(['*', '_']) {
            assert_eq!(back.as_url().as_str(), plain.as_str());
        }
    }
}

#[test]
fn every_name_is_harmless_in_a_path() {
    let long = format!("https://{}", vec!["a".repeat(60); 4].join("."));
    let hostile = [
        "https://..",
        "https://../x",
        "https://.hidden",
        "https://-x",
        "https://_x",
        "https://a$b;c&d'e",
        "https://h/..%2f..%2fetc",
        "https://h/%00",
        "https://h/a//b",
        "https://h/\u{202e}",
        "https://[::ffff:127.0.0.1]",
        &format!("https://h/{}", "x/".repeat(500)),
        &long,
    ];
    for text in hostile {
        let Ok(url) = text.parse::<RegistryUrl>() else { continue };
        let name = url.domain();
        assert_eq!(name.as_str().parse(), Ok(name.clone()), "{text}");
        assert!(Key::new([name.as_str()]).is_ok(), "{text}");
    }
}

#[test]
fn hostile_names_are_refused() {
    let long = "x".repeat(DOMAIN_BYTES_MAX + 1);
    for text in [
        "", ".", "..", "../x", "a/b", "a\\b", "-a", "_a", ".a", "a b", "a\0", "a\n", "é", "a:1",
        &long,
    ] {
        assert_eq!(text.parse::<Domain>(), Err(DomainError(text.to_owned())));
    }
    // Legal as names, and of no URL.
    for text in ["ipv6", "ipv6_", "ipv6_x", "h_.", "h_.ZZ..", "1.2.3.4.5", "a..b-99999"] {
        let name: Domain = text.parse().unwrap();
        if let Ok(url) = name.to_url() {
            assert!(url.domain().as_str().parse::<Domain>().is_ok(), "{text}: {url}");
        }
    }
    let shown = DomainError("a\x1b[0m\n".to_owned()).to_string();
    assert!(!shown.contains(['\x1b', '\n']), "{shown}");
}

#[test]
fn names_of_different_registries_stay_apart() {
    let mapped = ["https://[::ffff:127.0.0.1]", "https://[::ffff:127:0:0:1]"];
    let [one, other] = mapped.map(|text| text.parse::<RegistryUrl>().unwrap().domain());
    assert_eq!((one.as_str(), other.as_str()), ("ipv6_..ffff.7f00.1", "ipv6_..ffff.127.0.0.1"));
    let at = |end: &str| -> RegistryUrl {
        format!("https://h/{}{end}", "x".repeat(200)).parse().unwrap()
    };
    let (one, other) = (at("1").domain(), at("2").domain());
    assert_ne!(one, other);
    assert_eq!(one.as_str().len(), DOMAIN_BYTES_MAX);
}

#[test]
fn passwords_are_neither_taken_nor_shown() {
    for text in [
        "https://user:secret@h/x",
        "secret@h",
        "https://:secret@h:1",
        "http://secret@localhost",
        "https://user:secret@",
        "https://user:secret@h:x",
        "ftp://user:secret@h",
        "http://user:secret@h",
    ] {
        let error = text.parse::<RegistryUrl>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}

#[test]
fn only_this_machine_is_reached_without_tls() {
    for host in [
        "localhost",
        "127.9.9.9",
        "[::1]:1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f01:203]:8090",
        "localhost.",
        "LocalHost.:1",
        "x.localhost",
        "a.b.localhost.:8090/path",
    ] {
        let url: RegistryUrl = format!("http://{host}").parse().unwrap();
        assert!(url.is_loopback(), "{host}");
        // And its name leads back there.
        let back = url.domain().to_url().unwrap();
        assert_eq!((back.as_url().scheme(), back.domain()), ("http", url.domain()), "{host}");
    }
    let bad = [
        "http://localhost.example",
        "http://xlocalhost",
        "http://localhost..",
        "http://[::ffff:10.0.0.1]",
        "http://[::2]",
        "http://0.0.0.0",
        "http://127.0.0.1.example",
        "http://localhost@example.com",
        "ws://localhost",
        "file:///x",
    ];
    for text in bad {
        assert!(text.parse::<RegistryUrl>().is_err(), "{text}");
    }
}
