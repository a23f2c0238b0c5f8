//! Registries' URLs, and the names that are made of them (specification 15.1).

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};
use wargate_crypto::Digest;

/// The base URL of a registry: `https`, or `http` on this machine. Its path ends in `/`.
///
/// **Invariant**: there is no user and no password in it, so that it can be kept and shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistryUrl(Url);

/// Why a text is no URL of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryUrlError {
    /// It is no URL.
    #[error("`{text}` is not the URL of a registry: {reason}")]
    Invalid {
        /// The text, without what may be a password.
        text: String,
        /// Why.
        reason: String,
    },
    /// Its scheme is neither `https` nor `http`.
    #[error("a registry is reached over https, not over `{0}`")]
    Scheme(String),
    /// It has a user or a password in it, which would be kept and shown with it.
    #[error(
        "the URL of a registry has no user and no password in it; `warg login` keeps a token for `{0}`"
    )]
    Credentials(String),
    /// It is `http` to another machine.
    #[error("`{0}` is on another machine, which is only talked to over https")]
    Insecure(String),
}

impl RegistryUrl {
    /// The URL. Relative paths of the API are resolved against it.
    pub const fn as_url(&self) -> &Url {
        &self.0
    }

    /// A path of the API, below the base.
    ///
    /// # Errors
    /// [`RegistryUrlError::Invalid`] if there is no such URL.
    pub fn join(&self, path: &str) -> Result<Url, RegistryUrlError> {
        self.0.join(path).map_err(|error| invalid(path, error))
    }

    /// The name of the registry: of its files, its secrets, and in requests for its data.
    pub fn domain(&self) -> Domain {
        let mut label = match self.0.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            // As it stands in the URL, in hexadecimal throughout: with the decimal end that some are
            // written with, two addresses would share a name.
            Some(Host::Ipv6(_)) => {
                let address = self.0.host_str().unwrap_or_default().trim_matches(['[', ']']);
                format!("ipv6_{}", address.replace(':', "."))
            }
            None => String::new(),
        };
        if let Some(port) = self.0.port() {
            label.push('-');
            label.push_str(&port.to_string());
        }
        let path = self.0.path().trim_matches('/');
        if !path.is_empty() {
            label.push('_');
            for byte in path.bytes() {
                match byte {
                    b'/' => label.push('_'),
                    b'%' => label.push('.'),
                    b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => label.push(byte.into()),
                    other => {
                        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                        let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
                        label.extend(['.', digit(other >> 4), digit(other & 15)]);
                    }
                }
            }
        }
        Domain(shortened(label))
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

/// A label that is no longer than a name may be; the end of a longer one gives way to its hash.
fn shortened(mut label: String) -> String {
    if label.len() > DOMAIN_BYTES_MAX {
        let hash = Digest::of(label.as_bytes()).to_string();
        let hash = hash.rsplit(':').next().unwrap_or_default();
        label.truncate(DOMAIN_BYTES_MAX - 1 - hash.len());
        label.push('-');
        label.push_str(hash);
    }
    label
}

/// Whether a URL names this machine: `localhost` or a name below it (RFC 6761), or an address of the
/// loopback, an IPv4 one in the form of IPv6, too. Whoever connects must not ask the network what such
/// a name means.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => names_this_machine(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// Whether a name is `localhost`, or below it.
fn names_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

impl FromStr for RegistryUrl {
    type Err = RegistryUrlError;

    fn from_str(text: &str) -> Result<Self, RegistryUrlError> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let mut url = Url::parse(&whole).map_err(|error| invalid(text, error))?;
        if !url.username().is_empty() || url.password().is_some() {
            let host = url.host_str().unwrap_or_default();
            return Err(RegistryUrlError::Credentials(host.into()));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(RegistryUrlError::Insecure(url.host_str().unwrap_or_default().into()));
            }
            other => return Err(RegistryUrlError::Scheme(other.to_owned())),
        }
        if let Some(Host::Ipv4(address)) = url.host()
            && written_host(&whole) != address.to_string()
        {
            let reason = format!("its host is a number; do you mean the address {address}?");
            return Err(RegistryUrlError::Invalid { text: text.to_owned(), reason });
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        let url = Self(url);
        // Its host may have characters that no name has, or be nothing but dots.
        if url.domain().as_str().parse::<Domain>().is_err() {
            let reason = "its host cannot be that of a registry".into();
            return Err(RegistryUrlError::Invalid { text: url.to_string(), reason });
        }
        Ok(url)
    }
}

/// The host of a URL as it was written: `5`, where the URL then has `0.0.0.5`.
fn written_host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split([':', '/', '\\', '?', '#']).next().unwrap_or_default().trim_end()
}

fn invalid(text: &str, error: url::ParseError) -> RegistryUrlError {
    // What stands before an `@` may be a password.
    let text = text.rsplit('@').next().unwrap_or_default().to_owned();
    RegistryUrlError::Invalid { text, reason: error.to_string() }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryUrl({self})")
    }
}

/// Most bytes in a name of a registry.
pub const DOMAIN_BYTES_MAX: usize = 128;

/// The name of a registry: its *label* in the specification (15.1), the domain in imports and hints.
///
/// **Invariant**: one that was parsed is a legal segment of a [`Key`](crate::seams::Key), so no text
/// of a peer leads out of a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// A text that is no name of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the name of a registry", self.0.escape_debug())]
pub struct DomainError(pub String);

impl Domain {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where a registry of this name is found. Names of this machine (`localhost-8090`) lead to plain
    /// `http`, all others to `https`.
    ///
    /// # Errors
    /// [`DomainError`] if the name is not that of a URL.
    pub fn to_url(&self) -> Result<RegistryUrl, DomainError> {
        let bad = || DomainError(self.0.clone());
        let (authority, path) = self.0.split_once('_').unwrap_or((&self.0, ""));
        if authority == "ipv6" {
            return self.ipv6_url();
        }
        let (host, port) = match authority.rsplit_once('-') {
            Some((host, port)) if is_port(port) => (host, Some(port)),
            _ => (authority, None),
        };
        compose(host, port, path).ok_or_else(bad)
    }

    fn ipv6_url(&self) -> Result<RegistryUrl, DomainError> {
        let bad = || DomainError(self.0.clone());
        let rest = self.0.strip_prefix("ipv6_").ok_or_else(bad)?;
        let (authority, path) = rest.split_once('_').unwrap_or((rest, ""));
        let (address, port) = match authority.rsplit_once('-') {
            Some((address, port)) if is_port(port) => (address, Some(port)),
            _ => (authority, None),
        };
        let address: Ipv6Addr = address.replace('.', ":").parse().map_err(|_| bad())?;
        compose(&format!("[{address}]"), port, path).ok_or_else(bad)
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

fn compose(host: &str, port: Option<&str>, path: &str) -> Option<RegistryUrl> {
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    // The name's `.` stands for `%`, and `_` for `/`.
    let path = path.replace('.', "%").replace('_', "/");
    let rest = format!("{host}{port}/{path}");
    let url: RegistryUrl = format!("https://{rest}").parse().ok()?;
    if url.is_loopback() { format!("http://{rest}").parse().ok() } else { Some(url) }
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let sound = (1..=DOMAIN_BYTES_MAX).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(legal);
        if sound { Ok(Self(text.to_owned())) } else { Err(DomainError(text.to_owned())) }
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;

    fn try_from(text: String) -> Result<Self, DomainError> {
        text.parse()
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
