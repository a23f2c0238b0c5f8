//! `wargate doctor`: what it finds, one thing at a time, and that it changes nothing.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::Value;

use crate::program::{Folder, Output, Server, run, wargate};

/// A registry that was started once and stopped in peace. Its data is in `data`.
fn registry(name: &str) -> Folder {
    let folder = Folder::new(name);
    let mut command = wargate(&folder);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", "data"]);
    assert_eq!(Server::start(&mut command).stop().0, Some(0));
    folder
}

fn doctor(folder: &Folder, more: &[&str]) -> (Option<i32>, Value) {
    let mut command = wargate(folder);
    command.args(["doctor", "--json", "--data-dir", "data"]);
    if !more.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    let Output { code, out, err } = run(command.args(more));
    let report = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    (code, report)
}

/// What was found of something with a verdict: all that was said.
fn of(report: &Value, check: &str, verdict: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let said = |one: &Value| {
        format!("{} {}", one["found"].as_str().unwrap(), one["mend"].as_str().unwrap_or_default())
    };
    let such = |one: &&Value| one["check"] == check && one["verdict"] == verdict;
    let all: Vec<_> = findings.iter().filter(such).map(said).collect();
    assert!(!all.is_empty(), "no {verdict} of {check}: {report:#}");
    all.join("; ")
}

#[track_caller]
fn finds(folder: &Folder, more: &[&str], check: &str, verdict: &str, word: &str) {
    let (code, report) = doctor(folder, more);
    let text = of(&report, check, verdict);
    assert!(text.contains(word), "{text}");
    let fails = report["verdict"] == "failure";
    assert!(fails || verdict != "failure");
    assert_eq!(code, Some(i32::from(fails)), "{report:#}");
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below a folder: names, sizes, modes, and when it was changed.
fn listing(folder: &Path) -> Vec<(String, u64, u32, i64, i64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, it) = (entry.path(), entry.metadata().unwrap());
        all.push((path.display().to_string(), it.len(), it.mode(), it.ctime(), it.ctime_nsec()));
        if it.is_dir() {
            all.extend(listing(&path));
        }
    }
    all.sort();
    all
}

#[test]
fn a_healthy_registry_is_well_running_or_not_and_stays_as_it_is() {
    let folder = registry("doctor-well");
    let data = folder.path().join("data");
    let before = listing(&data);
    let (code, report) = doctor(&folder, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    for (check, word) in [
        ("configuration", "complete"),
        ("data directory", "data"),
        ("registry", "no server runs; 1 records"),
        ("format", ""),
        ("fsync", ""),
        ("operator key", "the log knows"),
        ("checkpoint key", "may sign"),
        ("clock", "not behind"),
        ("open files", "connections need"),
        ("port", "is free"),
    ] {
        assert!(of(&report, check, "ok").contains(word), "{check}: {report:#}");
    }
    assert_eq!(listing(&data), before);
    // As text, too.
    let output = run(wargate(&folder).args(["doctor", "--data-dir", "data"]));
    assert_eq!(output.code, Some(0), "{}", output.out);
    assert!(output.out.contains("VERDICT") && output.out.contains("operator key"));
    let mut command = wargate(&folder);
    let running = Server::start(command.args(["--listen", "127.0.0.1:0", "--data-dir", "data"]));
    let address = running.said("listening on").to_owned();
    let (code, report) = doctor(&folder, &["--listen", &address]);
    assert_eq!(code, Some(0), "{report:#}");
    assert!(of(&report, "registry", "ok").contains("a server runs"), "{report:#}");
    assert!(of(&report, "port", "ok").contains("listens"), "{report:#}");
    assert!(of(&report, "operator key", "ok").contains("the log knows"), "{report:#}");
    let url = format!("http://{address}/");
    finds(&folder, &["--public-url", &url, "--listen", &address], "public URL", "ok", "leads to");
    let health = |at: &str| run(wargate(&folder).args(["health", "--listen", at]));
    let well = health(&address);
    assert_eq!((well.code, well.out.as_str()), (Some(0), "ready\n"));
    drop(running);
    assert_eq!(health(&address).code, Some(1));
}

#[test]
fn what_is_not_there_yet_is_no_failure() {
    let folder = Folder::new("doctor-new");
    let (code, report) = doctor(&folder, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    assert!(of(&report, "data directory", "ok").contains("the first start makes it"));
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_configuration_that_cannot_be_or_contradicts_itself_is_found() {
    let folder = registry("doctor-settings");
    let file = |text: &str| fs::write(folder.path().join("w.toml"), text).unwrap();
    file("listne = \"127.0.0.1:0\"");
    finds(&folder, &["--config", "w.toml"], "configuration", "failure", "listne");
    file("allow_any_key = true\nauthorized_keys_file = \"keys.toml\"");
    fs::write(folder.path().join("keys.toml"), "").unwrap();
    finds(&folder, &["--config", "w.toml"], "configuration", "failure", "contradict");
    let open = ["--public-url", "http://localhost.example", "--allow-any-key"];
    finds(&folder, &open, "configuration", "warning", "every key may publish");
    finds(&folder, &open, "configuration", "warning", "without TLS");
    finds(&folder, &["--metrics-listen", "0.0.0.0:0"], "configuration", "warning", "metrics");
    finds(&folder, &["--listen", "0.0.0.0:0"], "configuration", "failure", "--public-url");
    // The rest is looked at all the same.
    finds(&folder, &["--config", "w.toml"], "operator key", "ok", "the log knows");
}

#[test]
fn a_data_directory_that_others_can_use_or_that_has_other_things_is_found() {
    let folder = registry("doctor-directory");
    let data = folder.path().join("data");
    mode(&data, 0o777);
    finds(&folder, &[], "data directory", "failure", "others can write");
    mode(&data, 0o755);
    finds(&folder, &[], "data directory", "warning", "chmod 700");
    mode(&data, 0o700);
    fs::write(data.join("holiday.jpg"), "").unwrap();
    finds(&folder, &[], "data directory", "warning", "holiday.jpg");
    fs::remove_file(data.join("holiday.jpg")).unwrap();
    let mut database = fs::read(data.join("registry.db")).unwrap();
    // A program of the future has written it.
    database[60..64].copy_from_slice(&u32::MAX.to_be_bytes());
    fs::write(data.join("registry.db"), &database).unwrap();
    finds(&folder, &[], "format", "failure", "newer");
    fs::write(data.join("registry.db"), "no database at all").unwrap();
    finds(&folder, &[], "format", "failure", "no database");
    finds(&folder, &[], "registry", "warning", "cannot be looked into");
    fs::remove_dir_all(&data).unwrap();
    fs::write(&data, "").unwrap();
    finds(&folder, &[], "data directory", "failure", "no directory");
}

#[test]
fn a_server_that_was_killed_leaves_a_registry_that_is_not_touched() {
    let folder = Folder::new("doctor-killed");
    let mut command = wargate(&folder);
    // It goes with its value, and that is not in peace.
    drop(Server::start(command.args(["--listen", "127.0.0.1:0", "--data-dir", "data"])));
    let data = folder.path().join("data");
    let before = listing(&data);
    finds(&folder, &[], "registry", "warning", "the next start puts it in order");
    assert_eq!(listing(&data), before);
}

#[test]
fn keys_that_are_gone_wrong_or_open_are_found() {
    let folder = registry("doctor-keys");
    let keys = folder.path().join("data/keys");
    let operator = keys.join("operator.key");
    mode(&operator, 0o644);
    finds(&folder, &[], "operator key", "failure", "chmod 600");
    mode(&operator, 0o640);
    finds(&folder, &[], "operator key", "warning", "chmod 600");
    mode(&operator, 0o600);
    mode(&keys.join("note.key"), 0o644);
    finds(&folder, &[], "note key", "failure", "chmod 600");
    mode(&keys.join("note.key"), 0o600);
    let new = |name: &str| {
        assert_eq!(run(wargate(&folder).args(["key", "new", name])).code, Some(0));
    };
    new("data/keys/checkpoint.key");
    finds(&folder, &[], "checkpoint key", "failure", "no `commit`");
    fs::remove_file(keys.join("checkpoint.key")).unwrap();
    new("data/keys/operator.key.new");
    finds(&folder, &[], "keys", "warning", "interrupted");
    fs::remove_file(keys.join("operator.key.new")).unwrap();
    new("other.key");
    finds(&folder, &["--operator-key-file", "other.key"], "operator key", "failure", "not know");
    fs::write(&operator, "hush-secret").unwrap();
    let (_, report) = doctor(&folder, &[]);
    assert!(of(&report, "operator key", "failure").contains("does not hold a private key"));
    assert!(!report.to_string().contains("hush-secret"));
    fs::remove_file(&operator).unwrap();
    finds(&folder, &[], "operator key", "failure", "put the file back");
}

#[test]
fn a_port_that_is_taken_and_a_name_without_an_address_are_found() {
    let folder = registry("doctor-network");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    finds(&folder, &["--listen", &address], "port", "failure", "cannot be listened on");
    let nowhere = ["--public-url", "https://nowhere.invalid", "--allow-any-key"];
    finds(&folder, &nowhere, "public URL", "failure", "nowhere.invalid has no address");
    let many = ["--connections-max", "4000000000"];
    finds(&folder, &many, "open files", "warning", "LimitNOFILE");
    // A public URL that leads to another registry.
    let other = Folder::new("doctor-other");
    let stranger = Server::start(wargate(&other).args(["--listen", "127.0.0.1:0"]));
    let url = format!("http://{}/", stranger.said("listening on"));
    let mut command = wargate(&folder);
    let _running = Server::start(command.args(["--listen", "127.0.0.1:0", "--data-dir", "data"]));
    finds(&folder, &["--public-url", &url], "public URL", "failure", "something else");
    let nobody = format!("http://{address}/");
    drop(taken);
    finds(&folder, &["--public-url", &nobody], "public URL", "warning", "does not answer");
}

#[test]
fn a_certificate_that_ended_or_is_for_others_is_found() {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    let folder = registry("doctor-tls");
    let path = |name: &str| folder.path().join(name);
    let give = |name: &str, from: i32, to: i32| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        fs::write(path("tls.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(path("tls.key"), key.serialize_pem()).unwrap();
        mode(&path("tls.key"), 0o600);
    };
    let tls = |verdict: &str, word: &str| {
        let url = ["--public-url", "https://localhost", "--tls-certificate", "tls.crt"];
        let more = [&url[..], &["--tls-key", "tls.key"]].concat();
        finds(&folder, &more, "certificate", verdict, word);
    };
    give("localhost", 2020, 4000);
    tls("ok", "it fits its key");
    give("localhost", 2020, 2021);
    tls("failure", "it ended");
    give("localhost", 3000, 4000);
    tls("failure", "not valid yet");
    give("other.example", 2020, 4000);
    tls("failure", "not for localhost");
    mode(&path("tls.key"), 0o644);
    tls("failure", "chmod 600");
    mode(&path("tls.key"), 0o600);
    fs::remove_file(path("tls.crt")).unwrap();
    tls("failure", "cannot read");
    let plain = ["--public-url", "http://localhost"];
    give("localhost", 2020, 4000);
    let pair = ["--tls-certificate", "tls.crt", "--tls-key", "tls.key"];
    finds(&folder, &[&plain[..], &pair].concat(), "configuration", "warning", "https://");
}

#[test]
fn a_clock_behind_what_was_signed_is_found() {
    let folder = registry("doctor-clock");
    // Data is brought along that was signed in the far future.
    let database = folder.path().join("data/registry.db");
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.execute("UPDATE head SET checkpoint_seconds = 9999999999", []).unwrap();
    connection.close().unwrap();
    finds(&folder, &[], "clock", "failure", "in the future");
}
