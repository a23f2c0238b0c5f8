//! Where content may be fetched from, and sent to.

use url::{Host, Url};
use wargate_api::content::ContentSource;

use crate::limits::URL_BYTES_MAX;
use crate::origin::{RegistryUrl, is_loopback};
use crate::text::tame_to;

/// A place that content may be fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) url: Url,
    /// Whether it is said to serve parts.
    pub(super) ranges: bool,
    /// How many bytes there are said to be.
    pub(super) size: Option<u64>,
}

impl Source {
    /// A place that a registry names; otherwise what is wrong with it.
    pub(super) fn of(source: &ContentSource, registry: &RegistryUrl) -> Result<Self, String> {
        let ContentSource::HttpGet { url, accept_ranges, size } = source;
        let parsed = sized(url)?.parse().map_err(|error| complaint(url, error))?;
        Ok(Self { url: permitted(parsed, registry)?, ranges: *accept_ranges, size: *size })
    }
}

/// A place that a registry names for an upload, which may be relative to its base.
pub(crate) fn destination(url: &str, registry: &RegistryUrl) -> Result<Url, String> {
    let parsed = registry.as_url().join(sized(url)?).map_err(|error| complaint(url, error))?;
    permitted(parsed, registry)
}

fn sized(url: &str) -> Result<&str, String> {
    if url.len() > URL_BYTES_MAX {
        return Err(format!("it names a URL of more than {URL_BYTES_MAX} bytes"));
    }
    Ok(url)
}

fn complaint(url: &str, error: url::ParseError) -> String {
    format!("it names `{}`, which is no URL: {error}", tame_to(url, SHOWN_CHARS))
}

/// So much is shown of a URL that is refused.
const SHOWN_CHARS: usize = 200;

/// `https`, or `http` from this machine to this machine. A registry elsewhere may not send us to what
/// runs here.
fn permitted(mut url: Url, registry: &RegistryUrl) -> Result<Url, String> {
    let here = registry.is_loopback();
    if here && url.scheme() == "http" && names_any_address(&url) {
        // The reference server says where it listens, not where it is (specification 20.2, S8).
        let host = registry.as_url().host_str();
        url.set_host(host).map_err(|error| complaint(url.as_str(), error))?;
    }
    let shown = || tame_to(&format!("{}://{}", url.scheme(), url.authority()), SHOWN_CHARS);
    let secure = url.scheme() == "https" || (url.scheme() == "http" && here && is_loopback(&url));
    if !secure {
        return Err(format!("it names a place at `{}`, which is not secure", shown()));
    }
    if !here && (is_loopback(&url) || names_any_address(&url)) {
        return Err(format!("it names a place on this machine, `{}`", shown()));
    }
    let same_origin = url.origin() == registry.as_url().origin();
    if !same_origin {
        // Both fail only for URLs without a host, which these have.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    url.set_fragment(None);
    Ok(url)
}

/// Whether it names all addresses of a machine: `0.0.0.0` or `[::]`.
fn names_any_address(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_unspecified(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(registry: &str, url: &str) -> Result<String, String> {
        destination(url, &registry.parse().unwrap()).map(String::from)
    }

    #[test]
    fn a_registry_elsewhere_names_secure_places_elsewhere() {
        let registry = "https://warg.io/base/";
        let good = [
            ("v1/x", "https://warg.io/base/v1/x"),
            ("/v1/x?sig=1#f", "https://warg.io/v1/x?sig=1"),
            ("https://cdn.example/x?sig=1", "https://cdn.example/x?sig=1"),
            ("https://user:secret@cdn.example/x", "https://cdn.example/x"),
            ("//cdn.example/x", "https://cdn.example/x"),
        ];
        for (url, expected) in good {
            assert_eq!(at(registry, url).as_deref(), Ok(expected));
        }
        let long = format!("https://h/{}", "x".repeat(URL_BYTES_MAX));
        let bad = [
            ("http://cdn.example/x", "not secure"),
            ("http://0.0.0.0:8090/x", "not secure"),
            ("http://localhost/x", "not secure"),
            ("https://localhost/x", "on this machine"),
            ("https://127.0.0.1/x", "on this machine"),
            ("https://[::1]/x", "on this machine"),
            ("https://0.0.0.0/x", "on this machine"),
            ("https://2130706433/x", "on this machine"),
            ("file:///etc/passwd", "not secure"),
            ("data:text/plain,x", "not secure"),
            ("https://", "no URL"),
            (&long, "more than"),
        ];
        for (url, expected) in bad {
            let error = at(registry, url).unwrap_err();
            assert!(error.contains(expected), "{url}: {error}");
        }
    }

    #[test]
    fn a_registry_here_may_name_places_here() {
        for host in ["127.0.0.1:8090", "localhost:1", "[::1]:9"] {
            let registry = format!("http://{host}/");
            let name = host.rsplit_once(':').unwrap().0;
            for any in ["0.0.0.0", "[::]", "127.0.0.1"] {
                let expected = if any == "127.0.0.1" { any } else { name };
                assert_eq!(
                    at(&registry, &format!("http://{any}:7/x")),
                    Ok(format!("http://{expected}:7/x"))
                );
            }
            assert!(at(&registry, "http://10.0.0.1/x").is_err());
            assert!(at(&registry, "https://cdn.example/x").is_ok());
        }
    }

    #[test]
    fn a_source_is_absolute() {
        let source = |url: &str| ContentSource::HttpGet {
            url: url.to_owned(),
            accept_ranges: true,
            size: Some(7),
        };
        let registry = "https://warg.io".parse().unwrap();
        assert!(Source::of(&source("content/x"), &registry).is_err());
        let good = Source::of(&source("https://cdn.example/x"), &registry).unwrap();
        assert_eq!((good.ranges, good.size), (true, Some(7)));
    }
}
