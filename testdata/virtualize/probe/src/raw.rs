//! What the standard library does not do.

use std::io::{self, Write};

use wasip2::cli::stdout::get_stdout;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags, filesystem_error_code,
};
use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, StreamError};

/// The next line of a stream.
pub(crate) fn line(input: &InputStream) -> Option<String> {
    let mut line = Vec::new();
    loop {
        match input.blocking_read(1) {
            Ok(byte) if byte == b"\n" => break,
            Ok(byte) => line.extend(byte),
            Err(_) if line.is_empty() => return None,
            Err(_) => break,
        }
    }
    Some(String::from_utf8(line).expect("standard input is text"))
}

pub(crate) fn obey(stdin: &InputStream, verb: &str, words: &[&str]) -> Option<String> {
    let path = words.first().copied().unwrap_or_default();
    let answer = match verb {
        "open" => open(&root(), path).map(|_| "opened".to_owned()),
        "open-to-write" => {
            let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
            let none = OpenFlags::empty();
            root().open_at(PathFlags::empty(), path, none, flags).map(|_| "opened".to_owned())
        }
        // From a folder below, where the way out leads to what there is.
        "open-below" => open(&root(), path)
            .and_then(|folder| open(&folder, words[1]))
            .map(|_| "opened".to_owned()),
        "hashes" => {
            let (one, other) = (open(&root(), path).unwrap(), open(&root(), words[1]).unwrap());
            let hash = |file: &Descriptor| file.metadata_hash().map(|it| (it.lower, it.upper));
            let again = root().metadata_hash_at(PathFlags::empty(), path);
            let again = again.map(|it| (it.lower, it.upper)) == hash(&one);
            let equal = hash(&one) == hash(&other);
            Ok(format!("{equal} {} {again}", one.is_same_object(&other)))
        }
        "write-directly" => open(&root(), path)
            .and_then(|file| file.write(b"changed", 0).map(|count| count.to_string())),
        "write-via-stream" => {
            let file = open(&root(), path);
            file.and_then(|file| file.write_via_stream(0)).map(|_| "stream".to_owned())
        }
        "read-directly" => open(&root(), path).and_then(|file| {
            let (piece, ends) = file.read(5, words[1].parse().unwrap())?;
            Ok(format!("{} {ends}", String::from_utf8_lossy(&piece)))
        }),
        "poll" => open(&root(), path).and_then(|file| file.read_via_stream(0)).map(|stream| {
            // The clock is not ready before the file is.
            let (ready, never) = (stream.subscribe(), subscribe_duration(u64::MAX / 4));
            let which = poll(&[&ready, &never]);
            ready.block();
            format!("{which:?} {} {}", ready.ready(), said(&stream.read(5)))
        }),
        "poll-stdin" => {
            let ready = stdin.subscribe();
            ready.block();
            Ok(format!("{:?} {}", poll(&[&ready]), said(&stdin.read(0))))
        }
        "clock" => Ok(format!("{:?}", poll(&[&subscribe_duration(1_000_000)]))),
        "skip" => open(&root(), path).and_then(|file| file.read_via_stream(0)).map(|stream| {
            let count = stream.blocking_skip(words[1].parse().unwrap());
            format!("{count:?} {} {}", said(&stream.read(100)), said(&stream.read(100)))
        }),
        "splice" => open(&root(), path).and_then(|file| file.read_via_stream(3)).map(|stream| {
            io::stdout().flush().unwrap();
            let stdout = get_stdout();
            let first = stdout.splice(&stream, 4);
            let rest = stdout.blocking_splice(&stream, u64::MAX);
            let end = stdout.blocking_splice(&stream, 1);
            stdout.blocking_flush().unwrap();
            format!(" {first:?} {rest:?} {end:?}")
        }),
        "splice-stdin" => {
            io::stdout().flush().unwrap();
            let stdout = get_stdout();
            let count = stdout.blocking_splice(stdin, words[0].parse().unwrap());
            stdout.blocking_flush().unwrap();
            Ok(format!(" {count:?}"))
        }
        "skip-stdin" => Ok(format!("{:?}", stdin.blocking_skip(words[0].parse().unwrap()))),
        "stdin-again" => {
            // A second handle of the same stream.
            let again = wasip2::cli::stdin::get_stdin();
            Ok(said(&again.blocking_read(words[0].parse().unwrap())))
        }
        "many" => {
            for _ in 0..20_000 {
                let file = open(&root(), path).expect("a file");
                let stream = file.read_via_stream(0).expect("a stream");
                assert_eq!(stream.blocking_read(1).expect("a byte").len(), 1);
            }
            Ok(format!("{}", core::arch::wasm32::memory_size::<0>() < 1000))
        }
        "entries-twice" => {
            let entries = root().read_directory().expect("entries");
            let mut names = Vec::new();
            while let Some(entry) = entries.read_directory_entry().expect("an entry") {
                names.push(format!("{}:{:?}", entry.name, entry.type_));
            }
            let end = entries.read_directory_entry().expect("an end").is_none();
            Ok(format!("{} {end}", names.join(" ")))
        }
        _ => return None,
    };
    Some(answer.unwrap_or_else(|error: ErrorCode| format!("error: {}", error.name())))
}

/// The folder that is called `/`.
fn root() -> Descriptor {
    let (root, _) = get_directories().into_iter().find(|(_, path)| path == "/").expect("a root");
    root
}

fn open(from: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    from.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ)
}

fn said(read: &Result<Vec<u8>, StreamError>) -> String {
    match read {
        Ok(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Err(StreamError::Closed) => "closed".to_owned(),
        Err(StreamError::LastOperationFailed(error)) => {
            format!("failed {:?}", filesystem_error_code(error))
        }
    }
}
