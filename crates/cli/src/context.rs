//! What every command works with: the configuration, the client, the user's secrets.

use std::future::Future;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wargate_client::config::{Config, FILE_BYTES_MAX, Flag, Role, SourceFile, Sources};
use wargate_client::credentials::{Credentials, InKeyring, Keyring};
use wargate_client::native::{FileCache, FileState, Http, HttpOptions, SystemClock, SystemRandom};
use wargate_client::origin::RegistryUrl;
use wargate_client::seams::{Observer, Silent};
use wargate_client::{Client, Error, Parts, Settings};

use crate::args::Globals;
use crate::credentials;
use crate::dirs::{Dirs, find_above};
use crate::failure::Failure;
use crate::output::note;
use crate::progress::Progress;
use crate::prompt;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) dirs: Dirs,
    pub(crate) config: Config,
    /// The registry that the command line or the environment names.
    pub(crate) named: Option<RegistryUrl>,
    variables: Vec<(String, String)>,
}

impl Context {
    /// Reads the configuration.
    pub(crate) fn new(globals: &Globals) -> Result<Self, Failure> {
        let dirs = Dirs::of_environment();
        // A variable that is no text is not one of ours.
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("WARG_"))
            .collect();
        let sources = Sources {
            files: files(globals, &dirs)?,
            variables: variables.clone(),
            flags: flags(globals),
        };
        let config = Config::resolve(&sources)?;
        let named = globals.registry.as_deref().map(str::parse).transpose()?;
        Ok(Self { globals: globals.clone(), dirs, config, named, variables })
    }

    /// Tells the user what looks like a mistake in the configuration.
    pub(crate) fn warn(&self) {
        if !self.globals.quiet {
            for warning in &self.config.warnings {
                note(&format!("warning: {warning}"));
            }
        }
    }

    /// The home registry.
    pub(crate) fn home(&self) -> Result<&RegistryUrl, Failure> {
        self.config.settings.home.as_ref().ok_or_else(|| Error::NoRegistry.into())
    }

    /// The keyring that is written to.
    pub(crate) fn keyring(&self) -> Result<InKeyring<Box<dyn Keyring>>, Failure> {
        credentials::keyring(&self.config, &self.dirs)
    }

    /// All places that may have secrets.
    pub(crate) fn credentials(&self) -> Result<Credentials, Failure> {
        credentials::all(&self.config, &self.dirs, self.variables.clone())
    }

    /// Whether `WARG_TOKEN` is set and not used, because a project's file chose the home registry.
    pub(crate) fn token_is_held_back(&self) -> bool {
        self.config.home_is_of_project
            && self.variables.iter().any(|(name, value)| name == "WARG_TOKEN" && !value.is_empty())
    }

    /// A client that behaves so.
    fn client_with(&self, settings: Settings) -> Result<Client, Failure> {
        let machine = &self.config.machine;
        let silent = self.globals.quiet || self.globals.json;
        let observer: Arc<dyn Observer> =
            if silent { Arc::new(Silent) } else { Arc::new(Progress::new(self.globals.verbose)) };
        let mut http = HttpOptions::default();
        http.certificates.extend(machine.ca_file.clone());
        let parts = Parts {
            transport: Arc::new(Http::new(http)),
            state: Arc::new(FileState::new(self.dirs.state(machine.state_dir.as_ref())?)),
            cache: Arc::new(FileCache::new(self.dirs.cache(machine.cache_dir.as_ref())?)),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            secrets: Arc::new(self.credentials()?),
            observer,
        };
        Ok(Client::new(parts, settings))
    }

    /// A client.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        self.client_with(self.config.settings.clone())
    }

    /// Does something with a client. Where the user has to decide, they are asked, and it is done again.
    pub(crate) fn run<T, F>(&self, work: impl Fn(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::local(format!("cannot start: {error}")))?;
        let mut settings = self.config.settings.clone();
        loop {
            let client = self.client_with(settings.clone())?;
            let done = runtime.block_on(async {
                tokio::select! {
                    done = work(client) => done,
                    _ = tokio::signal::ctrl_c() => Err(Failed::Other(Failure::interrupted())),
                }
            });
            match done {
                Ok(done) => return Ok(done),
                Err(Failed::Client(Error::Undecided(question))) if self.may_ask() => {
                    let yes = prompt::confirm(&question.to_string(), true)?;
                    settings.answers.note(question, yes);
                }
                Err(Failed::Client(error)) => return Err(error.into()),
                Err(Failed::Other(failure)) => return Err(failure),
            }
        }
    }

    /// Whether there is somebody to ask.
    pub(crate) fn may_ask(&self) -> bool {
        self.config.interactive && !self.globals.json && prompt::is_possible()
    }

    /// Lets the user confirm something that cannot be undone.
    pub(crate) fn confirm(&self, question: &str, flag: &str) -> Result<(), Failure> {
        if !self.may_ask() {
            let message = format!("{question} Nobody can be asked here.");
            return Err(Failure::usage(message).hint(format!("{flag} answers yes")));
        }
        if prompt::confirm(question, false)? {
            Ok(())
        } else {
            Err(Failure::usage("it was not done, because you did not want it"))
        }
    }
}

/// An error of the client, or one of our own on the way.
pub(crate) enum Failed {
    Client(Error),
    Other(Failure),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

fn flags(globals: &Globals) -> Vec<Flag> {
    let flag = |name, key, value: Option<String>| value.map(|value| Flag { name, key, value });
    let offline = globals.offline.then(|| "true".to_owned());
    [
        flag("--registry", "registry", globals.registry.clone()),
        flag("--offline", "offline", offline),
        flag("--color", "color", globals.color.clone()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn files(globals: &Globals, dirs: &Dirs) -> Result<Vec<SourceFile>, Failure> {
    let named = globals.config.clone();
    let variable = || std::env::var_os("WARG_CONFIG").filter(|path| !path.is_empty());
    let mut files = Vec::new();
    if let Some(path) = named.or_else(|| variable().map(PathBuf::from)) {
        let file = read(path.clone(), Role::Given)?.ok_or_else(|| {
            let message = format!("there is no configuration file {}", path.display());
            Failure::usage(message).hint("`warg config PATH` writes one")
        })?;
        files.push(file);
    } else {
        let of_user = |name: &str| dirs.config.as_ref().map(|config| config.join(name));
        let found =
            find_above("warg-config.json").map(|path| read(path, Role::Found)).transpose()?;
        match found.flatten() {
            Some(file) => files.push(file),
            None => files.extend(optional(of_user("config.json"))?),
        }
        files.extend(optional(of_user("config.toml"))?);
    }
    if let Some(path) = find_above("warg.toml") {
        files.extend(read(path, Role::Project)?);
    }
    Ok(files)
}

fn optional(path: Option<PathBuf>) -> Result<Option<SourceFile>, Failure> {
    path.map_or(Ok(None), |path| read(path, Role::User))
}

/// Reads a configuration file; `None` if it is not there.
fn read(path: PathBuf, role: Role) -> Result<Option<SourceFile>, Failure> {
    match read_text(&path) {
        Ok(text) => Ok(Some(SourceFile { path, text, role })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::local(format!("cannot read {}: {error}", path.display()))),
    }
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let mut text = String::new();
    std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}
