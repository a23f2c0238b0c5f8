//! What a component sees: rows of what it is told to do, and what it says.

use wargate_component::virtualize::{Folder, Options, Sealed, virtualize};

use crate::host::{Host, imports};
use crate::{PROBE, big, file, seal};

#[test]
fn a_component_sees_what_was_sealed_and_nothing_else() {
    let sum: u64 = big().iter().map(|byte| u64::from(*byte)).sum();
    let sum = format!("3000000 {sum}");
    check(&[
        ("environment", "EMPTY= GREETING=hello there NAME=Ada"),
        ("arguments", "probe -v"),
        ("list /", "big empty hello.txt nested/ nothing/ same.txt"),
        ("list .", "big empty hello.txt nested/ nothing/ same.txt"),
        ("list nested", "a.txt b/"),
        ("list nothing", ""),
        ("list /data", "only.txt \u{e9}t\u{e9}"),
        ("list /data/../data", "error: PermissionDenied"),
        ("read hello.txt", "Hello, Ada."),
        ("read /nested/b/c.txt", "deep"),
        ("read ./nested/../nested//b/./c.txt", "deep"),
        ("read /data/only.txt", "data"),
        ("read /data/\u{e9}t\u{e9}", "summer"),
        ("read empty", ""),
        ("sum big", &sum),
        ("seek hello.txt 7", "7 Ada."),
        ("seek hello.txt -4", "7 Ada."),
        ("seek hello.txt 100", "100 "),
        ("stat hello.txt", "file 11 0"),
        ("stat big", "file 3000000 0"),
        ("stat nested", "folder 0 0"),
        ("read of-the-host", "error: NotFound"),
        ("read nested/c.txt", "error: NotFound"),
        ("read hello.tx", "error: NotFound"),
        ("read hello.txt/", "error: NotADirectory"),
        ("read hello.txt/x", "error: NotADirectory"),
        ("list hello.txt", "error: NotADirectory"),
        ("read nested", "error: IsADirectory"),
        ("link hello.txt", "error: InvalidInput"),
        ("link missing", "error: NotFound"),
    ]);
}

#[test]
fn nothing_is_written() {
    check(&[
        ("write hello.txt", "error: ReadOnlyFilesystem"),
        ("write new.txt", "error: ReadOnlyFilesystem"),
        ("write nested", "error: IsADirectory"),
        ("append hello.txt", "error: ReadOnlyFilesystem"),
        ("create new.txt", "error: ReadOnlyFilesystem"),
        ("create hello.txt", "error: AlreadyExists"),
        ("remove hello.txt", "error: ReadOnlyFilesystem"),
        ("rename hello.txt other.txt", "error: ReadOnlyFilesystem"),
        ("make-folder new", "error: ReadOnlyFilesystem"),
        ("remove-folder nothing", "error: ReadOnlyFilesystem"),
        ("open-to-write hello.txt", "error: read-only"),
        ("open-to-write nested", "error: is-directory"),
        ("write-directly hello.txt", "error: read-only"),
        ("write-via-stream hello.txt", "error: read-only"),
        ("read hello.txt", "Hello, Ada."),
    ]);
}

#[test]
fn no_path_leads_out_of_a_folder() {
    check(&[
        ("open nested/../hello.txt", "opened"),
        ("open .", "opened"),
        ("open nested/", "opened"),
        ("open nested/b/../..", "opened"),
        ("open ..", "error: not-permitted"),
        ("open ../of-the-host", "error: not-permitted"),
        ("open nested/../../hello.txt", "error: not-permitted"),
        ("open /hello.txt", "error: not-permitted"),
        ("open /", "error: not-permitted"),
        ("open ", "error: no-entry"),
        ("open hello.txt/.", "error: not-directory"),
        ("open hello.txt/..", "error: not-directory"),
        ("open missing/..", "error: no-entry"),
        ("open-below nested a.txt", "opened"),
        ("open-below nested b/../a.txt", "opened"),
        ("open-below nested ../hello.txt", "error: not-permitted"),
        ("open-below nested ../nested/a.txt", "error: not-permitted"),
        ("open-below hello.txt .", "error: not-directory"),
    ]);
}

#[test]
fn files_are_objects_of_their_own() {
    check(&[
        ("hashes hello.txt hello.txt", "true true true"),
        ("hashes hello.txt same.txt", "false false true"),
        ("hashes nested nothing", "false false true"),
        ("read-directly hello.txt 0", "Hello false"),
        ("read-directly hello.txt 6", " Ada. true"),
        ("read-directly hello.txt 18446744073709551615", " true"),
        ("read-directly nested 0", "error: is-directory"),
        (
            "entries-twice",
            "big:DescriptorType::RegularFile empty:DescriptorType::RegularFile \
             hello.txt:DescriptorType::RegularFile nested:DescriptorType::Directory \
             nothing:DescriptorType::Directory same.txt:DescriptorType::RegularFile true",
        ),
    ]);
}

#[test]
fn streams_of_files_and_of_the_host_work_side_by_side() {
    check(&[
        ("poll hello.txt", "[0] true \"Hello\""),
        ("poll-stdin", "[0] \"\""),
        ("clock", "[0]"),
        ("sleep", "true"),
        ("skip hello.txt 7", "Ok(7) \"Ada.\" closed"),
        ("skip hello.txt 700", "Ok(11) closed closed"),
        ("splice hello.txt", "lo, Ada. Ok(4) Ok(4) Err(StreamError::Closed)"),
        ("splice-stdin 6\nstream", "stream Ok(6)"),
        ("skip-stdin 4\nskip", "Ok(4)"),
        ("stdin-again 5\nagain", "\"again\""),
        ("talk 127.0.0.1:0", "ping pong"),
        ("many hello.txt", "true"),
    ]);
}

#[test]
fn every_file_is_found_by_its_name() {
    let names: Vec<String> = (0..300).map(|number| format!("{:x}", number * number)).collect();
    let files = names.iter().map(|name| (name.clone(), file(name))).collect();
    let folders = [("/".to_owned(), Folder(files))].into();
    let sealed = Sealed { folders, ..Sealed::default() };
    let made = virtualize(PROBE, &sealed, Options::default()).unwrap();
    let reads: Vec<String> = names.iter().map(|name| format!("read {name}")).collect();
    let rows: Vec<(&str, &str)> =
        reads.iter().zip(&names).map(|(read, name)| (read.as_str(), name.as_str())).collect();
    run(&made.bytes, &rows);
}

#[test]
fn arguments_may_stay_with_the_host() {
    let options = Options { host_arguments: true, ..Options::default() };
    let made = seal(PROBE, options);
    assert!(imports(&made.bytes).contains(&"wasi:cli/environment@0.2.12".to_owned()));
    assert!(!made.answered.contains(&"wasi:cli/environment@0.2.12".to_owned()));
    let rows =
        [("arguments", "tool one two"), ("environment", "EMPTY= GREETING=hello there NAME=Ada")];
    run(&made.bytes, &rows);
}

#[test]
fn files_may_stay_with_the_host() {
    let options = Options { host_files: true, ..Options::default() };
    let made = seal(PROBE, options);
    assert_eq!(made.answered, ["wasi:cli/environment@0.2.12"]);
    let rows = [
        ("list /", "of-the-host"),
        ("read of-the-host", "the host's"),
        ("list .", "of-the-host"),
        ("write new", "written"),
        ("environment", "EMPTY= GREETING=hello there NAME=Ada"),
    ];
    run(&made.bytes, &rows);
}

/// Has the probe do what the rows say, and compares what it says.
fn check(rows: &[(&str, &str)]) {
    run(&seal(PROBE, Options::default()).bytes, rows);
}

fn run(component: &[u8], rows: &[(&str, &str)]) {
    let script = rows.iter().map(|(line, _)| format!("{line}\n")).collect::<Vec<_>>().concat();
    let said = Host::new().run(component, &script, &["tool", "one", "two"]).unwrap();
    // What was read ahead of the end of a line leaves an empty one behind.
    let mut said = said.lines().filter(|line| *line != "what?");
    for (line, answer) in rows {
        assert_eq!(said.next(), Some(*answer), "{line}");
    }
    assert_eq!(said.next(), None);
}
