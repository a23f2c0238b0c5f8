//! A host with an environment, arguments and a folder of its own, which nobody is to see.

use std::sync::OnceLock;

use wargate_component::{Inspection, Limits};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

/// The host.
pub(crate) struct Host {
    folder: tempfile::TempDir,
}

struct State {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

impl Host {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("of-the-host"), "the host's").unwrap();
        Self { folder }
    }

    /// Runs a command, and says what it said on standard output.
    pub(crate) fn run(
        &self,
        command: &[u8],
        stdin: &str,
        arguments: &[&str],
    ) -> wasmtime::Result<String> {
        let component = Component::new(engine(), command)?;
        let mut linker = Linker::<State>::new(engine());
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        let (stdout, stderr) = (MemoryOutputPipe::new(1 << 20), MemoryOutputPipe::new(1 << 20));
        let ctx = WasiCtx::builder()
            .env("OF_THE_HOST", "1")
            .args(arguments)
            .stdin(MemoryInputPipe::new(stdin.as_bytes().to_vec()))
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .inherit_network()
            .allow_tcp(true)
            .preopened_dir(self.folder.path(), "/", FsPerms::ReadWrite)?
            .build();
        let mut store = Store::new(engine(), State { ctx, table: ResourceTable::new() });
        let command = Command::instantiate(&mut store, &component, &linker)?;
        let result = command.wasi_cli_run().call_run(&mut store)?;
        assert_eq!(result, Ok(()), "{}", String::from_utf8_lossy(&stderr.contents()));
        assert_eq!(stderr.contents(), "done\n");
        Ok(String::from_utf8(stdout.contents().to_vec())?)
    }
}

/// The names of a component's imports.
pub(crate) fn imports(component: &[u8]) -> Vec<String> {
    inspect(component).imports.into_iter().map(|import| import.name).collect()
}

/// The names of a component's exports.
pub(crate) fn exports(component: &[u8]) -> Vec<String> {
    inspect(component).exports.into_iter().map(|export| export.name).collect()
}

fn inspect(component: &[u8]) -> Inspection {
    wargate_component::inspect(component, &Limits::default()).unwrap()
}

/// Has a component of `testdata/components` greet somebody.
pub(crate) fn greet(component: &[u8], name: &str) -> wasmtime::Result<String> {
    let component = Component::new(engine(), component)?;
    let mut linker = Linker::<State>::new(engine());
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    let ctx = WasiCtx::builder().build();
    let mut store = Store::new(engine(), State { ctx, table: ResourceTable::new() });
    let instance = linker.instantiate(&mut store, &component)?;
    let interface = "example:greet/greeting@0.1.0";
    let (_, interface) = instance.get_export(&mut store, None, interface).unwrap();
    let (_, greet) = instance.get_export(&mut store, Some(&interface), "greet").unwrap();
    let greet = instance.get_typed_func::<(&str,), (String,)>(&mut store, &greet)?;
    Ok(greet.call(&mut store, (name,))?.0)
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(Engine::default)
}
