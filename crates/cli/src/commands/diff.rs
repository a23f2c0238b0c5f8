//! `warg diff`: what changed between two components.

use serde_json::{Value, json};
use wargate_client::Selector;
use wargate_component::diff::{
    self, Change, ChangeKind, Diff, DiffError, Effect, Place, Step, What,
};
use wargate_component::inspect::Limits;
use wargate_console::{Table, counted, harmless};
use wargate_protocol::{Version, VersionReq};

use super::get::wanted;
use super::inspect::unreadable;
use super::roots::is_file;
use super::subject::Subject;
use crate::args;
use crate::context::Context;
use crate::failure::{EXIT_OTHER, Failure};
use crate::output::Report;

/// The command.
pub(crate) fn run(context: &Context, options: &args::Diff) -> Result<Report, Failure> {
    let after = match &options.after {
        Some(after) => after.clone(),
        None => newest(&options.before)?,
    };
    let subjects = Subject::load(context, &[&options.before, &after])?;
    let [before, after] = subjects.as_slice() else {
        return Err(Failure::local("not both were fetched"));
    };
    let found = diff::diff(&before.bytes, &after.bytes, &Limits::default());
    let found = found.map_err(|error| match error {
        DiffError::Before(error) => unreadable(&before.name, &error),
        DiffError::After(error) => unreadable(&after.name, &error),
    })?;
    let verdict = Verdict::new(before, after, &found);
    let mut report = Report::new(
        text(before, after, &found, &verdict),
        document(before, after, &found, &verdict),
    );
    if options.check && !verdict.is_fine {
        report.exit = EXIT_OTHER;
    }
    Ok(report)
}

/// The newest release of a package, as its user would name it.
fn newest(before: &str) -> Result<String, Failure> {
    if before != "-" && !is_file(before) {
        let before = wanted(before, true)?;
        if before.version != Selector::Highest(VersionReq::ANY) {
            return Ok(before.name.to_string());
        }
    }
    Err(Failure::usage("there is nothing to compare it with")
        .hint("name both: `warg diff old.wasm new.wasm`, `warg diff my:app@1.0.0 build/app.wasm`"))
}

/// Whether the later one may follow the earlier one.
struct Verdict {
    /// The versions, if both are of one package.
    versions: Option<(Version, Version)>,
    /// The lowest version that the later one may have.
    lowest: Option<Version>,
    /// Nothing breaks that the version does not say.
    is_fine: bool,
}

impl Verdict {
    fn new(before: &Subject, after: &Subject, found: &Diff) -> Self {
        let of_release = |subject: &Subject| {
            let (id, _) = subject.release.as_ref()?;
            Some((id.package.to_string(), id.version.clone()))
        };
        let said = |subject: &diff::Subject| {
            let package = subject.package.clone()?;
            Some((package.name, package.version?))
        };
        let earlier = of_release(before).or_else(|| said(&found.before));
        let later = of_release(after).or_else(|| said(&found.after));
        let lowest = earlier.as_ref().map(|(_, version)| found.step.after(version));
        let versions = match (earlier, later) {
            (Some((of, was)), Some((also_of, is))) if of == also_of => Some((was, is)),
            _ => None,
        };
        let is_fine = match &versions {
            Some((was, is)) if was != is => found.step.allows(was, is),
            _ => found.compatible,
        };
        Self { versions, lowest, is_fine }
    }
}

fn document(before: &Subject, after: &Subject, found: &Diff, verdict: &Verdict) -> Value {
    let mut json = serde_json::to_value(found).unwrap_or_default();
    for (name, subject) in [("before", before), ("after", after)] {
        if let (Value::Object(into), Value::Object(more)) = (&mut json[name], subject.to_json()) {
            // What it says that it is stays apart from what it is by its registry.
            let said = into.remove("package");
            into.extend(more);
            into.extend(said.map(|said| ("says".to_owned(), said)));
        }
    }
    json["fine"] = verdict.is_fine.into();
    if let Some(lowest) = &verdict.lowest {
        json["lowestVersion"] = json!(lowest);
    }
    json
}

fn text(before: &Subject, after: &Subject, found: &Diff, verdict: &Verdict) -> String {
    let mut text = format!("{} -> {}\n", before.name, after.name);
    if found.identical {
        text.push_str("They are the same to the last byte.\n");
        return text;
    }
    let mut table = Table::new(["", "WHERE", "WHAT", "NAME", "MEANS"]);
    for change in &found.changes {
        table.row(row(change));
    }
    if found.changes.is_empty() {
        text.push_str("\nNothing changed that can be seen from outside.\n");
    } else {
        text.push_str(&format!("\n{table}"));
    }
    for change in &found.changes {
        text.push_str(&types(change));
    }
    text.push_str(&format!("\n{}\n", sentence(found, verdict)));
    text
}

fn row(change: &Change) -> [String; 5] {
    let sign = match change.kind {
        ChangeKind::Added => "+",
        ChangeKind::Removed => "-",
        ChangeKind::Changed => "~",
    };
    let place = match change.place {
        Place::File => "file",
        Place::Imports => "imports",
        Place::Exports => "exports",
        Place::Interfaces => "interfaces",
        Place::Worlds => "worlds",
    };
    let place = match &change.world {
        Some(world) => format!("{place} of {world}"),
        None => place.to_owned(),
    };
    let effect = match change.effect {
        Effect::Neutral => "",
        Effect::Addition => "more to use",
        Effect::Demand => "asks for more",
        Effect::Breaking => "BREAKS",
    };
    [sign.into(), place, what(change.what).into(), full_name(change), effect.into()]
}

fn full_name(change: &Change) -> String {
    match &change.member {
        Some(member) => format!("{} {member}", change.name),
        None => change.name.clone(),
    }
}

const fn what(what: What) -> &'static str {
    match what {
        What::File => "file",
        What::World => "world",
        What::Interface => "interface",
        What::Function => "function",
        What::Type => "type",
        What::Resource => "resource",
        What::Component => "component",
        What::Module => "module",
        What::Value => "value",
        What::Table => "table",
        What::Memory => "memory",
        What::Global => "global",
        What::Tag => "tag",
        What::Documentation => "words",
        What::Metadata => "metadata",
    }
}

/// What something was and what it is, if it is another.
fn types(change: &Change) -> String {
    if change.kind != ChangeKind::Changed {
        return String::new();
    }
    let side = |sign: &str, side: &Option<String>| {
        let lines = side.iter().flat_map(|text| text.lines());
        lines.map(|line| format!("  {sign} {}\n", harmless(line))).collect::<Vec<_>>().concat()
    };
    let (was, is) = (side("-", &change.before), side("+", &change.after));
    if was.is_empty() && is.is_empty() {
        return String::new();
    }
    format!("\n{}\n{was}{is}", harmless(&full_name(change)))
}

/// The answer, in one sentence.
fn sentence(found: &Diff, verdict: &Verdict) -> String {
    let breaking = found.changes.iter().filter(|it| it.effect == Effect::Breaking).count() as u64;
    let mut text = if found.compatible {
        let demands = if found.demanding { ", though it asks for more" } else { "" };
        format!("Compatible: the later one can take the place of the earlier one{demands}.")
    } else {
        let verb = if breaking == 1 { "breaks" } else { "break" };
        format!("Not compatible: {} {verb} who uses it.", counted(breaking, "change"))
    };
    match (&verdict.versions, &verdict.lowest) {
        (Some((was, is)), Some(lowest)) if was != is => {
            let may = if verdict.is_fine { "may" } else { "must not" };
            text.push_str(&format!(" {is} {may} follow {was}"));
            let least = if verdict.is_fine { "." } else { &format!("; {lowest} may.") };
            text.push_str(least);
        }
        (_, Some(lowest)) => {
            text.push_str(&format!(" The version must be at least {lowest}."));
        }
        (_, None) => text.push_str(match found.step {
            Step::Major => " Its version must differ by a major number.",
            Step::Minor => " Its version must differ by a minor number, at least.",
            Step::Patch | Step::None => "",
        }),
    }
    text
}
