//! A certificate and its key in two files, and what is in use of them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use wargate_crypto::Digest;

use crate::keys::refuse_if_others_can_read;

/// Largest file of a certificate or a key, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most certificates in a chain.
const CERTIFICATES_MAX: usize = 16;

/// Where the two are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What was read of them.
#[derive(Debug)]
pub(crate) struct Loaded {
    certified: Arc<CertifiedKey>,
    /// Of both files' bytes.
    content: Digest,
    begin_seconds: i64,
    end_seconds: i64,
}

/// The pair in use.
#[derive(Debug)]
pub(super) struct Pair {
    files: PairFiles,
    current: RwLock<Loaded>,
    seen: Mutex<Seen>,
}

/// What the last look showed.
#[derive(Debug, Default)]
struct Seen {
    marks: Option<[Mark; 2]>,
    /// What could not be used, and whether that was told.
    broken: Option<(String, bool)>,
}

/// Tells most changes of a file without reading it.
type Mark = Option<(SystemTime, u64)>;

/// What came of a look.
#[derive(Debug)]
pub(super) enum Refresh {
    Same,
    Replaced,
    /// What is there cannot be used.
    Kept(anyhow::Error),
}

impl PairFiles {
    /// Reads both files.
    pub(crate) fn load(&self) -> Result<Loaded> {
        refuse_if_others_can_read(&self.key)?;
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        let content = Digest::of(&[&*certificate, b"\0", &*key].concat());
        let wrong = || format!("in the certificate {}", self.certificate.display());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&certificate)
            .take(CERTIFICATES_MAX + 1)
            .collect::<Result<_, _>>()
            .with_context(wrong)?;
        if chain.is_empty() || chain.len() > CERTIFICATES_MAX {
            bail!(
                "the file {} has {} certificates, not 1 to {CERTIFICATES_MAX}\nhint: it holds the \
                 server's own certificate first, then those that lead to the authority (PEM)",
                self.certificate.display(),
                chain.len()
            );
        }
        let [begin_seconds, end_seconds] = validity(&chain).with_context(wrong)?;
        // What the key file holds is in no error.
        let key = PrivateKeyDer::from_pem_slice(&key).ok().with_context(|| {
            format!("the file {} does not hold a private key (PEM)", self.key.display())
        })?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let certified = Arc::new(certified.with_context(|| {
            format!(
                "the certificate {} and the key {} do not fit",
                self.certificate.display(),
                self.key.display()
            )
        })?);
        Ok(Loaded { certified, content, begin_seconds, end_seconds })
    }

    fn marks(&self) -> [Mark; 2] {
        [&self.certificate, &self.key].map(|path| {
            let metadata = path.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

impl Loaded {
    /// The certificates, the server's own first.
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// From when to when the server's certificate is valid, in seconds of the Unix epoch.
    pub(crate) const fn validity(&self) -> [i64; 2] {
        [self.begin_seconds, self.end_seconds]
    }
}

impl Pair {
    pub(super) fn load(files: PairFiles) -> Result<Self> {
        let marks = files.marks();
        let current = RwLock::new(files.load()?);
        let seen = Mutex::new(Seen { marks: Some(marks), broken: None });
        Ok(Self { files, current, seen })
    }

    pub(super) fn end_seconds(&self) -> i64 {
        self.current.read().unwrap_or_else(PoisonError::into_inner).end_seconds
    }

    /// Takes what the files hold now, if it is something else. What cannot be used is told once: at
    /// the second look, as the two files are not replaced in one moment, or at once if somebody asks.
    pub(super) fn refresh(&self, is_asked: bool) -> Refresh {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let marks = self.files.marks();
        if !is_asked && seen.broken.is_none() && seen.marks == Some(marks) {
            return Refresh::Same;
        }
        seen.marks = Some(marks);
        let loaded = match self.files.load() {
            Ok(loaded) => loaded,
            Err(error) => {
                let text = format!("{error:#}");
                let (is_known, was_told) = match &seen.broken {
                    Some((known, told)) => (*known == text, *told && *known == text),
                    None => (false, false),
                };
                let tells = is_asked || (is_known && !was_told);
                seen.broken = Some((text, was_told || tells));
                return if tells { Refresh::Kept(error) } else { Refresh::Same };
            }
        };
        seen.broken = None;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.content == loaded.content {
            return Refresh::Same;
        }
        *current = loaded;
        Refresh::Replaced
    }
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current.certified))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

/// Of the server's own certificate.
fn validity(chain: &[CertificateDer<'_>]) -> Result<[i64; 2]> {
    let own = chain.first().context("there is no certificate")?;
    let (_, parsed) = x509_parser::parse_x509_certificate(own).context("it cannot be read")?;
    let validity = parsed.validity();
    Ok([validity.not_before.timestamp(), validity.not_after.timestamp()])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn write(files: &PairFiles, certificate: bool, key: bool) {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let CertifiedKey { cert, signing_key } = made;
        if certificate {
            fs::write(&files.certificate, cert.pem()).unwrap();
        }
        if key {
            fs::write(&files.key, signing_key.serialize_pem()).unwrap();
            crate::data_dir::only_for_owner(&files.key, 0o600).unwrap();
        }
    }

    fn resolved(pair: &Pair) -> Vec<u8> {
        pair.current.read().unwrap().chain()[0].to_vec()
    }

    #[test]
    fn a_pair_is_replaced_when_it_is_whole_and_otherwise_told_of_once() {
        let folder = std::env::temp_dir().join(format!("wargate-pair-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let files = PairFiles { certificate: folder.join("a.crt"), key: folder.join("a.key") };
        write(&files, true, true);
        let pair = Pair::load(files.clone()).unwrap();
        let first = resolved(&pair);
        assert!(matches!(pair.refresh(false), Refresh::Same));
        assert!(matches!(pair.refresh(true), Refresh::Same));
        // Half of a replacement.
        write(&files, true, false);
        assert!(matches!(pair.refresh(false), Refresh::Same));
        let Refresh::Kept(error) = pair.refresh(false) else { panic!("it was used") };
        assert!(format!("{error:#}").contains("do not fit"), "{error:#}");
        assert!(matches!(pair.refresh(false), Refresh::Same));
        assert_eq!(resolved(&pair), first);
        // The other half.
        write(&files, true, true);
        assert!(matches!(pair.refresh(false), Refresh::Replaced));
        assert_ne!(resolved(&pair), first);
        // Neither what is no key nor what everybody can read is taken, and nothing of it is shown.
        fs::write(&files.key, "secret").unwrap();
        let Refresh::Kept(error) = pair.refresh(true) else { panic!("it was used") };
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        crate::data_dir::only_for_owner(&files.key, 0o644).unwrap();
        let Refresh::Kept(error) = pair.refresh(true) else { panic!("it was used") };
        assert!(format!("{error:#}").contains("chmod 600"), "{error:#}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
