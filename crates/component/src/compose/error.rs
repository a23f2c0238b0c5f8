//! Why something cannot be composed, with the places in the text.

use miette::{Diagnostic, SourceSpan};
use serde::{Deserialize, Serialize};
use wargate_protocol::{PackageName, Version};

use super::Reference;
use crate::adapt::Adapter;
use crate::inspect::{InspectError, one_line};
use crate::limits::REASON_BYTES_MAX;

/// A place in a document, and what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where it begins, in bytes of the document.
    pub offset: usize,
    /// How long it is, in bytes.
    pub length: usize,
    /// What is there; perhaps nothing.
    pub text: String,
}

impl Label {
    pub(super) fn at(span: SourceSpan, text: &str) -> Self {
        Self { offset: span.offset(), length: span.len(), text: text.to_owned() }
    }
}

/// Why something cannot be composed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ComposeError {
    /// The document: its author's fault.
    #[error("{message}")]
    Document {
        /// What is wrong with it; at most [`REASON_BYTES_MAX`](crate::limits::REASON_BYTES_MAX) bytes,
        /// which may quote it.
        message: String,
        /// The places that show it, the most telling first.
        labels: Vec<Label>,
        /// What to do about it, if anything is known.
        hint: Option<String>,
    },
    /// The bytes of a package.
    #[error("{}{}: {reason}", package, version.as_ref().map(|it| format!("@{it}")).unwrap_or_default())]
    Package {
        /// The package.
        package: PackageName,
        /// Its version, if one was asked for.
        version: Option<Version>,
        /// What is wrong with them.
        reason: String,
    },
    /// A package is a core module, and the adapter that it needs was not given.
    #[error(
        "{}{} is a core module that imports from `wasi_snapshot_preview1`: it needs the adapter `{}`",
        package, version.as_ref().map(|it| format!("@{it}")).unwrap_or_default(), adapter.name()
    )]
    NeedsAdapter {
        /// The package.
        package: PackageName,
        /// Its version, if one was asked for.
        version: Option<Version>,
        /// What it needs.
        adapter: Adapter,
    },
    /// The document has more bytes than this.
    #[error("the document has more than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// The document is nested deeper than this.
    #[error("the document is nested more than {levels_max} levels deep, at byte {offset}")]
    TooDeep {
        /// Where.
        offset: usize,
        /// The limit.
        levels_max: usize,
    },
    /// The document names more packages than this.
    #[error("the document names more than {packages_max} packages")]
    TooManyPackages {
        /// The limit.
        packages_max: usize,
    },
    /// The packages have more bytes than this together.
    #[error("the packages have more than {bytes_max} bytes together")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// None of the plugs has anything that the socket wants.
    #[error("none of the plugs exports what the socket imports")]
    NothingPlugged {
        /// What the socket imports.
        imports: Vec<String>,
        /// What the plugs export.
        exports: Vec<String>,
    },
    /// The libraries know no way on with these types.
    #[error("the composition is beyond what this program can do: {reason}")]
    Panicked {
        /// Their last words.
        reason: String,
    },
}

impl ComposeError {
    /// An error of the libraries.
    pub(super) fn of(error: &impl Diagnostic) -> Self {
        let labels = error.labels().into_iter().flatten();
        let labels = labels.map(|label| Label {
            offset: label.offset(),
            length: label.len(),
            text: label.label().map(one_line).unwrap_or_default(),
        });
        let labels = labels.collect();
        let hint = error.help().map(|help| one_line(&help.to_string()));
        Self::Document { message: chain(error), labels, hint }
    }

    pub(super) fn unknown_package(reference: &Reference, label: Label) -> Self {
        let Reference { package, version } = reference;
        let version = version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
        Self::Document {
            message: format!("there is no package `{package}{version}`"),
            labels: vec![label],
            hint: None,
        }
    }

    /// What was composed is not valid, though all that is within is.
    pub(super) fn invalid(error: &InspectError) -> Self {
        let message = format!("what was composed is not valid: {error}");
        Self::Document { message, labels: Vec::new(), hint: None }
    }

    /// An error of the graph, which knows no text.
    pub(super) fn of_graph(error: &dyn std::error::Error) -> Self {
        Self::Document { message: chain(error), labels: Vec::new(), hint: None }
    }
}

/// An error with all that led to it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = one_line(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = one_line(&error.to_string());
        if !words.ends_with(&why) {
            words.push_str(": ");
            words.push_str(&why);
        }
        cause = error.source();
    }
    words.truncate(words.floor_char_boundary(REASON_BYTES_MAX));
    words
}
