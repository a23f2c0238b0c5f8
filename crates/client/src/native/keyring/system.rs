//! The keyrings of operating systems, under the names that the reference client has for them.
//!
//! Entries are those of the reference client (specification 15.8), so each client finds what the
//! other has stored: the service and the user where a keyring has both; `target` = `default` beside
//! them in the Secret Service; `keyring-rs:<user>@<service>` in the kernel's keyring;
//! `<user>.<service>` on Windows.
//!
//! Everything happens on threads that are left behind when their time is up: a service that takes
//! requests and does not answer, or a question to a user who is not there, must not hold up the
//! program. Once that has happened, the keyring is not asked again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::{Zeroize, Zeroizing};

use crate::credentials::{INSTEAD, Keyring, KeyringEntry, SECRET_BYTES_MAX, SecretText};
use crate::seams::SecretError;
use crate::text::tame;

/// How long a keyring may take to be opened. Nobody is asked for that.
const OPEN_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a keyring may take for one secret; it may have to ask the user for a password.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

/// A keyring of the operating system.
pub struct SystemKeyring {
    system: System,
    answer_time_max: Duration,
    state: Mutex<State>,
}

/// What there is to know of a kind of keyring.
#[derive(Clone, Copy)]
struct System {
    /// One of [`BACKENDS`](crate::config::BACKENDS).
    name: &'static str,
    open: fn() -> Result<Arc<CredentialStore>, Error>,
    /// What belongs to the name of an entry beside service and user.
    modifiers: &'static [(&'static str, &'static str)],
}

/// The lock is held while the keyring is asked, so that it asks the user one thing at a time.
enum State {
    Closed,
    Open(Arc<CredentialStore>),
    /// It took too long, or broke, and why.
    Lost(&'static str),
}

/// The keyrings of this operating system.
const SYSTEMS: &[System] = &[
    #[cfg(target_os = "linux")]
    System {
        name: "secret-service",
        open: || Ok(zbus_secret_service_keyring_store::Store::new()?),
        modifiers: &[("target", "default")],
    },
    #[cfg(target_os = "linux")]
    System {
        name: "linux-keyutils",
        open: || {
            let names = HashMap::from([("prefix", "keyring-rs:")]);
            Ok(linux_keyutils_keyring_store::Store::new_with_configuration(&names)?)
        },
        modifiers: &[],
    },
    #[cfg(target_os = "macos")]
    System {
        name: "macos",
        open: || Ok(apple_native_keyring_store::keychain::Store::new()?),
        modifiers: &[],
    },
    #[cfg(windows)]
    System {
        name: "windows",
        open: || Ok(windows_native_keyring_store::Store::new()?),
        modifiers: &[],
    },
];

impl SystemKeyring {
    /// The keyring with a name of the reference client's, if this operating system has one. It is
    /// opened when it is needed.
    pub fn new(backend: &str) -> Option<Self> {
        let system = SYSTEMS.iter().find(|system| system.name == backend)?;
        Some(Self::of(*system, ANSWER_TIME_MAX))
    }

    /// The names of all keyrings that [`new`](Self::new) knows here.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SYSTEMS.iter().map(|system| system.name)
    }

    const fn of(system: System, answer_time_max: Duration) -> Self {
        Self { system, answer_time_max, state: Mutex::new(State::Closed) }
    }

    /// Does something with an entry. `None`: it is not there.
    fn with<T: Send + 'static>(
        &self,
        entry: &KeyringEntry,
        what: &str,
        work: impl FnOnce(&Entry) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, SecretError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let store = self.open(&mut state)?;
        let KeyringEntry { service, user } = entry.clone();
        let modifiers: HashMap<_, _> = self.system.modifiers.iter().copied().collect();
        let done = in_time(self.answer_time_max, move || {
            // A keyring without modifiers refuses an empty list of them, too.
            let modifiers = Some(&modifiers).filter(|modifiers| !modifiers.is_empty());
            store.build(&service, &user, modifiers).and_then(|entry| work(&entry))
        });
        match done {
            Ok(Ok(done)) => Ok(Some(done)),
            Ok(Err(Error::NoEntry)) => Ok(None),
            Ok(Err(error)) => Err(self.failed(format_args!(
                "cannot {what} the entry `{}` of `{}`: {}",
                entry.user,
                entry.service,
                reason(error)
            ))),
            Err(lost) => Err(self.lose(&mut state, lost)),
        }
    }

    fn open(&self, state: &mut MutexGuard<'_, State>) -> Result<Arc<CredentialStore>, SecretError> {
        match &**state {
            State::Open(store) => return Ok(Arc::clone(store)),
            State::Lost(why) => return Err(self.failed(why)),
            State::Closed => {}
        }
        match in_time(OPEN_TIME_MAX.min(self.answer_time_max), self.system.open) {
            Ok(Ok(store)) => {
                **state = State::Open(Arc::clone(&store));
                Ok(store)
            }
            Ok(Err(error)) => Err(self.failed(format_args!("cannot be opened: {}", reason(error)))),
            Err(lost) => Err(self.lose(state, lost)),
        }
    }

    fn lose(&self, state: &mut MutexGuard<'_, State>, why: &'static str) -> SecretError {
        **state = State::Lost(why);
        self.failed(why)
    }

    fn failed(&self, what: impl fmt::Display) -> SecretError {
        SecretError { message: format!("the keyring `{}` {what}; {INSTEAD}", self.system.name) }
    }
}

impl Keyring for SystemKeyring {
    fn read(&self, entry: &KeyringEntry) -> Result<Option<SecretText>, SecretError> {
        let text = self.with(entry, "read", |entry| Ok(Zeroizing::new(entry.get_password()?)))?;
        if text.as_ref().is_some_and(|text| text.len() > SECRET_BYTES_MAX) {
            let place = self.place(entry);
            return Err(SecretError { message: format!("{place} is too long for a secret") });
        }
        Ok(text)
    }

    fn write(&self, entry: &KeyringEntry, secret: &str) -> Result<(), SecretError> {
        let secret = Zeroizing::new(secret.to_owned());
        let written = self.with(entry, "write", move |entry| entry.set_password(&secret))?;
        written.ok_or_else(|| self.failed("has lost what was written"))
    }

    fn remove(&self, entry: &KeyringEntry) -> Result<bool, SecretError> {
        Ok(self.with(entry, "remove", Entry::delete_credential)?.is_some())
    }

    fn place(&self, entry: &KeyringEntry) -> String {
        let KeyringEntry { service, user } = entry;
        format!("the entry `{user}` of `{service}` in the keyring `{}`", self.system.name)
    }
}

/// Does something on a thread of its own, which is left there if its time is up.
fn in_time<T: Send + 'static>(
    time_max: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, &'static str> {
    let (sender, receiver) = mpsc::channel();
    let started = thread::Builder::new().name("keyring".into()).spawn(move || {
        // Nobody waits any more if it took too long.
        let _ = sender.send(work());
    });
    started.map_err(|_| "cannot be asked: there is no thread for it")?;
    receiver.recv_timeout(time_max).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => "does not answer in time",
        mpsc::RecvTimeoutError::Disconnected => "has failed",
    })
}

/// Why a keyring did not do what it should, without the secret.
fn reason(error: Error) -> String {
    match error {
        Error::PlatformFailure(error) => tame(&error.to_string()),
        Error::NoStorageAccess(error) => {
            tame(&format!("it is locked, or not this session's ({error})"))
        }
        Error::BadEncoding(mut secret) | Error::BadDataFormat(mut secret, _) => {
            secret.zeroize();
            "what is there is not a text".into()
        }
        Error::TooLong(_, most) => format!("it takes no more than {most} characters"),
        Error::Ambiguous(entries) => format!("there are {} of that name", entries.len()),
        Error::Invalid(what, why) => tame(&format!("its {what} is not accepted: {why}")),
        Error::NotSupportedByStore(why) | Error::BadStoreFormat(why) => tame(&why),
        // What later versions add may have anything in it.
        _ => "it is not known why".into(),
    }
}

#[cfg(test)]
mod tests;
