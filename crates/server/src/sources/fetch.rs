//! Getting what a stranger's URL names, without going where only we can go.
//!
//! A host's name is resolved once, by us; every address it has must be allowed; and the connection goes
//! to those addresses and no others, so that a name cannot mean something else when it is used. Each
//! redirect is looked at in the same way. No proxies, cookies, credentials or encodings.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::body::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use url::{Host, Url};

use super::addresses::{Allowed, is_global};

/// Longest URL in bytes.
const URL_BYTES_MAX: usize = 2048;
/// Most redirects from one source.
const REDIRECTS_MAX: usize = 5;
/// Most addresses of a host that are tried.
const ADDRESSES_MAX: usize = 8;
/// How long looking for a host and connecting to it may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Hosts that are looked for at the same time.
const LOOKUPS_MAX: usize = 4;
/// How long a source may say nothing.
pub(super) const PAUSE_TIME_MAX: Duration = Duration::from_secs(30);
/// Ports that anybody may name.
const PORTS: [u16; 2] = [80, 443];

/// Why a source gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfetched {
    /// It may give it later.
    Now(String),
    /// It will not, or must not be asked.
    Ever(String),
}

impl fmt::Display for Unfetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Now(why) | Self::Ever(why)) = self;
        f.write_str(why)
    }
}

pub(super) type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Says which addresses a host has.
pub(super) trait Resolve: Send + Sync {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// The machine's resolver. It cannot be interrupted, so that a zone that never answers holds threads for
/// long: they are its own, and few.
pub(super) struct System(Arc<Semaphore>);

impl Default for System {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_MAX)))
    }
}

impl Resolve for System {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let permit = Arc::clone(&self.0).acquire_owned().await.map_err(io::Error::other)?;
            let (host, (answer, answered)) = (host.to_owned(), oneshot::channel());
            let lookup = move || {
                let found = (host.as_str(), 0).to_socket_addrs();
                let found = found.map(|found| found.map(|address| address.ip()).collect());
                drop(permit);
                // Who has asked may be gone.
                drop(answer.send(found));
            };
            thread::Builder::new().name("lookup".into()).spawn(lookup)?;
            answered.await.map_err(io::Error::other)?
        })
    }
}

/// Where a fetcher may go.
pub(super) struct Rules {
    pub(super) allowed: Vec<Allowed>,
    pub(super) resolver: Box<dyn Resolve>,
    /// How long a source may say nothing.
    pub(super) pause: Duration,
}

/// An answer of a source, to be read piece by piece.
#[derive(Debug)]
pub(super) struct Fetched(Response);

impl Fetched {
    /// How many bytes come, if the source says so.
    pub(super) fn size(&self) -> Option<u64> {
        self.0.content_length()
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Unfetched> {
        let broken = |_| Unfetched::Now("the source's answer broke off".into());
        self.0.chunk().await.map_err(broken)
    }
}

impl Rules {
    /// A URL that may be asked for, as far as that can be told by itself. The error is for the
    /// publisher.
    pub(super) fn read(&self, text: &str) -> Result<Url, String> {
        if text.len() > URL_BYTES_MAX {
            return Err(format!("has a URL of more than {URL_BYTES_MAX} bytes"));
        }
        let url = Url::parse(text).map_err(|_| "has a URL that cannot be read".to_owned())?;
        self.check(&url)?;
        Ok(url)
    }

    fn check(&self, url: &Url) -> Result<(), String> {
        if !["http", "https"].contains(&url.scheme()) {
            return Err("has a URL of another kind than http:// and https://".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user or a password in its URL, which the log would show".into());
        }
        let port = url.port_or_known_default().unwrap_or_default();
        match url.host() {
            None => Err("has a URL without a host".into()),
            Some(Host::Domain(name)) if self.allows_host(name) => Ok(()),
            // Its addresses may be allowed on this port.
            Some(Host::Domain(_)) => {
                let any = self.allowed.iter().any(|it| matches!(it, Allowed::Net(_)));
                if any || PORTS.contains(&port) { Ok(()) } else { Err(refused(url)) }
            }
            Some(Host::Ipv4(address)) if self.allows(address.into(), port) => Ok(()),
            Some(Host::Ipv6(address)) if self.allows(address.into(), port) => Ok(()),
            Some(_) => Err(refused(url)),
        }
    }

    /// Whether clients may be told of a place, which they go to themselves. Ours do not go anywhere
    /// without TLS, so the operator must have named such a place.
    pub(super) fn may_refer(&self, url: &Url) -> bool {
        url.scheme() == "https"
            || match url.host() {
                Some(Host::Domain(name)) => self.allows_host(name),
                Some(Host::Ipv4(address)) => self.names(address.into()),
                Some(Host::Ipv6(address)) => self.names(address.into()),
                None => false,
            }
    }

    fn allows_host(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.allowed.iter().any(|it| matches!(it, Allowed::Host(host) if host == name))
    }

    /// Whether the operator has named an address.
    fn names(&self, address: IpAddr) -> bool {
        let named = |it: &Allowed| matches!(it, Allowed::Net(net) if net.contains(&address));
        self.allowed.iter().any(named)
    }

    fn allows(&self, address: IpAddr, port: u16) -> bool {
        self.names(address) || (PORTS.contains(&port) && is_global(address))
    }

    /// The addresses to connect to; one that is not allowed spoils them all, because whoever mixes
    /// them is up to something.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Unfetched> {
        let port = url.port_or_known_default().unwrap_or_default();
        let (addresses, by_name) = match url.host() {
            Some(Host::Ipv4(address)) => (vec![address.into()], false),
            Some(Host::Ipv6(address)) => (vec![address.into()], false),
            Some(Host::Domain(name)) => {
                let unknown = || Unfetched::Now(format!("the host {name} cannot be found"));
                let found = timeout(CONNECT_TIME_MAX, self.resolver.resolve(name)).await;
                let found = found.map_err(|_| unknown())?.map_err(|_| unknown())?;
                if found.is_empty() {
                    return Err(unknown());
                }
                (found, self.allows_host(name))
            }
            None => return Err(Unfetched::Ever("a URL without a host".into())),
        };
        if !by_name && !addresses.iter().all(|address| self.allows(*address, port)) {
            return Err(Unfetched::Ever(format!("the source {}", refused(url))));
        }
        let first = addresses.into_iter().take(ADDRESSES_MAX);
        Ok(first.map(|address| SocketAddr::new(address, port)).collect())
    }

    /// Asks for what a URL names, and follows where it leads.
    pub(super) async fn get(&self, url: &str) -> Result<Fetched, Unfetched> {
        let mut url = self.read(url).map_err(|why| Unfetched::Ever(format!("the source {why}")))?;
        for _ in 0..=REDIRECTS_MAX {
            let response = self.ask(&url).await?;
            let status = response.status();
            if status.is_redirection() {
                url = self.follow(&url, &response)?;
                continue;
            }
            if status == StatusCode::OK {
                let encoding = response.headers().get(CONTENT_ENCODING);
                return match encoding {
                    Some(encoding) if encoding != "identity" => {
                        Err(Unfetched::Ever("the source encodes what it sends".into()))
                    }
                    _ => Ok(Fetched(response)),
                };
            }
            let why = format!("the source answers {}", status.as_u16());
            let later = status.is_server_error()
                || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
            return Err(if later { Unfetched::Now(why) } else { Unfetched::Ever(why) });
        }
        Err(Unfetched::Ever(format!("the source redirects more than {REDIRECTS_MAX} times")))
    }

    async fn ask(&self, url: &Url) -> Result<Response, Unfetched> {
        let addresses = self.addresses(url).await?;
        let mut client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIME_MAX)
            .read_timeout(self.pause)
            .user_agent(concat!("wargate/", env!("CARGO_PKG_VERSION")));
        if let Some(Host::Domain(name)) = url.host() {
            client = client.resolve_to_addrs(name, &addresses);
        }
        let client =
            client.build().map_err(|_| Unfetched::Now("there is no TLS to ask with".into()))?;
        let request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        // Its words may repeat the URL, which may have a secret in its query.
        let unreachable = |_| Unfetched::Now("the source cannot be reached".into());
        let sent = timeout(self.pause, request.send()).await;
        let response = sent.map_err(|_| Unfetched::Now("the source does not answer".into()))?;
        let response = response.map_err(unreachable)?;
        // Nothing above lets this be otherwise. If it ever were, nothing of it is used.
        let peer = response.remote_addr().map(|peer| peer.ip());
        if !addresses.iter().any(|address| Some(address.ip()) == peer) {
            return Err(Unfetched::Ever("the source was reached at another address".into()));
        }
        Ok(response)
    }

    pub(super) fn follow(&self, from: &Url, response: &Response) -> Result<Url, Unfetched> {
        let nowhere = || Unfetched::Ever("the source redirects to nowhere".into());
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let to = from.join(location.ok_or_else(nowhere)?).map_err(|_| nowhere())?;
        if to.as_str().len() > URL_BYTES_MAX {
            return Err(nowhere());
        }
        if from.scheme() == "https" && to.scheme() != "https" {
            return Err(Unfetched::Ever("the source redirects from https to http".into()));
        }
        self.check(&to)
            .map_err(|why| Unfetched::Ever(format!("the source redirects and {why}")))?;
        Ok(to)
    }
}

fn refused(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("is on {host}, at an address or port that is not the internet's for everybody")
}
