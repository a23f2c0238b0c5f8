//! What every command works with: the configuration, the client, the user's secrets.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use wargate_client::config::{Config, Flag, Sources};
use wargate_client::credentials::{Credentials, InKeyring, Keyring};
use wargate_client::native::{FileCache, FileState, Http, HttpOptions, SystemClock, SystemRandom};
use wargate_client::origin::RegistryUrl;
use wargate_client::{Client, Error, Package, Parts, Settings};

use crate::args::Globals;
use crate::credentials;
use crate::dirs::{Dirs, config_files};
use crate::failure::Failure;
use crate::interrupt::Listener;
use crate::near_misses;
use crate::notices::{Notice, Notices};
use crate::output::note;
use crate::progress::{Progress, Talk};
use crate::prompt;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) dirs: Dirs,
    pub(crate) config: Config,
    /// The registry that the command line or the environment names.
    pub(crate) named: Option<RegistryUrl>,
    variables: Vec<(String, String)>,
    /// All places that may have secrets, made once: a helper remembers what it was asked.
    credentials: OnceLock<Arc<Credentials>>,
    progress: Arc<Progress>,
    /// What the user should know beside the result.
    pub(crate) notices: Arc<Notices>,
}

impl Context {
    /// Reads the configuration.
    pub(crate) fn new(globals: &Globals, notices: Arc<Notices>) -> Result<Self, Failure> {
        let dirs = Dirs::of_environment();
        // A variable that is no text is not one of ours.
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("WARG_"))
            .collect();
        let sources = Sources {
            files: config_files(globals.config.clone(), &dirs)?,
            variables: variables.clone(),
            flags: flags(globals),
        };
        let config = Config::resolve(&sources)?;
        let named = globals.registry.as_deref().map(str::parse).transpose()?;
        let talk = match globals {
            Globals { json: true, .. } | Globals { quiet: true, .. } => Talk::Nothing,
            Globals { verbose: true, .. } => Talk::Everything,
            _ => Talk::Notices,
        };
        let progress = Arc::new(Progress::new(talk, Arc::clone(&notices)));
        Ok(Self {
            globals: globals.clone(),
            dirs,
            config,
            named,
            variables,
            credentials: OnceLock::new(),
            progress,
            notices,
        })
    }

    /// Tells the user something that they should know.
    pub(crate) fn tell(&self, notice: &Notice) {
        self.progress.notice(notice);
    }

    /// Tells the user what looks like a mistake in the configuration.
    pub(crate) fn warn(&self) {
        if !self.globals.quiet {
            for warning in self.config.warnings.iter().chain(&self.near_misses()) {
                note(&format!("warning: {warning}"));
            }
        }
    }

    /// Warnings of variables that are nearly those of a registry that is known.
    fn near_misses(&self) -> Vec<String> {
        let names = self.variables.iter().map(|(name, _)| name.as_str());
        let names: Vec<_> = names.filter(|name| near_misses::may_be(name)).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let settings = &self.config.settings;
        let urls = settings.home.iter();
        let urls = urls.chain(settings.namespaces.values()).chain(settings.packages.values());
        let mut known: Vec<_> = urls.map(RegistryUrl::domain).collect();
        known.extend(settings.operator_keys.keys().cloned());
        // What cannot be read there fails where it is needed.
        let registries = self.client().ok().and_then(|client| client.registries().ok());
        known.extend(registries.iter().flatten().map(|registry| registry.domain().clone()));
        near_misses::of_variables(names.into_iter(), &known)
    }

    /// Has standard output for something else than JSON.
    pub(crate) fn take_stdout(&self) -> Result<(), Failure> {
        if self.globals.json {
            return Err(Failure::usage("standard output cannot take both content and JSON")
                .hint("leave out `--json`, or name a file if that can be"));
        }
        Ok(())
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
    pub(crate) fn credentials(&self) -> Result<Arc<Credentials>, Failure> {
        if let Some(credentials) = self.credentials.get() {
            return Ok(Arc::clone(credentials));
        }
        let made = credentials::all(&self.config, &self.dirs, self.variables.clone())?;
        Ok(Arc::clone(self.credentials.get_or_init(|| Arc::new(made))))
    }

    /// Whether `WARG_TOKEN` is set and not used, because a project's file chose the home registry.
    pub(crate) fn token_is_held_back(&self) -> bool {
        self.config.home_is_of_project
            && self.variables.iter().any(|(name, value)| name == "WARG_TOKEN" && !value.is_empty())
    }

    /// Where the API of a registry is, by whose name its tokens are kept, and why that is not known if
    /// it could not be asked.
    pub(crate) fn api(&self, registry: &RegistryUrl) -> (RegistryUrl, Option<Failure>) {
        let mut settings = self.config.settings.clone();
        // Nothing depends on it so much that it should be waited for.
        settings.attempts = 1;
        let asked = self.client_with(settings).and_then(|client| {
            let api = async { client.registry(registry.clone()).api().await };
            Ok(runtime()?.block_on(api)?)
        });
        match asked {
            Ok(api) => (api, None),
            Err(failure) => (registry.clone(), Some(failure)),
        }
    }

    /// A client that behaves so.
    fn client_with(&self, settings: Settings) -> Result<Client, Failure> {
        let machine = &self.config.machine;
        let mut http = HttpOptions::default();
        http.certificates.extend(machine.ca_file.clone());
        let parts = Parts {
            transport: Arc::new(Http::new(http)),
            state: Arc::new(FileState::new(self.dirs.state(machine.state_dir.as_ref())?)),
            cache: Arc::new(FileCache::new(self.dirs.cache(machine.cache_dir.as_ref())?)),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            secrets: self.credentials()?,
            observer: Arc::<Progress>::clone(&self.progress),
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
        let runtime = runtime()?;
        let mut settings = self.config.settings.clone();
        loop {
            let client = self.client_with(settings.clone())?;
            let listener = Listener::new();
            let done = runtime.block_on(async {
                tokio::select! {
                    done = work(client) => done,
                    () = listener.stopped() => Err(Failed::Other(Failure::interrupted())),
                }
            });
            drop(listener);
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

    /// Tells the user if a package is at another registry than the one they asked: home, or what the
    /// configuration names for it.
    pub(crate) fn tell_where(&self, package: &Package) {
        let (settings, name) = (&self.config.settings, package.name());
        let named = settings.packages.get(name).or(settings.namespaces.get(name.namespace()));
        let asked = named.or(settings.home.as_ref());
        if asked.is_none_or(|asked| asked.domain() != *package.registry()) {
            self.progress.notice(&Notice::Elsewhere {
                package: name.to_string(),
                registry: package.registry().to_string(),
            });
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

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let failed = |error| Failure::local(format!("cannot start: {error}"));
    builder.enable_all().build().map_err(failed)
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
