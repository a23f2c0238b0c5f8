//! Data directories of every format that there ever was: opened, brought up to date, checked, and
//! written to.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::program::{Folder, Server, run, wargate};

fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/formats")
}

/// Makes a data directory of what is kept of one.
fn unpack(format: &Path, data: &Path) {
    copy(format, data);
    let sql = data.join("registry.sql");
    let text = fs::read_to_string(&sql).unwrap();
    fs::remove_file(sql).unwrap();
    let database = Connection::open(data.join("registry.db")).unwrap();
    database.execute_batch(&format!("BEGIN;\n{text}\nCOMMIT;")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let at = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &at);
        } else {
            fs::copy(entry.path(), &at).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(&at, fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
}

#[test]
fn every_format_that_there_was_is_opened_brought_up_to_date_and_written_to() {
    let mut count = 0;
    for format in fs::read_dir(formats()).unwrap().flatten() {
        if !format.path().is_dir() {
            continue;
        }
        count += 1;
        let name = format.file_name().into_string().unwrap();
        let folder = Folder::new(&format!("format-{name}"));
        unpack(&format.path(), &folder.path().join("data"));
        let fsck = |skip: &[&str]| {
            let mut command = wargate(&folder);
            let checked = run(command.args(["fsck", "--json", "--data-dir", "data"]).args(skip));
            assert_eq!(checked.code, Some(0), "format {name}: {checked:?}");
            serde_json::from_str::<serde_json::Value>(&checked.out).unwrap()
        };
        let before = fsck(&[]);
        let records = |report: &serde_json::Value| {
            let parts = report["parts"].as_array().unwrap();
            parts.iter().find(|part| part["what"] == "records").unwrap()["checked"]
                .as_u64()
                .unwrap()
        };
        assert!(records(&before) >= 10);
        let mut serve = wargate(&folder);
        let server = Server::start(serve.args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
        let define = ["operator", "define", "later", "--json", "--data-dir", "data"];
        let defined = run(wargate(&folder).args(define));
        assert_eq!(defined.code, Some(0), "format {name}: {defined:?}");
        // A snapshot of it is one of today.
        let taken = run(wargate(&folder).args(["snapshot", "copies", "--data-dir", "data"]));
        assert_eq!(taken.code, Some(0), "format {name}: {taken:?}");
        let verified = run(wargate(&folder).args(["snapshot", "verify", "copies"]));
        assert_eq!(verified.code, Some(0), "format {name}: {verified:?}");
        assert!(verified.out.contains("pending records"), "{verified:?}");
        assert_eq!(server.stop().0, Some(0));
        assert_eq!(records(&fsck(&[])), records(&before) + 1);
        let format = fs::read_to_string(folder.path().join("data/format")).unwrap();
        assert_eq!(format, "1\n");
    }
    assert!(count >= 3, "the formats are gone");
}

#[test]
fn a_directory_of_a_newer_program_is_left_alone() {
    let folder = Folder::new("format-newer");
    let data = folder.path().join("data");
    unpack(&formats().join("1"), &data);
    let refused = |what: &str| {
        for command in ["fsck", "serve", "pause"] {
            let mut program = wargate(&folder);
            program.args([command, "--data-dir", "data"]);
            if command == "serve" {
                program.args(["--listen", "127.0.0.1:0"]);
            }
            if command == "pause" && what == "registry.db" {
                continue;
            }
            let refused = run(&mut program);
            assert_eq!(refused.code, Some(1), "{command}: {refused:?}");
            assert!(refused.err.contains("use a newer program"), "{command}: {refused:?}");
            assert!(refused.err.contains("99"), "{command}: {refused:?}");
        }
    };
    fs::write(data.join("format"), "99\n").unwrap();
    let before = fs::read(data.join("registry.db")).unwrap();
    refused("format");
    assert_eq!(fs::read(data.join("registry.db")).unwrap(), before);
    for nonsense in ["", "0", "one", "-1", "1 2"] {
        fs::write(data.join("format"), nonsense).unwrap();
        let odd = run(wargate(&folder).args(["fsck", "--data-dir", "data"]));
        assert!(odd.err.contains("says no format"), "{odd:?}");
    }
    fs::write(data.join("format"), "1\n").unwrap();
    let database = Connection::open(data.join("registry.db")).unwrap();
    let newer = "UPDATE meta SET value = 99 WHERE key = 'format'; PRAGMA user_version = 99;";
    database.execute_batch(newer).unwrap();
    drop(database);
    refused("registry.db");
}
