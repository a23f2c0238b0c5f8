//! The keyring of this machine's kernel, and keyrings that do not do what they should. The Secret
//! Service is tested with the program (`crates/cli/tests/cli/keyring.rs`), since it is found by the
//! environment.

#![expect(clippy::print_stdout, reason = "a test says why it could not test anything")]

use std::sync::mpsc::{Receiver, Sender};

use super::*;

const KEY: &str = "ecdsa-p256:I+UlDo0HxyBBFeelhPPWmD+LnklOpqZDkrFP5VduASk=";

fn entry() -> KeyringEntry {
    KeyringEntry::signing_key("wargate-test")
}

fn opening(open: fn() -> Result<Arc<CredentialStore>, Error>, time_max: Duration) -> SystemKeyring {
    SystemKeyring::of(System { name: "test", open, modifiers: &[] }, time_max)
}

#[test]
fn only_keyrings_of_this_system_are_offered() {
    for backend in ["flat-file", "none", "mock", ""] {
        assert!(SystemKeyring::new(backend).is_none(), "{backend}");
    }
    for name in SystemKeyring::names() {
        assert!(crate::config::BACKENDS.contains(&name));
        assert!(SystemKeyring::new(name).is_some());
    }
    let error = crate::native::system_keyring("mock").read(&entry()).unwrap_err().message;
    assert!(error.starts_with("there is no keyring `mock` here, but `"), "{error}");
    assert!(error.contains("`flat-file`") && error.contains("`WARG_SIGNING_KEY`"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_keeps_secrets_under_the_names_of_the_reference_client() {
    let keyring = SystemKeyring::new("linux-keyutils").unwrap();
    // Sandboxes forbid the calls, or have no session that keys could belong to, which must be told and
    // is no failure of ours. `keyctl session - cargo nextest run …` makes one.
    if let Err(error) = keyring.write(&entry(), KEY).and_then(|()| keyring.remove(&entry())) {
        assert!(error.message.contains("`linux-keyutils` cannot"), "{error}");
        assert!(!error.message.contains(KEY), "{error}");
        println!("skipped: {error}");
        return;
    }
    assert!(!keyring.remove(&entry()).unwrap());
    for text in [KEY, "another"] {
        keyring.write(&entry(), text).unwrap();
        assert_eq!(keyring.read(&entry()).unwrap().unwrap().as_str(), text);
        // What the kernel itself says, and the reference client looks for.
        let keys = std::fs::read_to_string("/proc/keys").unwrap();
        assert!(keys.contains(" keyring-rs:wargate-test@warg-signing-key: "), "{keys}");
        let again = SystemKeyring::new("linux-keyutils").unwrap();
        assert_eq!(again.read(&entry()).unwrap().unwrap().as_str(), text);
    }
    assert!(keyring.remove(&entry()).unwrap());
    assert!(keyring.read(&entry()).unwrap().is_none() && !keyring.remove(&entry()).unwrap());
    // More than the kernel takes, which is less than a secret may have.
    let error = keyring.write(&entry(), &"x".repeat(SECRET_BYTES_MAX)).unwrap_err().message;
    assert!(error.contains("cannot write") && !error.contains("xx"), "{error}");
}

#[test]
fn a_keyring_that_cannot_be_opened_says_why_and_what_to_do() {
    let keyring =
        opening(|| Err(Error::NoStorageAccess("no\u{1b}[2Jbus".into())), Duration::from_mins(1));
    // It may be there the next time.
    for _ in 0..2 {
        let error = keyring.read(&entry()).unwrap_err().message;
        assert!(error.contains("(no\u{fffd}[2Jbus); "), "{error}");
        assert!(error.starts_with("the keyring `test` cannot be opened: it is locked"));
        for way in ["`flat-file`", "`WARG_TOKEN`", "`key-file`", "`credential-helper`"] {
            assert!(error.contains(way), "{error}");
        }
    }
}

#[test]
fn a_keyring_that_hangs_or_breaks_is_left_and_not_asked_again() {
    let never = || {
        let (sender, receiver): (Sender<()>, Receiver<()>) = mpsc::channel();
        // Nobody sends, and nobody hangs up.
        let _ = receiver.recv();
        drop(sender);
        Err(Error::NoEntry)
    };
    let hangs = opening(never, Duration::from_millis(20));
    let breaks = opening(|| panic!("broken"), Duration::from_mins(1));
    for (keyring, why) in [(hangs, "does not answer in time"), (breaks, "has failed")] {
        let error = keyring.write(&entry(), KEY).unwrap_err().message;
        assert!(error.contains(why) && !error.contains(KEY), "{error}");
        assert!(matches!(*keyring.state.lock().unwrap(), State::Lost(_)));
        assert!(keyring.read(&entry()).unwrap_err().message.contains(why));
    }
}

#[test]
fn no_reason_has_a_secret_in_it() {
    let hush = || b"hush\xff".to_vec();
    for (error, message) in [
        (Error::BadEncoding(hush()), "what is there is not a text"),
        (Error::BadDataFormat(hush(), "hush".into()), "what is there is not a text"),
        (Error::TooLong("password".into(), 2560), "it takes no more than 2560 characters"),
        (Error::Ambiguous(Vec::new()), "there are 0 of that name"),
        (Error::PlatformFailure("line\nend".into()), "line\u{fffd}end"),
        (
            Error::Invalid("user".into(), "cannot be empty".into()),
            "its user is not accepted: cannot be empty",
        ),
        (Error::NoDefaultStore, "it is not known why"),
    ] {
        assert_eq!(reason(error), message);
    }
}
