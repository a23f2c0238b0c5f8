//! The network: port, TLS, public URL, open files.

use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;
use serde_json::Value;
use wargate_http::PublicUrl;

use super::Findings;
use super::subject::Subject;
use crate::config::Config;
use crate::listener;

/// How long somebody may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A certificate that ends within this many days should be renewed by now.
const DAYS_MIN: i64 = 14;

const DAY_SECONDS: i64 = 86_400;

pub(super) fn check(subject: &Subject, findings: &mut Findings) -> Result<()> {
    files(subject.config.as_ref(), findings);
    let Some(config) = &subject.config else { return Ok(()) };
    certificate(config, findings);
    port(config, subject.state.is_running(), findings);
    if let Some(url) = &config.public_url
        && resolves(url, findings)
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(answers(url, subject, findings));
    }
    Ok(())
}

#[cfg(unix)]
fn files(config: Option<&Config>, findings: &mut Findings) {
    use rustix::process::{Resource, getrlimit};
    let Some(config) = config else { return };
    let needed = listener::files_needed(config.connections_max);
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let found = format!("{most}; {} connections need {needed}", config.connections_max);
    if most < needed {
        findings.warn(
            "open files",
            found,
            "raise the limit (LimitNOFILE= of the service), or lower --connections-max",
        );
    } else {
        findings.ok("open files", found);
    }
}

#[cfg(not(unix))]
fn files(_: Option<&Config>, _: &mut Findings) {}

fn certificate(config: &Config, findings: &mut Findings) {
    let Some(files) = &config.operations.tls else { return };
    let loaded = match files.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            findings.error("certificate", &error);
            return;
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let [begin, end] = loaded.validity();
    let days = (end - now) / DAY_SECONDS;
    let renew = "renew it and put both files in place: they are taken without a restart";
    if now < begin {
        findings.fail("certificate", "it is not valid yet", "look at the clock, or wait");
    } else if now >= end {
        findings.fail("certificate", format!("it ended {} days ago", -days), renew);
    } else if days < DAYS_MIN {
        findings.warn("certificate", format!("it ends in {days} days"), renew);
    } else {
        findings.ok("certificate", format!("it fits its key, and ends in {days} days"));
    }
    let Some(url) = &config.public_url else { return };
    let name = host(url);
    let own = loaded.chain().first().and_then(|own| ParsedCertificate::try_from(own).ok());
    let server = ServerName::try_from(name.to_owned()).ok();
    if let (Some(own), Some(server)) = (own, server)
        && verify_server_name(&own, &server).is_err()
    {
        findings.fail(
            "certificate",
            format!("it is not for {name}, which the public URL names"),
            "get one for that name, or name another --public-url",
        );
    }
}

/// The host, without brackets and port.
fn host(url: &PublicUrl) -> &str {
    let authority = url.authority();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether the port is free, or held by who should hold it.
fn port(config: &Config, is_running: bool, findings: &mut Findings) {
    let listen = config.listen;
    if is_running {
        let mut at = listen;
        if at.ip().is_unspecified() {
            at.set_ip(match at {
                std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        match TcpStream::connect_timeout(&at, PATIENCE) {
            Ok(_) => findings.ok("port", format!("somebody listens on {listen}")),
            Err(error) => findings.warn(
                "port",
                format!("the server runs, and not on {listen} ({error})"),
                "start it anew with these options, or give doctor those that it was started with",
            ),
        }
        return;
    }
    match TcpListener::bind(listen) {
        Ok(_) => findings.ok("port", format!("{listen} is free")),
        Err(error) => findings.fail(
            "port",
            format!("{listen} cannot be listened on: {error}"),
            "stop what holds it, or take another one with --listen",
        ),
    }
}

fn resolves(url: &PublicUrl, findings: &mut Findings) -> bool {
    let name = host(url);
    let found = (name, 0).to_socket_addrs().is_ok_and(|mut found| found.next().is_some());
    if !found {
        findings.fail(
            "public URL",
            format!("the name {name} has no address, as seen from here"),
            "set its address in the DNS, or correct --public-url",
        );
    }
    found
}

/// Whether the public URL leads to this registry. What is not reachable from here may be from elsewhere.
async fn answers(url: &PublicUrl, subject: &Subject, findings: &mut Findings) {
    let Some(known) = subject.state.known().filter(|_| subject.state.is_running()) else {
        findings.ok("public URL", "it has an address; not asked, as no server runs");
        return;
    };
    let shown = match fetch(&url.join("v1/fetch/checkpoint")).await {
        Ok(shown) => shown,
        Err(error) => {
            findings.warn(
                "public URL",
                format!("{} does not answer, as seen from here: {error}", url.as_str()),
                "look at the proxy, the firewall and the certificate; from outside it may be well",
            );
            return;
        }
    };
    let length = shown["contents"]["logLength"].as_u64().unwrap_or_default();
    let signer = shown["keyId"].as_str().unwrap_or_default();
    if known.keys.iter().any(|key| key == signer) && length >= known.log_length {
        findings.ok("public URL", format!("{} leads to this registry", url.as_str()));
    } else {
        findings.fail(
            "public URL",
            format!("{} leads to something else than this registry", url.as_str()),
            "correct the DNS, the proxy or --public-url",
        );
    }
}

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

async fn fetch(url: &str) -> Result<Value> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let response = client.get(url).send().await?.error_for_status()?;
    anyhow::ensure!(
        response.content_length().is_some_and(|bytes| bytes <= ANSWER_BYTES_MAX),
        "its answer is none of a registry"
    );
    Ok(serde_json::from_slice(&response.bytes().await?)?)
}
