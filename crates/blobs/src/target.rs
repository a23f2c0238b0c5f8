//! Where object storage is: a URL, and what the environment says of how to get in.

use std::fmt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use crate::limits::{CONNECT_SECONDS_MAX, REQUEST_SECONDS_MAX, RETRIES_MAX, RETRY_TIME_MAX};

/// A place in object storage, or a folder.
#[derive(Clone)]
pub struct Target {
    store: Arc<dyn ObjectStore>,
    signer: Option<Arc<dyn Signer>>,
    prefix: Path,
    shown: String,
    folder: Option<PathBuf>,
}

/// Why a text names no place in object storage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no URL of a form that is known.
    #[error("{shown:?} is no place for objects: {why}\nhint: {HINT}")]
    Form {
        /// The text, without anything secret.
        shown: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What the environment says of it cannot be.
    #[error("{shown} cannot be used: {why}")]
    Settings {
        /// The text.
        shown: String,
        /// What is wrong.
        why: String,
    },
    /// The folder cannot be made or opened.
    #[error("the folder {} cannot be used: {why}", .folder.display())]
    Folder {
        /// Which one.
        folder: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The variable of other programs that says how often a request is made, in lower case.
const ATTEMPTS: &str = "aws_max_attempts";

const HINT: &str = "write s3://BUCKET/PREFIX, file:///FOLDER or a folder";

impl Target {
    /// The place that a text names: `s3://bucket/prefix` (and, if they were built in, `gs://…` and
    /// `az://…`), `file:///folder`, or the path of a folder, which is made if it is not there.
    ///
    /// How to get in is said by the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`,
    /// `AWS_VIRTUAL_HOSTED_STYLE_REQUEST`, `AWS_TIMEOUT`,
    /// `AWS_MAX_ATTEMPTS` and others that `object_store` knows. A URL with
    /// a user or a password in it is refused: it would be seen in lists of processes.
    ///
    /// # Errors
    /// [`TargetError`]
    pub fn open(text: &str) -> Result<Self, TargetError> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::with(text, variables)
    }

    /// As [`Target::open`], with these variables in place of the environment.
    ///
    /// # Errors
    /// [`TargetError`]
    pub fn with(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, TargetError> {
        let Some((scheme, _)) = text.split_once("://") else {
            return Self::folder(FsPath::new(text));
        };
        let form = |why| TargetError::Form { shown: format!("{scheme}://…"), why };
        let url = Url::parse(text).map_err(|_| form("it is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(form("credentials belong into the environment, not into a URL"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(form("it has something after a `?` or a `#`"));
        }
        if scheme.eq_ignore_ascii_case("file") {
            let folder =
                url.to_file_path().map_err(|()| form("it names no folder of this machine"))?;
            return Self::folder(&folder);
        }
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty() && url.port().is_none());
        let bucket = bucket.ok_or_else(|| form("it names no bucket"))?;
        let prefix = url.path().trim_matches('/');
        let prefix =
            Path::from_url_path(prefix).map_err(|_| form("its path cannot be a prefix"))?;
        let shown = format!("{}://{bucket}/{prefix}", url.scheme());
        let store = match url.scheme() {
            "s3" => s3(bucket, variables),
            #[cfg(feature = "gcs")]
            "gs" => gcs(bucket, variables),
            #[cfg(feature = "azure")]
            "az" => azure(bucket, variables),
            _ => return Err(form("nothing is known of such URLs")),
        };
        let opened = store.map_err(|why| TargetError::Settings { shown: shown.clone(), why })?;
        let (store, signer) = opened;
        Ok(Self { store, signer: Some(signer), prefix, shown, folder: None })
    }

    fn folder(folder: &FsPath) -> Result<Self, TargetError> {
        let wrong = |why: String| TargetError::Folder { folder: folder.to_owned(), why };
        if folder.as_os_str().is_empty() {
            return Err(TargetError::Form { shown: String::new(), why: "it is empty" });
        }
        std::fs::create_dir_all(folder).map_err(|error| wrong(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| wrong(error.to_string()))?
            .with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            signer: None,
            prefix: Path::default(),
            shown: folder.display().to_string(),
            folder: Some(folder.to_owned()),
        })
    }

    /// A place in a store that is there already.
    pub fn of_store(store: Arc<dyn ObjectStore>, prefix: Path, shown: impl Into<String>) -> Self {
        Self { store, signer: None, prefix, shown: shown.into(), folder: None }
    }

    /// The store. Its errors may have in them what its server said: show [`Failure`](crate::Failure)
    /// instead.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Makes URLs with which anybody can read an object for a while, if the store knows such.
    pub fn signer(&self) -> Option<&dyn Signer> {
        self.signer.as_deref()
    }

    /// What all names begin with; empty for a folder.
    pub const fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// The name of an object below the prefix; `below` is in parts, `a/b/c`.
    pub fn path(&self, below: &str) -> Path {
        self.prefix.parts().chain(Path::from(below).parts()).collect()
    }

    /// The folder, if it is one.
    pub fn as_folder(&self) -> Option<&FsPath> {
        self.folder.as_deref()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Target {
    /// What is behind it has credentials, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.shown)
    }
}

type Opened = Result<(Arc<dyn ObjectStore>, Arc<dyn Signer>), String>;

/// A store that signs, as both.
fn both<S: ObjectStore + Signer>(store: S) -> (Arc<dyn ObjectStore>, Arc<dyn Signer>) {
    let store = Arc::new(store);
    (Arc::<S>::clone(&store), store)
}

fn s3(bucket: &str, variables: impl IntoIterator<Item = (String, String)>) -> Opened {
    let request = |key| AmazonS3ConfigKey::Client(key);
    let mut builder = AmazonS3Builder::new()
        .with_config(request(ClientConfigKey::Timeout), format!("{REQUEST_SECONDS_MAX}s"))
        .with_config(request(ClientConfigKey::ConnectTimeout), format!("{CONNECT_SECONDS_MAX}s"))
        .with_config(AmazonS3ConfigKey::Checksum, "sha256");
    let mut attempts = RETRIES_MAX + 1;
    for (name, value) in variables {
        let key = name.to_ascii_lowercase();
        if key == ATTEMPTS {
            attempts = value.parse().map_err(|_| "AWS_MAX_ATTEMPTS must be a number")?;
        } else if key.starts_with("aws_")
            && let Ok(key) = key.parse()
        {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_bucket_name(bucket).with_retry(retries(attempts)).build();
    Ok(both(store.map_err(settings)?))
}

#[cfg(feature = "gcs")]
fn gcs(bucket: &str, variables: impl IntoIterator<Item = (String, String)>) -> Opened {
    let mut builder = object_store::gcp::GoogleCloudStorageBuilder::new();
    for (name, value) in variables {
        let key = name.to_ascii_lowercase();
        if key.starts_with("google_")
            && let Ok(key) = key.parse()
        {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_bucket_name(bucket).with_retry(retries(RETRIES_MAX + 1)).build();
    Ok(both(store.map_err(settings)?))
}

#[cfg(feature = "azure")]
fn azure(container: &str, variables: impl IntoIterator<Item = (String, String)>) -> Opened {
    let mut builder = object_store::azure::MicrosoftAzureBuilder::new();
    for (name, value) in variables {
        let key = name.to_ascii_lowercase();
        if key.starts_with("azure_")
            && let Ok(key) = key.parse()
        {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_container_name(container).with_retry(retries(RETRIES_MAX + 1)).build();
    Ok(both(store.map_err(settings)?))
}

/// Whatever is wrong with settings is said without their values, of which some are secret.
fn settings(error: object_store::Error) -> String {
    match error {
        object_store::Error::UnknownConfigurationKey { key, .. } => {
            format!("nothing is known of the setting {key}")
        }
        _ => "a variable of the environment for it is missing or has a form that cannot be".into(),
    }
}

fn retries(attempts: usize) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: attempts.saturating_sub(1),
        retry_timeout: RETRY_TIME_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<Target, TargetError> {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
            ("AWS_BUCKET", "another"),
            ("AWS_TIMEOUT", "2s"),
            ("PATH", "/bin"),
        ];
        Target::with(text, variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }

    #[test]
    fn buckets_and_prefixes_are_read() {
        let it = target("s3://some-bucket/a/b/").unwrap();
        assert_eq!((it.to_string(), it.prefix().as_ref()), ("s3://some-bucket/a/b".into(), "a/b"));
        assert_eq!(it.path("content/x").as_ref(), "a/b/content/x");
        assert!(it.store().to_string().contains("some-bucket"), "not the environment's bucket");
        assert!(!format!("{it:?}").contains("hush"));
        let root = target("s3://some-bucket").unwrap();
        assert_eq!(root.path("content/x").as_ref(), "content/x");
    }

    #[test]
    fn what_is_no_place_is_refused_without_being_repeated() {
        for text in [
            "",
            "s3://",
            "s3:///a",
            "s3://b:80/a",
            "s3://id:hush@b/a",
            "s3://id@b/a",
            "s3://b/a?hush=1",
            "s3://b/a#x",
            "ftp://b/a",
            "s3://b/a//c",
            "file://host/a",
        ] {
            let error = target(text).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn settings_that_cannot_be_are_named_without_their_values() {
        let variables = [("AWS_TIMEOUT".to_owned(), "hush".to_owned())];
        let error = Target::with("s3://b/a", variables).unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn folders_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b c");
        let it = Target::open(inner.to_str().unwrap()).unwrap();
        assert_eq!((it.as_folder(), it.prefix().as_ref()), (Some(&*inner), ""));
        let url = Url::from_file_path(&inner).unwrap();
        assert_eq!(Target::open(url.as_str()).unwrap().as_folder(), Some(&*inner));
    }
}
