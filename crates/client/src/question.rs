//! What only the user can decide. The client never asks by itself: it ends with
//! [`Error::Undecided`](crate::Error::Undecided), and the caller puts the answer into
//! [`Answers`] and calls again.

use std::collections::BTreeMap;
use std::fmt;

use wargate_protocol::{Namespace, PackageName};

use crate::origin::Domain;

/// Something to decide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Question {
    /// A registry hints that a namespace is another one's. May it be asked there from now on?
    FollowHint {
        /// The registry that gives the hint.
        from: Domain,
        /// The namespace.
        namespace: Namespace,
        /// Where it leads.
        to: Domain,
    },
    /// The package does not exist. Shall it be created with the key that signs?
    CreatePackage {
        /// The registry.
        registry: Domain,
        /// The package.
        package: PackageName,
    },
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FollowHint { from, namespace, to } => write!(
                f,
                "{from} says that the namespace `{namespace}` is at {to}: use that registry for it?"
            ),
            Self::CreatePackage { registry, package } => {
                write!(f, "`{package}` does not exist at {registry}: create it?")
            }
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<Question, bool>);

impl Answers {
    /// Notes an answer.
    pub fn note(&mut self, question: Question, yes: bool) {
        self.0.insert(question, yes);
    }

    /// The answer; `None` if the question was not answered.
    pub fn to(&self, question: &Question) -> Option<bool> {
        self.0.get(question).copied()
    }
}
