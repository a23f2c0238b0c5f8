//! Why components cannot be linked, and the chains of imports that lead there.

use std::fmt;

use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};

use crate::inspect::{ExternKind, InspectError, Kind};
use crate::names::{ImportName, ImportNameError};
use crate::solve::Step;

/// How the root comes to an import or a release: one import after the other. An empty chain is the
/// root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain(pub Vec<Step>);

/// Why components cannot be linked.
///
/// The texts of names in it are a stranger's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// The caller's fault: it has contents for more or fewer releases than the solution.
    #[error("there are {contents} contents for {nodes} releases, which is the caller's mistake")]
    Contents {
        /// How many contents there are.
        contents: usize,
        /// How many releases the solution has.
        nodes: usize,
    },
    /// The caller's fault: an edge of the solution leads to no node.
    #[error("the solution answers {chain} with a release that it does not have")]
    NoNode {
        /// The import.
        chain: Chain,
    },
    /// The caller's fault: the solution has a release twice.
    #[error("the solution has {package} {version} twice")]
    Twice {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
    },
    /// More bytes than [`LINK_BYTES_MAX`](crate::limits::LINK_BYTES_MAX).
    #[error(
        "root and releases have {bytes} bytes together, more than the {bytes_max} that can be linked"
    )]
    TooLarge {
        /// Their sizes together.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The result would have more types than
    /// [`LINK_ITEMS_MAX`](crate::limits::LINK_ITEMS_MAX).
    #[error("the imports that stay open have more than {items_max} types together")]
    TooComplex {
        /// The limit.
        items_max: usize,
    },
    /// The content of a release has another digest: it was tampered with, or is that of another
    /// release.
    #[error(
        "the content of {package} {version} is {found}, not what was solved for: fetch it again"
    )]
    OtherContent {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// What the content is.
        found: Digest,
    },
    /// An import demands other content than that of the release that answers it.
    #[error(
        "{chain}, but the content is {found}: the import was locked to something else; lock the \
         importing component again"
    )]
    OtherIntegrity {
        /// The import.
        chain: Chain,
        /// The digest of the content.
        found: Digest,
    },
    /// An import is answered with a release that it does not name.
    #[error("{chain}, and {package} {version} is no answer to that: solve again")]
    OtherRelease {
        /// The import.
        chain: Chain,
        /// The package of the release.
        package: PackageName,
        /// Its version.
        version: Version,
    },
    /// The solution has no answer to an import.
    #[error("{chain}, and the solution has no release for it: solve again")]
    NoAnswer {
        /// The import.
        chain: Chain,
    },
    /// The solution answers an import that there is not: it is that of another component.
    #[error("the solution answers an import that is not there: {chain}; solve again")]
    NoImport {
        /// The import.
        chain: Chain,
    },
    /// The name of an import says that it is a dependency and cannot be read. It is the fault of who
    /// made the last component of the chain.
    #[error("{} has an import of a package that cannot be read: {error}", End(chain))]
    Name {
        /// How the root comes to the component.
        chain: Chain,
        /// What is wrong.
        error: ImportNameError,
    },
    /// A content is no valid WebAssembly. It is the fault of who published it.
    #[error("{} cannot be linked: {error}", End(chain))]
    Content {
        /// How the root comes to it.
        chain: Chain,
        /// What is wrong.
        error: InspectError,
    },
    /// A content is a core module or a WIT package.
    #[error("{} cannot be linked: {}", End(chain), kind_problem(*kind))]
    NoComponent {
        /// How the root comes to it.
        chain: Chain,
        /// What it is.
        kind: Kind,
    },
    /// Releases import each other.
    #[error(
        "{chain}, which leads back to where it began: components in a cycle cannot be instantiated"
    )]
    Cycle {
        /// The imports of the cycle.
        chain: Chain,
    },
    /// A release does not export what an import asks of it.
    #[error("{chain}, but version {version} exports no `{projection}`")]
    NoExport {
        /// The import.
        chain: Chain,
        /// The version.
        version: Version,
        /// What stands behind the slash.
        projection: String,
    },
    /// An import of a package is neither an instance nor a component, and names no part of the package
    /// that is what it asks for.
    #[error("{chain} as a {kind:?}, which a package is not: import an instance or a component")]
    Kind {
        /// The import.
        chain: Chain,
        /// What the import is.
        kind: ExternKind,
    },
    /// A component is imported by one who does not pass on what it imports.
    #[error(
        "{chain} as a component and does not say that it imports `{import}`: lock the imported \
         component, or have the importer pass it"
    )]
    Open {
        /// The import of the component.
        chain: Chain,
        /// What the component imports.
        import: String,
    },
    /// A bundle cannot hold what an import names by its place or digest alone.
    #[error("{chain}, which is no release: a bundle cannot hold it; import a package instead")]
    Remote {
        /// The import.
        chain: Chain,
    },
    /// Imports of one name, or of one interface at compatible versions, that ask for different things.
    #[error("{} ask for different things under one name: {reason}", Chains(chains))]
    Unmergeable {
        /// The imports.
        chains: Vec<Chain>,
        /// In which way, in the validator's words.
        reason: String,
    },
    /// A resource of one instance stands where that of another is expected.
    #[error(
        "{chain}, but the resource `{resource}` that it takes is not the one that others give: {}; let them share one version",
        Chains(chains)
    )]
    Resource {
        /// The import.
        chain: Chain,
        /// The name of the resource.
        resource: String,
        /// How the root comes to each of the instances that has such a resource.
        chains: Vec<Chain>,
    },
    /// A release is not what an import of it says.
    #[error("{chain}, but that is not what it asks for: {reason}")]
    Mismatch {
        /// The import.
        chain: Chain,
        /// The validator's words.
        reason: String,
    },
    /// The root has an export that makes use of types which only a release within has.
    #[error(
        "the root's export `{export}` cannot be exported: {reason}; have the root export the types \
         that it makes use of, too"
    )]
    Export {
        /// The name of the export.
        export: String,
        /// The validator's words.
        reason: String,
    },
    /// A type that cannot be written.
    #[error("{chain}, whose type cannot be written: {what}")]
    Unsupported {
        /// The import.
        chain: Chain,
        /// What is in the way.
        what: &'static str,
    },
    /// The result is not valid, for another reason than those above.
    #[error("what was linked is not valid: {error}")]
    Result {
        /// The validator's words.
        error: InspectError,
    },
    /// Our fault: linking failed in a way that no content may cause. Please report it.
    #[error(
        "linking itself failed, which is a defect of this program: please report it with the components"
    )]
    Defect,
}

impl Chain {
    /// The chain with one more import.
    pub(super) fn then(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the root");
        }
        for (number, step) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

/// What a chain leads to, and the chain behind it.
struct End<'a>(&'a Chain);

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.0.last().map(|step| &step.import) {
            None => f.write_str("the root"),
            Some(ImportName::Unlocked { package, .. } | ImportName::Locked { package, .. }) => {
                write!(f, "{package} ({})", self.0)
            }
            Some(other) => write!(f, "{other} ({})", self.0),
        }
    }
}

/// Several chains in one sentence.
struct Chains<'a>(&'a [Chain]);

impl fmt::Display for Chains<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, chain) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(", and ")?;
            }
            write!(f, "{chain}")?;
        }
        Ok(())
    }
}

const fn kind_problem(kind: Kind) -> &'static str {
    match kind {
        Kind::CoreModule => "it is a core module; make a component of it first, with `warg adapt`",
        Kind::WitPackage => {
            "it is a WIT package, which says what interfaces look like and has nothing to run; \
             depend on a component that exports them"
        }
        Kind::Component => "it is a component",
    }
}
