//! `input-stream` of `wasi:io/streams`, and the functions that give or take one.

use crate::host;
use crate::memory::{Cell, allocate, put_u8, put_u32, put_u64, u8_at, u32_at, u64_at};
use crate::tree::Node;

/// Most bytes of a file that are read at once.
const READ_BYTES_MAX: u64 = 1 << 20;

/// What an `input-stream` is.
enum Stream {
    /// A file, and a place in it.
    File(Cell),
    /// The host's, by its handle.
    Host(u32),
}

impl Stream {
    fn of(stream: u32) -> Self {
        if stream & 1 == 1 { Self::Host(stream >> 1) } else { Self::File(Cell(stream)) }
    }
}

/// A handle of a stream that reads a file.
pub(crate) fn of_file(node: Node, place: u64) -> u32 {
    host::new_input(Cell::new(node.0, place).0)
}

/// A handle of a stream of the host's.
fn of_host(input: u32) -> u32 {
    host::new_input(input << 1 | 1)
}

/// `[method]input-stream.read: func(len: u64) -> result<list<u8>, stream-error>`
#[unsafe(export_name = "input-read")]
extern "C" fn read(stream: u32, len: u64) -> u32 {
    let to = allocate(12, 4);
    match Stream::of(stream) {
        Stream::Host(input) => host::read(input, len, to),
        Stream::File(cell) => read_file(cell, len, to),
    }
    to
}

/// `[method]input-stream.blocking-read: func(len: u64) -> result<list<u8>, stream-error>`
#[unsafe(export_name = "input-blocking-read")]
extern "C" fn blocking_read(stream: u32, len: u64) -> u32 {
    let to = allocate(12, 4);
    match Stream::of(stream) {
        Stream::Host(input) => host::blocking_read(input, len, to),
        Stream::File(cell) => read_file(cell, len, to),
    }
    to
}

/// `[method]input-stream.skip: func(len: u64) -> result<u64, stream-error>`
#[unsafe(export_name = "input-skip")]
extern "C" fn skip(stream: u32, len: u64) -> u32 {
    let to = allocate(16, 8);
    match Stream::of(stream) {
        Stream::Host(input) => host::skip(input, len, to),
        Stream::File(cell) => skip_file(cell, len, to),
    }
    to
}

/// `[method]input-stream.blocking-skip: func(len: u64) -> result<u64, stream-error>`
#[unsafe(export_name = "input-blocking-skip")]
extern "C" fn blocking_skip(stream: u32, len: u64) -> u32 {
    let to = allocate(16, 8);
    match Stream::of(stream) {
        Stream::Host(input) => host::blocking_skip(input, len, to),
        Stream::File(cell) => skip_file(cell, len, to),
    }
    to
}

/// `[method]input-stream.subscribe: func() -> pollable`
#[unsafe(export_name = "input-subscribe")]
extern "C" fn subscribe(stream: u32) -> u32 {
    match Stream::of(stream) {
        Stream::Host(input) => host::subscribe(input),
        // A file is ready at any time, as a clock is after no time.
        Stream::File(_) => host::subscribe_duration(0),
    }
}

/// What happens when nobody has the stream any more.
#[unsafe(export_name = "input-gone")]
extern "C" fn gone(stream: u32) {
    match Stream::of(stream) {
        Stream::Host(input) => host::drop_input(input),
        Stream::File(cell) => cell.free(),
    }
}

/// `[method]output-stream.splice: func(src: borrow<input-stream>, len: u64) ->
/// result<u64, stream-error>`
#[unsafe(export_name = "output-splice")]
extern "C" fn splice(output: u32, stream: u32, len: u64) -> u32 {
    let to = allocate(16, 8);
    match Stream::of(stream) {
        Stream::Host(input) => host::splice(output, input, len, to),
        Stream::File(cell) => splice_file(output, cell, len, to),
    }
    host::drop_output(output);
    to
}

/// `[method]output-stream.blocking-splice: func(src: borrow<input-stream>, len: u64) ->
/// result<u64, stream-error>`
#[unsafe(export_name = "output-blocking-splice")]
extern "C" fn blocking_splice(output: u32, stream: u32, len: u64) -> u32 {
    let to = allocate(16, 8);
    match Stream::of(stream) {
        Stream::Host(input) => host::blocking_splice(output, input, len, to),
        Stream::File(cell) => {
            let pollable = host::subscribe_output(output);
            host::block(pollable);
            host::drop_pollable(pollable);
            splice_file(output, cell, len, to);
        }
    }
    host::drop_output(output);
    to
}

/// `wasi:cli/stdin`, `get-stdin: func() -> input-stream`
#[unsafe(export_name = "get-stdin")]
extern "C" fn stdin() -> u32 {
    of_host(host::stdin())
}

/// `wasi:sockets/tcp`, `[method]tcp-socket.finish-connect: func() ->
/// result<tuple<input-stream, output-stream>, error-code>`
#[unsafe(export_name = "tcp-finish-connect")]
extern "C" fn finish_connect(socket: u32) -> u32 {
    let to = allocate(12, 4);
    host::finish_connect(socket, to);
    host::drop_socket(socket);
    if is_ok(to) {
        put_u32(to + 4, of_host(u32_at(to + 4)));
    }
    to
}

/// `wasi:sockets/tcp`, `[method]tcp-socket.accept: func() ->
/// result<tuple<tcp-socket, input-stream, output-stream>, error-code>`
#[unsafe(export_name = "tcp-accept")]
extern "C" fn accept(socket: u32) -> u32 {
    let to = allocate(16, 4);
    host::accept(socket, to);
    host::drop_socket(socket);
    if is_ok(to) {
        put_u32(to + 8, of_host(u32_at(to + 8)));
    }
    to
}

/// `wasi:http/types`, `[method]incoming-body.stream: func() -> result<input-stream>`
#[unsafe(export_name = "body-stream")]
extern "C" fn body_stream(body: u32) -> u32 {
    let to = allocate(8, 4);
    host::body_stream(body, to);
    host::drop_body(body);
    if is_ok(to) {
        put_u32(to + 4, of_host(u32_at(to + 4)));
    }
    to
}

/// The next bytes of a file, as a `result<list<u8>, stream-error>`.
fn read_file(cell: Cell, len: u64, to: u32) {
    let (address, count) = next(cell, len.min(READ_BYTES_MAX));
    if count == 0 && len > 0 {
        put_u8(to, 1);
        close(to + 4);
        return;
    }
    cell.go_to(cell.place() + u64::from(count));
    put_u8(to, 0);
    put_u32(to + 4, address);
    put_u32(to + 8, count);
}

/// How many bytes of a file were passed over, as a `result<u64, stream-error>`.
fn skip_file(cell: Cell, len: u64, to: u32) {
    let (_, count) = next(cell, len);
    advance(cell, count, len, to);
}

/// Writes the next bytes of a file as far as that can be done now, and says how many they were, as a
/// `result<u64, stream-error>`.
fn splice_file(output: u32, cell: Cell, len: u64, to: u32) {
    host::check_write(output, to);
    if !is_ok(to) {
        return;
    }
    let room = u64_at(to + 8);
    let (address, count) = next(cell, len.min(room));
    if count > 0 {
        let written = allocate(12, 4);
        host::write(output, address, count, written);
        if !is_ok(written) {
            put_u8(to, 1);
            put_u32(to + 8, u32_at(written + 4));
            put_u32(to + 12, u32_at(written + 8));
            return;
        }
    }
    // Without room there is no end yet.
    advance(cell, count, len.min(room), to);
}

/// Says that `count` bytes were taken of `len` that were asked for, as a `result<u64, stream-error>`.
fn advance(cell: Cell, count: u32, len: u64, to: u32) {
    if count == 0 && len > 0 {
        put_u8(to, 1);
        close(to + 8);
        return;
    }
    cell.go_to(cell.place() + u64::from(count));
    put_u8(to, 0);
    put_u64(to + 8, u64::from(count));
}

/// Address and length of the bytes that follow in a file, `len` at most.
fn next(cell: Cell, len: u64) -> (u32, u32) {
    part(Node(cell.node()), cell.place(), len)
}

/// Address and length of a part of a file.
pub(crate) fn part(node: Node, place: u64, len: u64) -> (u32, u32) {
    let (address, size) = node.inside();
    let from = smaller(size, place);
    (address + from, smaller(size - from, len))
}

fn smaller(one: u32, other: u64) -> u32 {
    u32::try_from(other).map_or(one, |other| one.min(other))
}

/// The `stream-error` that a stream has ended.
fn close(to: u32) {
    put_u8(to, 1);
}

/// Whether a `result` is none that says what went wrong.
fn is_ok(result: u32) -> bool {
    u8_at(result) == 0
}
