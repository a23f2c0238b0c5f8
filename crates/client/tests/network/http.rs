//! HTTP over a bad line.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wargate_client::native::{Http, HttpOptions};
use wargate_client::seams::{RequestBody, Transport, TransportError, TransportFault};
use wargate_testkit::proxy::{Fault, Proxy};

const BODY: usize = 100_000;

/// A server that answers each request of a connection with so many bytes, until it is told to close.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 16 << 10];
                while let Ok(read @ 1..) = stream.read(&mut request).await {
                    let head = format!("HTTP/1.1 200 Yes\r\ncontent-length: {BODY}\r\n\r\n");
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(&vec![b'x'; BODY]).await;
                    if String::from_utf8_lossy(&request[..read]).contains("connection: close") {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn http() -> Http {
    let mut options = HttpOptions::default();
    options.answer_timeout = Duration::from_millis(300);
    options.idle_timeout = Duration::from_millis(300);
    Http::new(options)
}

/// Reads an answer to its end.
async fn get(http: &Http, url: &str) -> Result<usize, TransportError> {
    let request = ::http::Request::get(url).body(RequestBody::Empty).unwrap();
    let mut body = http.send(request).await?.into_body();
    let mut bytes = 0;
    while let Some(chunk) = body.chunk().await? {
        bytes += chunk.len();
    }
    Ok(bytes)
}

#[tokio::test]
async fn faults_have_their_kinds() {
    let cases = [
        (Fault::CutAnswer(10), TransportFault::Broken),
        (Fault::ResetAnswer(10), TransportFault::Broken),
        (Fault::LoseAnswer, TransportFault::Broken),
        (Fault::CutRequest(0), TransportFault::Broken),
        (Fault::WrongLength(1), TransportFault::Broken),
        (Fault::StallAnswer(10), TransportFault::Timeout),
        (Fault::Silence, TransportFault::Timeout),
    ];
    let server = server().await;
    for (fault, expected) in cases {
        let proxy = Proxy::list(server, "/", [fault.clone()]).await.unwrap();
        let url = format!("http://user:secret@{}/x", proxy.address());
        let http = http();
        let error = get(&http, &url).await.unwrap_err();
        assert_eq!(error.fault, expected, "{fault:?}: {error}");
        assert!(!error.message.contains("secret"), "{error}");
        assert_eq!(proxy.seen().len(), 1, "a request is sent once");
        assert_eq!(get(&http, &url).await.unwrap(), BODY, "the next one comes through");
    }
}

#[tokio::test]
async fn who_is_not_there_cannot_be_connected_to() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = get(&http(), &format!("http://secret@{address}/")).await.unwrap_err();
    assert_eq!(error.fault, TransportFault::Connect);
    assert!(error.message.contains("refused"), "{error}");
    assert!(!error.message.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_no_https_server() {
    let error = get(&http(), &format!("https://{}/", server().await)).await.unwrap_err();
    assert_eq!(error.fault, TransportFault::Tls, "{error}");
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    for (content, expected) in [(None, "No such file"), (Some("nothing"), "it has none")] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let mut options = HttpOptions::default();
        options.certificates.push(path.clone());
        let error = get(&Http::new(options), "http://localhost/").await.unwrap_err();
        assert!(error.message.contains("ca.pem"), "{error}");
        assert!(error.message.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn redirects_and_codings_are_handed_on_as_they_are() {
    let elsewhere = Fault::Answer(302, vec![("location".into(), "/y".into())], b"z".to_vec());
    let proxy = Proxy::list(server().await, "/", [elsewhere, Fault::Compressed]).await.unwrap();
    let http = http();
    for expected in [302, 200] {
        let url = format!("http://{}/x", proxy.address());
        let request = ::http::Request::get(url).body(RequestBody::Empty).unwrap();
        let answer = http.send(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), expected);
        assert_eq!(answer.headers().contains_key("content-encoding"), expected == 200);
    }
    assert_eq!(proxy.seen().len(), 2);
    assert!(proxy.seen().iter().all(|seen| seen.header("accept-encoding").is_none()));
}

#[tokio::test]
async fn connections_are_used_again_and_latency_is_what_was_asked_for() {
    let each_way = Duration::from_millis(20);
    let proxy = Proxy::distant(server().await, each_way).await.unwrap();
    let (http, url) = (http(), format!("http://{}/x", proxy.address()));
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(get(&http, &url).await.unwrap(), BODY);
    }
    // One round trip to connect, and one for each request. How much longer it took is the machine's.
    assert!(begun.elapsed() >= each_way * 8, "{:?}", begun.elapsed());
    assert_eq!(proxy.connections(), 1);
}
