//! `wasi:filesystem/types` and `wasi:filesystem/preopens`.

use crate::host;
use crate::memory::{Cell, allocate, bytes_at, put_u8, put_u32, put_u64, u32_at};
use crate::paths::{Refusal, walk};
use crate::streams;
use crate::tree::{Head, Node};

/// Numbers of `descriptor-type`.
const FOLDER: u8 = 3;
const FILE: u8 = 6;

/// Numbers of `open-flags`.
const CREATE: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;

/// Numbers of `descriptor-flags`.
const READ: u8 = 1;
const WRITE: u32 = 2;
const MUTATE_DIRECTORY: u32 = 32;

/// `get-directories: func() -> list<tuple<descriptor, string>>`
#[unsafe(export_name = "get-directories")]
extern "C" fn directories() -> u32 {
    let (folders, count) = Head::Folders.list();
    let list = allocate(count * 12, 4);
    for offset in (0..count * 12).step_by(12) {
        put_u32(list + offset, host::new_descriptor(u32_at(folders + offset)));
        put_u32(list + offset + 4, u32_at(folders + offset + 4));
        put_u32(list + offset + 8, u32_at(folders + offset + 8));
    }
    let to = allocate(8, 4);
    put_u32(to, list);
    put_u32(to + 4, count);
    to
}

/// `read-via-stream: func(offset: filesize) -> result<input-stream, error-code>`
#[unsafe(export_name = "descriptor-read-via-stream")]
extern "C" fn read_via_stream(descriptor: u32, offset: u64) -> u32 {
    answer(8, 4, file(descriptor), |node, to| put_u32(to, streams::of_file(node, offset)))
}

/// `read: func(length: filesize, offset: filesize) -> result<tuple<list<u8>, bool>, error-code>`
#[unsafe(export_name = "descriptor-read")]
extern "C" fn read(descriptor: u32, len: u64, offset: u64) -> u32 {
    answer(16, 4, file(descriptor), |node, to| {
        let (address, count) = streams::part(node, offset, len);
        put_u32(to, address);
        put_u32(to + 4, count);
        let ends = offset.saturating_add(u64::from(count)) >= node.size();
        put_u8(to + 8, u8::from(ends));
    })
}

/// `read-directory: func() -> result<directory-entry-stream, error-code>`
#[unsafe(export_name = "descriptor-read-directory")]
extern "C" fn read_directory(descriptor: u32) -> u32 {
    let node = Node(descriptor);
    let folder = if node.is_folder() { Ok(node) } else { Err(Refusal::NotDirectory) };
    answer(8, 4, folder, |node, to| put_u32(to, host::new_entries(Cell::new(node.0, 0).0)))
}

/// `read-directory-entry: func() -> result<option<directory-entry>, error-code>`
#[unsafe(export_name = "entries-read")]
extern "C" fn read_entry(entries: u32) -> u32 {
    let cell = Cell(entries);
    answer(20, 4, Ok(Node(cell.node())), |folder, to| {
        let (first, count) = folder.inside();
        let place = match u32::try_from(cell.place()) {
            Ok(place) if place < count => place,
            _ => {
                put_u8(to, 0);
                return;
            }
        };
        cell.go_to(u64::from(place) + 1);
        let node = Node(first + place);
        let (name, len) = node.name();
        put_u8(to, 1);
        put_u8(to + 4, kind(node));
        put_u32(to + 8, name);
        put_u32(to + 12, len);
    })
}

/// What happens when nobody has a `directory-entry-stream` any more.
#[unsafe(export_name = "entries-gone")]
extern "C" fn entries_gone(entries: u32) {
    Cell(entries).free();
}

/// `open-at: func(path-flags: path-flags, path: string, open-flags: open-flags, %flags:
/// descriptor-flags) -> result<descriptor, error-code>`
#[unsafe(export_name = "descriptor-open-at")]
extern "C" fn open_at(from: u32, _: u32, path: u32, len: u32, how: u32, flags: u32) -> u32 {
    let found = walk(from, path, len);
    let opened = match found {
        Err(Refusal::NoEntry) if how & CREATE != 0 && !bytes_at(path, len).is_empty() => {
            Err(Refusal::ReadOnly)
        }
        Err(refusal) => Err(refusal),
        Ok(_) if how & CREATE != 0 && how & EXCLUSIVE != 0 => Err(Refusal::Exist),
        Ok(node) if how & DIRECTORY != 0 && !node.is_folder() => Err(Refusal::NotDirectory),
        Ok(node) if node.is_folder() && (how & TRUNCATE != 0 || flags & WRITE != 0) => {
            Err(Refusal::IsDirectory)
        }
        Ok(_) if how & TRUNCATE != 0 || flags & (WRITE | MUTATE_DIRECTORY) != 0 => {
            Err(Refusal::ReadOnly)
        }
        Ok(node) => Ok(node),
    };
    answer(8, 4, opened, |node, to| put_u32(to, host::new_descriptor(node.0)))
}

/// `get-flags: func() -> result<descriptor-flags, error-code>`
#[unsafe(export_name = "descriptor-get-flags")]
extern "C" fn flags(descriptor: u32) -> u32 {
    answer(2, 1, Ok(Node(descriptor)), |_, to| put_u8(to, READ))
}

/// `get-type: func() -> result<descriptor-type, error-code>`
#[unsafe(export_name = "descriptor-get-type")]
extern "C" fn get_type(descriptor: u32) -> u32 {
    answer(2, 1, Ok(Node(descriptor)), |node, to| put_u8(to, kind(node)))
}

/// `stat: func() -> result<descriptor-stat, error-code>`
#[unsafe(export_name = "descriptor-stat")]
extern "C" fn stat(descriptor: u32) -> u32 {
    answer(104, 8, Ok(Node(descriptor)), put_stat)
}

/// `stat-at: func(path-flags: path-flags, path: string) -> result<descriptor-stat, error-code>`
#[unsafe(export_name = "descriptor-stat-at")]
extern "C" fn stat_at(from: u32, _: u32, path: u32, len: u32) -> u32 {
    answer(104, 8, walk(from, path, len), put_stat)
}

/// `metadata-hash: func() -> result<metadata-hash-value, error-code>`
#[unsafe(export_name = "descriptor-metadata-hash")]
extern "C" fn metadata_hash(descriptor: u32) -> u32 {
    answer(24, 8, Ok(Node(descriptor)), put_hash)
}

/// `metadata-hash-at: func(path-flags: path-flags, path: string) -> result<metadata-hash-value,
/// error-code>`
#[unsafe(export_name = "descriptor-metadata-hash-at")]
extern "C" fn metadata_hash_at(from: u32, _: u32, path: u32, len: u32) -> u32 {
    answer(24, 8, walk(from, path, len), put_hash)
}

/// `is-same-object: func(other: borrow<descriptor>) -> bool`
#[unsafe(export_name = "descriptor-is-same-object")]
extern "C" fn is_same_object(one: u32, other: u32) -> u32 {
    u32::from(one == other)
}

/// `readlink-at: func(path: string) -> result<string, error-code>`
#[unsafe(export_name = "descriptor-readlink-at")]
extern "C" fn readlink_at(from: u32, path: u32, len: u32) -> u32 {
    // Nothing is a link.
    answer(12, 4, walk(from, path, len).and(Err(Refusal::Invalid)), |_, _| {})
}

/// `filesystem-error-code: func(err: borrow<error>) -> option<error-code>`
#[unsafe(export_name = "filesystem-error-code")]
extern "C" fn error_code(error: u32) -> u32 {
    // Our streams end and never fail: it is an error of the host's, and of no file.
    host::drop_error(error);
    let none = allocate(2, 1);
    put_u8(none, 0);
    none
}

/// What does nothing, and that well: `advise`, `sync` and `sync-data`.
#[unsafe(export_name = "descriptor-advise")]
extern "C" fn advise(descriptor: u32, _: u64, _: u64, _: u32) -> u32 {
    sync(descriptor)
}

#[unsafe(export_name = "descriptor-sync")]
extern "C" fn sync(descriptor: u32) -> u32 {
    answer(2, 1, Ok(Node(descriptor)), |_, _| {})
}

/// Everything that would write, each with its signature.
macro_rules! read_only {
    ($($export:literal $function:ident($($parameter:ty),*) -> $size:literal, $align:literal;)*) => {$(
        #[unsafe(export_name = $export)]
        extern "C" fn $function($(_: $parameter),*) -> u32 {
            answer($size, $align, Err(Refusal::ReadOnly), |_, _| {})
        }
    )*};
}

read_only! {
    "descriptor-write-via-stream" write_via_stream(u32, u64) -> 8, 4;
    "descriptor-append-via-stream" append_via_stream(u32) -> 8, 4;
    "descriptor-set-size" set_size(u32, u64) -> 2, 1;
    "descriptor-set-times" set_times(u32, u32, u64, u32, u32, u64, u32) -> 2, 1;
    "descriptor-write" write(u32, u32, u32, u64) -> 16, 8;
    "descriptor-create-directory-at" create_directory_at(u32, u32, u32) -> 2, 1;
    "descriptor-set-times-at"
        set_times_at(u32, u32, u32, u32, u32, u64, u32, u32, u64, u32) -> 2, 1;
    "descriptor-link-at" link_at(u32, u32, u32, u32, u32, u32, u32) -> 2, 1;
    "descriptor-remove-directory-at" remove_directory_at(u32, u32, u32) -> 2, 1;
    "descriptor-rename-at" rename_at(u32, u32, u32, u32, u32, u32) -> 2, 1;
    "descriptor-symlink-at" symlink_at(u32, u32, u32, u32, u32) -> 2, 1;
    "descriptor-unlink-file-at" unlink_file_at(u32, u32, u32) -> 2, 1;
}

/// A `result` of so many bytes, whose parts are aligned so: `put` writes what there is if all is well.
fn answer(size: u32, align: u32, found: Result<Node, Refusal>, put: impl FnOnce(Node, u32)) -> u32 {
    let to = allocate(size, align);
    match found {
        Ok(node) => {
            put_u8(to, 0);
            put(node, to + align);
        }
        Err(refusal) => {
            put_u8(to, 1);
            put_u8(to + align, refusal as u8);
        }
    }
    to
}

fn file(descriptor: u32) -> Result<Node, Refusal> {
    let node = Node(descriptor);
    if node.is_folder() { Err(Refusal::IsDirectory) } else { Ok(node) }
}

fn kind(node: Node) -> u8 {
    if node.is_folder() { FOLDER } else { FILE }
}

/// A `descriptor-stat`: type, links, size, and three times, each the beginning of 1970.
fn put_stat(node: Node, to: u32) {
    put_u8(to, kind(node));
    put_u64(to + 8, 1);
    put_u64(to + 16, node.size());
    for time in [to + 24, to + 48, to + 72] {
        put_u8(time, 1);
        put_u64(time + 8, 0);
        put_u32(time + 16, 0);
    }
}

/// A `metadata-hash-value`: no two nodes have the same, and that of a file changes with its bytes.
fn put_hash(node: Node, to: u32) {
    put_u64(to, u64::from(node.0) + 1);
    put_u64(to + 8, node.digest());
}
