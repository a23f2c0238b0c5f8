//! How often an address may ask: who it is that asks, and what of it counts for what.
//!
//! Each kind of request has a bucket for each address (see [`wargate_registry::throttle`]). Whoever
//! serves the router tells it the other end of the connection, as [`Peer`] in the request's extensions;
//! without that, nothing is limited.

mod client;

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use wargate_registry::throttle::{Buckets, Rate};

pub use self::client::{Network, NetworkError};
use crate::answer;
use crate::problem::Problem;
use crate::routes::{Access, Route, Verb};

/// The other end of the connection over which a request came: an extension of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// How often an address may ask. `None` is without limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Requests that read what is there.
    pub reads: Option<Rate>,
    /// Requests that make the registry compute: records, proofs, verification.
    pub proofs: Option<Rate>,
    /// Records that are sent.
    pub publishes: Option<Rate>,
    /// Uploads of content that are begun.
    pub uploads: Option<Rate>,
    /// Bytes of content that are sent out.
    pub download_bytes: Option<Rate>,
    /// Records that were taken and wait for content. One that came to its end does not count any
    /// more.
    pub sourcing: Option<Rate>,
    /// Whose word for the address of their own client is believed.
    pub trusted_proxies: Vec<Network>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Reads,
    Proofs,
    Publishes,
    Uploads,
    DownloadBytes,
    Sourcing,
}

/// Who asks, as far as it is counted: an address, or for IPv6 the network of one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

/// How many networks of single subscribers (/64) a site (/48) may be as busy as. Sites are given to
/// anybody who asks, and have 65,536 of them.
const NETWORKS_PER_SITE: u64 = 16;

/// Asked by machines all the time, and of no use to anybody else.
const UNCOUNTED: &[&str] = &["/healthz", "/readyz"];

/// The limits of a front, and what was used of them.
#[derive(Debug)]
pub(crate) struct Throttle {
    limits: Throttling,
    buckets: Option<Buckets>,
    begun: Instant,
}

impl Throttle {
    pub(crate) fn new(limits: Throttling) -> Self {
        let Throttling { reads, proofs, publishes, uploads, download_bytes, sourcing, .. } =
            &limits;
        let all = [reads, proofs, publishes, uploads, download_bytes, sourcing];
        let buckets = all.iter().any(|rate| rate.is_some()).then(Buckets::default);
        Self { limits, buckets, begun: Instant::now() }
    }

    /// Who asks; `None` if nothing is limited.
    pub(crate) fn client(&self, parts: &Parts) -> Option<Client> {
        self.buckets.as_ref()?;
        let peer = parts.extensions.get::<Peer>()?.0;
        Some(Client::of(client::address(peer, &parts.headers, &self.limits.trusted_proxies)))
    }

    /// Counts a request, or refuses it.
    pub(crate) fn admit(
        &self,
        client: Option<Client>,
        path: &str,
        route: Option<&Route>,
    ) -> Result<(), Problem> {
        if UNCOUNTED.contains(&path) {
            return Ok(());
        }
        self.take(client, Class::of(route), 1)
    }

    /// Counts so many of something, or refuses them.
    pub(crate) fn take(
        &self,
        client: Option<Client>,
        class: Class,
        count: u64,
    ) -> Result<(), Problem> {
        let (Some(client), Some(buckets)) = (client, &self.buckets) else { return Ok(()) };
        let Some(rate) = self.rate(class) else { return Ok(()) };
        let now = self.begun.elapsed();
        let wait = match client.site() {
            Some(site) => {
                let all = rate.times(NETWORKS_PER_SITE);
                buckets.take((class, site), all, count, now).and_then(|()| {
                    let one = buckets.take((class, client), rate, count, now);
                    one.inspect_err(|_| buckets.give_back((class, site), all, count, now))
                })
            }
            None => buckets.take((class, client), rate, count, now),
        };
        wait.map_err(|wait| refused(class, wait))
    }

    /// What was counted did not come to pass, or has ended.
    pub(crate) fn give_back(&self, client: Option<Client>, class: Class, count: u64) {
        let (Some(client), Some(buckets)) = (client, &self.buckets) else { return };
        let Some(rate) = self.rate(class) else { return };
        let now = self.begun.elapsed();
        buckets.give_back((class, client), rate, count, now);
        if let Some(site) = client.site() {
            buckets.give_back((class, site), rate.times(NETWORKS_PER_SITE), count, now);
        }
    }

    const fn rate(&self, class: Class) -> Option<Rate> {
        let limits = &self.limits;
        match class {
            Class::Reads => limits.reads,
            Class::Proofs => limits.proofs,
            Class::Publishes => limits.publishes,
            Class::Uploads => limits.uploads,
            Class::DownloadBytes => limits.download_bytes,
            Class::Sourcing => limits.sourcing,
        }
    }
}

impl Class {
    /// What a request counts as, whatever comes of it. Unknown paths are read in vain.
    fn of(route: Option<&Route>) -> Self {
        match route.map(|route| (route.access, route.method, route.path)) {
            Some((Access::Write, _, path)) if path.ends_with("/record") => Self::Publishes,
            Some((Access::Write, ..)) => Self::Uploads,
            Some((Access::Read, Verb::Post, _)) => Self::Proofs,
            Some((Access::Read, ..)) | None => Self::Reads,
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Reads => "too many requests",
            Self::Proofs => "too many requests for records and proofs",
            Self::Publishes => "too many records",
            Self::Uploads => "too many uploads",
            Self::DownloadBytes => "too many downloads",
            Self::Sourcing => "too many records that wait for content",
        }
    }
}

impl Client {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(network(address, 64)),
        })
    }

    /// The site that an IPv6 network is part of.
    fn site(self) -> Option<Self> {
        match self.0 {
            IpAddr::V4(_) => None,
            // Marked, or it would be the same as the first network of the site.
            IpAddr::V6(address) => {
                Some(Self(IpAddr::V6((network(address, 48).to_bits() | 1).into())))
            }
        }
    }
}

/// The first bits of an address.
fn network(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    (address.to_bits() & (u128::MAX << (128 - bits))).into()
}

/// 429, in the API's form for errors, which released clients show as it is.
pub(crate) fn too_many(message: impl Into<String>, seconds: u64) -> Problem {
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, message);
    problem.with(RETRY_AFTER, answer::number(seconds.max(1)))
}

fn refused(class: Class, wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let (what, seconds) = (class.what(), seconds.max(1));
    tracing::debug!(?class, seconds, "an address asks too often");
    let plural = if seconds == 1 { "" } else { "s" };
    too_many(
        format!("{what} came from your address: wait {seconds} second{plural}, then try again"),
        seconds,
    )
}
