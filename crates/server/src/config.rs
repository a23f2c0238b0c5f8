//! Where options come from: a flag, else the environment, else the configuration file, else a
//! default that is safe on this machine alone.

mod operations;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use wargate_http::{Options, PublicUrl};
use wargate_protocol::Namespace;
use wargate_registry::limits::Limits;
use wargate_registry::policy::AuthorizedKeys;
use wargate_transparency::note::KeyName;

pub(crate) use self::operations::Operations;
use crate::abuse::{Abuse, LimitsTable, QuotasTable, Reach};
use crate::args::{CommonOptions, ContentKind, ContentSources, LogFormat, ServeOptions};
use crate::sources::Allowed;

/// Where a registry listens if nobody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// How often an idle registry signs its checkpoint again.
const CHECKPOINT_INTERVAL: Duration = Duration::from_mins(1);

/// Most connections at a time.
const CONNECTIONS_MAX: u32 = 1024;

/// How long requests may go on after the registry was told to stop.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// The configuration file. Its members are the flags of `serve`, with underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FromFile {
    data_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    namespace: Vec<String>,
    operator_key_file: Option<PathBuf>,
    authorized_keys_file: Option<PathBuf>,
    allow_any_key: bool,
    define_namespaces: Option<bool>,
    content: Vec<ContentKind>,
    content_store: Option<String>,
    content_sources: Option<ContentSources>,
    content_sources_allow: Vec<String>,
    content_redirect: Option<bool>,
    checkpoint_interval: Option<String>,
    content_bytes_max: Option<u64>,
    sourcing_records_max: Option<u64>,
    pending_time_max: Option<String>,
    map_window: Option<String>,
    connections_max: Option<NonZeroU32>,
    shutdown_grace: Option<String>,
    metrics_listen: Option<SocketAddr>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    otlp_endpoint: Option<String>,
    otlp_sample_ratio: Option<f64>,
    log_format: Option<LogFormat>,
    log: Option<String>,
    limits: LimitsTable,
    quotas: QuotasTable,
}

/// What `serve` does.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    /// `None`: the address that the registry listens on.
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) operator_key_file: Option<PathBuf>,
    /// `None`: every key may publish.
    pub(crate) authorized_keys: Option<AuthorizedKeys>,
    pub(crate) define_namespaces: bool,
    pub(crate) content: Vec<ContentKind>,
    /// `None`: what the data directory remembers.
    pub(crate) content_store: Option<String>,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) limits: Limits,
    /// What keeps one from using up what is there for all.
    pub(crate) abuse: Abuse,
    /// Most connections at a time.
    pub(crate) connections_max: u32,
    /// How long requests may go on after the registry was told to stop.
    pub(crate) shutdown_grace: Duration,
    pub(crate) operations: Operations,
    pub(crate) log_format: LogFormat,
    pub(crate) log: String,
    /// Whether only programs of this machine can connect to the registry; one of them may be a proxy.
    pub(crate) loopback: bool,
    /// Whether nobody but this machine uses it, as far as the options say.
    pub(crate) alone: bool,
}

/// What is done about content that is elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    /// If publishers have it.
    pub(crate) sources: ContentSources,
    /// From where it may come beyond the internet.
    pub(crate) allow: Vec<Allowed>,
    /// Whether object storage serves what it keeps.
    pub(crate) redirect: bool,
}

impl Config {
    /// Puts the options together. The address of a socket that was passed counts before the one that
    /// the options name.
    pub(crate) fn new(
        common: &CommonOptions,
        flags: &ServeOptions,
        passed: Option<SocketAddr>,
    ) -> Result<Self> {
        let file = FromFile::read(common.config.as_deref())?;
        let listen = passed.or(flags.listen).or(file.listen).unwrap_or(LISTEN);
        let url = flags.public_url.clone().or(file.public_url.clone());
        let keys = flags.authorized_keys_file.clone().or(file.authorized_keys_file.clone());
        let any_key = flags.allow_any_key || file.allow_any_key;
        let public_url = url.as_deref().map(public_url).transpose()?;
        let others = reach(listen, public_url.as_ref());
        check_reach(others.as_deref(), url.is_some(), keys.is_some() || any_key)?;
        if keys.is_some() && any_key {
            bail!(
                "a file of authorised keys and `allow-any-key` contradict each other: \
                 hint: leave one out"
            );
        }
        let authorized_keys = keys.as_deref().map(authorized_keys).transpose()?;
        let define = flags
            .define_namespaces
            .or(file.define_namespaces)
            .unwrap_or(authorized_keys.is_none() && others.is_none());
        let namespaces =
            if flags.namespace.is_empty() { &file.namespace } else { &flags.namespace };
        let namespace = |name: &String| {
            let lower = name.to_ascii_lowercase();
            lower.parse().with_context(|| format!("{name:?} cannot be a namespace"))
        };
        let defaults = [ContentKind::Component, ContentKind::Module, ContentKind::Wit];
        let content = [&flags.content, &file.content].into_iter().find(|kinds| !kinds.is_empty());
        let mut limits = limits(flags, &file)?;
        let reach = Reach { others: others.is_some(), loopback: listen.ip().is_loopback() };
        let abuse = Abuse::new(&flags.abuse, (&file.limits, &file.quotas), reach, &mut limits)?;
        Ok(Self {
            data_dir: data_dir(common.data_dir.clone().or(file.data_dir.clone()))?,
            listen,
            public_url,
            namespaces: namespaces.iter().map(namespace).collect::<Result<_>>()?,
            operator_key_file: flags.operator_key_file.clone().or(file.operator_key_file.clone()),
            authorized_keys,
            define_namespaces: define,
            elsewhere: Elsewhere::new(flags, &file)?,
            content_store: flags.content_store.clone().or(file.content_store.clone()),
            content: content.cloned().unwrap_or_else(|| defaults.to_vec()),
            checkpoint_interval: time(
                flags.checkpoint_interval,
                file.checkpoint_interval.as_deref(),
            )?
            .unwrap_or(CHECKPOINT_INTERVAL)
            .max(Duration::from_secs(1)),
            limits,
            abuse,
            connections_max: flags
                .connections_max
                .or(file.connections_max)
                .map_or(CONNECTIONS_MAX, NonZeroU32::get),
            shutdown_grace: time(flags.shutdown_grace, file.shutdown_grace.as_deref())?
                .unwrap_or(SHUTDOWN_GRACE),
            operations: Operations::new(&flags.operations, &file)?,
            log_format: flags.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
            log: flags.log.clone().or(file.log).unwrap_or_else(|| "info".into()),
            loopback: listen.ip().is_loopback(),
            alone: others.is_none(),
        })
    }
}

impl FromFile {
    fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("the configuration file {} is not valid", path.display()))
    }
}

/// The data directory for commands that need nothing else.
pub(crate) fn data_dir_of(common: &CommonOptions) -> Result<PathBuf> {
    let file = FromFile::read(common.config.as_deref())?;
    data_dir(common.data_dir.clone().or(file.data_dir))
}

/// Where a registry listens, for commands that need nothing else.
pub(crate) fn listen_of(common: &CommonOptions, flags: &ServeOptions) -> Result<SocketAddr> {
    let file = FromFile::read(common.config.as_deref())?;
    Ok(flags.listen.or(file.listen).unwrap_or(LISTEN))
}

/// The operator's key file for commands without the flags of `serve`.
pub(crate) fn operator_key_file_of(common: &CommonOptions) -> Result<Option<PathBuf>> {
    let file = FromFile::read(common.config.as_deref())?;
    let variable = std::env::var_os("WARGATE_OPERATOR_KEY_FILE").map(PathBuf::from);
    Ok(variable.or(file.operator_key_file))
}

/// For how long maps of old checkpoints can be asked for, in seconds, for commands without the flags of
/// `serve`.
pub(crate) fn map_window_of(common: &CommonOptions) -> Result<u64> {
    let file = FromFile::read(common.config.as_deref())?;
    let text = std::env::var("WARGATE_MAP_WINDOW").ok().or(file.map_window);
    let window = time(None, text.as_deref())?.map(|time| time.as_secs());
    Ok(window.unwrap_or_else(|| Limits::default().map_window_seconds))
}

fn data_dir(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given);
    }
    let absolute =
        |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(absolute("HOME")?.join(".local/share"));
    let base = absolute("XDG_DATA_HOME").or_else(home);
    let base = base.context(
        "there is no home directory to keep data in\nhint: say where, with --data-dir DIR",
    )?;
    Ok(base.join("wargate"))
}

/// How others can reach the registry; `None` if only programs of this machine can. A public URL that
/// is not of this machine means that a proxy passes on what others ask.
fn reach(listen: SocketAddr, url: Option<&PublicUrl>) -> Option<String> {
    if !listen.ip().is_loopback() {
        return Some(format!("{listen} can be reached from other machines"));
    }
    let url = url.filter(|url| !is_own(host(url)))?;
    Some(format!("clients on other machines are to use {}", url.as_str()))
}

/// The host without the port, in brackets if it is an IPv6 address.
fn host(url: &PublicUrl) -> &str {
    let authority = url.authority();
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

/// Whether a URL's host is this machine, seen from itself.
fn is_own(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Where others can reach the registry, nothing is left to defaults that trust everybody.
fn check_reach(others: Option<&str>, has_url: bool, has_policy: bool) -> Result<()> {
    let Some(others) = others else { return Ok(()) };
    let mut missing = Vec::new();
    if !has_url {
        missing.push("--public-url https://registry.example.com  (what clients are told to use)");
    }
    if !has_policy {
        missing
            .push("--authorized-keys-file FILE  (who may publish; --allow-any-key for everybody)");
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!("{others}, so some things must be said\nhint: add\n  {}", missing.join("\n  "))
}

/// The base URL of the registry. It also names the key that signs the log as tiles, so it has to be
/// such a name.
fn public_url(text: &str) -> Result<PublicUrl> {
    let url: PublicUrl =
        text.parse().with_context(|| format!("{text:?} cannot be the public URL"))?;
    let name = Options::new(url.clone()).origin;
    if name.parse::<KeyName>().is_err() {
        let culprit = name.chars().find(|&one| one == '+' || one.is_whitespace());
        let culprit = culprit.map_or_else(|| "what it has".into(), |one| format!("{one:?}"));
        bail!(
            "{text:?} cannot be the public URL: the key that signs the log as tiles is named after \
             it, and {culprit} cannot be in such a name\nhint: give a --public-url without it"
        );
    }
    Ok(url)
}

fn authorized_keys(path: &Path) -> Result<AuthorizedKeys> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the file of authorised keys {}", path.display()))?;
    AuthorizedKeys::from_toml(&text).with_context(|| format!("in {}", path.display()))
}

impl Elsewhere {
    fn new(flags: &ServeOptions, file: &FromFile) -> Result<Self> {
        let sources = flags.content_sources.or(file.content_sources);
        Ok(Self {
            sources: sources.unwrap_or(ContentSources::None),
            allow: allowed_sources(flags, file)?,
            redirect: flags.content_redirect.or(file.content_redirect).unwrap_or(false),
        })
    }
}

fn allowed_sources(flags: &ServeOptions, file: &FromFile) -> Result<Vec<Allowed>> {
    let given = [&flags.content_sources_allow, &file.content_sources_allow];
    let given = given.into_iter().find(|given| !given.is_empty());
    let allowed = |text: &String| text.parse().map_err(anyhow::Error::msg);
    given.into_iter().flatten().map(allowed).collect()
}

fn limits(flags: &ServeOptions, file: &FromFile) -> Result<Limits> {
    let mut limits = Limits::default();
    let set = |to: &mut u64, flag: Option<u64>, file: Option<u64>| {
        if let Some(value) = flag.or(file) {
            *to = value;
        }
    };
    let seconds = |flag, text: &Option<String>| -> Result<Option<u64>> {
        Ok(time(flag, text.as_deref())?.map(|time| time.as_secs()))
    };
    set(&mut limits.content_bytes_max, flags.content_bytes_max, file.content_bytes_max);
    set(&mut limits.sourcing_records_max, flags.sourcing_records_max, file.sourcing_records_max);
    let pending = seconds(flags.pending_time_max, &file.pending_time_max)?;
    set(&mut limits.pending_seconds_max, pending, None);
    set(&mut limits.map_window_seconds, seconds(flags.map_window, &file.map_window)?, None);
    limits.inspected_bytes_max = limits.inspected_bytes_max.max(limits.content_bytes_max);
    Ok(limits)
}

/// A time from a flag, or as text.
pub(crate) fn time(
    flag: Option<humantime::Duration>,
    text: Option<&str>,
) -> Result<Option<Duration>> {
    match (flag, text) {
        (Some(flag), _) => Ok(Some(flag.into())),
        (None, Some(text)) => {
            let wrong = || format!("{text:?} is no time; write 30s, 5min or 1day");
            Ok(Some(humantime::parse_duration(text).with_context(wrong)?))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_reach_an_address_of_the_network_and_a_url_of_another_machine() {
        let reached = |listen: &str, url: Option<&str>| {
            let url = url.map(|url| public_url(url).unwrap());
            reach(listen.parse().unwrap(), url.as_ref()).is_some()
        };
        for listen in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1"] {
            assert!(!reached(listen, None), "{listen}");
            for own in
                ["localhost", "LOCALHOST:80/a", "127.0.0.1", "127.1.2.3:8090", "[::1]", "[::1]:1"]
            {
                assert!(!reached(listen, Some(&format!("http://{own}"))), "{own}");
            }
            for other in ["r.example", "r.example:443/a", "10.0.0.1", "[2001:db8::1]:80", "[::2]"] {
                assert!(reached(listen, Some(&format!("https://{other}"))), "{other}");
            }
        }
        assert!(reached("0.0.0.0:1", None) && reached("[::]:1", Some("http://localhost")));
    }
}
