//! What a file says it is called.

use serde::{Deserialize, Serialize};
use wargate_protocol::{PackageName, Version};
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentItem, ComponentType,
};
use wasmparser::names::{ComponentName, ComponentNameKind, InterfaceName};
use wasmparser::types::TypesRef;

use super::Extern;

/// The package that a file says it is.
///
/// Components do not say it as a rule: none of the released tools keep the package of the world that
/// a component was made from. It is there for WIT packages, and for files whose name was set to the
/// name of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddedPackage {
    /// Namespace and name with a colon between. Those of a WIT package follow the component model's
    /// rules, which allow some texts that are no [`PackageName`], such as `a:b-1`.
    pub name: String,
    /// The version, if the file says one that is semantic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// The package that a file was given as its own name (`NAME` or `NAME@VERSION`), with what its
/// `version` section says. Several different names are none, and two different versions are none.
pub(super) fn from_names(names: &[&str], section: Option<&str>) -> Option<EmbeddedPackage> {
    let (first, rest) = names.split_first()?;
    if rest.iter().any(|name| name != first) {
        return None;
    }
    let (name, in_name) = match first.split_once('@') {
        Some((name, version)) => (name, Some(version.parse::<Version>().ok()?)),
        None => (*first, None),
    };
    let name: PackageName = name.parse().ok()?;
    let in_section = section.and_then(|text| text.parse::<Version>().ok());
    let version = match (in_name, in_section) {
        (Some(a), Some(b)) => (a == b).then_some(a),
        (a, b) => a.or(b),
    };
    Some(EmbeddedPackage { name: name.as_str().to_owned(), version })
}

/// The WIT package that a component encodes, if that is what it does.
///
/// There are two encodings. The first exports one component type under the package's name and `/wit`,
/// with everything in it; the second one component type for each interface and world, under its plain
/// name, that exports the interface or world under its full name.
pub(super) fn from_wit(types: TypesRef<'_>, exports: &[Extern]) -> Option<EmbeddedPackage> {
    let mut packages = exports.iter().map(|export| from_wit_export(types, export, exports.len()));
    let first = packages.next()??;
    packages.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

fn from_wit_export(
    types: TypesRef<'_>,
    export: &Extern,
    exports: usize,
) -> Option<EmbeddedPackage> {
    let item = types.component_item_for_export(&export.name)?;
    let ComponentEntityType::Type { created: ComponentAnyTypeId::Component(id), .. } = item.ty
    else {
        return None;
    };
    let component = types.get(id)?;
    let name = ComponentName::new(&export.name, 0).ok()?;
    match name.kind() {
        ComponentNameKind::Interface(name) if name.interface().as_str() == "wit" => {
            let whole = exports == 1 && component.exports.values().all(is_wit_item);
            whole.then(|| interface(&name, item)).flatten()
        }
        ComponentNameKind::Label(_) => from_single_export(component),
        _ => None,
    }
}

fn from_single_export(component: &ComponentType) -> Option<EmbeddedPackage> {
    let (name, item) = component.exports.iter().next()?;
    if component.exports.len() != 1 || !is_wit_item(item) {
        return None;
    }
    match ComponentName::new(name, 0).ok()?.kind() {
        ComponentNameKind::Interface(name) => interface(&name, item),
        _ => None,
    }
}

const fn is_wit_item(item: &ComponentItem) -> bool {
    matches!(item.ty, ComponentEntityType::Instance(_) | ComponentEntityType::Component(_))
}

fn interface(name: &InterfaceName<'_>, item: &ComponentItem) -> Option<EmbeddedPackage> {
    let version = name.version(item.version_suffix.as_deref()).ok()?;
    let version = version.map(|version| version.to_string().parse().ok());
    Some(EmbeddedPackage {
        name: format!("{}:{}", name.namespace().as_str(), name.package().as_str()),
        version: version.flatten(),
    })
}
