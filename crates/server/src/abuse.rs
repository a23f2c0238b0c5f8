//! Options against abuse: how often, how much, how slowly, and through whom.
//!
//! Limits by address and by key are on where others can reach the registry, and off where only programs
//! of this machine can. One that is given counts in any case.

mod forms;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use serde::Deserialize;
use wargate_http::throttle::{Network, Throttling};
use wargate_registry::limits::Limits;
use wargate_registry::throttle::Rate;
use wargate_registry::usage::{Quota, Quotas, Subject};

pub(crate) use self::forms::QuotaForm;
use self::forms::{RateForm, rate};

/// Flags of `serve`. In the file they are members of the tables `limits` and `quotas`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AbuseOptions {
    /// Whether addresses and keys have limits [default: where others can reach the registry]
    #[arg(long, env = "WARGATE_RATE_LIMITS", value_name = "BOOL")]
    pub(crate) rate_limits: Option<bool>,
    /// Networks of proxies whose word for the address of their client is believed
    #[arg(
        long,
        env = "WARGATE_TRUSTED_PROXIES",
        value_name = "NETWORKS",
        value_delimiter = ',',
        value_parser = network
    )]
    pub(crate) trusted_proxies: Vec<Network>,
    /// How often an address may read, as `100/s:1000` with a burst, or `off` [default: 100/s:1000]
    #[arg(long, env = "WARGATE_LIMIT_READS", value_name = "RATE")]
    pub(crate) limit_reads: Option<RateForm>,
    /// How often an address may ask for records and proofs [default: 50/s:500]
    #[arg(long, env = "WARGATE_LIMIT_PROOFS", value_name = "RATE")]
    pub(crate) limit_proofs: Option<RateForm>,
    /// How often an address may send records [default: 10/s:200]
    #[arg(long, env = "WARGATE_LIMIT_PUBLISHES", value_name = "RATE")]
    pub(crate) limit_publishes: Option<RateForm>,
    /// How often an address may begin an upload [default: 10/s:200]
    #[arg(long, env = "WARGATE_LIMIT_UPLOADS", value_name = "RATE")]
    pub(crate) limit_uploads: Option<RateForm>,
    /// How many bytes of content an address may fetch [default: 64MiB/s:4GiB]
    #[arg(long, env = "WARGATE_LIMIT_DOWNLOADS", value_name = "RATE")]
    pub(crate) limit_downloads: Option<RateForm>,
    /// How many records of an address may begin to wait for content [default: 1000/day:1000]
    #[arg(long, env = "WARGATE_LIMIT_SOURCING", value_name = "RATE")]
    pub(crate) limit_sourcing: Option<RateForm>,
    /// How often a key may publish [default: 5/s:500]
    #[arg(long, env = "WARGATE_LIMIT_KEY_PUBLISHES", value_name = "RATE")]
    pub(crate) limit_key_publishes: Option<RateForm>,
    /// Most records of one key that may wait for content [default: 1000]
    #[arg(long, env = "WARGATE_SOURCING_RECORDS_OF_KEY_MAX", value_name = "COUNT")]
    pub(crate) sourcing_records_of_key_max: Option<u64>,
    /// How long content is kept that no record names [default: 7days]
    #[arg(long, env = "WARGATE_UNNAMED_CONTENT_TIME_MAX", value_name = "TIME")]
    pub(crate) unnamed_content_time_max: Option<humantime::Duration>,
    /// How long a client may do nothing in the middle of a request [default: 30s]
    #[arg(long, env = "WARGATE_CLIENT_PATIENCE", value_name = "TIME")]
    pub(crate) client_patience: Option<humantime::Duration>,
    /// How much a namespace may use, as `packages=10,releases=100,bytes=1GiB` [default: anything]
    #[arg(long, env = "WARGATE_NAMESPACE_QUOTA", value_name = "QUOTA")]
    pub(crate) namespace_quota: Option<QuotaForm>,
    /// How much a key may use [default: anything]
    #[arg(long, env = "WARGATE_KEY_QUOTA", value_name = "QUOTA")]
    pub(crate) key_quota: Option<QuotaForm>,
}

/// The table `limits` of the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsTable {
    enabled: Option<bool>,
    trusted_proxies: Vec<String>,
    reads: Option<RateForm>,
    proofs: Option<RateForm>,
    publishes: Option<RateForm>,
    uploads: Option<RateForm>,
    downloads: Option<RateForm>,
    sourcing: Option<RateForm>,
    key_publishes: Option<RateForm>,
    sourcing_records_of_key_max: Option<u64>,
    unnamed_content_time_max: Option<String>,
    client_patience: Option<String>,
}

/// The table `quotas` of the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QuotasTable {
    /// Of every namespace that has none of its own.
    namespace: QuotaForm,
    /// Of every key that has none of its own.
    key: QuotaForm,
    namespaces: BTreeMap<String, QuotaForm>,
    keys: BTreeMap<String, QuotaForm>,
}

/// What comes of them.
#[derive(Debug)]
pub(crate) struct Abuse {
    pub(crate) throttling: Throttling,
    pub(crate) quotas: Quotas,
    /// How long a client may do nothing in the middle of a request.
    pub(crate) patience: Duration,
}

/// How long a client may take for a request's header, may send nothing of its body, may take nothing
/// of an answer, and may leave a connection idle.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most records of one key that wait for content, where others can reach the registry.
const SOURCING_RECORDS_OF_KEY_MAX: u64 = 1000;

impl Abuse {
    /// Puts the options together, those of them that are the engine's into `limits`.
    pub(crate) fn new(
        flags: &AbuseOptions,
        (table, quotas): (&LimitsTable, &QuotasTable),
        reach: Reach,
        limits: &mut Limits,
    ) -> Result<Self> {
        let on = flags.rate_limits.or(table.enabled).unwrap_or(reach.others);
        let pick = |flag: Option<RateForm>, file: Option<RateForm>, default: Rate| {
            let given = flag.or(file);
            given.map_or(on.then_some(default), |RateForm(rate)| rate)
        };
        limits.publishes_of_key =
            pick(flags.limit_key_publishes, table.key_publishes, rate(5, 1, 500));
        let of_key = flags.sourcing_records_of_key_max.or(table.sourcing_records_of_key_max);
        limits.sourcing_records_of_key_max = of_key.unwrap_or(if on {
            SOURCING_RECORDS_OF_KEY_MAX
        } else {
            limits.sourcing_records_max
        });
        let unnamed =
            time(flags.unnamed_content_time_max, table.unnamed_content_time_max.as_ref())?;
        if let Some(unnamed) = unnamed {
            limits.unnamed_seconds_max = unnamed.as_secs();
        }
        let patience = time(flags.client_patience, table.client_patience.as_ref())?;
        let throttling = Throttling {
            reads: pick(flags.limit_reads, table.reads, rate(100, 1, 1000)),
            proofs: pick(flags.limit_proofs, table.proofs, rate(50, 1, 500)),
            publishes: pick(flags.limit_publishes, table.publishes, rate(10, 1, 200)),
            uploads: pick(flags.limit_uploads, table.uploads, rate(10, 1, 200)),
            download_bytes: pick(
                flags.limit_downloads,
                table.downloads,
                rate(64 << 20, 1, 4 << 30),
            ),
            sourcing: pick(flags.limit_sourcing, table.sourcing, rate(1000, 86_400, 1000)),
            trusted_proxies: proxies(flags, table, reach)?,
        };
        let patience = patience.unwrap_or(PATIENCE).max(Duration::from_millis(1));
        Ok(Self { throttling, quotas: together(flags, quotas), patience })
    }
}

/// Who can reach the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Other machines, perhaps through a proxy on this one.
    pub(crate) others: bool,
    /// Only programs of this machine can connect.
    pub(crate) loopback: bool,
}

/// The proxies that are believed. Where only programs of this machine can connect, one of them is the
/// proxy through which others come.
fn proxies(flags: &AbuseOptions, table: &LimitsTable, reach: Reach) -> Result<Vec<Network>> {
    if !flags.trusted_proxies.is_empty() {
        return Ok(flags.trusted_proxies.clone());
    }
    if table.trusted_proxies.is_empty() && reach.loopback {
        return Ok(["127.0.0.0/8", "::1"].iter().filter_map(|text| text.parse().ok()).collect());
    }
    table.trusted_proxies.iter().map(|text| network(text)).collect()
}

fn network(text: &str) -> Result<Network> {
    text.parse().map_err(|error| anyhow!("{text:?} is no network of proxies: {error}"))
}

fn together(flags: &AbuseOptions, table: &QuotasTable) -> Quotas {
    let namespaces = table.namespaces.iter();
    let namespaces =
        namespaces.map(|(name, QuotaForm(it))| (Subject::Namespace(name.clone()), *it));
    let keys = table.keys.iter().map(|(key, QuotaForm(it))| (Subject::Key(key.clone()), *it));
    let own: HashMap<Subject, Quota> = namespaces.chain(keys).collect();
    Quotas {
        namespace: flags.namespace_quota.unwrap_or(table.namespace).0,
        key: flags.key_quota.unwrap_or(table.key).0,
        own,
    }
}

fn time(flag: Option<humantime::Duration>, text: Option<&String>) -> Result<Option<Duration>> {
    crate::config::time(flag, text.map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abuse(flags: &AbuseOptions, file: &str, others: bool) -> (Abuse, Limits) {
        let table: LimitsTable = toml::from_str(file).unwrap();
        let mut limits = Limits::default();
        let reach = Reach { others, loopback: !others };
        let quotas = QuotasTable::default();
        (Abuse::new(flags, (&table, &quotas), reach, &mut limits).unwrap(), limits)
    }

    #[test]
    fn limits_are_on_where_others_come_and_whatever_is_given_counts() {
        let (alone, limits) = abuse(&AbuseOptions::default(), "", false);
        assert_eq!((alone.throttling.reads, limits.publishes_of_key), (None, None));
        assert_eq!(limits.sourcing_records_of_key_max, limits.sourcing_records_max);
        assert_eq!(alone.throttling.trusted_proxies.len(), 2);
        let (public, limits) = abuse(&AbuseOptions::default(), "", true);
        assert_eq!(public.throttling.reads, Some(rate(100, 1, 1000)));
        assert_eq!(limits.publishes_of_key, Some(rate(5, 1, 500)));
        assert!(public.throttling.trusted_proxies.is_empty());
        let flags =
            AbuseOptions { limit_reads: Some("7/min".parse().unwrap()), ..Default::default() };
        let file = "reads = \"8/s\"\nproofs = \"off\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
        for others in [false, true] {
            let (abuse, _) = abuse(&flags, file, others);
            assert_eq!(abuse.throttling.reads, Some(rate(7, 60, 7)));
            assert_eq!(abuse.throttling.proofs, None);
            assert_eq!(abuse.throttling.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
        }
        let (off, _) = abuse(&AbuseOptions::default(), "enabled = false", true);
        assert_eq!(off.throttling.reads, None);
    }

    #[test]
    fn quotas_stand_in_a_table() {
        let table: QuotasTable = toml::from_str(
            "namespace = \"packages=10\"\n[namespaces]\nacme = { releases = 5, bytes = \"1MiB\" }\n\
             [keys]\n\"sha256:aa\" = \"packages=1\"\n",
        )
        .unwrap();
        let quotas = together(&AbuseOptions::default(), &table);
        assert_eq!(quotas.namespace.packages, Some(10));
        let acme = quotas.of(&Subject::Namespace("acme".into()));
        assert_eq!((acme.packages, acme.releases, acme.bytes), (None, Some(5), Some(1 << 20)));
        assert_eq!(quotas.of(&Subject::Key("sha256:aa".into())).packages, Some(1));
    }
}
