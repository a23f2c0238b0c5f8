//! The interfaces of a file as WIT text: [`wit`] in one text, [`folder`] as the files that build tools
//! read. [`encode()`] goes the other way, from texts to a package.
//!
//! The text is the public library's, which is made for the types of one side. What it cannot say is
//! never left out silently; it stands in the [notes](Note):
//!
//! - An import with the name of a dependency (`unlocked-dep=<…>`, `locked-dep=<…>`, `url=<…>`,
//!   `integrity=<…>`) has no place in WIT. An instance, a function or a type gets a plain name made of
//!   that of its package, and its own name as documentation. A component, a module or a value is not in
//!   the text at all, whatever its name.
//! - WIT has one definition of an interface. A component may import and export one under the same name
//!   with other contents, and then the text has what either has, and of what both have the import's.

mod decode;
mod encode;
pub(crate) mod rename;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use wit_component_258::WitPrinter;
use wit_parser::{PackageId, Resolve};

pub use encode::encode;

use crate::inspect::{Extern, InspectError, Kind, Limits, guarded, one_line};
use crate::limits::REASON_BYTES_MAX;

/// The interfaces of a file as one text. Its JSON form has members in camel case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wit {
    /// What the file is.
    pub kind: Kind,
    /// The package that the text begins with, as in `wasi:http@0.2.0`. A component does not say which
    /// it was made from, and gets `root:component`.
    pub package: String,
    /// The interfaces of that package, by their plain names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,
    /// The worlds of that package, by their plain names. Of a component it is `root`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worlds: Vec<String>,
    /// The package, and all that it needs of others as nested packages behind it. Items that are marked
    /// as unstable are there with their marks.
    pub text: String,
    /// What the text does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// The interfaces of a file as the files of a folder, which `cargo component`, `wit-bindgen`, `jco` and
/// `componentize-py` read. Its JSON form has members in camel case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WitFolder {
    /// The package of the first file, as [`Wit::package`] has it.
    pub package: String,
    /// The file of the package, and then one in a folder below `deps` for each that it needs.
    pub files: Vec<WitFile>,
    /// What the files do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// A file of WIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WitFile {
    /// Where it belongs, below the folder, with `/` between: `world.wit` of a component, else the
    /// package's name as in `http.wit`, and `deps/wasi-io-0.2.0/package.wit`. The segments consist of
    /// letters, digits, `-`, `.` and `+`, none begins with a point, and no two paths are the same where
    /// capitals are not told apart.
    pub path: String,
    /// The whole file.
    pub text: String,
}

/// Something that the text does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "note")]
pub enum Note {
    /// An import has another name in the text.
    Renamed {
        /// The import, under its own name.
        import: Extern,
        /// Its name in the text.
        label: String,
    },
    /// An import is not in the text: WIT has no words for what it is.
    Omitted {
        /// The import.
        import: Extern,
    },
    /// An interface is imported and exported with different contents.
    Merged {
        /// The name of both.
        interface: String,
    },
    /// The documentation in the file cannot be read, and the text has none.
    Undocumented {
        /// Why; at most [`REASON_BYTES_MAX`] bytes, which may quote the file.
        reason: String,
    },
    /// Worlds in a core module cannot be read.
    UnreadableWorlds {
        /// How many.
        count: usize,
    },
    /// The text itself is no valid WIT. People can read it, and tools cannot.
    Unparsable {
        /// Why; at most [`REASON_BYTES_MAX`] bytes, which may quote the file.
        reason: String,
    },
}

/// Why a file has no WIT text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitError {
    /// It is no WebAssembly, or beyond a limit.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It is a core module that does not say which world it was made for. Nobody's fault.
    #[error("the file is a core module without interfaces: no section says which world it is for")]
    NoInterfaces,
    /// It is a core module whose sections about worlds cannot be read, none of them. The file's fault,
    /// or it is newer or older than what this program knows.
    #[error(
        "the file is a core module that says for which {count} worlds it is in no known format"
    )]
    UnreadableWorlds {
        /// How many there are.
        count: usize,
    },
    /// WIT text is not right.
    #[error("{reason}")]
    Text {
        /// Why; at most [`REASON_BYTES_MAX`] bytes, which may quote the text.
        reason: String,
    },
    /// It is valid, and what it exports or how its types hang together has no form in WIT.
    #[error("the interfaces of the file cannot be said in WIT: {reason}")]
    Inexpressible {
        /// Why; at most [`REASON_BYTES_MAX`] bytes, which may quote the file.
        reason: String,
    },
}

/// Says the interfaces of a file in one text. Bodies of functions are not validated.
///
/// # Errors
/// If the file is invalid or beyond a limit, or has nothing that WIT could say.
pub fn wit(bytes: &[u8], limits: &Limits) -> Result<Wit, WitError> {
    let document = Document::read(bytes, *limits)?;
    let main = &document.resolve.packages[document.main];
    let text = document.text()?;
    Ok(Wit {
        kind: document.kind,
        package: main.name.to_string(),
        interfaces: main.interfaces.keys().cloned().collect(),
        worlds: main.worlds.keys().cloned().collect(),
        notes: document.notes_for(&text),
        text,
    })
}

/// Says the interfaces of a file in the files of a folder. Bodies of functions are not validated.
///
/// # Errors
/// As [`wit()`].
pub fn folder(bytes: &[u8], limits: &Limits) -> Result<WitFolder, WitError> {
    let document = Document::read(bytes, *limits)?;
    let main = &document.resolve.packages[document.main].name;
    let path = match document.kind {
        Kind::Component => "world.wit".to_owned(),
        Kind::CoreModule | Kind::WitPackage => format!("{}.wit", main.name),
    };
    let mut files = vec![WitFile { path, text: document.print(&[document.main])? }];
    let mut taken = HashSet::new();
    for id in document.others() {
        let name = &document.resolve.packages[id].name;
        let version = name.version.as_ref().map(|version| format!("-{version}"));
        let base = format!("{}-{}{}", name.namespace, name.name, version.unwrap_or_default());
        let mut folder = base.clone();
        // Two names can make one: `a-b:c` and `a:b-c`.
        let mut number = 1;
        while !taken.insert(folder.to_lowercase()) {
            number += 1;
            folder = format!("{base}.{number}");
        }
        let path = format!("deps/{folder}/package.wit");
        files.push(WitFile { path, text: document.print(&[id])? });
    }
    let notes = document.notes_for(&document.text()?);
    Ok(WitFolder { package: main.to_string(), files, notes })
}

/// What a file says in terms of WIT.
struct Document {
    kind: Kind,
    resolve: Resolve,
    main: PackageId,
    notes: Vec<Note>,
}

impl Document {
    /// The main package, and then the others as nested ones.
    fn text(&self) -> Result<String, WitError> {
        let packages: Vec<_> = std::iter::once(self.main).chain(self.others()).collect();
        self.print(&packages)
    }

    /// The packages that the main one needs, each behind those that it needs itself.
    fn others(&self) -> impl Iterator<Item = PackageId> {
        self.resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != self.main)
    }

    /// Prints the first package as the main one, and the others within.
    fn print(&self, packages: &[PackageId]) -> Result<String, WitError> {
        let Some((main, nested)) = packages.split_first() else { return Ok(String::new()) };
        let print = || {
            let mut printer = WitPrinter::default();
            printer.print(&self.resolve, *main, nested).map(|()| printer.output.to_string())
        };
        match guarded(std::panic::AssertUnwindSafe(print)) {
            Some(Ok(text)) => Ok(text),
            Some(Err(error)) => Err(WitError::Inexpressible { reason: reason(&error) }),
            None => Err(WitError::Inspect(InspectError::Defect)),
        }
    }

    /// The notes, and one more if the text cannot be read again.
    fn notes_for(&self, text: &str) -> Vec<Note> {
        let mut notes = self.notes.clone();
        let read = guarded(|| {
            let mut resolve = Resolve { all_features: true, ..Resolve::default() };
            resolve.push_str("text.wit", text).map(drop).map_err(|error| reason(&error))
        });
        match read {
            Some(Ok(())) => {}
            Some(Err(reason)) => notes.push(Note::Unparsable { reason }),
            None => {
                let reason = "the parser of WIT fails on it".to_owned();
                notes.push(Note::Unparsable { reason });
            }
        }
        notes
    }
}

/// The words of a library, which may quote the file.
fn reason(error: &impl std::fmt::Display) -> String {
    let text = format!("{error:#}");
    one_line(&text[..text.floor_char_boundary(REASON_BYTES_MAX)])
}
