//! The registry's own keys: where they are, how they come into being, and how they change.
//!
//! A secret is never in an argument, a log line or an error: only its file's name is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use anyhow::{Context, Result, bail};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use wargate_crypto::{Ed25519PrivateKey, PrivateKey, PublicKey};
use wargate_protocol::{SignedCheckpoint, SignedEnvelope, TimestampedCheckpoint};
use wargate_registry::seams::{LocalSigner, Signer, SignerError};
use wargate_transparency::note::NoteSigner;

use crate::data_dir::{DataDir, sync_folder_of, write_secret};

/// Where the keys are.
#[derive(Clone, Debug)]
pub(crate) struct KeyFiles {
    pub(crate) operator: PathBuf,
    pub(crate) checkpoint: PathBuf,
    pub(crate) note: PathBuf,
    /// Signs what `wargate seed` publishes.
    pub(crate) seed: PathBuf,
}

impl KeyFiles {
    /// The usual places, or another one for the operator's key.
    pub(crate) fn new(data_dir: &DataDir, operator: Option<PathBuf>) -> Self {
        let folder = data_dir.keys();
        Self {
            operator: operator.unwrap_or_else(|| folder.join("operator.key")),
            checkpoint: folder.join("checkpoint.key"),
            note: folder.join("note.key"),
            seed: folder.join("seed.key"),
        }
    }

    /// The place of a key by what it is for, as snapshots name it.
    pub(crate) fn of_role(&self, role: &str) -> Option<&Path> {
        let roles = self.roles();
        roles.into_iter().find_map(|(name, path)| (name == role).then_some(path))
    }

    /// What the files have that are there, by what the keys are for. These are secrets.
    pub(crate) fn texts(&self) -> Result<Vec<(String, String)>> {
        let mut texts = Vec::new();
        for (role, path) in self.roles() {
            if path.exists() {
                let text = fs::read_to_string(path);
                let wrong = || format!("cannot read the key file {}", path.display());
                texts.push((role.to_owned(), text.with_context(wrong)?));
            }
        }
        Ok(texts)
    }

    fn roles(&self) -> [(&'static str, &Path); 4] {
        [
            ("operator", &self.operator),
            ("checkpoint", &self.checkpoint),
            ("note", &self.note),
            ("seed", &self.seed),
        ]
    }

    /// The file in which a key waits until the operator log knows it.
    pub(crate) fn next(path: &Path) -> PathBuf {
        path.with_extension("key.new")
    }

    /// The file that keeps the key before until the operator log permits it nothing any more.
    pub(crate) fn old(path: &Path) -> PathBuf {
        path.with_extension("key.old")
    }
}

/// Makes a new key.
pub(crate) fn generate() -> PrivateKey {
    PrivateKey::generate(&mut UnwrapErr(SysRng))
}

/// Reads a private key from a file (specification 2.4: white space at the end does not count).
pub(crate) fn read(path: &Path) -> Result<PrivateKey> {
    refuse_if_others_can_read(path)?;
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read the key file {}", path.display()))?;
    PrivateKey::from_text(text.trim_ascii_end())
        .with_context(|| format!("the file {} does not hold a private key", path.display()))
}

/// Writes a private key to a new file.
pub(crate) fn write(path: &Path, key: &PrivateKey) -> Result<()> {
    write_secret(path, &key.to_text())
        .with_context(|| format!("cannot write the key file {}", path.display()))
}

/// A key file that others can read is not a secret.
#[cfg(unix)]
pub(crate) fn refuse_if_others_can_read(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    if metadata.permissions().mode() & 0o007 != 0 {
        bail!(
            "everybody on this machine can read the key file {0}\nhint: chmod 600 {0}",
            path.display()
        );
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn refuse_if_others_can_read(_: &Path) -> Result<()> {
    Ok(())
}

/// The key that signs C2SP checkpoints, made if it is not there. It is not part of the operator log:
/// those who follow the tiles pin it.
pub(crate) fn note_signer(files: &KeyFiles, origin: &str) -> Result<NoteSigner> {
    let path = &files.note;
    if !path.exists() {
        let seed = Ed25519PrivateKey::generate(&mut UnwrapErr(SysRng)).to_seed();
        let text = base16ct::lower::encode_string(&seed[..]);
        write_secret(path, &text)
            .with_context(|| format!("cannot write the key file {}", path.display()))?;
    }
    refuse_if_others_can_read(path)?;
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read the key file {}", path.display()))?;
    let mut seed = [0; 32];
    let length = base16ct::lower::decode(text.trim_ascii_end(), &mut seed).map(<[u8]>::len);
    if length != Ok(seed.len()) {
        bail!("the file {} does not hold a seed of 32 bytes", path.display());
    }
    let name = origin.parse().with_context(|| format!("{origin:?} cannot be a key's name"))?;
    Ok(NoteSigner::new(name, Ed25519PrivateKey::from_seed(&seed)))
}

/// The keys that sign, and which can be exchanged while the registry runs.
pub(crate) struct KeyRing {
    files: KeyFiles,
    current: RwLock<LocalSigner>,
}

impl KeyRing {
    /// Loads the keys. The operator's is made if there is none and `create` says so; a second return
    /// value says whether it was.
    pub(crate) fn load(files: KeyFiles, create: bool) -> Result<(Self, bool)> {
        let missing = !files.operator.exists();
        if missing && !create {
            bail!(
                "there is no operator key in {}, but the registry was made with one\nhint: put its \
                 file back, or name it with --operator-key-file",
                files.operator.display()
            );
        }
        if missing {
            write(&files.operator, &generate())?;
        }
        let current = RwLock::new(signer(&files)?);
        Ok((Self { files, current }, missing))
    }

    pub(crate) const fn files(&self) -> &KeyFiles {
        &self.files
    }

    /// Takes a new key into use, which the operator log knows by now. The one before is kept in a file
    /// beside it, so that it is not forgotten before it is revoked.
    pub(crate) fn adopt(&self, path: &Path) -> Result<()> {
        let (next, old) = (KeyFiles::next(path), KeyFiles::old(path));
        if path.exists() {
            fs::hard_link(path, &old)
                .and_then(|()| sync_folder_of(&old))
                .with_context(|| format!("cannot keep the key before as {}", old.display()))?;
        }
        fs::rename(&next, path)
            .and_then(|()| sync_folder_of(path))
            .with_context(|| format!("cannot move {} into place", next.display()))?;
        let signer = signer(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = signer;
        Ok(())
    }

    fn signer(&self) -> LocalSigner {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn signer(files: &KeyFiles) -> Result<LocalSigner> {
    let signer = LocalSigner::new(read(&files.operator)?);
    if files.checkpoint.exists() {
        Ok(signer.with_checkpoint_key(read(&files.checkpoint)?))
    } else {
        Ok(signer)
    }
}

impl Signer for KeyRing {
    fn operator_key(&self) -> PublicKey {
        self.signer().operator_key()
    }

    fn checkpoint_key(&self) -> PublicKey {
        self.signer().checkpoint_key()
    }

    fn sign_operator_record(&self, record: Vec<u8>) -> Result<SignedEnvelope, SignerError> {
        self.signer().sign_operator_record(record)
    }

    fn sign_checkpoint(
        &self,
        contents: TimestampedCheckpoint,
    ) -> Result<SignedCheckpoint, SignerError> {
        self.signer().sign_checkpoint(contents)
    }
}
