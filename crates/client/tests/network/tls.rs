//! TLS: who is believed, who is not, and what is said about it.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{self, ServerConfig};
use tower::service_fn;
use wargate_client::native::{Http, HttpOptions};
use wargate_client::seams::{RequestBody, Transport, TransportError, TransportFault};

/// An authority that only those know who are given its file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server with a certificate for these names, and how many connections it has had.
    async fn server(&self, names: &[&str], expired: bool) -> Server {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        // Other programs of the workspace bring other providers along.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Server::start(config).await
    }
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::default());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let counted: Arc<AtomicUsize> = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    counted.fetch_add(1, Ordering::Relaxed);
                    let service = TowerToHyperService::new(service_fn(answer));
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, connections }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.address.port())
    }
}

/// Says which version of HTTP it was asked with.
async fn answer<B>(
    request: http::Request<B>,
) -> Result<http::Response<Full<&'static [u8]>>, Infallible> {
    let version: &[u8] = if request.version() == http::Version::HTTP_2 { b"two" } else { b"one" };
    Ok(http::Response::new(Full::new(version)))
}

fn trusting(files: impl IntoIterator<Item = PathBuf>) -> Http {
    let mut options = HttpOptions::default();
    options.certificates.extend(files);
    Http::new(options)
}

async fn get(http: &Http, url: &str) -> Result<(http::Version, Vec<u8>), TransportError> {
    let request = http::Request::get(url).body(RequestBody::Empty).unwrap();
    let answer = http.send(request).await?;
    let (version, mut body) = (answer.version(), answer.into_body());
    let mut bytes = Vec::new();
    while let Some(chunk) = body.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok((version, bytes))
}

/// What is said of a server that is not believed. It is told nothing.
async fn refusal(http: &Http, server: &Server, host: &str) -> String {
    let error = get(http, &server.url(host)).await.unwrap_err();
    assert_eq!(error.fault, TransportFault::Tls, "{error}");
    assert_eq!(server.connections.load(Ordering::Relaxed), 0);
    error.to_string()
}

#[tokio::test]
async fn an_authority_in_a_file_is_believed_and_http_2_is_spoken() {
    let authority = Authority::new("ours");
    let server = authority.server(&["localhost", "127.0.0.1"], false).await;
    let http = trusting([authority.file()]);
    // By name and by address, and at once over one connection for each.
    for host in ["localhost", "127.0.0.1"] {
        let first = get(&http, &server.url(host)).await.unwrap();
        assert_eq!(first, (http::Version::HTTP_2, b"two".to_vec()));
        let url = server.url(host);
        let more = futures_util::future::join_all((0..16).map(|_| get(&http, &url))).await;
        assert!(more.iter().all(|answer| answer.as_ref().unwrap().1 == b"two"));
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not_believed() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let server = authority.server(&["localhost"], false).await;
    for http in [trusting([]), trusting([other.file()])] {
        let said = refusal(&http, &server, "localhost").await;
        assert!(said.contains("issued by nobody whom this machine trusts"), "{said}");
    }
    // Several files count together.
    let both = trusting([other.file(), authority.file()]);
    assert!(get(&both, &server.url("localhost")).await.is_ok());
}

#[tokio::test]
async fn a_certificate_of_another_host_or_time_is_refused() {
    let authority = Authority::new("ours");
    let http = trusting([authority.file()]);
    let server = authority.server(&["other.example"], false).await;
    let said = refusal(&http, &server, "localhost").await;
    assert!(said.contains("its certificate is for another host"), "{said}");
    let server = authority.server(&["localhost"], true).await;
    let said = refusal(&http, &server, "localhost").await;
    assert!(said.contains("its certificate has expired"), "{said}");
}

#[tokio::test]
async fn every_name_of_this_machine_leads_here_without_asking_the_network() {
    let authority = Authority::new("ours");
    let server = authority.server(&["registry.localhost", "localhost"], false).await;
    let http = trusting([authority.file()]);
    assert!(get(&http, &server.url("registry.localhost")).await.is_ok());
    // It is another name than that of the certificate, and leads to the same place.
    let error = get(&http, &server.url("a.b.localhost")).await.unwrap_err();
    assert!(error.to_string().contains("another host"), "{error}");
}

#[tokio::test]
async fn a_file_that_has_no_certificates_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    for (text, says) in [
        (None, "cannot be used: No such file"),
        (Some("no certificate"), "it has none"),
        (Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "cannot be"),
    ] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let error = get(&trusting([path.clone()]), "https://localhost:1/").await.unwrap_err();
        assert_eq!(error.fault, TransportFault::Tls);
        assert!(error.to_string().contains(says), "{error}");
    }
}
