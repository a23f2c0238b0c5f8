//! The core modules: the guest, the memory that it is given, and what leads from it to the host.
//!
//! The guest has to be there before the functions of the host's can be lowered, which write into memory
//! that it hands out. It imports functions of a *shim* therefore, which call what is in a table; the
//! *filler* puts the functions into the table when they are there. An entry without one traps.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, ImportSection, MemorySection, MemoryType, Module,
    RefType, TableSection, TableType, TypeSection,
};
use wasmparser::{ExternalKind, FuncType, Imports, Operator, Parser, Payload, TypeRef};

use super::Defect;

/// The guest, which `cargo xtask wasm` builds from `guests/virtual`.
pub(super) const MODULE: &[u8] = include_bytes!("guest.wasm");

/// Bytes of a page of memory.
const PAGE_BYTES: u64 = 1 << 16;

/// What the guest's module says about itself.
pub(super) struct Guest {
    /// The functions of the host's that it imports, and their types.
    functions: Vec<(String, FuncType)>,
    /// Where the memory is free.
    heap: u32,
}

impl Guest {
    pub(super) fn read() -> Result<Self, Defect> {
        let mut types = Vec::new();
        let mut functions = Vec::new();
        let mut globals = Vec::new();
        let mut heap = None;
        for payload in Parser::new(0).parse_all(MODULE) {
            match payload.map_err(|_| Defect)? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        types.push(ty.map_err(|_| Defect)?);
                    }
                }
                Payload::ImportSection(section) => {
                    for imports in section {
                        let Imports::Single(_, import) = imports.map_err(|_| Defect)? else {
                            return Err(Defect);
                        };
                        if let TypeRef::Func(ty) = import.ty {
                            let ty = types.get(ty as usize).cloned().ok_or(Defect)?;
                            functions.push((import.name.to_owned(), ty));
                        }
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        let global = global.map_err(|_| Defect)?;
                        let value = global.init_expr.get_operators_reader().read();
                        globals.push(match value.map_err(|_| Defect)? {
                            Operator::I32Const { value } => u32::try_from(value).ok(),
                            _ => None,
                        });
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(|_| Defect)?;
                        if export.kind == ExternalKind::Global && export.name == "__heap_base" {
                            heap = globals.get(export.index as usize).copied().flatten();
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Self { functions, heap: heap.ok_or(Defect)? })
    }

    /// Where what is sealed begins in memory.
    pub(super) const fn start(&self) -> u32 {
        self.heap.next_multiple_of(16)
    }

    /// The module that has the memory, with what is sealed in it.
    pub(super) fn memory(&self, sealed: &[u8]) -> Result<Vec<u8>, Defect> {
        let mut module = Module::new();
        let end = u64::from(self.start()) + sealed.len() as u64;
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: end.div_ceil(PAGE_BYTES),
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        let mut data = DataSection::new();
        let start = i32::try_from(self.start()).map_err(|_| Defect)?;
        data.active(0, &ConstExpr::i32_const(start), sealed.iter().copied());
        module.section(&memories).section(&exports).section(&data);
        Ok(module.finish())
    }

    /// The module of functions that call what is in its table.
    pub(super) fn shim(&self) -> Result<Vec<u8>, Defect> {
        let mut types = TypeSection::new();
        let mut functions = FunctionSection::new();
        let mut exports = ExportSection::new();
        let mut code = CodeSection::new();
        for (number, (name, ty)) in (0..).zip(&self.functions) {
            types.ty().func_type(&RoundtripReencoder.func_type(ty.clone()).map_err(|_| Defect)?);
            functions.function(number);
            exports.export(name, ExportKind::Func, number);
            let mut body = Function::new([]);
            let mut instructions = body.instructions();
            for (parameter, _) in (0..).zip(ty.params()) {
                instructions.local_get(parameter);
            }
            let number_in_table = i32::try_from(number).map_err(|_| Defect)?;
            instructions.i32_const(number_in_table).call_indirect(0, number).end();
            code.function(&body);
        }
        let mut tables = TableSection::new();
        tables.table(self.table());
        exports.export("table", ExportKind::Table, 0);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&tables).section(&exports);
        module.section(&code);
        Ok(module.finish())
    }

    /// The module that puts those functions into the table that are imported, which is all that
    /// `is_there` knows.
    pub(super) fn filler(&self, is_there: impl Fn(&str) -> bool) -> Result<Vec<u8>, Defect> {
        let mut types = TypeSection::new();
        let mut imports = ImportSection::new();
        let mut elements = ElementSection::new();
        imports.import("shim", "table", EntityType::Table(self.table()));
        let there = (0..).zip(&self.functions).filter(|(_, (name, _))| is_there(name));
        for (imported, (number, (name, ty))) in (0..).zip(there) {
            types.ty().func_type(&RoundtripReencoder.func_type(ty.clone()).map_err(|_| Defect)?);
            imports.import("host", name, EntityType::Function(imported));
            let place = ConstExpr::i32_const(number);
            elements.active(None, &place, Elements::Functions([imported][..].into()));
        }
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&elements);
        Ok(module.finish())
    }

    fn table(&self) -> TableType {
        let size = self.functions.len() as u64;
        TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: size,
            maximum: Some(size),
            shared: false,
        }
    }
}
