//! Components with their environment and their files sealed inside.
//!
//! [`virtualize`] makes a component out of one that imports `wasi:cli/environment` or
//! `wasi:filesystem` of WASI 0.2. The result has the same exports, and sees the variables, arguments
//! and files that it was made with, whatever the host has: it imports neither of the two any more.
//! Files can be read and not written. Everything else stays an import.
//!
//! # How it is made
//!
//! The component is instantiated beside another one, which has what is sealed in its memory and answers
//! from there (`guests/virtual`). A file that is read as a stream has to be an `input-stream` as those
//! of standard input, sockets and HTTP bodies are. Where a component reads files so, all its input
//! streams are ours therefore: a stream of ours is a file, or has one of the host's behind it. Output
//! streams, pollables, errors and everything else are the host's own. That is why a component cannot be
//! virtualized that gives or takes input streams in ways that WASI does not have, in an import or an
//! export of its own.
//!
//! Only what the component imports is answered, and only what that takes is imported of the host, at the
//! versions that the component has. For a stream of a file that somebody waits for, that may be
//! `wasi:clocks/monotonic-clock`.
//!
//! Equal questions have byte for byte the same result. Files have no time, which reads as the beginning
//! of 1970.

mod between;
mod guest;
mod sealed;
mod wasi;

pub use sealed::{Entry, Folder, Sealed};

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::component_types::ResourceId;

use crate::link::LinkError;
use crate::link::between::{Answer, Answers, Behind, Member};
use crate::names::{ImportName, InterfaceName};
use crate::solve::track;
use between::Asked;
use guest::Guest;
use wargate_protocol::Version;
use wasi::{ENVIRONMENT, FILES, FUNCTIONS, Function, INPUT, OWN, PREOPENS, STREAMS};

/// What stays with the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The arguments, so that a command can be given some when it is run. `wasi:cli/environment` stays
    /// an import for them.
    pub host_arguments: bool,
    /// The files.
    pub host_files: bool,
}

/// A component, and what became of its imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Virtualized {
    /// The component. It is the one that was given if nothing is answered.
    pub bytes: Vec<u8>,
    /// The imports that are answered from inside, as they were called.
    pub answered: Vec<String>,
    /// Whether variables, arguments and files are read: what is not read is not sealed.
    pub reads: Reads,
}

/// What a component reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Environment variables.
    pub environment: bool,
    /// Arguments.
    pub arguments: bool,
    /// Files.
    pub files: bool,
}

/// Why a component cannot be virtualized. The texts of names in it are a stranger's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VirtualizeError {
    /// It is no component, or not valid, or cannot be put together.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It imports packages, which would be open in the result.
    #[error("it depends on packages, as `{import}`: bundle it first")]
    Packages {
        /// The import.
        import: String,
    },
    /// It is for another WASI.
    #[error("it imports `{import}`, and only WASI 0.2 can be answered from inside")]
    Version {
        /// The import.
        import: String,
    },
    /// It asks for what WASI 0.2 does not have.
    #[error("it asks for `{item}` of `{import}`, which is not in WASI 0.2")]
    Unknown {
        /// The import.
        import: String,
        /// The item.
        item: String,
    },
    /// It has an input stream where WASI 0.2 has none.
    #[error(
        "it reads files as streams and has input streams in `{import}`{}, which can be of the host \
         or sealed, and not both",
        of_item(item)
    )]
    Stream {
        /// The import.
        import: String,
        /// The function; it is empty if the import is one.
        item: String,
    },
    /// The name of a variable is empty or has an equals sign in it.
    #[error("`{name}` is no name of a variable")]
    Variable {
        /// The name.
        name: String,
    },
    /// A name of a file or folder is empty, `.`, `..`, too long, or has a slash or a zero in it.
    #[error("`{name}` is no name of a file")]
    Name {
        /// The name.
        name: String,
    },
    /// A text has a zero in it.
    #[error("`{text}` has a zero in it, where texts end in many languages")]
    Zero {
        /// The text.
        text: String,
    },
    /// More than a limit.
    #[error("there are {count} {what}, and at most {count_max} can be sealed")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many there are, or more.
        count: usize,
        /// How many there may be.
        count_max: usize,
    },
    /// Our fault. Please report it.
    #[error(
        "sealing itself failed, which is a defect of this program: please report it with the component"
    )]
    Defect,
}

/// Seals environment and files in a component.
///
/// # Errors
///
/// [`VirtualizeError`], which says whose fault it is.
pub fn virtualize(
    component: &[u8],
    sealed: &Sealed,
    options: Options,
) -> Result<Virtualized, VirtualizeError> {
    let behind = Behind::read(component)?;
    let (asked, answers, reads, answered, names) = {
        let mut question = Question::new(&behind, options)?;
        question.answer()?;
        let Question { asked, answers, imports, reads, answered, .. } = question;
        (asked, answers, reads, answered, HostNames::new(&imports))
    };
    if answers.is_empty() {
        return Ok(Virtualized { bytes: component.to_vec(), answered, reads });
    }
    let guest = Guest::read()?;
    let memory = guest.memory(&sealed.lay_out(reads, guest.start())?)?;
    let between = between::write(&asked, &guest, &memory, |name| names.versioned(name))?;
    let output = behind.link(&between, &answers)?;
    Ok(Virtualized { bytes: output.to_vec(), answered, reads })
}

/// Our own mistake.
struct Defect;

impl From<Defect> for VirtualizeError {
    fn from(_: Defect) -> Self {
        Self::Defect
    }
}

/// What a component imports, and what it gets.
struct Question<'b, 'a> {
    behind: &'b Behind<'a>,
    options: Options,
    imports: Vec<Import<'b>>,
    /// The streams of the component's imports, if files are among them.
    inputs: BTreeSet<ResourceId>,
    asked: Asked,
    answers: Answers,
    reads: Reads,
    answered: Vec<String>,
}

/// An import.
struct Import<'b> {
    name: &'b str,
    /// The interface without its version, if it is one of WASI 0.2.
    wasi: Option<(String, Version)>,
    members: Vec<Member<'b>>,
}

impl<'b, 'a> Question<'b, 'a> {
    fn new(behind: &'b Behind<'a>, options: Options) -> Result<Self, VirtualizeError> {
        let mut imports = Vec::new();
        for (number, (name, reading)) in behind.imports().enumerate() {
            if reading.dependency().is_some() {
                return Err(VirtualizeError::Packages { import: name.to_owned() });
            }
            let interface = match reading {
                ImportName::Interface(interface) => Some(interface),
                _ => None,
            };
            let wasi = interface.and_then(of_wasi);
            let known =
                |(name, _): &(String, Version)| FUNCTIONS.iter().any(|it| it.interface == name);
            if !wasi.as_ref().is_some_and(known)
                && interface.is_some_and(|it| is_answered(it, options))
            {
                return Err(VirtualizeError::Version { import: name.to_owned() });
            }
            imports.push(Import { name, wasi, members: behind.members(number) });
        }
        let (asked, answers, reads) = (Asked::default(), Answers::new(), Reads::default());
        let (inputs, answered) = (BTreeSet::new(), Vec::new());
        Ok(Self { behind, options, imports, inputs, asked, answers, reads, answered })
    }

    fn answer(&mut self) -> Result<(), VirtualizeError> {
        let streams = self.of_interface(STREAMS).flat_map(|(_, import)| &import.members);
        let inputs = streams.filter(|member| member.name == INPUT).filter_map(Member::resource);
        let inputs: BTreeSet<ResourceId> = inputs.collect();
        let users = inputs.iter().map(|resource| self.behind.users(*resource));
        let users: Vec<Vec<Vec<&str>>> = users.collect::<Result<_, _>>()?;
        let is_of = |import: usize, item: &str| users.iter().any(|it| it[import].contains(&item));
        let opens = self
            .of_interface(FILES)
            .any(|(import, _)| !users.iter().all(|it| it[import].is_empty()));
        if opens && !self.options.host_files {
            self.inputs = inputs;
        }
        for number in 0..self.imports.len() {
            let interface = self.imports[number].wasi.as_ref().map(|(name, _)| name.clone());
            match interface.as_deref() {
                Some(ENVIRONMENT) => self.environment(number)?,
                Some(FILES | PREOPENS) if !self.options.host_files => self.files(number)?,
                _ if self.inputs.is_empty() => {}
                interface => self.streams(number, interface, &|item| is_of(number, item))?,
            }
        }
        Ok(())
    }

    fn environment(&mut self, import: usize) -> Result<(), VirtualizeError> {
        let mut answers = Vec::new();
        for name in self.names(import) {
            let answer = if name == "get-arguments" && self.options.host_arguments {
                Answer::Host(import, name.clone())
            } else {
                self.reads.environment |= name == "get-environment";
                self.reads.arguments |= name == "get-arguments";
                self.function(import, ENVIRONMENT, &name)?
            };
            answers.push((name, answer));
        }
        let is_of_host = |(_, answer): &(String, Answer)| matches!(answer, Answer::Host(..));
        if !answers.iter().any(is_of_host) {
            self.answered.push(self.imports[import].name.to_owned());
        }
        self.answers.insert(import, answers);
        Ok(())
    }

    fn files(&mut self, import: usize) -> Result<(), VirtualizeError> {
        let interface = self.imports[import].wasi.as_ref().map(|(name, _)| name.clone());
        let interface = interface.unwrap_or_default();
        self.reads.files = true;
        self.answered.push(self.imports[import].name.to_owned());
        let mut answers = Vec::new();
        for position in 0..self.imports[import].members.len() {
            let member = self.imports[import].members[position];
            let name = member.name.to_owned();
            let answer = if !member.is_type() {
                self.function(import, &interface, &name)?
            } else if let Some(resource) = member.resource()
                && !matches!(member.name, "descriptor" | "directory-entry-stream")
            {
                self.resource(import, &name, resource)?
            } else {
                self.own(import, &name)?
            };
            answers.push((name, answer));
        }
        self.answers.insert(import, answers);
        Ok(())
    }

    /// An interface in which there may be streams.
    fn streams(
        &mut self,
        import: usize,
        interface: Option<&str>,
        uses: &dyn Fn(&str) -> bool,
    ) -> Result<(), VirtualizeError> {
        let refuse = |item: &str| VirtualizeError::Stream {
            import: self.imports[import].name.to_owned(),
            item: item.to_owned(),
        };
        if uses("") {
            return Err(refuse(""));
        }
        let mut answers = Vec::new();
        let mut functions = Vec::new();
        for member in &self.imports[import].members {
            let name = member.name.to_owned();
            let answer = if member.resource().is_some_and(|it| self.inputs.contains(&it)) {
                Answer::Between(INPUT.to_owned())
            } else if uses(member.name) {
                let function = interface.and_then(|interface| function(interface, member.name));
                let function = function.ok_or_else(|| refuse(member.name))?;
                functions.push(function);
                Answer::Between(function.export())
            } else {
                Answer::Host(import, name.clone())
            };
            answers.push((name, answer));
        }
        if answers.iter().any(|(_, answer)| matches!(answer, Answer::Between(_))) {
            self.asked.ty(INPUT);
            for function in functions {
                self.asked.function(function);
            }
            self.answers.insert(import, answers);
        }
        Ok(())
    }

    /// A function that is answered.
    fn function(
        &mut self,
        import: usize,
        interface: &str,
        item: &str,
    ) -> Result<Answer, VirtualizeError> {
        let function = function(interface, item).ok_or_else(|| self.unknown(import, item))?;
        self.asked.function(function);
        Ok(Answer::Between(function.export()))
    }

    /// A type of ours.
    fn own(&mut self, import: usize, item: &str) -> Result<Answer, VirtualizeError> {
        let own = OWN.iter().find(|(name, _)| *name == item);
        let (name, _) = own.ok_or_else(|| self.unknown(import, item))?;
        self.asked.ty(name);
        Ok(Answer::Between(item.to_owned()))
    }

    /// A resource that an interface of files has of another one.
    fn resource(
        &mut self,
        import: usize,
        item: &str,
        resource: ResourceId,
    ) -> Result<Answer, VirtualizeError> {
        if self.inputs.contains(&resource) {
            return self.own(import, INPUT);
        }
        let others = self.imports.iter().enumerate();
        let mut others = others.filter(|(_, other)| {
            let wasi = other.wasi.as_ref().map(|(name, _)| name.as_str());
            !matches!(wasi, Some(FILES | PREOPENS))
        });
        let found = others.find_map(|(number, other)| {
            let member = other.members.iter().find(|it| it.resource() == Some(resource))?;
            Some(Answer::Host(number, member.name.to_owned()))
        });
        found.ok_or_else(|| self.unknown(import, item))
    }

    fn unknown(&self, import: usize, item: &str) -> VirtualizeError {
        VirtualizeError::Unknown {
            import: self.imports[import].name.to_owned(),
            item: item.to_owned(),
        }
    }

    fn names(&self, import: usize) -> Vec<String> {
        self.imports[import].members.iter().map(|member| member.name.to_owned()).collect()
    }

    fn of_interface(&self, interface: &str) -> impl Iterator<Item = (usize, &Import<'b>)> {
        self.imports.iter().enumerate().filter(move |(_, import)| {
            import.wasi.as_ref().is_some_and(|(name, _)| name == interface)
        })
    }
}

/// What interfaces of the host's are called.
struct HostNames {
    /// The highest version that the component has of each.
    versions: BTreeMap<String, Version>,
    /// The version of those that it does not have.
    usual: Option<Version>,
}

impl HostNames {
    fn new(imports: &[Import<'_>]) -> Self {
        let mut versions = BTreeMap::new();
        for (name, version) in imports.iter().filter_map(|import| import.wasi.as_ref()) {
            let highest = versions.entry(name.clone()).or_insert_with(|| version.clone());
            if version > highest {
                *highest = version.clone();
            }
        }
        let usual = versions.get(STREAMS).or_else(|| versions.get(FILES)).cloned();
        Self { versions, usual }
    }

    fn versioned(&self, name: &str) -> String {
        match self.versions.get(name).or(self.usual.as_ref()) {
            Some(version) => format!("{name}@{version}"),
            None => name.to_owned(),
        }
    }
}

fn function(interface: &str, item: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|it| it.interface == interface && it.item == item)
}

/// What an interface is called without its version, and the version, if it is of WASI 0.2.
fn of_wasi(interface: &InterfaceName) -> Option<(String, Version)> {
    let version = interface.version.as_ref()?;
    let is_of_wasi = interface.package.namespace().to_string() == "wasi"
        && track(version) == (0, 2, 0)
        && !version.is_prerelease();
    is_of_wasi.then(|| (plain(interface), version.clone()))
}

/// Whether an interface, at whatever version, is one that has to be answered.
fn is_answered(interface: &InterfaceName, options: Options) -> bool {
    let name = plain(interface);
    name == ENVIRONMENT || (name.starts_with("wasi:filesystem/") && !options.host_files)
}

fn plain(interface: &InterfaceName) -> String {
    format!("{}/{}", interface.package, interface.interface)
}

fn of_item(item: &str) -> String {
    if item.is_empty() { String::new() } else { format!(", `{item}`") }
}
