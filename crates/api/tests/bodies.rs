//! Every body of the golden vectors, written as the reference writes it and read as it reads it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wargate_api::content::{ContentError, ContentSourcesResponse};
use wargate_api::fetch::{
    FetchError, FetchLogsRequest, FetchLogsResponse, FetchNamesRequest, FetchNamesResponse,
    FetchTranscriptRequest, FetchTranscriptResponse, SignedCheckpoint,
};
use wargate_api::ledger::{LedgerError, LedgerSourcesResponse};
use wargate_api::monitor::{MonitorError, VerifyCheckpointResponse};
use wargate_api::proof::{
    ConsistencyRequest, ConsistencyResponse, InclusionRequest, InclusionResponse, ProofError,
};
use wargate_api::publish::{PackageError, PackageRecord, PublishRecordRequest};
use wargate_api::well_known::WellKnown;
use wargate_api::{UnreadableError, headers, paths};
use wargate_crypto::Digest;
use wargate_testkit::vectors::{Walk, load};

/// Reads a body as `T` and writes it again.
fn rewrite<T: DeserializeOwned + Serialize>(text: &str) -> String {
    let body: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_string(&body).unwrap()
}

#[test]
fn bodies_are_read_and_written_byte_for_byte() {
    let file = load("api-json");
    for case in file.list("bodies") {
        let (name, text) = (case.text("name"), case.text("body_text"));
        let kind = name.split(',').next().unwrap();
        let written = match kind {
            "well-known config" => {
                // The reference writes absent members as null, which newer clients would refuse.
                let rewritten = rewrite::<WellKnown>(text);
                assert_eq!(rewritten, r#"{"wargUrl":"https://warg.example.com"}"#);
                continue;
            }
            "fetch logs request" => rewrite::<FetchLogsRequest>(text),
            "fetch logs response" => rewrite::<FetchLogsResponse>(text),
            "fetch names request" => rewrite::<FetchNamesRequest>(text),
            "fetch names response" => rewrite::<FetchNamesResponse>(text),
            "publish request" | "publish request with content sources" => {
                rewrite::<PublishRecordRequest>(text)
            }
            "package record" => rewrite::<PackageRecord>(text),
            "content sources response" => rewrite::<ContentSourcesResponse>(text),
            "consistency request" => rewrite::<ConsistencyRequest>(text),
            "consistency response" => rewrite::<ConsistencyResponse>(text),
            "inclusion request" => rewrite::<InclusionRequest>(text),
            "inclusion response" => rewrite::<InclusionResponse>(text),
            "ledger sources response" => rewrite::<LedgerSourcesResponse>(text),
            "verify checkpoint response" | "verify checkpoint response with retry" => {
                rewrite::<VerifyCheckpointResponse>(text)
            }
            _ if kind.starts_with("signed checkpoint") => rewrite::<SignedCheckpoint>(text),
            _ => panic!("a body of a new kind: {name}"),
        };
        assert_eq!(written, text, "{name}");
    }
}

/// Reads an error body and writes it again, with its status.
macro_rules! rewrite_error {
    ($error:ty, $text:expr) => {{
        let error = <$error>::from_json($text.as_bytes()).unwrap();
        (error.status(), serde_json::to_string(&error).unwrap())
    }};
}

/// The reference has no such request, so its form is fixed here.
#[test]
fn transcripts_are_read_and_written_byte_for_byte() {
    let file = load("api-json");
    let body = |kind: &str| {
        let cases = file.list("bodies").iter();
        let mut cases = cases.filter(|case| case.text("name").split(',').next() == Some(kind));
        cases.next().unwrap().text("body_text").to_owned()
    };
    let checkpoint = file.list("bodies").iter().map(|case| (case.text("name"), case));
    let mut checkpoint = checkpoint.filter(|(name, _)| name.starts_with("signed checkpoint"));
    let checkpoint = checkpoint.next().unwrap().1.text("body_text").to_owned();
    let (logs, inclusion) = (body("fetch logs response"), body("inclusion response"));
    let proofs = inclusion.strip_suffix('}').unwrap();
    let consistency = format!(r#"{{"from":3,{}"#, &body("consistency response")[1..]);
    for text in [
        format!(r#"{{"checkpoint":{checkpoint},"logs":{logs}}}"#),
        format!(r#"{{"checkpoint":{checkpoint},"logs":{logs},"proofs":{inclusion}}}"#),
        format!(
            r#"{{"checkpoint":{checkpoint},"logs":{logs},"proofs":{proofs},"consistency":[{consistency}]}}}}"#
        ),
    ] {
        assert_eq!(rewrite::<FetchTranscriptResponse>(&text), text);
    }
    let log = Digest::of(b"log").to_string();
    for text in [
        "{}".to_owned(),
        format!(r#"{{"operator":"t","packages":{{"{log}":null}},"consistentFrom":[1,7]}}"#),
    ] {
        assert_eq!(rewrite::<FetchTranscriptRequest>(&text), text);
    }
    for text in [r#"{"logLength":1}"#, r#"{"limit":1}"#, r#"{"consistentFrom":["1"]}"#] {
        serde_json::from_str::<FetchTranscriptRequest>(text).unwrap_err();
    }
    assert_eq!(paths::FETCH_TRANSCRIPT, "v1/fetch/transcript");
}

#[test]
fn errors_are_read_and_written_byte_for_byte() {
    let file = load("api-json");
    for (api, cases) in file["errors"].as_object().unwrap() {
        for case in cases.as_array().unwrap() {
            let text = case.text("body_text");
            let (status, written) = match api.as_str() {
                "fetch" => rewrite_error!(FetchError, text),
                "package" => rewrite_error!(PackageError, text),
                "content" => rewrite_error!(ContentError, text),
                "proof" => rewrite_error!(ProofError, text),
                "monitor" => rewrite_error!(MonitorError, text),
                "ledger" => rewrite_error!(LedgerError, text),
                _ => panic!("errors of a new part of the API: {api}"),
            };
            assert_eq!(u64::from(status), case.number("http_status"), "{case}");
            assert_eq!(written, text);
        }
    }
}

/// How the vectors print what the reference understood, for the errors they cover.
fn package_error_kind(error: &PackageError) -> &'static str {
    match error {
        PackageError::Unauthorized(_) => "Unauthorized(",
        PackageError::LogNotFound(_) => "LogNotFound(",
        PackageError::RecordNotFound(_) => "RecordNotFound(",
        PackageError::NamespaceNotDefined(_) => "NamespaceNotDefined(",
        PackageError::NamespaceImported(_) => "NamespaceImported(",
        PackageError::ConflictPendingPublish(_) => "ConflictPendingPublish(",
        PackageError::RecordNotSourcing => "RecordNotSourcing",
        PackageError::Rejection(_) => "Rejection(",
        PackageError::NotSupported(_) => "NotSupported(",
        PackageError::Message { .. } => "Message {",
    }
}

fn fetch_error_kind(error: &FetchError) -> &'static str {
    match error {
        FetchError::CheckpointNotFound(_) => "CheckpointNotFound(",
        FetchError::LogNotFound(_) => "LogNotFound(",
        FetchError::FetchTokenNotFound(_) => "FetchTokenNotFound(",
        FetchError::Message { .. } => "Message {",
    }
}

fn proof_error_kind(error: &ProofError) -> &'static str {
    match error {
        ProofError::CheckpointNotFound(_) => "CheckpointNotFound(",
        ProofError::LeafNotFound(_) => "LeafNotFound(",
        ProofError::BundleFailure(_) => "BundleFailure(",
        ProofError::PackageLogNotIncluded(_) => "PackageLogNotIncluded(",
        ProofError::IncorrectProof { .. } => "IncorrectProof {",
        ProofError::Message { .. } => "Message {",
    }
}

fn content_error_kind(error: &ContentError) -> &'static str {
    match error {
        ContentError::ContentDigestNotFound(_) => "ContentDigestNotFound(",
        ContentError::Message { .. } => "Message {",
    }
}

#[test]
fn bodies_are_understood_as_the_reference_understands_them() {
    fn body<T: DeserializeOwned>(text: &str) -> Result<&'static str, UnreadableError> {
        serde_json::from_str::<T>(text).map(|_| "").map_err(|_| UnreadableError)
    }
    let file = load("api-decoding");
    for case in file.list("cases") {
        let text = case.text("body_text");
        let bytes = text.as_bytes();
        let understood = match case.text("as") {
            "package error" => {
                PackageError::from_json(bytes).map(|error| package_error_kind(&error))
            }
            "fetch error" => FetchError::from_json(bytes).map(|error| fetch_error_kind(&error)),
            "proof error" => ProofError::from_json(bytes).map(|error| proof_error_kind(&error)),
            "content error" => {
                ContentError::from_json(bytes).map(|error| content_error_kind(&error))
            }
            "fetch logs request" => body::<FetchLogsRequest>(text),
            "fetch logs response" => body::<FetchLogsResponse>(text),
            "package record" => body::<PackageRecord>(text),
            "content sources response" => body::<ContentSourcesResponse>(text),
            "well-known config" => body::<WellKnown>(text),
            kind => panic!("a new kind of body: {kind}"),
        };
        assert_eq!(understood.is_ok(), case.flag("accepted"), "{case}");
        if let Ok(kind) = understood {
            assert!(case.text("understood_as").starts_with(kind), "{case}: {kind}");
        }
    }
}

/// Asked of the published crates by hand; the vectors have no such bodies.
#[test]
fn a_status_and_a_message_are_read_whatever_stands_beside_them() {
    for body in [
        r#"{"status":500,"message":"boom","type":"internal"}"#,
        r#"{"status":500,"message":"boom","reason":5}"#,
        r#"{"status":500,"message":"boom","id":[1]}"#,
    ] {
        let (status, message) = (500, "boom".to_string());
        let body = body.as_bytes();
        let expected = FetchError::Message { status, message: message.clone() };
        assert_eq!(FetchError::from_json(body), Ok(expected));
        let expected = PackageError::Message { status, message: message.clone() };
        assert_eq!(PackageError::from_json(body), Ok(expected));
        let expected = ContentError::Message { status, message: message.clone() };
        assert_eq!(ContentError::from_json(body), Ok(expected));
        assert_eq!(ProofError::from_json(body), Ok(ProofError::Message { status, message }));
    }
    let rejected = br#"{"status":422,"message":"m","type":"x"}"#;
    assert_eq!(PackageError::from_json(rejected), Ok(PackageError::Rejection("m".into())));
    let entity = br#"{"status":404,"message":"no","type":"name","id":"x"}"#;
    assert!(FetchError::from_json(entity).is_ok() && ProofError::from_json(entity).is_ok());
    assert!(PackageError::from_json(entity).is_err());
}

#[test]
fn paths_and_headers_of_the_vectors() {
    let file = load("api-json");
    let expected = &file["paths"];
    let part = |path: &str, at: usize| expected.text(path).split('/').nth(at).unwrap().to_string();
    let log = part("publish", 2).parse().unwrap();
    let record = part("package_record", 4).parse().unwrap();
    let content = part("content_sources", 2).parse().unwrap();
    for (name, path) in [
        ("well_known", paths::WELL_KNOWN.to_string()),
        ("fetch_checkpoint", paths::FETCH_CHECKPOINT.to_string()),
        ("fetch_logs", paths::FETCH_LOGS.to_string()),
        ("fetch_names", paths::FETCH_NAMES.to_string()),
        ("ledger", paths::LEDGER.to_string()),
        ("publish", paths::publish(&log)),
        ("package_record", paths::package_record(&log, &record)),
        ("content_sources", paths::content_sources(&content)),
        ("prove_consistency", paths::PROVE_CONSISTENCY.to_string()),
        ("prove_inclusion", paths::PROVE_INCLUSION.to_string()),
        ("verify_checkpoint", paths::VERIFY_CHECKPOINT.to_string()),
        ("header_registry", headers::REGISTRY.to_string()),
        ("header_registry_hint", headers::REGISTRY_HINT.to_string()),
    ] {
        assert_eq!(path, expected.text(name), "{name}");
    }
    let digest = content.to_string().replace(':', "-");
    assert_eq!(paths::content(&content), format!("content/{digest}"));
}

#[test]
fn hints_name_a_namespace_and_a_registry() {
    assert_eq!(headers::parse_registry_hint("ns=r.example"), Some(("ns", "r.example")));
    assert_eq!(headers::parse_registry_hint("ns=r=x"), Some(("ns", "r=x")));
    for bad in ["", "ns", "=r", "ns="] {
        assert_eq!(headers::parse_registry_hint(bad), None, "{bad}");
    }
    assert_eq!(headers::registry_hint("ns", "r.example"), "ns=r.example");
}

#[test]
fn the_discovery_document_of_a_server_has_objects_only() {
    let document = WellKnown {
        preferred_protocol: Some("oci".into()),
        oci: Some(wargate_api::well_known::OciBlock {
            registry: Some("r.example".into()),
            namespace_prefix: Some(String::new()),
        }),
        warg: Some(wargate_api::well_known::WargBlock { url: Some("https://r.example".into()) }),
        ..WellKnown::default()
    };
    let value = serde_json::to_value(&document).unwrap();
    let expected = serde_json::json!({
        "preferredProtocol": "oci",
        "oci": { "registry": "r.example", "namespacePrefix": "" },
        "warg": { "url": "https://r.example" },
    });
    assert_eq!(value, expected);
    assert_eq!(document.warg_base_url(), Some("https://r.example"));
    let odd = r#"{"wargUrl":"https://x/","oci":"https://y","warg":5,"preferredProtocol":[]}"#;
    let odd: WellKnown = serde_json::from_str(odd).unwrap();
    assert_eq!(odd.warg_base_url(), Some("https://x/"));
}

/// Every JSON body of one recorded exchange, read by the type that its route and status call for.
fn read_exchange(method: &str, path: &str, status: u64, request: Option<&str>, answer: &str) {
    fn read<T: DeserializeOwned>(text: &str) {
        serde_json::from_str::<T>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    let route: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let ok = (200..300).contains(&status);
    let failed = |readable: bool| assert!(ok || readable, "{method} {path} {status}: {answer}");
    match route.as_slice() {
        ["v1", "fetch", "checkpoint"] if ok => read::<SignedCheckpoint>(answer),
        ["v1", "fetch", "logs"] => {
            if let Some(request) = request.filter(|_| ok) {
                read::<FetchLogsRequest>(request);
                read::<FetchLogsResponse>(answer);
            }
            failed(FetchError::from_json(answer.as_bytes()).is_ok());
        }
        ["v1", "fetch", "names"] => {
            if ok {
                read::<FetchNamesResponse>(answer);
            }
            failed(FetchError::from_json(answer.as_bytes()).is_ok());
        }
        ["v1", "package", _, "record"] | ["v1", "package", _, "record", _] => {
            if ok {
                request.into_iter().for_each(read::<PublishRecordRequest>);
                read::<PackageRecord>(answer);
            }
            failed(PackageError::from_json(answer.as_bytes()).is_ok());
        }
        ["v1", "package", _, "record", _, "content", _] => {
            failed(PackageError::from_json(answer.as_bytes()).is_ok());
        }
        ["v1", "content", _] => {
            if ok {
                read::<ContentSourcesResponse>(answer);
            }
            failed(ContentError::from_json(answer.as_bytes()).is_ok());
        }
        ["v1", "proof", kind] => {
            match *kind {
                "inclusion" if ok => read::<InclusionResponse>(answer),
                "consistency" if ok => read::<ConsistencyResponse>(answer),
                _ => {}
            }
            failed(ProofError::from_json(answer.as_bytes()).is_ok());
        }
        ["v1", "verify", "checkpoint"] if ok => read::<VerifyCheckpointResponse>(answer),
        ["v1", "ledger"] if ok => read::<LedgerSourcesResponse>(answer),
        _ => {}
    }
}

/// A body that is recorded as JSON text. The API answers nothing else, but HEAD has no body.
fn json<'a>(headers: &Value, text: Option<&'a str>) -> Option<&'a str> {
    let kind = headers["content-type"].as_str()?;
    text.filter(|text| kind == headers::JSON && !text.is_empty())
}

#[test]
fn every_recorded_exchange_is_readable() {
    let mut read = 0;
    for exchange in load("http-probes").list("exchanges") {
        let answer = json(&exchange["response_headers"], exchange["response_body"].as_str());
        let Some(answer) = answer else { continue };
        let request = exchange["request_body"].as_str();
        let (method, path) = (exchange.text("method"), exchange.text("path"));
        read_exchange(method, path, exchange.number("status"), request, answer);
        read += 1;
    }
    for command in load("http-cli-session").list("commands") {
        for exchange in command.list("exchanges") {
            let answer = exchange["response_body"]["text"].as_str();
            let Some(answer) = json(&exchange["response_headers"], answer) else { continue };
            let request = exchange["request_body"]["text"].as_str();
            let (method, path) = (exchange.text("method"), exchange.text("path"));
            read_exchange(method, path, exchange.number("status"), request, answer);
            read += 1;
        }
    }
    assert!(read > 200, "only {read} exchanges");
}
