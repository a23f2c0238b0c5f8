//! `warg virtualize`: a component with its environment and its files sealed inside.

mod folder;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};
use wargate_component::inspect::{Limits, inspect};
use wargate_component::provenance::{Made, Provenance, Role, Source};
use wargate_component::virtualize::{
    Folder, Options, Reads, Sealed, VirtualizeError, Virtualized, virtualize,
};
use wargate_console::{Table, counted, harmless};
use wargate_crypto::Digest;

use super::subject::Subject;
use crate::args::Virtualize;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{cannot_write, folder_of, write_whole};
use crate::output::{Report, print};
use folder::{Budget, Sizes};

/// The command.
pub(crate) fn run(context: &Context, options: &Virtualize) -> Result<Report, Failure> {
    let to_standard_output = options.output.as_deref() == Some(Path::new("-"));
    if to_standard_output {
        context.take_stdout()?;
    }
    let environment = variables(&options.env)?;
    let (folders, sizes) = folders(&options.dir)?;
    let sealed = Sealed { environment, arguments: options.arg.clone(), folders };
    let subject = Subject::load_one(context, &options.subject)?;
    let path = output(options, &subject)?;
    let stays = Options { host_arguments: options.host_arguments, host_files: options.host_files };
    let mut made = virtualize(&subject.bytes, &sealed, stays)
        .map_err(|error| refused(&subject.name, &error))?;
    // What was left as it is needs no statement, and was not validated on the way.
    if made.bytes == subject.bytes {
        inspect(&subject.bytes, &Limits::default())
            .map_err(|error| super::inspect::unreadable(&subject.name, &error))?;
    } else {
        provenance(&subject).append_to(&mut made.bytes);
    }
    if to_standard_output {
        print(&made.bytes)?;
        return Ok(Report::new("", Value::Null));
    }
    write_whole(&path, |file| {
        file.write_all(&made.bytes).map_err(|error| cannot_write(&path, &error))
    })?;
    Ok(Told { subject: &subject, path: &path, made: &made, sealed: &sealed, sizes: &sizes }
        .report())
}

/// What it is made from. What was sealed is said by nobody: it may be nobody's business.
fn provenance(subject: &Subject) -> Provenance {
    let release = subject.release.as_ref().map(|(id, _)| id.clone());
    let (package, version) = release.map(|id| (id.package, id.version)).unzip();
    let source = Source { role: Role::Root, package, version, digest: subject.digest };
    Provenance { made: Made::Virtualized, sources: vec![source] }
}

/// The variables that are named.
fn variables(named: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut variables = BTreeMap::new();
    for text in named {
        let Some((name, value)) = text.split_once('=') else {
            // It may be a secret that stands here without its name.
            return Err(Failure::usage("a variable is named without a value")
                .hint("it is written `--env NAME=VALUE`; the value may be empty"));
        };
        if variables.insert(name.to_owned(), value.to_owned()).is_some() {
            let name = name.escape_debug();
            return Err(Failure::usage(format!("the variable `{name}` is named twice"))
                .hint("give it one value"));
        }
    }
    Ok(variables)
}

/// What is in the folders that are named, and how much it is, by the paths that the component sees.
type Folders = (BTreeMap<String, Folder>, BTreeMap<String, Sizes>);

fn folders(named: &[String]) -> Result<Folders, Failure> {
    let (mut folders, mut sizes) = (BTreeMap::new(), BTreeMap::new());
    let mut budget = Budget::new();
    for text in named {
        let (host, guest) = match text.split_once("::") {
            Some((host, guest)) => (host, guest.to_owned()),
            None => (text.as_str(), as_written(text)?),
        };
        if guest.is_empty() {
            return Err(Failure::usage("a folder is to be seen at no path")
                .hint("it is written `--dir FOLDER::/PATH`"));
        }
        if guest.split('/').any(|part| part == "..") {
            let guest = guest.escape_debug();
            return Err(Failure::usage(format!("`{guest}` leads out of what the component sees"))
                .hint("it is written `--dir FOLDER::/PATH`, and PATH has no `..`"));
        }
        let (folder, size) = folder::read(Path::new(host), &mut budget)?;
        sizes.insert(guest.clone(), size);
        if folders.insert(guest.clone(), folder).is_some() {
            let guest = guest.escape_debug();
            return Err(Failure::usage(format!("two folders are to be seen at `{guest}`"))
                .hint("give each a path of its own: `--dir FOLDER::/PATH`"));
        }
    }
    Ok((folders, sizes))
}

/// A folder as the component sees it if nobody says otherwise: a path of this machine does not belong
/// into it.
fn as_written(text: &str) -> Result<String, Failure> {
    let is_below = Path::new(text)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if is_below {
        return Ok(text.to_owned());
    }
    let text = text.escape_debug();
    Err(Failure::usage(format!(
        "`{text}` is a place on this machine, which a component does not know"
    ))
    .hint("say at which path it sees the folder: `--dir FOLDER::/PATH`"))
}

/// The file that is written, which is not the one that is read.
fn output(options: &Virtualize, subject: &Subject) -> Result<PathBuf, Failure> {
    let path = options.output.clone().unwrap_or_else(|| {
        let stem = match &subject.release {
            Some((id, _)) => Some(id.package.name().to_string()),
            None => Path::new(&subject.name).file_stem().map(|it| it.display().to_string()),
        };
        let stem = stem.filter(|_| options.subject != "-");
        PathBuf::from(format!("{}.virtual.wasm", stem.as_deref().unwrap_or("component")))
    });
    let input = Path::new(&options.subject);
    let is_input = subject.release.is_none()
        && options.subject != "-"
        && path.canonicalize().is_ok_and(|path| Some(path) == input.canonicalize().ok());
    if is_input {
        let path = path.display();
        return Err(Failure::usage(format!("{path} would be written over, and it is read"))
            .hint("name another file to write"));
    }
    refuse_within(&path, &options.dir)?;
    Ok(path)
}

/// Refuses an output in a folder that is sealed: the next time, it would be sealed in itself.
fn refuse_within(output: &Path, folders: &[String]) -> Result<(), Failure> {
    if output == Path::new("-") {
        return Ok(());
    }
    let Ok(place) = folder_of(output).canonicalize() else { return Ok(()) };
    for text in folders {
        let host = text.split_once("::").map_or(text.as_str(), |(host, _)| host);
        if Path::new(host).canonicalize().is_ok_and(|host| place.starts_with(host)) {
            let output = output.display();
            return Err(Failure::usage(format!("{output} is within a folder that is sealed"))
                .hint("name a file elsewhere: `--output FILE`"));
        }
    }
    Ok(())
}

/// What there is to say.
struct Told<'t> {
    subject: &'t Subject,
    path: &'t Path,
    made: &'t Virtualized,
    sealed: &'t Sealed,
    sizes: &'t BTreeMap<String, Sizes>,
}

impl Told<'_> {
    fn report(&self) -> Report {
        Report::new(self.text(), self.json())
    }

    fn text(&self) -> String {
        let Reads { environment, arguments, files } = self.made.reads;
        let size = self.made.bytes.len() as u64;
        let mut text = format!(
            "{} -> {} ({})\n{}\n",
            self.subject.name,
            self.path.display(),
            indicatif::HumanBytes(size),
            Digest::of(&self.made.bytes)
        );
        let mut table = Table::new(["SEALED", "IN IT"]);
        if environment && !self.sealed.environment.is_empty() {
            let names: Vec<&str> = self.sealed.environment.keys().map(String::as_str).collect();
            table.row(["environment".to_owned(), names.join(" ")]);
        }
        if arguments && !self.sealed.arguments.is_empty() {
            let count = self.sealed.arguments.len() as u64;
            table.row(["arguments".to_owned(), counted(count, "argument")]);
        }
        for (path, sizes) in self.sizes.iter().filter(|_| files) {
            let content = indicatif::HumanBytes(sizes.bytes);
            table.row([path.clone(), format!("{}, {content}", counted(sizes.files, "file"))]);
        }
        let table = table.to_string();
        if table.lines().count() > 1 {
            text.push_str(&table);
        }
        for unread in self.unread() {
            text.push_str(&format!("It reads no {unread}: what was given is not in it.\n"));
        }
        if self.made.answered.is_empty() {
            text.push_str("It imports nothing that could be sealed, and is what it was.\n");
        }
        text
    }

    /// What was given and is of no use.
    fn unread(&self) -> Vec<&'static str> {
        let Reads { environment, arguments, files } = self.made.reads;
        let given = [
            (!environment && !self.sealed.environment.is_empty(), "environment"),
            (!arguments && !self.sealed.arguments.is_empty(), "arguments"),
            (!files && !self.sealed.folders.is_empty(), "files"),
        ];
        given.into_iter().filter_map(|(unread, what)| unread.then_some(what)).collect()
    }

    fn json(&self) -> Value {
        let Reads { environment, arguments, files } = self.made.reads;
        let names: Vec<&String> = self.sealed.environment.keys().filter(|_| environment).collect();
        let folders: Vec<Value> = self
            .sizes
            .iter()
            .filter(|_| files)
            .map(|(path, sizes)| json!({ "path": path, "files": sizes.files, "size": sizes.bytes }))
            .collect();
        json!({
            "subject": self.subject.to_json(),
            "path": self.path.display().to_string(),
            "digest": Digest::of(&self.made.bytes),
            "size": self.made.bytes.len(),
            "answered": self.made.answered,
            "environment": names,
            "arguments": if arguments { self.sealed.arguments.len() } else { 0 },
            "folders": folders,
            "unread": self.unread(),
        })
    }
}

fn refused(name: &str, error: &VirtualizeError) -> Failure {
    let failure = Failure::usage(harmless(&format!("{name}: {error}")));
    match error {
        VirtualizeError::Packages { .. } => {
            failure.hint("`warg bundle` makes one component of it and all that it depends on")
        }
        VirtualizeError::Version { .. } => failure
            .hint("build it for WASI 0.2; `warg inspect` shows which WASI a component is for"),
        VirtualizeError::Stream { .. } => {
            failure.hint("`--host-files` leaves the files to the host, and seals the environment")
        }
        VirtualizeError::Variable { .. } => {
            failure.hint("a variable is written `--env NAME=VALUE`")
        }
        _ => failure,
    }
}
