//! What cannot be sealed, and what strangers may try.

use proptest::prelude::{any, prop_assert, proptest};
use wargate_component::limits::{
    SEALED_NAME_BYTES_MAX, SEALED_NESTING_MAX, SEALED_TEXTS_BYTES_MAX,
};
use wargate_component::virtualize::{
    Entry, Folder, Options, Sealed, VirtualizeError as Error, virtualize,
};

use crate::{PROBE, file, folder, sealed};

/// The streams of a WASI, and something else.
fn with_streams(rest: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "wasi:io/streams@0.2.0" (instance $streams
                (export "input-stream" (type (sub resource)))))
            (alias export $streams "input-stream" (type $input))
            (import "wasi:filesystem/types@0.2.0" (instance
                (alias outer 1 $input (type $in))
                (export "input-stream" (type $it (eq $in)))
                (export "descriptor" (type $descriptor (sub resource)))
                (export "[method]descriptor.read-via-stream"
                    (func (param "self" (borrow $descriptor)) (result (own $it))))))
            {rest})"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn components_that_cannot_be_sealed_are_refused() {
    let import = |name: &str| format!(r#"(component (import "{name}" (instance)))"#);
    let rows = [
        ("(module)".to_owned(), "core module"),
        (import("wasi:filesystem/types@0.3.0"), "`wasi:filesystem/types@0.3.0`, and only WASI 0.2"),
        (import("wasi:filesystem/types@0.2.0-rc-2023-11-10"), "only WASI 0.2"),
        (import("wasi:filesystem/types"), "only WASI 0.2"),
        (import("wasi:filesystem/other@0.2.0"), "only WASI 0.2"),
        (import("wasi:cli/environment@1.0.0"), "only WASI 0.2"),
        (import("unlocked-dep=<a:b>"), "it depends on packages, as `unlocked-dep=<a:b>`"),
        (
            r#"(component (import "wasi:cli/environment@0.2.0" (instance
                (export "set-environment" (func)))))"#
                .to_owned(),
            "`set-environment` of `wasi:cli/environment@0.2.0`, which is not in WASI 0.2",
        ),
        (
            r#"(component (import "wasi:cli/environment@0.2.0" (instance
                (export "get-arguments" (func (result u32))))))"#
                .to_owned(),
            "not what it asks for",
        ),
        (
            r#"(component (import "wasi:cli/environment@0.2.0" (func)))"#.to_owned(),
            "not what it asks for",
        ),
    ];
    for (text, words) in rows {
        let bytes = wat::parse_str(&text).unwrap();
        let error = virtualize(&bytes, &sealed(), Options::default()).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn streams_where_wasi_has_none_are_refused() {
    let rows = [
        (
            r#"(import "my:own/blobs" (instance
                (alias outer 1 $input (type $in))
                (export "input-stream" (type $it (eq $in)))
                (export "get" (func (result (own $it))))))"#,
            "input streams in `my:own/blobs`, `get`",
        ),
        (
            r#"(import "give" (func (result (own $input))))"#,
            "input streams in `give`, which can be",
        ),
    ];
    for (rest, words) in rows {
        let error = virtualize(&with_streams(rest), &sealed(), Options::default()).unwrap_err();
        assert!(matches!(error, Error::Stream { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let seal = |sealed: &Sealed| {
        virtualize(PROBE, sealed, Options::default()).map(|_| ()).map_err(|it| it.to_string())
    };
    let at = |name: &str| Sealed {
        folders: [("/".to_owned(), folder([(name, file(""))]))].into(),
        ..Sealed::default()
    };
    let long = "x".repeat(SEALED_NAME_BYTES_MAX);
    assert_eq!(seal(&at(&long)), Ok(()));
    for name in ["", ".", "..", "a/b", "/", "a\0", &format!("{long}x")] {
        assert!(seal(&at(name)).unwrap_err().contains("no name of a file"), "{name:?}");
    }
    let variable = |name: &str, value: &str| Sealed {
        environment: [(name.to_owned(), value.to_owned())].into(),
        ..Sealed::default()
    };
    let long = "x".repeat(SEALED_TEXTS_BYTES_MAX - 1);
    assert_eq!(seal(&variable("A", &long)), Ok(()));
    assert!(seal(&variable("AB", &long)).unwrap_err().contains("at most 1048576"));
    for (name, value) in [("", "x"), ("A=B", "x"), ("A", "x\0"), ("A\0", "")] {
        assert!(seal(&variable(name, value)).is_err(), "{name:?}={value:?}");
    }
    let nested = |depth: usize| {
        let mut nested = Folder::default();
        for _ in 1..depth {
            nested = folder([("f", Entry::Folder(nested))]);
        }
        Sealed { folders: [("/".to_owned(), nested)].into(), ..Sealed::default() }
    };
    assert_eq!(seal(&nested(SEALED_NESTING_MAX)), Ok(()));
    assert!(seal(&nested(SEALED_NESTING_MAX + 1)).unwrap_err().contains("in one another"));
    let many = (0..70_000).map(|number| (number.to_string(), file(""))).collect();
    let many = Sealed { folders: [("/".to_owned(), Folder(many))].into(), ..Sealed::default() };
    assert!(seal(&many).unwrap_err().contains("files and folders, and at most 65536"));
    let large = folder([("large", Entry::File(vec![0; (64 << 20) + 1]))]);
    let large = Sealed { folders: [("/".to_owned(), large)].into(), ..Sealed::default() };
    assert!(seal(&large).unwrap_err().contains("bytes of files, and at most 67108864"));
}

proptest! {
    #[test]
    fn no_bytes_lead_to_anything_but_a_result(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        flips in proptest::collection::vec((0..PROBE.len(), any::<u8>()), 1..4),
    ) {
        prop_assert!(virtualize(&bytes, &sealed(), Options::default()).is_err());
        let mut damaged = PROBE.to_vec();
        for (place, byte) in flips {
            damaged[place] = byte;
        }
        // Whatever comes out is not our own mistake.
        let result = virtualize(&damaged, &Sealed::default(), Options::default());
        prop_assert!(!matches!(result, Err(Error::Defect)));
    }
}
