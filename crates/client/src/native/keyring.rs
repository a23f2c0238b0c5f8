//! Secrets in files: one key in a file, and the reference client's directory of flat files. The
//! keyrings of operating systems are in `system`.

#[cfg(feature = "os-keyring")]
mod system;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use wargate_crypto::PrivateKey;
use zeroize::Zeroizing;

#[cfg(feature = "os-keyring")]
pub use self::system::SystemKeyring;
use super::files::{complaint, make_directory, private_file, remove, sync_directory};
use crate::credentials::{
    Keyring, KeyringEntry, Located, NoKeyring, SECRET_BYTES_MAX, SecretText, Source, read_key,
};
use crate::origin::RegistryUrl;
use crate::seams::{Asked, SecretError, Token};

/// A file with the key that signs, for all registries.
#[derive(Clone, Debug)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The file; it has to be there when a key is needed.
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Source for KeyFile {
    fn signing_key(
        &self,
        _registry: Option<&RegistryUrl>,
    ) -> Result<Option<Located<PrivateKey>>, SecretError> {
        let place = format!("the file {}", self.0.display());
        let text = read_secret(&self.0)?.ok_or_else(|| SecretError {
            message: format!("there is no key file {}", self.0.display()),
        })?;
        let secret = read_key(&text, &place)?;
        Ok(Some(Located { secret, place }))
    }

    fn token(&self, _asked: Asked<'_>) -> Result<Option<Located<Token>>, SecretError> {
        Ok(None)
    }
}

/// The reference client's keyring `flat-file`: a directory with a file for each secret.
#[derive(Clone, Debug)]
pub struct FlatFiles(PathBuf);

impl FlatFiles {
    /// The directory; it is made when something is written.
    pub const fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    fn path(&self, entry: &KeyringEntry) -> PathBuf {
        self.0.join(entry.file_name())
    }

    fn replace(&self, entry: &KeyringEntry, secret: &str) -> io::Result<()> {
        let made = make_directory(&self.0, true)?;
        // Nobody else uses this name: two processes have different numbers, and one that was killed
        // has left at most what is replaced here.
        let unfinished = self.0.join(format!(".unfinished-{}", std::process::id()));
        remove(&unfinished)?;
        let mut file = private_file().write(true).create_new(true).open(&unfinished)?;
        let written = file
            .write_all(secret.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&unfinished, self.path(entry)));
        if written.is_err() {
            // The error that is reported is the first one.
            let _ = remove(&unfinished);
        }
        written?;
        sync_directory(&self.0)?;
        made.iter().try_for_each(|directory| sync_directory(directory))
    }
}

impl Keyring for FlatFiles {
    fn read(&self, entry: &KeyringEntry) -> Result<Option<SecretText>, SecretError> {
        read_secret(&self.path(entry))
    }

    fn write(&self, entry: &KeyringEntry, secret: &str) -> Result<(), SecretError> {
        self.replace(entry, secret)
            .map_err(|error| SecretError { message: complaint("write", &self.path(entry), &error) })
    }

    fn remove(&self, entry: &KeyringEntry) -> Result<bool, SecretError> {
        let path = self.path(entry);
        remove(&path)
            .and_then(|was_there| {
                if was_there {
                    sync_directory(&self.0)?;
                }
                Ok(was_there)
            })
            .map_err(|error| SecretError { message: complaint("remove", &path, &error) })
    }

    fn place(&self, entry: &KeyringEntry) -> String {
        format!("the file {}", self.path(entry).display())
    }
}

/// The keyring of the operating system with a name of the reference client's, such as
/// `secret-service`. Where this program or this system has none of that name, it is one that says so
/// when a secret is needed.
pub fn system_keyring(backend: &str) -> Box<dyn Keyring> {
    #[cfg(feature = "os-keyring")]
    let others = {
        if let Some(keyring) = SystemKeyring::new(backend) {
            return Box::new(keyring);
        }
        SystemKeyring::names().collect()
    };
    #[cfg(not(feature = "os-keyring"))]
    let others = Vec::new();
    Box::new(NoKeyring::new(backend, others))
}

/// Reads the text of a secret from a file that nobody else can read. `None` if there is none.
///
/// # Errors
/// [`SecretError`], without the text.
pub fn read_secret(path: &Path) -> Result<Option<SecretText>, SecretError> {
    let failed = |error: io::Error| SecretError { message: complaint("read", path, &error) };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    refuse_if_others_can_read(path, &file).map_err(|message| SecretError { message })?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 1));
    let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    let path = path.display();
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(SecretError { message: format!("{path} is too long for a secret") });
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| SecretError { message: format!("{path} is not a text") })?;
    Ok(Some(Zeroizing::new(text.trim_ascii_end().to_owned())))
}

/// A file that others can read is not a secret.
#[cfg(unix)]
fn refuse_if_others_can_read(path: &Path, file: &File) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let path = path.display();
    let metadata = file.metadata().map_err(|error| format!("cannot read {path}: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("{path} is not a file"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "others on this machine may use the secret in {path} (its mode is {mode:o}): \
             `chmod 600` it"
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_others_can_read(_path: &Path, _file: &File) -> Result<(), String> {
    Ok(())
}
