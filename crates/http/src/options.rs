//! What a front can be told.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use wargate_transparency::note::NoteSigner;

use crate::limits::{BODY_BYTES_MAX, HOLD_MAX};
use crate::sources::Sources;
use crate::throttle::Throttling;

/// What a front can be told. The fields without a default are the arguments of [`Options::new`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Where clients find the registry.
    pub public_url: PublicUrl,
    /// Signs the checkpoint of the static log; `None` leaves that checkpoint out.
    pub note: Option<NoteSigner>,
    /// The origin line of the static log's checkpoint, by default the public URL without its scheme
    /// and last slash, as C2SP recommends. The signer's name should be the same.
    pub origin: String,
    /// Under which names the registry may be asked.
    pub hosts: AllowedHosts,
    /// Whether web pages of other origins may publish and upload.
    pub cross_origin_writes: bool,
    /// How long a question for the state of a record waits while the record is being processed.
    pub hold: Duration,
    /// Largest body of a JSON request, in bytes. Content has its own limit in the engine.
    pub body_bytes_max: usize,
    /// How often an address may ask.
    pub throttling: Throttling,
    /// Whether downloads are sent on to the place where content is kept, if it gives such URLs.
    pub content_redirect: bool,
    /// Who fetches content from sources that a publisher names; `None`: content is only uploaded.
    pub sources: Option<Arc<dyn Sources>>,
}

/// Under which names a registry may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHosts {
    /// Any.
    Any,
    /// These only, each `host`, with any port, or `host:port`; other requests are answered with 421.
    /// For a registry that listens on a loopback address and believes whoever can reach it: a web page
    /// whose name was made to point there sends that name.
    Only(Vec<String>),
}

impl Options {
    /// A front at this URL, without a signed static log, open to any host and without limit, closed to
    /// writes by web pages of other origins.
    pub fn new(public_url: PublicUrl) -> Self {
        let origin = public_url.without_scheme().trim_end_matches('/').to_owned();
        Self {
            public_url,
            note: None,
            origin,
            hosts: AllowedHosts::Any,
            cross_origin_writes: false,
            hold: HOLD_MAX,
            body_bytes_max: BODY_BYTES_MAX,
            throttling: Throttling::default(),
            content_redirect: false,
            sources: None,
        }
    }
}

impl AllowedHosts {
    /// Whether a host, perhaps with a port, is one of them.
    pub fn allow(&self, host: Option<&str>) -> bool {
        let Self::Only(hosts) = self else { return true };
        let Some(host) = host else { return false };
        hosts.iter().any(|allowed| {
            allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(without_port(host))
        })
    }
}

/// The host of `host:port`, with the brackets of an IPv6 address.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The base URL of a registry: `http` or `https`, a host, perhaps a port and a path, which ends in `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    /// Where the authority begins and the path begins.
    authority: usize,
    path: usize,
}

/// Why a text is no base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// Another scheme, or none.
    #[error("the public URL begins with https:// or http://")]
    Scheme,
    /// The host is missing or has characters that a host has not, or there is a user name.
    #[error("the public URL names a host behind its scheme, without a user name")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("the port of the public URL is a number from 1 to 65535")]
    Port,
    /// A query, a fragment, or a path with segments that are empty or dots.
    #[error("the public URL has a plain path, without `?`, `#`, `//` and dots")]
    Path,
}

impl PublicUrl {
    /// The text, which ends in `/`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, as browsers write an origin.
    pub fn origin(&self) -> &str {
        self.text.get(..self.path).unwrap_or_default()
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.text.get(self.authority..self.path).unwrap_or_default()
    }

    /// The URL of something below it.
    pub fn join(&self, relative: &str) -> String {
        format!("{}{relative}", self.text)
    }

    /// The registry's domain, as clients call it (specification 15.1).
    pub fn label(&self) -> String {
        let host = without_port(self.authority());
        let port = self.authority().get(host.len() + 1..);
        let mut label = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => format!("ipv6_{}", address.replace(':', ".")),
            None => host.to_owned(),
        };
        let default = if self.text.starts_with("https:") { "443" } else { "80" };
        if let Some(port) = port.filter(|port| *port != default) {
            label = format!("{label}-{port}");
        }
        let path = self.text.get(self.path..).unwrap_or_default().trim_matches('/');
        if path.is_empty() {
            return label;
        }
        label.push('_');
        for character in path.chars() {
            match character {
                '/' => label.push('_'),
                '%' => label.push('.'),
                '*' => label.push_str(".2A"),
                '.' => label.push_str(".2E"),
                '_' => label.push_str(".5F"),
                other => label.push(other),
            }
        }
        label
    }

    pub(crate) fn without_scheme(&self) -> &str {
        self.text.get(self.authority..).unwrap_or_default()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    /// Reads the URL; a missing `/` at its end is added, and the host is written in lower case.
    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme));
        let scheme = scheme.ok_or(PublicUrlError::Scheme)?;
        let rest = text.get(scheme.len()..).unwrap_or_default();
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        check_authority(authority)?;
        check_path(path)?;
        let mut text = format!("{scheme}{}{path}", authority.to_ascii_lowercase());
        if !text.ends_with('/') {
            text.push('/');
        }
        Ok(Self { text, authority: scheme.len(), path: scheme.len() + authority.len() })
    }
}

fn check_authority(authority: &str) -> Result<(), PublicUrlError> {
    let host = without_port(authority);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let legal = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(plain),
    };
    if !legal {
        return Err(PublicUrlError::Host);
    }
    let port = authority.get(host.len()..).and_then(|port| port.strip_prefix(':'));
    match port.map(str::parse::<u16>) {
        None => Ok(()),
        Some(Ok(port)) if port > 0 => Ok(()),
        Some(_) => Err(PublicUrlError::Port),
    }
}

fn check_path(path: &str) -> Result<(), PublicUrlError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\\\"<>`{}|^".contains(&byte);
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let segments = inner.is_empty() || inner.split('/').all(|it| !matches!(it, "" | "." | ".."));
    if path.bytes().all(plain) && segments { Ok(()) } else { Err(PublicUrlError::Path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PublicUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_url_is_taken_apart() {
        let plain = url("https://Reg.example");
        assert_eq!(plain.as_str(), "https://reg.example/");
        assert_eq!(plain.origin(), "https://reg.example");
        assert_eq!(plain.label(), "reg.example");
        let full = url("http://127.0.0.1:8090/a_b/c.d");
        assert_eq!(full.join("v1/ledger"), "http://127.0.0.1:8090/a_b/c.d/v1/ledger");
        assert_eq!(full.authority(), "127.0.0.1:8090");
        assert_eq!(full.label(), "127.0.0.1-8090_a.5Fb_c.2Ed");
        assert_eq!(url("http://[::1]:80/").label(), "ipv6_..1");
        assert_eq!(url("http://[::1]:81").label(), "ipv6_..1-81");
    }

    #[test]
    fn surprises_are_refused() {
        let error = |text: &str| text.parse::<PublicUrl>().unwrap_err();
        assert_eq!(error("reg.example"), PublicUrlError::Scheme);
        assert_eq!(error("ftp://reg.example"), PublicUrlError::Scheme);
        for text in
            ["https://", "https:///x", "https://a@b", "https://a b", "https://[::1", "https://:80"]
        {
            assert_eq!(error(text), PublicUrlError::Host, "{text}");
        }
        assert_eq!(error("https://a:0"), PublicUrlError::Port);
        assert_eq!(error("https://a:70000"), PublicUrlError::Port);
        for text in
            ["https://a/?x", "https://a/#x", "https://a//b", "https://a/../b", "https://a/b//"]
        {
            assert_eq!(error(text), PublicUrlError::Path, "{text}");
        }
    }

    #[test]
    fn hosts_are_compared_with_and_without_ports() {
        let hosts = AllowedHosts::Only(vec!["localhost".into(), "[::1]:8090".into()]);
        for host in ["localhost", "LOCALHOST:1", "[::1]:8090"] {
            assert!(hosts.allow(Some(host)), "{host}");
        }
        for host in [None, Some("evil.example"), Some("localhost.evil"), Some("[::1]:1"), Some("")]
        {
            assert!(!hosts.allow(host), "{host:?}");
        }
        assert!(AllowedHosts::Any.allow(None));
    }
}
