//! The user's secrets, in the places that the configuration names.

use getrandom::SysRng;
use rand_core::UnwrapErr;
use wargate_client::config::Config;
use wargate_client::credentials::{Credentials, Environment, InKeyring, Keyring};
use wargate_client::native::{FlatFiles, HELPER_TIME_MAX, Helper, KeyFile, system_keyring};
use wargate_crypto::PrivateKey;

use crate::dirs::Dirs;
use crate::failure::Failure;

/// The keyring of the reference client that is a directory of files; the default.
const FLAT_FILE: &str = "flat-file";

/// The keyring that is written to.
pub(crate) fn keyring(
    config: &Config,
    dirs: &Dirs,
) -> Result<InKeyring<Box<dyn Keyring>>, Failure> {
    let keyring: Box<dyn Keyring> = match backend(config) {
        FLAT_FILE => Box::new(FlatFiles::new(dirs.config()?.join("keyring"))),
        system => system_keyring(system),
    };
    Ok(InKeyring::new(keyring, config.reference.keys.clone()))
}

fn backend(config: &Config) -> &'static str {
    config.machine.keyring_backend.unwrap_or(FLAT_FILE)
}

/// All places, in the order that `wargate_client::credentials` documents.
pub(crate) fn all(
    config: &Config,
    dirs: &Dirs,
    variables: Vec<(String, String)>,
) -> Result<Credentials, Failure> {
    let mut credentials = Credentials::default();
    credentials.push(Environment::new(variables, config.trusted_home()));
    if let Some(path) = &config.machine.key_file {
        credentials.push(KeyFile::new(path.clone()));
    }
    if let Some(command) = &config.machine.credential_helper {
        credentials.push(Helper::new(command.clone(), HELPER_TIME_MAX));
    }
    // Without a home directory there are no flat files, and variables are enough.
    if dirs.config.is_some() || backend(config) != FLAT_FILE {
        credentials.push(keyring(config, dirs)?);
    }
    Ok(credentials)
}

/// Makes a new key.
pub(crate) fn generate() -> PrivateKey {
    PrivateKey::generate(&mut UnwrapErr(SysRng))
}
