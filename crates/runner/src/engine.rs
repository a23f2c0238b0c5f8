//! From a file to a component that can be instantiated, with a cache of compiled code.

use std::fs::File;
use std::io::Read;
use std::path::{Path, absolute};

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine};

use crate::arguments::How;
use crate::failure::{Failure, note};
use crate::host::{self, Host};
use crate::limits::COMPONENT_BYTES_MAX;
use crate::missing;

/// How the code is compiled: whether it can be interrupted between two host calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    /// It runs until it is done.
    None,
    /// It lets others have their turn, which costs some speed.
    Many,
}

/// What a component must export.
pub(crate) struct Wanted {
    /// The interface, without version.
    pub(crate) interface: &'static str,
    /// What such a component is.
    pub(crate) is: &'static str,
    /// The interface of the other kind, and how that is run.
    pub(crate) other: (&'static str, &'static str),
}

/// Reads, compiles and checks a component: it exports what is wanted, and all that it imports is here.
///
/// # Errors
/// The file cannot be read, or is nothing that can be run here.
pub(crate) fn prepare(
    file: &Path,
    name: &str,
    how: &How,
    turns: Turns,
    wanted: &Wanted,
) -> Result<InstancePre<Host>, Failure> {
    let bytes = read(file)?;
    refuse_other_forms(&bytes, name)?;
    let engine = engine(how.cache.as_deref(), turns)?;
    let component = Component::new(&engine, &bytes).map_err(|error| {
        Failure::unfit(format!("{name} cannot be compiled: {error:#}")).hint(
            "it is damaged, or made with proposals of WebAssembly that are not supported here",
        )
    })?;
    refuse_other_kinds(&component, name, wanted)?;
    let linker: Linker<Host> = host::linker(&engine)
        .map_err(|error| Failure::local(format!("the host cannot be set up: {error:#}")))?;
    linker
        .instantiate_pre(&component)
        .map_err(|error| missing::explain(&linker, &component, name, &error))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::local(format!("cannot read {}: {error}", file.display()));
    let opened = File::open(file).map_err(failed)?;
    let mut bytes = Vec::new();
    opened.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        let file = file.display();
        return Err(Failure::unfit(format!("{file} has more than {COMPONENT_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// By the first eight bytes.
fn refuse_other_forms(bytes: &[u8], name: &str) -> Result<(), Failure> {
    match bytes {
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            Err(Failure::unfit(format!("{name} is a core module, and only components can be run"))
                .hint("`warg adapt` makes a component of a module for WASI preview 1"))
        }
        _ => Err(Failure::unfit(format!("{name} is no WebAssembly component"))),
    }
}

fn engine(cache: Option<&Path>, turns: Turns) -> Result<Engine, Failure> {
    let mut config = Config::new();
    config.wasm_component_model(true);
    // What newer toolchains compile calls such built-ins, also where nothing is asynchronous.
    config.wasm_component_model_async(true);
    config.epoch_interruption(turns == Turns::Many);
    if let Some(directory) = cache {
        match open_cache(directory) {
            Ok(cache) => drop(config.cache(Some(cache))),
            Err(error) => {
                let directory = directory.display();
                note(&format!("warning: compiled code is not kept in {directory}: {error:#}"));
            }
        }
    }
    Engine::new(&config).map_err(|error| {
        Failure::local(format!("components cannot be run on this machine: {error:#}"))
    })
}

fn open_cache(directory: &Path) -> wasmtime::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(absolute(directory)?);
    Cache::new(config)
}

fn refuse_other_kinds(component: &Component, name: &str, wanted: &Wanted) -> Result<(), Failure> {
    let (of_type, engine) = (component.component_type(), component.engine());
    let exports: Vec<&str> = of_type.exports(engine).map(|(export, _)| export).collect();
    let versions = |interface: &str| {
        let all = exports.iter().filter_map(|export| export.split_once('@'));
        all.filter(|(export, _)| *export == interface)
            .map(|(_, version)| version)
            .collect::<Vec<_>>()
    };
    let found = versions(wanted.interface);
    if found.iter().any(|version| missing::is_provided(version)) {
        return Ok(());
    }
    if let Some(version) = found.first() {
        return Err(Failure::unfit(format!(
            "{name} exports {}@{version}, and this host runs {}",
            wanted.interface,
            missing::VERSIONS
        ))
        .hint(missing::advice(version)));
    }
    let failure = Failure::unfit(format!(
        "{name} is no {}: it does not export {}",
        wanted.is, wanted.interface
    ));
    if versions(wanted.other.0).is_empty() {
        return Err(failure.hint(match exports.as_slice() {
            [] => "it exports nothing".to_owned(),
            [one] => format!("it exports {one}, for other components to import"),
            [one, rest @ ..] => {
                format!("it exports {one} and {} more, for other components", rest.len())
            }
        }));
    }
    Err(failure.hint(format!("it exports {}: {}", wanted.other.0, wanted.other.1)))
}
