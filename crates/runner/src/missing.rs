//! What a component imports that the host does not have: all of it, and what to do.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

use crate::failure::Failure;
use crate::host::Host;
use crate::limits::MISSING_MAX;

/// The versions of WASI that components may be made for.
pub(crate) const VERSIONS: &str = "WASI 0.2";

/// The version of WASI that the host has, by whose names the linker knows its interfaces.
const HOST_VERSION: &str = "0.2.12";

/// Whether an interface of WASI in this version is one that the host has.
pub(crate) fn is_provided(version: &str) -> bool {
    version.strip_prefix("0.2.").is_some_and(|patch| patch.parse::<u32>().is_ok())
}

/// What helps if a component is made for another version of WASI.
pub(crate) fn advice(version: &str) -> String {
    if version.starts_with("0.2.0-rc") {
        return "it was made for a draft of WASI 0.2: build it again with newer tools".to_owned();
    }
    if version.starts_with("0.3.") {
        return "it was made for WASI 0.3, which this host does not have yet: build it for 0.2"
            .to_owned();
    }
    format!("build it for {VERSIONS}")
}

/// Why a component does not fit the host.
pub(crate) fn explain(
    linker: &Linker<Host>,
    component: &Component,
    name: &str,
    error: &wasmtime::Error,
) -> Failure {
    let (of_type, engine) = (component.component_type(), component.engine());
    let mut missing: Vec<String> = Vec::new();
    let mut strange: Vec<String> = Vec::new();
    let mut resources: Vec<ResourceType> = Vec::new();
    for (import, item) in of_type.imports(engine) {
        let lacking = lacking(linker, import, &item.ty, component, &mut resources);
        let Some(lacking) = lacking else { continue };
        if !import.starts_with("wasi:") {
            strange.push(import.to_owned());
        }
        match lacking {
            Lacking::All => missing.push(import.to_owned()),
            Lacking::Some(names) => missing.push(format!("{import}: {}", names.join(", "))),
        }
    }
    if missing.is_empty() {
        return Failure::unfit(format!("{name} does not fit this host: {error:#}")).hint(
            "it imports an interface of that name with other types: build it with released tools",
        );
    }
    let count = missing.len();
    missing.truncate(MISSING_MAX);
    let mut message = format!("{name} imports what this host does not have:");
    for import in &missing {
        message += &format!("\n  {import}");
    }
    if count > missing.len() {
        message += &format!("\n  and {} more", count - missing.len());
    }
    let failure = Failure::unfit(message);
    if strange.is_empty() {
        let version = missing[0].split_once('@').map_or("", |(_, version)| version);
        let version = version.split(':').next().unwrap_or_default();
        if is_provided(version) {
            return failure.hint(format!("this host has the interfaces of WASI {HOST_VERSION}"));
        }
        return failure.hint(advice(version));
    }
    failure.hint(
        "other components have to provide it: `warg bundle` links packages that are imported by name, \
         `warg plug` and `warg compose` any others",
    )
}

/// What of an import is not there.
enum Lacking {
    All,
    /// Functions and resources.
    Some(Vec<String>),
}

/// What of an import is not there; `None`: nothing. `known` are the resources of the imports before.
fn lacking(
    linker: &Linker<Host>,
    import: &str,
    item: &ComponentItem,
    component: &Component,
    known: &mut Vec<ResourceType>,
) -> Option<Lacking> {
    let ComponentItem::ComponentInstance(instance) = item else {
        // The host has nothing outside of interfaces; types need not come from it.
        let is_there = matches!(item, ComponentItem::Type(_)) || is_another_name(item, known);
        return (!is_there).then_some(Lacking::All);
    };
    // What is there cannot be defined again: defining it tells.
    let mut probe = linker.clone();
    probe.allow_shadowing(false);
    let mut there = probe.instance(&known_as(import)).ok()?;
    let (mut count, mut lacking) = (0_usize, Vec::new());
    for (name, item) in instance.exports(component.engine()) {
        if is_another_name(&item.ty, known) {
            continue;
        }
        let Some(is_new) = define(&mut there, name, &item.ty) else { continue };
        count += 1;
        if is_new {
            lacking.push(name.to_owned());
        }
    }
    match lacking.len() {
        0 => None,
        missing if missing == count => Some(Lacking::All),
        _ => Some(Lacking::Some(lacking)),
    }
}

/// Whether it is a resource that was imported before: by `use`, an interface gives it one more name, which
/// the host need not have.
fn is_another_name(item: &ComponentItem, known: &mut Vec<ResourceType>) -> bool {
    let ComponentItem::Resource(resource) = item else { return false };
    let is_known = known.contains(resource);
    if !is_known {
        known.push(*resource);
    }
    is_known
}

/// Whether something of that name and kind can be defined; `None`: it is a type, which needs no definition.
fn define(there: &mut LinkerInstance<'_, Host>, name: &str, item: &ComponentItem) -> Option<bool> {
    match item {
        ComponentItem::ComponentFunc(_) => Some(there.func_new(name, |_, _, _, _| Ok(())).is_ok()),
        ComponentItem::Resource(_) => {
            let resource = ResourceType::host::<()>();
            Some(there.resource(name, resource, |_, _| Ok(())).is_ok())
        }
        // The host has no interface with such things.
        ComponentItem::Module(_)
        | ComponentItem::Component(_)
        | ComponentItem::ComponentInstance(_) => Some(true),
        ComponentItem::CoreFunc(_) | ComponentItem::Type(_) => None,
    }
}

/// An interface by the name that it has here: of compatible versions, there is one.
fn known_as(import: &str) -> String {
    match import.split_once('@') {
        Some((interface, version)) if is_provided(version) => format!("{interface}@{HOST_VERSION}"),
        _ => import.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        for (version, provided) in [
            ("0.2.0", true),
            ("0.2.99", true),
            ("0.2.0-rc-2023-11-10", false),
            ("0.3.0", false),
            ("", false),
        ] {
            assert_eq!(is_provided(version), provided, "{version}");
        }
        assert_eq!(known_as("wasi:io/poll@0.2.3"), format!("wasi:io/poll@{HOST_VERSION}"));
        assert_eq!(known_as("a:b/c@1.0.0"), "a:b/c@1.0.0");
    }
}
