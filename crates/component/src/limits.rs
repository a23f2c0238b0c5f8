//! Limits on what a stranger controls. The unit is the last word before `MAX`.
//!
//! They are ours and far above what any released tool emits. Together they bound an
//! [`Inspection`](crate::Inspection): its names and texts have at most [`EXTERN_NAMES_BYTES_MAX`] and
//! [`METADATA_BYTES_MAX`] bytes, and it has at most [`EXTERNS_MAX`] imports and as many exports.

/// Largest file that is inspected unless the caller says otherwise, in bytes. Interpreters of dynamic
/// languages make components of some 10 MB.
pub const FILE_BYTES_MAX: usize = 128 << 20;

/// Most imports of one file, and most exports. More is an error: a list that lacks some would hide
/// what a policy looks for.
pub const EXTERNS_MAX: usize = 1 << 14;

/// Longest name of one import or export, in bytes, the module of a core import included. A longer one
/// is an error.
pub const EXTERN_NAME_BYTES_MAX: usize = 1 << 13;

/// All names of imports and exports of one file together, in bytes. More is an error.
pub const EXTERN_NAMES_BYTES_MAX: usize = 1 << 20;

/// Longest text of one field of the metadata, in bytes. What is longer is cut at a character.
pub const TEXT_BYTES_MAX: usize = 1 << 12;

/// Most tools that are reported; the first ones are kept.
pub const PRODUCERS_MAX: usize = 64;

/// Longest name and longest version of a tool, in bytes. What is longer is cut at a character.
pub const PRODUCER_BYTES_MAX: usize = 256;

/// All texts of the metadata together, in bytes: seven fields, and name and version of every tool.
pub const METADATA_BYTES_MAX: usize = 7 * TEXT_BYTES_MAX + 2 * PRODUCERS_MAX * PRODUCER_BYTES_MAX;

/// Most modules and components within a file whose sizes are told; the first ones are kept.
pub const PARTS_MAX: usize = 256;

/// Most names of custom sections whose sizes are told.
pub const CUSTOM_NAMES_MAX: usize = 64;

/// How long the types of all imports and exports of one file may be, written out, in bytes. Each counts
/// twice, once to be shown and once to be compared. All of WASI takes less than half a megabyte.
pub const INTERFACE_TEXT_BYTES_MAX: usize = 16 << 20;

/// Longest documentation of a WIT package that is compared text by text, in bytes.
pub const DOCUMENTATION_BYTES_MAX: usize = 4 << 20;

/// Most worlds that are read out of one core module. Tools put in one for each library that it was
/// linked of.
pub const EMBEDDED_WORLDS_MAX: usize = 64;

/// Longest explanation of what is wrong with a file, in bytes. It may quote the file.
pub const REASON_BYTES_MAX: usize = 512;

/// How deep component types may be nested in one another. The component model's own limit.
pub const TYPE_NESTING_MAX: usize = 100;

/// How many types, imports and exports the validator may keep for one file, wherever they stand in it:
/// those that are declared, and those that are copied where instances are made or imported. One takes
/// 100 to 600 bytes, so that this stands for half a gigabyte at most; what else is kept of a file is
/// less than 20 times its size. Real files have some hundreds for each interface.
pub const ITEMS_MAX: u64 = 1 << 20;

/// How deep components and modules may be nested in one another. Composition nests one level for each
/// step; real files have three or four.
pub const COMPONENT_NESTING_MAX: usize = 100;

/// Longest name of an import that is read as a dependency, in bytes.
pub const IMPORT_NAME_BYTES_MAX: usize = EXTERN_NAME_BYTES_MAX;

/// How large a core module's sections, but the custom ones, may be together for a look into it to be
/// brief, in bytes. Code takes more steps than it has bytes, by its square at the worst.
pub const BRIEF_BYTES_MAX: u64 = 512;

/// How many steps the validation of a file's code may take: one for each operator, and one for each
/// value that it takes or gives, where many of them are. That is a few seconds at most. An operator of
/// real code takes two or three, and has as many bytes.
pub const CODE_STEPS_MAX: u64 = 1 << 28;

/// Most packages that a snapshot of a registry for the solver may have. One root needs far fewer.
pub const SNAPSHOT_PACKAGES_MAX: usize = 1 << 15;

/// Most releases of one package that the solver looks at. Packages with a release for every night of
/// ten years have half as many.
pub const RELEASES_PER_PACKAGE_MAX: usize = 1 << 13;

/// Most imports of packages that one release may have.
pub const IMPORTS_PER_RELEASE_MAX: usize = 1 << 10;

/// Most releases in an answer of the solver.
pub const SOLVE_NODES_MAX: usize = 1 << 12;

/// Most imports of packages that the root and the releases of an answer may have together.
pub const SOLVE_EDGES_MAX: usize = 1 << 16;

/// How many imports away from the root a release may be.
pub const SOLVE_DEPTH_MAX: usize = 256;

/// How many steps the solver may take: one for each release that it looks at, times the versions that
/// are selected beside it, and one for each choice that has a part in a conflict. That is about a second
/// at most. A graph without conflicts takes about as many as its imports have releases.
pub const SOLVE_STEPS_MAX: usize = 1 << 23;

/// Largest lock file that is read, in bytes: some 20,000 packages.
pub const LOCK_BYTES_MAX: usize = 16 << 20;

/// Longest path, and longest name of a registry, in a lock file, in bytes.
pub const LOCK_TEXT_BYTES_MAX: usize = 1 << 12;

/// Most chains of imports that the explanation of a conflict has.
pub const CONFLICT_CHAINS_MAX: usize = 8;

/// Root and releases of a locked component or a bundle together, in bytes.
pub const LINK_BYTES_MAX: usize = 1 << 30;

/// How many steps it may take to find out which open imports make use of each other's types: one for
/// each type that each of them reaches. That is about a second at most.
pub const LINK_STEPS_MAX: usize = 1 << 24;

/// Most types that are written for the imports of a locked component or a bundle.
pub const LINK_ITEMS_MAX: usize = 1 << 20;

/// Longest WAC document, in bytes. Those that people write have some thousand.
pub const WAC_BYTES_MAX: usize = 1 << 20;

/// How deep the brackets of a WAC document may be nested.
pub const WAC_NESTING_MAX: usize = 100;

/// Most packages that a WAC document may name.
pub const WAC_PACKAGES_MAX: usize = 1 << 10;

/// Longest WIT text that a module is told its world with, in bytes. That of all of WASI has some 130,000.
pub const WIT_BYTES_MAX: usize = 4 << 20;

/// Longest statement of a component about its sources, in bytes: some 5,000 of them.
pub const PROVENANCE_BYTES_MAX: usize = 1 << 20;

/// How deep within a component its sources are looked for. Each level is hashed once more.
pub const PROVENANCE_DEPTH_MAX: usize = 4;
/// Most files and folders that are sealed in a component.
pub const SEALED_ENTRIES_MAX: usize = 1 << 16;

/// The files that are sealed in a component, together, in bytes. The component stays one that can be
/// inspected, and published.
pub const SEALED_FILES_BYTES_MAX: usize = 64 << 20;

/// How deep folders that are sealed in a component may be nested in one another.
pub const SEALED_NESTING_MAX: usize = 64;

/// Longest name of a file or folder that is sealed in a component, in bytes. That of most systems.
pub const SEALED_NAME_BYTES_MAX: usize = 255;

/// Most variables and arguments that are sealed in a component.
pub const SEALED_TEXTS_MAX: usize = 1 << 12;

/// Variables, arguments and names of folders that are sealed in a component, together, in bytes.
pub const SEALED_TEXTS_BYTES_MAX: usize = 1 << 20;
