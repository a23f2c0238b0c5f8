//! Composing what strangers wrote: documents, and components as plugs.
//!
//! The libraries for that panic, which is an error here; so no panic of theirs ends a target.
//! Those who run targets otherwise than as tests have to see to it that a panic that is caught is none.

use std::collections::BTreeMap;

use wargate_component::compose::{
    ComposeError, Composition, Form, Packages, Plug, Reference, compose, plug as put, references,
};
use wargate_component::{Limits, inspect};

use super::Bytes;

/// How many components there are at most.
const COMPONENTS_MAX: usize = 4;

/// Components, each behind its length in two bytes, little-endian, and then a document, in which they are
/// the packages `a:a`, `b:b`, `c:c` and `d:d`, whatever version it says.
pub fn wac(data: &[u8]) {
    let mut bytes = Bytes(data);
    let components: [&[u8]; COMPONENTS_MAX] = std::array::from_fn(|_| bytes.piece());
    let Ok(source) = std::str::from_utf8(bytes.rest()) else { return };
    let named = match references(source) {
        Ok(named) => named,
        Err(error) => return described(source, &error),
    };
    let mut packages = Packages::default();
    for (reference, offset) in named {
        assert!(source.is_char_boundary(offset));
        let letter = reference.package.as_str().bytes().next().unwrap_or_default();
        let at = usize::from(letter.wrapping_sub(b'a'));
        if let Some(component) = components.get(at) {
            packages.contents.insert(reference, component);
        }
    }
    for form in [Form::Whole, Form::Open] {
        match compose(source, &packages, form) {
            Ok(made) => {
                same_again(&made, || compose(source, &packages, form));
            }
            Err(error) => described(source, &error),
        }
    }
}

/// A socket and plugs, each behind its length in two bytes, little-endian.
pub fn plug(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut piece = |name: &str| {
        let reference = Reference { package: name.parse().unwrap(), version: None };
        Plug { reference, bytes: bytes.piece() }
    };
    let (socket, plugs) = (piece("a:a"), [piece("b:b"), piece("c:c"), piece("d:d")]);
    let plugged = || put(&socket, &plugs, &BTreeMap::new(), Form::Whole);
    match plugged() {
        Ok((made, unused)) => {
            assert!(unused.len() < plugs.len());
            same_again(&made, || plugged().map(|(made, _)| made));
        }
        Err(error) => described("", &error),
    }
}

/// What was made is valid, and made again.
fn same_again(made: &Composition, again: impl FnOnce() -> Result<Composition, ComposeError>) {
    inspect(&made.bytes, &Limits::default()).expect("a composition is valid");
    assert_eq!(again().expect("the same again").bytes, made.bytes);
    assert!(!made.graph.to_dot().is_empty() && !made.graph.to_svg().is_empty());
}

/// An error says something, and where in the text.
fn described(source: &str, error: &ComposeError) {
    assert!(!error.to_string().is_empty());
    if let ComposeError::Document { labels, .. } = error {
        for label in labels {
            assert!(label.offset <= source.len());
        }
    }
}
