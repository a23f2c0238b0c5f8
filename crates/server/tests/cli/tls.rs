//! TLS with real clients and certificates made for the test.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rcgen::{CertificateParams, Issuer, KeyPair};
use reqwest::Version;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::exchange::{PATIENCE, raw};
use crate::program::{Folder, Server, run, wargate};

/// An authority, and what it gives a server.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), der }
    }

    /// Puts a new pair for `localhost` in place; returns the certificate.
    fn give(&self, files: &Files) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(&files.certificate, certificate.pem()).unwrap();
        private(&files.key, &key.serialize_pem());
        certificate.der().clone()
    }

    fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        config.with_root_certificates(roots).with_no_client_auth()
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new(folder: &Folder) -> Self {
        Self { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") }
    }
}

fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn command(folder: &Folder, files: &Files) -> Command {
    let mut command = wargate(folder);
    command.args(["--listen", "127.0.0.1:0", "--tls-certificate"]).arg(&files.certificate);
    command.arg("--tls-key").arg(&files.key);
    command
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection whose handshake is done.
fn connect(authority: &Authority, address: &str) -> Stream {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(authority.client()), name).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.complete_io(&mut stream).unwrap();
    StreamOwned::new(connection, stream)
}

/// The certificate that a server shows.
fn shown(authority: &Authority, address: &str) -> CertificateDer<'static> {
    connect(authority, address).conn.peer_certificates().unwrap()[0].clone().into_owned()
}

/// One request on a connection that stays open; the answer's status line.
fn ask(stream: &mut Stream) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with('}') {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{text}");
        text.push(char::from(byte[0]));
    }
    text
}

#[test]
fn both_versions_of_http_are_spoken_and_everything_knows_of_it() {
    let folder = Folder::new("tls");
    let (authority, files) = (Authority::new(), Files::new(&folder));
    authority.give(&files);
    let server = Server::start(&mut command(&folder, &files));
    let address = server.said("listening on").to_owned();
    assert_eq!(server.said("registry"), format!("https://{address}/"));
    let port = address.rsplit_once(':').unwrap().1;
    let url = format!("https://localhost:{port}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let certificate = reqwest::Certificate::from_der(&authority.der).unwrap();
        let client = || reqwest::Client::builder().tls_certs_only([certificate.clone()]).no_proxy();
        let both = client().build().unwrap().get(format!("{url}/healthz")).send().await.unwrap();
        assert_eq!((both.version(), both.status().as_u16()), (Version::HTTP_2, 200));
        assert_eq!(both.headers()["strict-transport-security"], "max-age=31536000");
        assert!(both.headers().contains_key("x-request-id"));
        let old = client().http1_only().build().unwrap();
        let old = old.get(format!("{url}/metrics")).send().await.unwrap();
        assert_eq!((old.version(), old.status().as_u16()), (Version::HTTP_11, 200));
        let text = old.text().await.unwrap();
        let end = "wargate_tls_certificate_end_timestamp_seconds ";
        let end = text.lines().find_map(|line| line.strip_prefix(end)).unwrap();
        assert!(end.parse::<u64>().unwrap() > 1_700_000_000, "{end}");
        let known = client().build().unwrap();
        let known = known.get(format!("{url}/.well-known/wasm-pkg/registry.json")).send().await;
        let known = known.unwrap().text().await.unwrap();
        assert!(known.contains(&format!("https://{address}/")), "{known}");
        // Who does not trust the authority gets nothing.
        let stranger = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        assert!(stranger.get(&url).send().await.is_err());
    });
    // And with it the connections of the clients.
    drop(runtime);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn plain_http_at_the_port_of_tls_is_told_so() {
    let folder = Folder::new("tls-plain");
    let (authority, files) = (Authority::new(), Files::new(&folder));
    authority.give(&files);
    let server = Server::start(&mut command(&folder, &files));
    let address = server.said("listening on").to_owned();
    let answer = raw(&address, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("https://") && answer.body.contains("\"status\":400"));
    let large = format!("POST / HTTP/1.1\r\ncontent-length: 40000\r\n\r\n{}", "x".repeat(40000));
    assert_eq!(raw(&address, large.as_bytes()).unwrap().status, 400);
    // A client that talks of TLS and means something else.
    let mut broken = TcpStream::connect(&address).unwrap();
    broken.set_read_timeout(Some(PATIENCE)).unwrap();
    broken.write_all(&[22, 3, 1, 0, 4, 1, 2, 3, 4]).unwrap();
    let mut rest = Vec::new();
    let _ = broken.read_to_end(&mut rest);
    assert!(ask(&mut connect(&authority, &address)).starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn handshakes_that_come_to_nothing_hold_no_place_for_ever() {
    let folder = Folder::new("tls-slow");
    let (authority, files) = (Authority::new(), Files::new(&folder));
    authority.give(&files);
    let server = Server::start(command(&folder, &files).args(["--connections-max", "2"]));
    let address = server.said("listening on").to_owned();
    // Two that hold all the places: one says nothing, one begins and does not go on.
    let silent = TcpStream::connect(&address).unwrap();
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(&[22, 3, 1, 2, 0]).unwrap();
    // The third is served as soon as their time is over.
    assert!(ask(&mut connect(&authority, &address)).starts_with("HTTP/1.1 200"));
    for mut stream in [silent, slow] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // It was closed; how, depends on what was unread.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }
    assert_eq!(server.stop().0, Some(0));
}

/// Asks until the server shows another certificate than before.
fn other(authority: &Authority, address: &str, before: &CertificateDer<'_>) {
    while shown(authority, address) == *before {
        std::thread::yield_now();
    }
}

#[test]
fn a_new_certificate_is_taken_without_dropping_anybody_and_a_broken_one_is_not() {
    let folder = Folder::new("tls-reload");
    let (authority, files) = (Authority::new(), Files::new(&folder));
    let first = authority.give(&files);
    let server = Server::start(&mut command(&folder, &files));
    let address = server.said("listening on").to_owned();
    assert_eq!(shown(&authority, &address), first);
    let mut kept = connect(&authority, &address);
    ask(&mut kept);
    let second = authority.give(&files);
    server.signal("-HUP");
    other(&authority, &address, &first);
    assert_eq!(shown(&authority, &address), second);
    assert!(ask(&mut kept).starts_with("HTTP/1.1 200"));
    // Without a signal, too: the files are looked at.
    let third = authority.give(&files);
    other(&authority, &address, &second);
    assert_eq!(shown(&authority, &address), third);
    private(&files.key, "no key at all");
    server.signal("-HUP");
    let failed = "wargate_tls_reloads_total{reason=\"failed\"} 1";
    let metrics = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    loop {
        let mut stream = connect(&authority, &address);
        stream.write_all(metrics).unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        if text.contains(failed) {
            break;
        }
    }
    assert_eq!(shown(&authority, &address), third);
    assert!(ask(&mut kept).starts_with("HTTP/1.1 200"));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert_eq!(log.matches("a new certificate is in use").count(), 2, "{log}");
    assert!(log.contains("the one before stays in use"), "{log}");
    assert!(!log.contains("no key at all"), "{log}");
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    let folder = Folder::new("tls-refused");
    let (authority, files) = (Authority::new(), Files::new(&folder));
    let refused = |word: &str| {
        let output = run(&mut command(&folder, &files));
        assert_eq!(output.code, Some(1));
        assert!(output.err.contains(word), "{word}: {}", output.err);
        assert!(!output.err.contains("PRIVATE KEY"), "{}", output.err);
    };
    refused("cannot read");
    authority.give(&files);
    fs::write(&files.certificate, "nothing").unwrap();
    refused("0 certificates");
    authority.give(&files);
    let key = fs::read_to_string(&files.key).unwrap();
    authority.give(&files);
    private(&files.key, &key);
    refused("do not fit");
    authority.give(&files);
    let mut open = fs::metadata(&files.key).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut open, 0o644);
    fs::set_permissions(&files.key, open).unwrap();
    refused("chmod 600");
    for half in ["--tls-certificate", "--tls-key"] {
        let output = run(wargate(&folder).args(["--listen", "127.0.0.1:0", half, "a"]));
        assert!(output.err.contains("hint: add --tls-"), "{}", output.err);
    }
}
