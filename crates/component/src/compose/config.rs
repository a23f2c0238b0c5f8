//! The configuration of `wasm-tools compose`, as a WAC document.
//!
//! That program wires components by a file of YAML, or by the names of their imports alone. [`Config`]
//! reads such a file, and [`Config::to_wac`] says the same as a document.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use wac_types::{ItemKind, Package, SubtypeChecker, Types};

use super::caught;
use crate::inspect::{Kind, Limits, inspect, one_line};
use crate::limits::{REASON_BYTES_MAX, WAC_BYTES_MAX, WAC_PACKAGES_MAX};

/// What `wasm-tools compose` is configured with. Paths are relative to the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Components whose exports are for imports of their names, before anything else.
    #[serde(default)]
    pub definitions: Vec<String>,
    /// Folders in which components are looked for by the names of imports, after that of the file.
    #[serde(default)]
    pub search_paths: Vec<String>,
    /// Without meaning here: what comes out is always validated.
    #[serde(default)]
    pub skip_validation: bool,
    /// Whether the components are imported, and not within.
    #[serde(default)]
    pub import_components: bool,
    /// Whether nothing of what is not found may stay imported.
    #[serde(default)]
    pub disallow_imports: bool,
    /// Where components are, by their names.
    #[serde(default)]
    dependencies: IndexMap<String, Dependency>,
    /// Instances, by their names, with what they get. That of the input is called `root`.
    #[serde(default)]
    instantiations: IndexMap<String, Instantiation>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Dependency {
    Path(String),
    Table(DependencyTable),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DependencyTable {
    path: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instantiation {
    dependency: Option<String>,
    #[serde(default)]
    arguments: IndexMap<String, Argument>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Argument {
    Instance(String),
    Table(ArgumentTable),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArgumentTable {
    instance: String,
    export: Option<String>,
}

/// What is asked of whoever has files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The component of a path, relative to the configuration.
    Path(&'a str),
    /// The component of a name: `NAME.wasm` in the configuration's folder, or in those of `search-paths`.
    Name(&'a str),
}

/// A component that was found: its path, and its bytes.
pub type Found = (String, Vec<u8>);

/// A document that says what a configuration does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The WAC document.
    pub source: String,
    /// The packages that it names, each with the path of its component.
    pub packages: Vec<(String, Found)>,
    /// The names of instantiations in the configuration that nothing refers to.
    pub unused: Vec<String>,
}

/// Why a configuration is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ConfigError {
    /// The text.
    #[error("{reason}")]
    Text {
        /// What is wrong with it.
        reason: String,
    },
    /// A component that is named is not there.
    #[error("there is no component `{what}`")]
    Missing {
        /// What was looked for.
        what: String,
    },
    /// A component cannot be read.
    #[error("{path}: {reason}")]
    Component {
        /// Where it is.
        path: String,
        /// Why.
        reason: String,
    },
    /// What is configured does not fit.
    #[error("{reason}")]
    Wiring {
        /// Why.
        reason: String,
    },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError::Text`].
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        let refused = |reason: String| ConfigError::Text { reason };
        if text.len() > WAC_BYTES_MAX {
            return Err(refused(format!("it has more than {WAC_BYTES_MAX} bytes")));
        }
        serde_saphyr::from_str(text).map_err(|error| {
            let mut reason = one_line(&error.to_string());
            reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
            refused(reason)
        })
    }

    /// Says as a document what is made of a component with this configuration. `find` looks for files.
    ///
    /// # Errors
    /// [`ConfigError`], or that of `find`.
    pub fn to_wac<E: From<ConfigError>>(
        &self,
        root: Found,
        mut find: impl FnMut(Lookup<'_>) -> Result<Option<Found>, E>,
    ) -> Result<Conversion, E> {
        let mut wiring = Wiring::default();
        for path in &self.definitions {
            let missing = || ConfigError::Missing { what: path.clone() };
            let found = find(Lookup::Path(path))?.ok_or_else(missing)?;
            let component = wiring.add(path, found)?;
            wiring.definitions.push(component);
        }
        let component = wiring.add("root", root)?;
        wiring.instantiate("root", component);
        let mut next = 0;
        while next < wiring.instances.len() {
            self.fill(&mut wiring, next, &mut find)?;
            next += 1;
            if next > WAC_PACKAGES_MAX {
                let reason = format!("there are more than {WAC_PACKAGES_MAX} instances");
                return Err(ConfigError::Wiring { reason }.into());
            }
        }
        let mut document = wiring.to_document()?;
        let configured = self.instantiations.keys();
        document.unused = configured.filter(|name| !wiring.names.contains(name)).cloned().collect();
        Ok(document)
    }

    /// Gives an instance what it imports.
    fn fill<E: From<ConfigError>>(
        &self,
        wiring: &mut Wiring,
        at: usize,
        find: &mut impl FnMut(Lookup<'_>) -> Result<Option<Found>, E>,
    ) -> Result<(), E> {
        let (name, component) = (wiring.names[at].clone(), wiring.instances[at].component);
        let configured = self.instantiations.get(&name);
        let imports = wiring.components[component].imports.clone();
        if let Some(unknown) = configured
            .and_then(|it| it.arguments.keys().find(|argument| !imports.contains_key(*argument)))
        {
            let reason = format!("`{name}` has no import `{unknown}`");
            return Err(ConfigError::Wiring { reason }.into());
        }
        for (import, wanted) in imports {
            if let Some(definition) = wiring.definition(&import) {
                let instance = wiring.instance_of_definition(definition);
                wiring.instances[at].arguments.push((import.clone(), instance, Some(import)));
                continue;
            }
            let argument = configured.and_then(|it| it.arguments.get(&import));
            let (from, export) = match argument {
                None => (import.clone(), None),
                Some(Argument::Instance(instance)) => (instance.clone(), None),
                Some(Argument::Table(it)) => (it.instance.clone(), it.export.clone()),
            };
            let Some(instance) = self.instance(wiring, &from, find)? else {
                if self.disallow_imports || argument.is_some() {
                    return Err(ConfigError::Missing { what: from }.into());
                }
                continue;
            };
            let export = match export {
                Some(export) if export.contains(|c: char| c == '"' || c.is_control()) => {
                    let export = export.escape_debug();
                    let reason = format!("`{export}` is the name of no export");
                    return Err(ConfigError::Wiring { reason }.into());
                }
                Some(export) => Some(export),
                None => wiring.export_for(instance, &import, wanted)?,
            };
            wiring.instances[at].arguments.push((import, instance, export));
        }
        Ok(())
    }

    /// The instance of a name, which is made if its component is found.
    fn instance<E: From<ConfigError>>(
        &self,
        wiring: &mut Wiring,
        name: &str,
        find: &mut impl FnMut(Lookup<'_>) -> Result<Option<Found>, E>,
    ) -> Result<Option<usize>, E> {
        if let Some(at) = wiring.names.iter().position(|known| known == name) {
            return Ok(Some(at));
        }
        let dependency = self.instantiations.get(name).and_then(|it| it.dependency.as_deref());
        let dependency = dependency.unwrap_or(name);
        let known = wiring.components.iter().position(|component| component.name == dependency);
        let component = if let Some(component) = known {
            component
        } else {
            let found = match self.dependencies.get(dependency) {
                Some(Dependency::Path(path) | Dependency::Table(DependencyTable { path })) => {
                    let missing = || ConfigError::Missing { what: path.clone() };
                    find(Lookup::Path(path))?.ok_or_else(missing)?
                }
                None => match find(Lookup::Name(dependency))? {
                    Some(found) => found,
                    None => return Ok(None),
                },
            };
            wiring.add(dependency, found)?
        };
        Ok(Some(wiring.instantiate(name, component)))
    }
}

/// Components and instances, as they are found.
#[derive(Default)]
struct Wiring {
    types: Types,
    components: Vec<Component>,
    /// Components whose exports come first.
    definitions: Vec<usize>,
    instances: Vec<Instance>,
    /// What the instances are called, in their order.
    names: Vec<String>,
}

struct Component {
    name: String,
    found: Found,
    package: Package,
    /// The instances that it imports.
    imports: IndexMap<String, ItemKind>,
}

struct Instance {
    component: usize,
    /// Its imports, each with the instance that it gets, or an export of that.
    arguments: Vec<(String, usize, Option<String>)>,
}

impl Wiring {
    fn add(&mut self, name: &str, found: Found) -> Result<usize, ConfigError> {
        let unreadable = |reason: String| ConfigError::Component { path: found.0.clone(), reason };
        let kind = inspect(&found.1, &Limits::default())
            .map_err(|error| unreadable(error.to_string()))?
            .kind;
        if kind != Kind::Component {
            return Err(unreadable("it is no component".into()));
        }
        let types = &mut self.types;
        let read = caught(|| Package::from_bytes(name, None, found.1.as_slice(), types));
        let package = read
            .map_err(unreadable)?
            .map_err(|error| unreadable(one_line(&format!("{error:#}"))))?;
        let imports = self.types[package.ty()].imports.iter();
        let imports = imports
            .filter(|(_, kind)| matches!(kind, ItemKind::Instance(_)))
            .map(|(name, kind)| (name.clone(), *kind))
            .collect();
        self.components.push(Component { name: name.to_owned(), found, package, imports });
        Ok(self.components.len() - 1)
    }

    fn instantiate(&mut self, name: &str, component: usize) -> usize {
        self.names.push(name.to_owned());
        self.instances.push(Instance { component, arguments: Vec::new() });
        self.instances.len() - 1
    }

    /// The definition that exports an instance of this name.
    fn definition(&self, import: &str) -> Option<usize> {
        self.definitions.iter().copied().find(|at| {
            let world = &self.types[self.components[*at].package.ty()];
            matches!(world.exports.get(import), Some(ItemKind::Instance(_)))
        })
    }

    fn instance_of_definition(&mut self, component: usize) -> usize {
        let known = self.instances.iter().position(|instance| instance.component == component);
        let name = self.components[component].name.clone();
        known.unwrap_or_else(|| self.instantiate(&name, component))
    }

    /// The export of an instance that an import can get; none if the whole instance fits.
    fn export_for(
        &self,
        instance: usize,
        import: &str,
        wanted: ItemKind,
    ) -> Result<Option<String>, ConfigError> {
        let component = &self.components[self.instances[instance].component];
        let types = &self.types;
        let mut cache = HashSet::new();
        let mut fits = |given: ItemKind| {
            SubtypeChecker::new(&mut cache).is_subtype(given, types, wanted, types).is_ok()
        };
        let exports = &types[component.package.ty()].exports;
        let found = caught(move || {
            if fits(ItemKind::Instance(component.package.instance_type())) {
                return Some(None);
            }
            let instances =
                exports.iter().filter(|(_, kind)| matches!(kind, ItemKind::Instance(_)));
            let mut instances = instances.filter(|(_, kind)| fits(**kind));
            instances.next().map(|(name, _)| Some(name.clone()))
        });
        found.ok().flatten().ok_or_else(|| ConfigError::Wiring {
            reason: format!("{} does not fit the import `{import}`", component.found.0),
        })
    }

    /// The document: who gives comes before who gets.
    fn to_document(&self) -> Result<Conversion, ConfigError> {
        let mut order = Vec::new();
        let mut state = HashMap::new();
        self.visit(0, &mut order, &mut state)?;
        let mut lines = vec!["package composed:component;\n".to_owned()];
        for at in &order {
            let instance = &self.instances[*at];
            let arguments = instance.arguments.iter().map(|(import, given, export)| {
                let export = export.as_ref().map(|name| format!("[\"{name}\"]"));
                format!("\"{import}\": {}{}, ", variable(*given), export.unwrap_or_default())
            });
            let (name, package) = (variable(*at), package(instance.component));
            let arguments: String = arguments.collect();
            lines.push(format!("let {name} = new {package} {{ {arguments}... }};"));
        }
        lines.push(format!("\nexport {}...;\n", variable(0)));
        let source = lines.join("\n");
        let used: HashSet<usize> = order.iter().map(|at| self.instances[*at].component).collect();
        let packages = self.components.iter().enumerate().filter(|(at, _)| used.contains(at));
        let packages = packages.map(|(at, it)| (package(at), it.found.clone())).collect();
        Ok(Conversion { source, packages, unused: Vec::new() })
    }

    /// Puts an instance behind those that it gets something of.
    fn visit(
        &self,
        at: usize,
        order: &mut Vec<usize>,
        state: &mut HashMap<usize, bool>,
    ) -> Result<(), ConfigError> {
        match state.get(&at) {
            Some(true) => return Ok(()),
            Some(false) => {
                let reason = format!("`{}` would have to get something of itself", self.names[at]);
                return Err(ConfigError::Wiring { reason });
            }
            None => state.insert(at, false),
        };
        for (_, given, _) in &self.instances[at].arguments {
            self.visit(*given, order, state)?;
        }
        state.insert(at, true);
        order.push(at);
        Ok(())
    }
}

fn variable(at: usize) -> String {
    if at == 0 { "root".to_owned() } else { format!("part{at}") }
}

fn package(at: usize) -> String {
    format!("file:c{at}")
}
