//! Traces, received and decoded as a collector does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::exchange::{PATIENCE, ask, get};
use crate::program::{Folder, Server, wargate};
use crate::publishing::Publication;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// What a collector received: the request's head, and what the body says.
struct Received {
    head: String,
    batch: ExportTraceServiceRequest,
}

/// Receives on a port of its own, and answers with a status.
fn collector(status: &'static str) -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some(received) = receive(&mut stream) {
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    let answered = stream.get_mut().write_all(answer.as_bytes());
                    if sender.send(received).is_err() || answered.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (format!("http://{address}"), receiver)
}

fn receive(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    let batch = ExportTraceServiceRequest::decode(&*body).unwrap();
    Some(Received { head, batch })
}

fn command(folder: &Folder, endpoint: &str) -> Command {
    let mut command = wargate(folder);
    command.args(["--listen", "127.0.0.1:0", "--content", "any", "--otlp-endpoint", endpoint]);
    command
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

fn spans(received: &[Received]) -> Vec<Span> {
    let batches = received.iter().flat_map(|received| &received.batch.resource_spans);
    batches.flat_map(|batch| &batch.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    let value = format!("{:?}", found.value.as_ref()?.value.as_ref()?);
    let value = value.split_once('(')?.1.trim_end_matches(')');
    Some(value.trim_matches('"').to_owned())
}

#[test]
fn a_publication_can_be_followed_through_the_registry() {
    let folder = Folder::new("traces");
    let (endpoint, batches) = collector("200 OK");
    let server = Server::start(&mut command(&folder, &endpoint));
    let address = server.said("listening on").to_owned();
    let publication = Publication::new("my:pkg", b"some content");
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    assert_eq!(publication.submit(&address, &parent).status, 202);
    assert_eq!(publication.upload(&address, "").status, 201);
    assert_eq!(publication.state(&address)["state"], "published");
    // Its sender does not keep this one.
    let dropped = "1af7651916cd43dd8448eb211c80319c";
    ask(&address, "GET", "/healthz", &format!("traceparent: 00-{dropped}-{PARENT}-00\r\n"), "");
    ask(&address, "GET", "/healthz", "traceparent: nonsense\r\ntracestate: a=b\r\n", "");
    // What is left is sent at the end.
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    let received: Vec<_> = batches.try_iter().collect();
    assert!(received[0].head.starts_with("POST /v1/traces HTTP/1.1"), "{}", received[0].head);
    assert!(received[0].head.to_lowercase().contains("content-type: application/x-protobuf"));
    let resource = received[0].batch.resource_spans[0].resource.as_ref().unwrap();
    assert!(format!("{resource:?}").contains("wargate"));
    let spans = spans(&received);
    let of = |name: &str, route: Option<&str>| {
        let such =
            |span: &&Span| span.name == name && attribute(span, "http.route").as_deref() == route;
        spans.iter().find(such).unwrap_or_else(|| panic!("no {name} {route:?}: {spans:#?}"))
    };
    let request = of("request", Some("/v1/package/{logId}/record"));
    assert_eq!(
        (hex(&request.trace_id), hex(&request.parent_span_id)),
        (TRACE.into(), PARENT.into())
    );
    assert_eq!(attribute(request, "http.request.method").unwrap(), "POST");
    assert_eq!(attribute(request, "http.response.status_code").unwrap(), "202");
    assert_eq!(request.kind, 2, "a server's span");
    let admission = of("admission", None);
    assert_eq!(admission.parent_span_id, request.span_id);
    assert_eq!(hex(&admission.trace_id), TRACE);
    let content = of("content", None);
    let upload = "/v1/package/{logId}/record/{recordId}/content/{digest}";
    assert_eq!(content.parent_span_id, of("request", Some(upload)).span_id);
    assert_eq!(attribute(of("commit", None), "records").unwrap(), "1");
    assert!(!spans.iter().any(|span| hex(&span.trace_id) == dropped));
    let health =
        spans.iter().filter(|span| attribute(span, "http.route").as_deref() == Some("/healthz"));
    assert_eq!(health.count(), 1);
}

#[test]
fn nobody_has_more_kept_than_the_ratio_says() {
    let folder = Folder::new("traces-none");
    let (endpoint, batches) = collector("200 OK");
    let mut command = command(&folder, &endpoint);
    let server = Server::start(command.args(["--otlp-sample-ratio", "0"]));
    let address = server.said("listening on").to_owned();
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    for _ in 0..20 {
        ask(&address, "GET", "/healthz", &parent, "");
    }
    assert_eq!(server.stop().0, Some(0));
    assert!(spans(&batches.try_iter().collect::<Vec<_>>()).is_empty());
}

#[test]
fn a_collector_that_fails_or_hangs_keeps_nobody_waiting() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://user:hush-secret@{}", hangs.local_addr().unwrap());
    let (broken, received) = collector("500 Oops");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [silent, broken, format!("http://{closed}")] {
        let folder = Folder::new("traces-broken");
        let server = Server::start(&mut command(&folder, &endpoint));
        let address = server.said("listening on").to_owned();
        // More than the queue holds.
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
        for _ in 0..50 {
            stream.write_all(request.repeat(100).as_bytes()).unwrap();
            let mut answers = Vec::new();
            let mut buffer = [0; 8192];
            while answers.windows(12).filter(|part| part == b"HTTP/1.1 200").count() < 100 {
                let count = stream.read(&mut buffer).unwrap();
                assert!(count > 0);
                answers.extend_from_slice(&buffer[..count]);
            }
        }
        assert_eq!(get(&address, "/healthz").status, 200);
        let (code, log) = server.stop();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("hush-secret"), "{log}");
        // Each failure is told of once.
        assert!(log.matches("spans are dropped meanwhile").count() <= 1, "{log}");
    }
    assert!(received.try_iter().count() > 0);
}
