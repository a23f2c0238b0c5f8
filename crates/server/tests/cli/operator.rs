//! Keys and the operator's commands, beside a running server and without one.

use crate::program::{Folder, Output, Server, run, wargate};

fn json(output: &Output) -> serde_json::Value {
    assert_eq!(output.code, Some(0), "{output:?}");
    serde_json::from_str(&output.out).unwrap()
}

#[test]
fn the_operator_reaches_a_running_server_and_a_stopped_one() {
    let folder = Folder::new("operator");
    let operator = |arguments: &[&str]| {
        run(wargate(&folder).args(["operator", "--data-dir", "data", "--json"]).args(arguments))
    };
    let start =
        || Server::start(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    let server = start();
    assert_eq!(json(&operator(&["define", "mine"]))["registryIndices"][0], 1);
    let failed = operator(&["define", "mine"]);
    assert_eq!(failed.code, Some(1));
    assert!(failed.err.contains("mine"), "{failed:?}");
    // What needs the data for itself does not take it away from the server.
    let fsck = run(wargate(&folder).args(["fsck", "--data-dir", "data"]));
    assert_eq!(fsck.code, Some(1));
    assert!(
        fsck.err.contains("held by another process") && fsck.err.contains("hint: "),
        "{fsck:?}"
    );
    let second = run(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    assert!(second.err.contains("held by another process"), "{second:?}");
    assert_eq!(server.stop().0, Some(0));

    let import = operator(&["import", "theirs", "other.example"]);
    assert_eq!(json(&import)["registryIndices"][0], 2);
    let _server = start();
    let state = json(&operator(&["show"]))["state"].clone();
    assert_eq!(state["namespaces"]["mine"], "defined");
    assert_eq!(state["namespaces"]["theirs"], "imported from other.example");
    assert_eq!(state["logLength"], 3);
}

#[test]
fn keys_are_replaced_while_the_server_runs_and_after_a_restart_they_are_the_new_ones() {
    let folder = Folder::new("rotation");
    let operator = |arguments: &[&str]| {
        run(wargate(&folder).args(["operator", "--data-dir", "data", "--json"]).args(arguments))
    };
    let start =
        || Server::start(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    let server = start();
    let first = json(&operator(&["show"]))["state"]["operatorKey"].clone();
    let checkpoint = json(&operator(&["checkpoint-key"]))["keyId"].clone();
    let second = json(&operator(&["rotate"]))["keyId"].clone();
    let another = json(&operator(&["checkpoint-key"]))["keyId"].clone();
    let check = || {
        let state = json(&operator(&["show"]))["state"].clone();
        assert_eq!(state["operatorKey"], second);
        assert_eq!(state["checkpointKey"], another);
        for gone in [&first, &checkpoint] {
            assert_eq!(state["permissions"][gone.as_str().unwrap()], serde_json::json!([]));
        }
        assert_eq!(state["permissions"][another.as_str().unwrap()], serde_json::json!(["commit"]));
    };
    check();
    let own = another.as_str().unwrap();
    let refused = operator(&["revoke", own, "--permission", "commit"]);
    assert!(refused.err.contains("hint: "), "{refused:?}");
    assert_eq!(server.stop().0, Some(0));
    let server = start();
    check();
    drop(server);
    let fsck = run(wargate(&folder).args(["fsck", "--data-dir", "data"]));
    assert_eq!(fsck.code, Some(0), "{fsck:?}");
    assert!(fsck.out.contains("All of it agrees with the log."), "{fsck:?}");
}

#[cfg(unix)]
#[test]
fn secrets_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("secrets");
    let data = folder.path().join("data");
    let mut command = wargate(&folder);
    command.args(["--data-dir", "data", "--listen", "127.0.0.1:0", "--log", "trace"]);
    let server = Server::start(&mut command);
    run(wargate(&folder).args(["operator", "checkpoint-key", "--data-dir", "data"]));
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut secrets = Vec::new();
    for name in ["operator.key", "checkpoint.key", "note.key"] {
        let path = data.join("keys").join(name);
        assert_eq!(mode(&path), 0o600, "{name}");
        secrets.push(std::fs::read_to_string(&path).unwrap().trim().to_owned());
    }
    assert_eq!(mode(&data.join("admin.sock")), 0o600);
    assert_eq!(mode(&data.join("registry.db")), 0o600);
    let greeting = server.greeting.clone();
    let (_, log) = server.stop();
    for secret in secrets {
        let bare = secret.trim_start_matches("ecdsa-p256:");
        assert!(!log.contains(bare) && !greeting.contains(bare), "a secret was shown");
    }
    // A key that others can read is refused, and one that is lost is not made anew.
    let key = data.join("keys/operator.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = run(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    assert!(open.err.contains("chmod 600"), "{open:?}");
    std::fs::remove_file(&key).unwrap();
    let lost = run(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    assert!(lost.err.contains("no operator key"), "{lost:?}");
    let new = run(wargate(&folder).args(["key", "new", "data/keys/operator.key"]));
    assert_eq!(new.code, Some(0), "{new:?}");
    let other = run(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    assert!(other.err.contains("not one that this registry's operator log permits"), "{other:?}");
    let twice = run(wargate(&folder).args(["key", "new", "data/keys/operator.key"]));
    assert_eq!(twice.code, Some(1), "{twice:?}");
}

#[cfg(unix)]
#[test]
fn a_directory_that_is_there_keeps_its_mode_and_one_with_something_else_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("occupied");
    let start = |data: &str| {
        let mut command = wargate(&folder);
        command.args(["--listen", "127.0.0.1:0", "--data-dir", data]);
        command
    };
    let shared = folder.path().join("shared");
    for name in ["letters.txt", ".hidden"] {
        std::fs::create_dir(&shared).unwrap();
        std::fs::write(shared.join(name), "mine").unwrap();
        let mode = std::fs::metadata(&shared).unwrap().permissions().mode();
        let refused = run(&mut start("shared"));
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.err.contains(name) && refused.err.contains("hint: "), "{refused:?}");
        assert_eq!(std::fs::metadata(&shared).unwrap().permissions().mode(), mode);
        assert_eq!(
            std::fs::read_dir(&shared).unwrap().count(),
            1,
            "something was made all the same"
        );
        std::fs::remove_dir_all(&shared).unwrap();
    }
    // One that was made for us, as a mounted volume is, stays as it was made.
    std::fs::create_dir_all(shared.join("lost+found")).unwrap();
    // So does what a power failure left of a first start.
    std::fs::write(shared.join("registry.db-wal"), "").unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o755)).unwrap();
    for _ in ["new", "there"] {
        assert_eq!(Server::start(&mut start("shared")).stop().0, Some(0));
        let mode = std::fs::metadata(&shared).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        let keys = std::fs::metadata(shared.join("keys")).unwrap().permissions().mode();
        assert_eq!(keys & 0o777, 0o700);
    }
}

#[test]
fn an_exchange_of_keys_that_was_interrupted_comes_to_its_end() {
    let folder = Folder::new("interrupted");
    let operator = |arguments: &[&str]| {
        run(wargate(&folder).args(["operator", "--data-dir", "data", "--json"]).args(arguments))
    };
    let start =
        || Server::start(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    let keys = folder.path().join("data/keys");
    let held = |key: &str| json(&operator(&["show"]))["state"]["permissions"][key].clone();
    let none = serde_json::json!([]);
    let mut server = start();
    json(&operator(&["checkpoint-key"]));
    let all = "commit,define-namespace,import-namespace";
    for (role, command, permissions) in
        [("operator", "rotate", all), ("checkpoint", "checkpoint-key", "commit")]
    {
        let (file, old) = (keys.join(format!("{role}.key")), keys.join(format!("{role}.key.old")));
        for restart in [true, false] {
            let shown =
                json(&run(wargate(&folder).args(["key", "show", "--data-dir", "data", "--json"])));
            let shown = shown.as_array().unwrap().iter().find(|key| key["role"] == role).unwrap();
            let [id, public] = ["keyId", "publicKey"].map(|member| shown[member].as_str().unwrap());
            let kept = folder.path().join("kept");
            std::fs::copy(&file, &kept).unwrap();
            json(&operator(&[command]));
            assert_eq!(held(id), none);
            // As if the power had failed between the exchange and the revocation.
            json(&operator(&["grant", public, "--permission", permissions]));
            assert_ne!(held(id), none);
            std::fs::rename(&kept, &old).unwrap();
            if restart {
                assert_eq!(server.stop().0, Some(0));
                server = start();
            } else {
                json(&operator(&[command]));
            }
            assert_eq!(held(id), none, "{role}");
            assert!(!old.exists(), "{role}");
        }
        // It may also have failed before the exchange. The key is in use then, and stays so.
        std::fs::copy(&file, &old).unwrap();
        assert_eq!(server.stop().0, Some(0));
        server = start();
        assert!(!old.exists(), "{role}");
        let state = json(&operator(&["show"]))["state"].clone();
        let id = state[format!("{role}Key")].as_str().unwrap();
        assert_ne!(state["permissions"][id], none, "{role}");
    }
}

#[test]
fn the_operators_key_in_use_keeps_its_permissions_and_half_a_new_key_is_named() {
    let folder = Folder::new("in-use");
    let operator = |arguments: &[&str]| {
        run(wargate(&folder).args(["operator", "--data-dir", "data", "--json"]).args(arguments))
    };
    let _server =
        Server::start(wargate(&folder).args(["--data-dir", "data", "--listen", "127.0.0.1:0"]));
    let before = json(&operator(&["show"]))["state"].clone();
    let own = before["operatorKey"].as_str().unwrap();
    for permission in ["commit", "define-namespace", "import-namespace"] {
        let refused = operator(&["revoke", own, "--permission", permission]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.err.contains("rotate"), "{refused:?}");
    }
    let new = folder.path().join("data/keys/operator.key.new");
    std::fs::write(&new, "").unwrap();
    let refused = operator(&["rotate"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("delete") && refused.err.contains("operator.key.new"),
        "{refused:?}"
    );
    assert_eq!(json(&operator(&["show"]))["state"], before);
    std::fs::remove_file(&new).unwrap();
    let id = json(&operator(&["rotate"]))["keyId"].clone();
    let after = json(&operator(&["show"]))["state"].clone();
    assert_eq!(after["permissions"][id.as_str().unwrap()], before["permissions"][own]);
}
