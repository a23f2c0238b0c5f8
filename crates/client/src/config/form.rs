//! What values look like.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wargate_crypto::{Digest, KeyId, PublicKey};
use wargate_protocol::{PackageName, Version, VersionReq};

use super::similar::did_you_mean;
use crate::origin::RegistryUrl;

/// Longest time that may be configured.
const TIME_MAX: Duration = Duration::from_hours(100 * 366 * 24);

/// What the values of a setting look like.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// The URL of a registry.
    Registry,
    /// One of some words.
    Word(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A number.
    Count {
        /// The smallest.
        least: u32,
        /// The largest.
        most: u32,
    },
    /// A time: `90s`, `15min`, `1day`.
    Time {
        /// Whether `none` is one.
        none: bool,
    },
    /// A path; relative ones are relative to their file, or else to the current directory.
    Path,
    /// Any text.
    Text,
    /// Fingerprints of keys.
    Keys,
    /// A list of texts; in a variable with white space between them.
    Texts,
    /// A list of directories; in a variable as in `PATH`.
    Directories,
    /// The name of a package.
    Package,
    /// A version.
    Version,
    /// Which versions will do.
    Requirement,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// See [`Form::Registry`].
    Registry(RegistryUrl),
    /// See [`Form::Word`].
    Word(&'static str),
    /// See [`Form::Flag`].
    Flag(bool),
    /// See [`Form::Count`].
    Count(u32),
    /// See [`Form::Time`].
    Time(Option<Duration>),
    /// See [`Form::Path`].
    Path(PathBuf),
    /// See [`Form::Text`].
    Text(String),
    /// See [`Form::Keys`].
    Keys(Vec<KeyId>),
    /// See [`Form::Texts`] and [`Form::Directories`].
    Texts(Vec<String>),
    /// See [`Form::Package`].
    Package(PackageName),
    /// See [`Form::Version`].
    Version(Version),
    /// See [`Form::Requirement`].
    Requirement(VersionReq),
}

/// What stands in a source.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// A text, or something that was written without quotes and can be read as one.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl Form {
    /// Reads a value. Relative paths are relative to `base`.
    pub(super) fn read(self, given: &Given, base: Option<&Path>) -> Result<Value, String> {
        match (self, given) {
            (Self::Keys, Given::Text(text)) => {
                let words = text.split([',', ' ']).filter(|word| !word.is_empty());
                words.map(key).collect::<Result<_, _>>().map(Value::Keys)
            }
            (Self::Keys, Given::List(list)) => {
                list.iter().map(|word| key(word)).collect::<Result<_, _>>().map(Value::Keys)
            }
            (Self::Texts, Given::Text(text)) => {
                Ok(Value::Texts(text.split_whitespace().map(str::to_owned).collect()))
            }
            (Self::Directories, Given::Text(text)) => {
                // As they are in `PATH`, so that spaces may be in their names.
                let paths = std::env::split_paths(text).filter(|path| !path.as_os_str().is_empty());
                Ok(Value::Texts(paths.map(|path| path.to_string_lossy().into_owned()).collect()))
            }
            (Self::Texts | Self::Directories, Given::List(list)) => Ok(Value::Texts(list.clone())),
            (_, Given::List(_)) => Err(format!("a list is not {self}")),
            (_, Given::Text(text)) => self.read_text(text, base),
        }
    }

    fn read_text(self, text: &str, base: Option<&Path>) -> Result<Value, String> {
        let not = || format!("`{}` is not {self}", text.escape_debug());
        match self {
            Self::Registry => text.parse().map(Value::Registry).map_err(|error| format!("{error}")),
            Self::Word(words) => {
                words.iter().find(|word| **word == text).map(|word| Value::Word(word)).ok_or_else(
                    || format!("{}{}", not(), did_you_mean(text, words.iter().copied())),
                )
            }
            Self::Flag => match text {
                "true" | "1" | "yes" => Ok(Value::Flag(true)),
                "false" | "0" | "no" => Ok(Value::Flag(false)),
                _ => Err(not()),
            },
            Self::Count { least, most } => match text.parse() {
                Ok(count) if (least..=most).contains(&count) => Ok(Value::Count(count)),
                _ => Err(not()),
            },
            Self::Time { none: true } if text == "none" => Ok(Value::Time(None)),
            Self::Time { .. } => match humantime::parse_duration(text) {
                Ok(time) if time <= TIME_MAX => Ok(Value::Time(Some(time))),
                _ => Err(not()),
            },
            Self::Path if text.is_empty() || text.contains('\0') => Err(not()),
            Self::Path => {
                let path = Path::new(text);
                Ok(Value::Path(base.map_or_else(|| path.to_owned(), |base| base.join(path))))
            }
            Self::Package => text.parse().map(Value::Package).map_err(|_| not()),
            Self::Version => text.parse().map(Value::Version).map_err(|_| not()),
            Self::Requirement => text.parse().map(Value::Requirement).map_err(|_| not()),
            Self::Text | Self::Keys | Self::Texts | Self::Directories => {
                Ok(Value::Text(text.to_owned()))
            }
        }
    }
}

/// A fingerprint, or a public key, whose fingerprint is meant.
fn key(text: &str) -> Result<KeyId, String> {
    let text = text.trim();
    if let Ok(key) = text.parse::<PublicKey>() {
        return Ok(key.id());
    }
    match text.parse::<Digest>() {
        Ok(digest) => Ok(KeyId::from(digest)),
        Err(_) => Err(format!("`{}` is not a fingerprint or a public key", text.escape_debug())),
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry => f.write_str("the URL of a registry"),
            Self::Word(words) => write!(f, "one of `{}`", words.join("`, `")),
            Self::Flag => f.write_str("`true` or `false`"),
            Self::Count { least, most } => write!(f, "a number from {least} to {most}"),
            Self::Time { none: true } => f.write_str("a time such as `90s` or `1day`, or `none`"),
            Self::Time { none: false } => f.write_str("a time such as `90s` or `15min`"),
            Self::Path => f.write_str("a path"),
            Self::Text => f.write_str("a text"),
            Self::Keys => f.write_str("a list of keys"),
            Self::Texts => f.write_str("a list of texts"),
            Self::Directories => f.write_str("a list of directories"),
            Self::Package => f.write_str("the name of a package (`namespace:name`)"),
            Self::Version => f.write_str("a version such as `1.2.3`"),
            Self::Requirement => {
                f.write_str("a requirement such as `1.2`, `=1.2.3` or `>=1.2, <3`")
            }
        }
    }
}

impl fmt::Display for Value {
    /// As one would write it, without the quotes of TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(url) => url.fmt(f),
            Self::Word(word) => f.write_str(word),
            Self::Flag(flag) => flag.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Time(Some(time)) => humantime::format_duration(*time).fmt(f),
            Self::Time(None) => f.write_str("none"),
            Self::Path(path) => path.display().fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Keys(keys) => {
                let keys: Vec<_> = keys.iter().map(KeyId::as_str).collect();
                f.write_str(&keys.join(" "))
            }
            Self::Texts(texts) => f.write_str(&texts.join(" ")),
            Self::Package(name) => name.fmt(f),
            Self::Version(version) => version.fmt(f),
            Self::Requirement(requirement) => requirement.fmt(f),
        }
    }
}

impl serde::Serialize for Value {
    /// As a configuration file would have it.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Keys(keys) => serializer.collect_seq(keys.iter().map(KeyId::as_str)),
            Self::Texts(texts) => serializer.collect_seq(texts),
            _ => serializer.collect_str(self),
        }
    }
}
