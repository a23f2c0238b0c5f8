//! What changed between two releases of a component, a core module or a WIT package, and whether the
//! later one can take the place of the earlier one: [`diff`].
//!
//! # When a change breaks
//!
//! *Components and modules.* What can stand for another is a matter of subtyping: the successor must
//! offer all that its predecessor offered, and may ask for no more. So exports may be added, and imports
//! removed. Types must be the same to the last name of a parameter: hosts and composers compare them so.
//! An interface stands for another one of its name if it is not older and their versions are compatible
//! by Semantic Versioning, as the component model's canonical names have it.
//!
//! What is asked for may grow in four ways that do not break, but [demand](Effect::Demand) something:
//! more of an interface with a version that is imported already, which whoever offers the interface
//! offers as a whole; a newer compatible version of it; an interface without functions and resources,
//! for which there is nothing to offer; and another package of the registry, which its clients find by
//! themselves.
//!
//! *WIT packages* are contracts. Interfaces and worlds may be added, and interfaces may grow. Worlds are
//! judged by the components that were made for them, which must fit after as before: what a world imports
//! is offered to them and may grow; what it exports is asked of them and may not, not even by a function
//! that an interface got.

mod documentation;
mod step;

pub use crate::shape::What;
pub use step::Step;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::inspect::{EmbeddedPackage, InspectError, Kind, Limits};
use crate::names::ImportName;
use crate::shape::{Entry, Member, Name, Shape, Signature, World, track};

/// What changed between two files. Its JSON form has members in camel case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// What the earlier file is.
    pub before: Subject,
    /// What the later file is.
    pub after: Subject,
    /// The files are the same to the last byte.
    pub identical: bool,
    /// The later one can take the place of the earlier one: no change breaks.
    pub compatible: bool,
    /// It asks for something that may have to be provided: some change demands.
    pub demanding: bool,
    /// By which number of a version the two must differ, at least.
    pub step: Step,
    /// What changed, in the order of the files.
    pub changes: Vec<Change>,
}

/// One of the files that are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// What it is.
    pub kind: Kind,
    /// What it says it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<EmbeddedPackage>,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Where it stands.
    pub place: Place,
    /// The world that it stands in, by its full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
    /// What it is called: a name of an import or export, that before the change if it has two, or where
    /// documentation stands. It is a stranger's text.
    pub name: String,
    /// What of it changed, such as a function of an interface. Absent for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// What it is.
    pub what: What,
    /// What happened to it.
    pub kind: ChangeKind,
    /// What it was, as in WIT; lines for what has members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What it means for those who use it.
    pub effect: Effect,
}

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// In no list: it is about the whole file.
    File,
    /// The imports, of the file or of a world.
    Imports,
    /// The exports, of the file or of a world.
    Exports,
    /// The interfaces of a WIT package.
    Interfaces,
    /// The worlds of a WIT package.
    Worlds,
}

/// What happened to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It is another.
    Changed,
}

/// What a change means for those who use what changed. The later ones outweigh the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Nothing: words changed, or less is asked for.
    Neutral,
    /// There is more to use.
    Addition,
    /// More is asked for, in a way that is no breach: see the module's own words.
    Demand,
    /// What fitted before may not fit any more.
    Breaking,
}

/// Why two files cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// The earlier file cannot be read.
    #[error("the earlier file cannot be compared: {0}")]
    Before(InspectError),
    /// The later file cannot be read.
    #[error("the later file cannot be compared: {0}")]
    After(InspectError),
}

/// Says what changed between two files. Bodies of functions are neither validated nor compared.
///
/// # Errors
/// If one of the files is no valid WebAssembly, or beyond a limit.
pub fn diff(before: &[u8], after: &[u8], limits: &Limits) -> Result<Diff, DiffError> {
    let identical = before == after;
    let before = Shape::read(before, *limits).map_err(DiffError::Before)?;
    let after = Shape::read(after, *limits).map_err(DiffError::After)?;
    let mut changes = Changes::default();
    changes.files(&before, &after);
    let changes = changes.list;
    let worst = changes.iter().map(|change| change.effect).max();
    let subject = |shape: Shape<'_>| Subject {
        kind: shape.inspection.kind,
        package: shape.inspection.package,
    };
    Ok(Diff {
        before: subject(before),
        after: subject(after),
        identical,
        compatible: worst < Some(Effect::Breaking),
        demanding: changes.iter().any(|change| change.effect == Effect::Demand),
        step: match worst {
            _ if identical => Step::None,
            None | Some(Effect::Neutral) => Step::Patch,
            Some(Effect::Addition | Effect::Demand) => Step::Minor,
            Some(Effect::Breaking) => Step::Major,
        },
        changes,
    })
}

/// Who owes what to whom.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// To those who use the file: it may grow.
    Offered,
    /// To the file by its surroundings: it may shrink.
    Asked,
    /// To a world by components: it may shrink, too.
    AskedOfComponents,
}

#[derive(Default)]
struct Changes {
    list: Vec<Change>,
    world: Option<String>,
}

impl Changes {
    fn files(&mut self, before: &Shape<'_>, after: &Shape<'_>) {
        let kinds = (before.inspection.kind, after.inspection.kind);
        if kinds.0 != kinds.1 {
            let (before, after) = (Some(kind_text(kinds.0)), Some(kind_text(kinds.1)));
            let (what, kind) = (What::File, ChangeKind::Changed);
            self.push(Place::File, "", None, what, kind, (before, after), Effect::Breaking);
            return;
        }
        self.entries(Place::Imports, Role::Asked, &before.imports, &after.imports);
        self.entries(Place::Exports, Role::Offered, &before.exports, &after.exports);
        self.entries(Place::Interfaces, Role::Offered, &before.interfaces, &after.interfaces);
        if kinds.0 == Kind::WitPackage {
            self.worlds(&before.worlds, &after.worlds);
        } else {
            self.embedded(&before.worlds, &after.worlds);
        }
        let (was, is) = (before.unreadable_worlds, after.unreadable_worlds);
        if was != is {
            let texts = (Some(unreadable(was)), Some(unreadable(is)));
            let (what, kind) = (What::World, ChangeKind::Changed);
            self.push(Place::File, "component-type", None, what, kind, texts, Effect::Breaking);
        }
        self.words(before, after);
    }

    /// Documentation and metadata.
    fn words(&mut self, before: &Shape<'_>, after: &Shape<'_>) {
        let (a, b) = (before.documentation, after.documentation);
        for (name, was, is) in documentation::compare(a, b) {
            self.text(What::Documentation, &name, was, is);
        }
        let (a, b) = (&before.inspection.metadata, &after.inspection.metadata);
        for (name, was, is) in [
            ("description", &a.description, &b.description),
            ("licenses", &a.licenses, &b.licenses),
            ("authors", &a.authors, &b.authors),
            ("source", &a.source, &b.source),
            ("homepage", &a.homepage, &b.homepage),
            ("revision", &a.revision, &b.revision),
            ("version", &a.version, &b.version),
        ] {
            if was != is {
                self.text(What::Metadata, name, was.clone(), is.clone());
            }
        }
    }

    fn text(&mut self, what: What, name: &str, was: Option<String>, is: Option<String>) {
        let kind = match (&was, &is) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        };
        self.push(Place::File, name, None, what, kind, (was, is), Effect::Neutral);
    }

    /// The worlds of a WIT package, which are contracts with components.
    fn worlds(&mut self, before: &[World], after: &[World]) {
        let path = |world: &World| Name::new(&world.name, None).path().to_owned();
        let mut rest: HashMap<String, &World> =
            after.iter().map(|world| (path(world), world)).collect();
        for a in before {
            if let Some(b) = rest.remove(&path(a)) {
                self.world = Some(b.name.clone());
                self.entries(Place::Imports, Role::Offered, &a.imports, &b.imports);
                self.entries(Place::Exports, Role::AskedOfComponents, &a.exports, &b.exports);
                self.world = None;
            } else {
                let (what, kind, effect) = (What::World, ChangeKind::Removed, Effect::Breaking);
                let texts = (Some(world_text(a)), None);
                self.push(Place::Worlds, &a.name, None, what, kind, texts, effect);
            }
        }
        for b in after.iter().filter(|world| rest.contains_key(&path(world))) {
            let (what, kind, effect) = (What::World, ChangeKind::Added, Effect::Addition);
            let texts = (None, Some(world_text(b)));
            self.push(Place::Worlds, &b.name, None, what, kind, texts, effect);
        }
    }

    /// The worlds of a core module, which are what it will import and export as a component.
    fn embedded(&mut self, before: &[World], after: &[World]) {
        let empty = World { name: String::new(), imports: Vec::new(), exports: Vec::new() };
        for place in 0..before.len().max(after.len()) {
            let (a, b) = (before.get(place).unwrap_or(&empty), after.get(place).unwrap_or(&empty));
            self.world = Some(if b.name.is_empty() { &a.name } else { &b.name }.clone());
            self.entries(Place::Imports, Role::Asked, &a.imports, &b.imports);
            self.entries(Place::Exports, Role::Offered, &a.exports, &b.exports);
            self.world = None;
        }
    }

    fn entries(&mut self, place: Place, role: Role, before: &[Entry], after: &[Entry]) {
        let partners = partners(before, after);
        for (a, partner) in before.iter().zip(&partners) {
            if let Some(b) = partner.and_then(|partner| after.get(partner)) {
                self.entry(place, role, a, b);
                continue;
            }
            let effect = match role {
                Role::Offered => Effect::Breaking,
                Role::Asked => Effect::Neutral,
                Role::AskedOfComponents => Effect::Addition,
            };
            let texts = (Some(entry_text(a)), None);
            self.push(place, &a.name.text, None, a.what, ChangeKind::Removed, texts, effect);
        }
        let taken: std::collections::HashSet<usize> = partners.into_iter().flatten().collect();
        for (number, b) in after.iter().enumerate() {
            if !taken.contains(&number) {
                let texts = (None, Some(entry_text(b)));
                let effect = added(role, b);
                self.push(place, &b.name.text, None, b.what, ChangeKind::Added, texts, effect);
            }
        }
    }

    /// Two of the same name, or of names of which one may stand for the other.
    fn entry(&mut self, place: Place, role: Role, a: &Entry, b: &Entry) {
        let name = &a.name.text;
        let changed = ChangeKind::Changed;
        if a.name.text != b.name.text && (a.name.form != b.name.form || !a.name.is_own()) {
            let texts = (Some(name.clone()), Some(b.name.text.clone()));
            let effect = renamed(role, &a.name, &b.name);
            self.push(place, name, None, b.what, changed, texts, effect);
        }
        if a.what != b.what {
            let texts = (Some(entry_text(a)), Some(entry_text(b)));
            self.push(place, name, None, b.what, changed, texts, Effect::Breaking);
            return;
        }
        if let Some(effect) = different(role, &a.signature, &b.signature) {
            let texts = (Some(shown(&a.signature)), Some(shown(&b.signature)));
            self.push(place, name, None, b.what, changed, texts, effect);
        }
        if place == Place::Interfaces || !(a.name.is_own() && b.name.is_own()) {
            self.members(place, role, a, b);
        } else if role == Role::AskedOfComponents {
            self.grown(a, b);
        }
    }

    /// An interface of a package that one of its worlds exports: that it grew breaks the world. All
    /// else is told where the interface itself is.
    fn grown(&mut self, a: &Entry, b: &Entry) {
        let known: HashMap<&str, &Member> =
            a.members.iter().map(|member| (&*member.name, member)).collect();
        let new = b.members.iter().filter(|member| !known.contains_key(&*member.name));
        let lines: Vec<_> = new.map(member_text).collect();
        if !lines.is_empty() {
            let (what, kind) = (b.what, ChangeKind::Changed);
            let texts = (None, Some(lines.join("\n")));
            let effect = Effect::Breaking;
            self.push(Place::Exports, &a.name.text, None, what, kind, texts, effect);
        }
    }

    fn members(&mut self, place: Place, role: Role, a: &Entry, b: &Entry) {
        let name = &a.name.text;
        let mut rest: HashMap<&str, &Member> =
            b.members.iter().map(|member| (&*member.name, member)).collect();
        let is_dependency = a.name.is_dependency();
        // What a component imports, it asks for where it is offered, and is given where it is asked for.
        let is_turned =
            |member: &Member| a.what == What::Component && member.name.starts_with("import ");
        for was in &a.members {
            let is_owed = (role == Role::Offered) != is_turned(was);
            let (effect, kind, is) = match rest.remove(&*was.name) {
                None if is_owed => (Effect::Breaking, ChangeKind::Removed, None),
                None => (Effect::Neutral, ChangeKind::Removed, None),
                Some(is) if is.what != was.what => {
                    (Effect::Breaking, ChangeKind::Changed, Some(is))
                }
                Some(is) => match different(role, &was.signature, &is.signature) {
                    Some(_) if is_dependency => (Effect::Demand, ChangeKind::Changed, Some(is)),
                    Some(effect) => (effect, ChangeKind::Changed, Some(is)),
                    None => continue,
                },
            };
            let what = is.map_or(was.what, |is| is.what);
            let texts = (Some(shown(&was.signature)), is.map(|is| shown(&is.signature)));
            self.push(place, name, Some(&was.name), what, kind, texts, effect);
        }
        for is in b.members.iter().filter(|member| rest.contains_key(&*member.name)) {
            let effect = match role {
                Role::Offered if is_turned(is) => Effect::Breaking,
                Role::Offered => Effect::Addition,
                Role::Asked if is_turned(is) => Effect::Neutral,
                Role::Asked if is_dependency || b.name.version().is_some() => Effect::Demand,
                Role::Asked | Role::AskedOfComponents => Effect::Breaking,
            };
            let texts = (None, Some(shown(&is.signature)));
            self.push(place, name, Some(&is.name), is.what, ChangeKind::Added, texts, effect);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the members of a change, in their order")]
    fn push(
        &mut self,
        place: Place,
        name: &str,
        member: Option<&str>,
        what: What,
        kind: ChangeKind,
        (before, after): (Option<String>, Option<String>),
        effect: Effect,
    ) {
        let (world, name) = (self.world.clone(), name.to_owned());
        let member = member.map(str::to_owned);
        self.list.push(Change { place, world, name, member, what, kind, before, after, effect });
    }
}

/// Which of the later ones belongs to each of the earlier ones: that of the same name, or else of a
/// compatible version, or else of any version.
fn partners(before: &[Entry], after: &[Entry]) -> Vec<Option<usize>> {
    let mut partners = vec![None; before.len()];
    let mut taken = vec![false; after.len()];
    let passes: [fn(&Name) -> String; 3] =
        [|name| name.text.clone(), Name::key, |name| name.path().to_owned()];
    for key in passes {
        let mut waiting: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, entry) in after.iter().enumerate().rev().filter(|(number, _)| !taken[*number])
        {
            waiting.entry(key(&entry.name)).or_default().push(number);
        }
        for (partner, entry) in partners.iter_mut().zip(before).filter(|(place, _)| place.is_none())
        {
            if let Some(number) = waiting.get_mut(&key(&entry.name)).and_then(Vec::pop) {
                taken[number] = true;
                *partner = Some(number);
            }
        }
    }
    partners
}

/// What it means that something is there which was not.
fn added(role: Role, entry: &Entry) -> Effect {
    let is_inert = entry.what == What::Interface
        && entry.members.iter().all(|member| member.what == What::Type);
    match role {
        Role::Offered => Effect::Addition,
        Role::Asked if is_inert || entry.name.is_dependency() => Effect::Demand,
        Role::Asked | Role::AskedOfComponents => Effect::Breaking,
    }
}

/// What it means that something has another version, or another range of versions.
fn renamed(role: Role, a: &Name, b: &Name) -> Effect {
    if let (
        Ok(ImportName::Unlocked { range: was, .. }),
        Ok(ImportName::Unlocked { range: is, .. }),
    ) = (a.text.parse(), b.text.parse())
    {
        let lower = is.lower().is_none() || was.lower().is_some_and(|was| Some(was) >= is.lower());
        let upper = is.upper().is_none()
            || was.upper().is_some_and(|was| is.upper().is_some_and(|is| was <= is));
        return if lower && upper { Effect::Neutral } else { Effect::Demand };
    }
    if a.is_dependency() && b.is_dependency() {
        return Effect::Demand;
    }
    match (a.version(), b.version()) {
        (Some(was), Some(is)) if track(was) == track(is) => match (role, was <= is) {
            (Role::Offered, true) => Effect::Addition,
            (Role::Asked, true) => Effect::Demand,
            (Role::Asked | Role::AskedOfComponents, false) => Effect::Neutral,
            (Role::Offered, false) | (Role::AskedOfComponents, true) => Effect::Breaking,
        },
        _ => Effect::Breaking,
    }
}

/// What it means that a type is another; none if it is the same.
fn different(role: Role, a: &Signature, b: &Signature) -> Option<Effect> {
    if a.key != b.key {
        return Some(Effect::Breaking);
    }
    let (was, is) = (a.limits?, b.limits?);
    let (more, less) = if role == Role::Offered { (is, was) } else { (was, is) };
    let fits =
        more.0 >= less.0 && less.1.is_none_or(|less| more.1.is_some_and(|more| more <= less));
    (was != is).then_some(if fits { Effect::Neutral } else { Effect::Breaking })
}

fn shown(signature: &Signature) -> String {
    match signature.limits {
        Some((least, most)) => format!("{}{}", signature.shown, crate::shape::limits(least, most)),
        None => signature.shown.clone(),
    }
}

fn member_text(member: &Member) -> String {
    format!("{}: {}", member.name, shown(&member.signature))
}

fn entry_text(entry: &Entry) -> String {
    let own = Some(shown(&entry.signature)).filter(|text| !text.is_empty());
    own.into_iter().chain(entry.members.iter().map(member_text)).collect::<Vec<_>>().join("\n")
}

fn world_text(world: &World) -> String {
    let lines = |word: &'static str, entries: &[Entry]| {
        entries.iter().map(|entry| format!("{word} {}", entry.name.text)).collect::<Vec<_>>()
    };
    [lines("import", &world.imports), lines("export", &world.exports)].concat().join("\n")
}

fn unreadable(count: usize) -> String {
    format!("{count} worlds that cannot be read")
}

fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::Component => "component",
        Kind::CoreModule => "core module",
        Kind::WitPackage => "WIT package",
    }
    .to_owned()
}
