//! Secrets in files and from programs.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use wargate_crypto::PrivateKey;

use super::{FlatFiles, Helper, KeyFile};
use crate::credentials::{InKeyring, Keyring, KeyringEntry, SECRET_BYTES_MAX, Source};
use crate::origin::RegistryUrl;
use crate::seams::Asked;

const KEY: &str = "ecdsa-p256:I+UlDo0HxyBBFeelhPPWmD+LnklOpqZDkrFP5VduASk=";

fn registry() -> RegistryUrl {
    "http://127.0.0.1:8090".parse().unwrap()
}

fn key_id(key: &PrivateKey) -> String {
    key.public_key().id().to_string()
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_the_reference_client_has_written_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let want = key_id(&PrivateKey::from_text(KEY).unwrap());
    for name in
        ["127.0.0.1-8090", "http%3A%2F%2F127.0.0.1%3A8090%2F", "127.0.0.1%3A8090", "default"]
    {
        let path = folder.path().join(format!("service=warg-signing-key&user={name}"));
        fs::write(&path, KEY).unwrap();
        set_mode(&path, 0o600);
        let files = InKeyring::new(FlatFiles::new(folder.path().into()), Vec::new());
        let found = files.signing_key(Some(&registry())).unwrap().unwrap();
        assert_eq!(key_id(&found.secret), want);
        assert_eq!(found.place, format!("the file {}", path.display()));
        fs::remove_file(path).unwrap();
    }
    let token = "service=warg-auth-token%3A127.0.0.1-8090&user=127.0.0.1-8090";
    fs::write(folder.path().join(token), "abc\n").unwrap();
    set_mode(&folder.path().join(token), 0o600);
    let files = InKeyring::new(FlatFiles::new(folder.path().into()), Vec::new());
    assert_eq!(files.token(Asked::itself(&registry())).unwrap().unwrap().secret.expose(), "abc");
    assert!(files.signing_key(Some(&registry())).unwrap().is_none());
}

#[test]
fn what_is_written_is_the_users_alone() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = folder.path().join("config/warg/keyring");
    let files = FlatFiles::new(keyring.clone());
    let entry = KeyringEntry::signing_key("127.0.0.1-8090");
    assert!(files.read(&entry).unwrap().is_none());
    assert!(!files.remove(&entry).unwrap());
    for text in [KEY, "another"] {
        files.write(&entry, text).unwrap();
        let path = keyring.join("service=warg-signing-key&user=127.0.0.1-8090");
        // The reference client reads exactly this.
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!((mode(&keyring), mode(&path)), (0o700, 0o600));
        assert_eq!(fs::read_dir(&keyring).unwrap().count(), 1);
    }
    assert!(files.remove(&entry).unwrap());
    assert!(files.read(&entry).unwrap().is_none());
}

#[test]
fn a_file_that_others_may_use_is_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, format!("{KEY}\n")).unwrap();
    for refused in [0o604, 0o640, 0o660, 0o602] {
        set_mode(&path, refused);
        let error = KeyFile::new(path.clone()).signing_key(None).unwrap_err();
        assert!(error.message.contains("chmod 600") && !error.message.contains(KEY), "{error}");
    }
    for fine in [0o600, 0o400] {
        set_mode(&path, fine);
        let found = KeyFile::new(path.clone()).signing_key(None).unwrap().unwrap();
        assert!(found.place.ends_with("/key"));
    }
    set_mode(&path, 0o600);
    for (content, message) in [
        (b"ecdsa-p256:x".to_vec(), "no private key is in the file"),
        (vec![0xff; 9], "is not a text"),
        (vec![b'a'; SECRET_BYTES_MAX + 1], "is too long for a secret"),
    ] {
        fs::write(&path, content).unwrap();
        let error = KeyFile::new(path.clone()).signing_key(None).unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
    let error = KeyFile::new(folder.path().into()).signing_key(None).unwrap_err();
    assert!(error.message.contains("is not a file"), "{error}");
    let error = KeyFile::new(folder.path().join("none")).signing_key(None).unwrap_err();
    assert!(error.message.contains("there is no key file"), "{error}");
}

fn helper(script: &str, time_max: Duration) -> Helper {
    let command = ["/bin/sh", "-c", script, "helper"].map(str::to_owned);
    Helper::new(command.to_vec(), time_max)
}

#[test]
fn a_helper_is_asked_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("asked");
    let script = format!(
        "read -r line; echo \"$1 $line\" >> '{}'; case $line in *token*) echo '{{}}';; \
         *) echo '{{\"secret\": \"{KEY}\"}}';; esac",
        log.display()
    );
    // The question ends without a line end, which `read` reports and shells go on after.
    let helper = helper(&script, Duration::from_mins(1));
    assert!(helper.token(Asked::itself(&registry())).unwrap().is_none());
    let found = helper.signing_key(Some(&registry())).unwrap().unwrap();
    assert_eq!(found.place, "the credential helper `/bin/sh`");
    assert!(helper.signing_key(None).unwrap().is_some());
    let place = r#""registry":"http://127.0.0.1:8090/","domain":"127.0.0.1-8090""#;
    assert_eq!(
        fs::read_to_string(&log).unwrap(),
        format!(
            "get {{\"version\":1,\"kind\":\"token\",{place}}}\n\
             get {{\"version\":1,\"kind\":\"signing-key\",{place}}}\n\
             get {{\"version\":1,\"kind\":\"signing-key\"}}\n"
        )
    );
}

#[test]
fn a_helper_is_asked_once_until_its_answer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("asked");
    let answer = "printf '{\"secret\": \"%s%s\"}' t0 ken";
    let script = format!("echo asked >> '{}'; {answer}", log.display());
    let helper = helper(&script, Duration::from_mins(1));
    let times = || fs::read_to_string(&log).unwrap().lines().count();
    let (here, there) = (registry(), "https://other.example".parse().unwrap());
    let token = |helper: &Helper, of| helper.token(Asked::itself(of)).unwrap().unwrap().secret;
    assert_eq!(token(&helper, &here).expose(), "t0ken");
    // Requests that are made at once, and those of a clone, are the same.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(token(&helper.clone(), &here).expose(), "t0ken"));
        }
    });
    assert_eq!(times(), 1);
    token(&helper, &there);
    assert_eq!(times(), 2);
    // Another registry's refusal is none of this one's.
    helper.refused(Asked::itself(&there));
    token(&helper, &here);
    assert_eq!(times(), 2);
    helper.refused(Asked::itself(&here));
    token(&helper, &here);
    token(&helper, &here);
    assert_eq!(times(), 3);
    // That it has none is an answer, too; that it failed is not.
    let script = format!("echo asked >> '{}'; echo '{{}}'", log.display());
    let none = self::helper(&script, Duration::from_mins(1));
    assert!(none.signing_key(None).unwrap().is_none() && none.signing_key(None).unwrap().is_none());
    assert_eq!(times(), 4);
    let script = format!("echo asked >> '{}'; exit 1", log.display());
    let fails = self::helper(&script, Duration::from_mins(1));
    assert!(fails.signing_key(None).is_err() && fails.signing_key(None).is_err());
    assert_eq!(times(), 6);
    assert!(!format!("{helper:?}").contains("t0ken"));
}

#[test]
fn a_helper_that_fails_is_an_error_without_the_secret() {
    let long = Duration::from_mins(1);
    for (script, message) in [
        ("echo '{\"secret\": \"hush\"}'; exit 3", "failed (exit status: 3)"),
        ("echo hush", "did not answer with a JSON object"),
        ("echo '{\"secret\": \"hush\"}'", "no private key is in the credential helper"),
        ("echo '{\"secret\": 1}'", "did not answer"),
        ("head -c 100000 /dev/zero", "says too much"),
    ] {
        let error = helper(script, long).signing_key(None).unwrap_err().message;
        assert!(error.contains(message) && !error.contains("hush"), "{script}: {error}");
    }
    // It has answered, and neither ends nor says more.
    let answered = "echo '{\"secret\": \"hush\"}'; exec >/dev/null; exec tail -f /dev/null";
    let stays = helper(answered, Duration::from_millis(50)).signing_key(None).unwrap_err().message;
    assert!(stays.contains("took too long to end") && !stays.contains("hush"), "{stays}");
    // It would go on for ever, and does not care whether anybody listens.
    let endless =
        "trap '' PIPE; while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 2>/dev/null; done";
    let error = helper(endless, long).signing_key(None).unwrap_err().message;
    assert!(error.contains("says too much"), "{error}");
    // It waits for ever for what nobody writes.
    let stuck = helper("exec tail -f /dev/null", Duration::from_millis(50));
    assert!(stuck.signing_key(None).unwrap_err().message.contains("took too long"));
    let missing = Helper::new(vec!["/no/such/program".into()], long);
    assert!(
        missing
            .token(Asked::itself(&registry()))
            .unwrap_err()
            .message
            .contains("cannot be started")
    );
    assert!(Helper::new(Vec::new(), long).token(Asked::itself(&registry())).unwrap().is_none());
}
