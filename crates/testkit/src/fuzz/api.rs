//! Bodies of the HTTP API.

use std::fmt::Debug;

use serde::Serialize;
use wargate_api::content::{ContentError, ContentSource, ContentSourcesResponse};
use wargate_api::fetch::{
    FetchError, FetchLogsRequest, FetchLogsResponse, FetchNamesRequest, FetchNamesResponse,
    PublishedRecord, Warning,
};
use wargate_api::ledger::{LedgerError, LedgerSource, LedgerSourcesResponse};
use wargate_api::monitor::{MonitorError, VerifyCheckpointResponse};
use wargate_api::proof::{
    ConsistencyRequest, ConsistencyResponse, InclusionRequest, InclusionResponse, ProofError,
};
use wargate_api::publish::{MissingContent, PackageError, PackageRecord, PublishRecordRequest};
use wargate_api::well_known::WellKnown;
use wargate_api::{UnreadableError, paths};

use super::json;

/// Every request, response and error.
pub fn api_body(data: &[u8]) {
    json::<FetchLogsRequest>(data);
    json::<FetchLogsResponse>(data);
    json::<PublishedRecord>(data);
    json::<Warning>(data);
    json::<FetchNamesRequest>(data);
    json::<FetchNamesResponse>(data);
    json::<PublishRecordRequest>(data);
    if let Some(record) = json::<PackageRecord>(data) {
        assert!(
            paths::package_record(&wargate_protocol::LogId::operator(), &record.record_id)
                .starts_with("v1/")
        );
    }
    json::<MissingContent>(data);
    json::<ContentSource>(data);
    if let Some(sources) = json::<ContentSourcesResponse>(data) {
        for digest in sources.content_sources.keys() {
            assert!(!paths::content(digest).contains([':', '.']), "digests make safe paths");
        }
    }
    json::<InclusionRequest>(data);
    json::<InclusionResponse>(data);
    json::<ConsistencyRequest>(data);
    json::<ConsistencyResponse>(data);
    json::<VerifyCheckpointResponse>(data);
    json::<LedgerSource>(data);
    json::<LedgerSourcesResponse>(data);
    if let Some(document) = json::<WellKnown>(data) {
        document.warg_base_url();
    }
    errors(data);
}

fn errors(data: &[u8]) {
    error(data, FetchError::from_json);
    error(data, PackageError::from_json);
    error(data, ContentError::from_json);
    error(data, ProofError::from_json);
    error(data, LedgerError::from_json);
    error(data, MonitorError::from_json);
}

/// An error that is understood survives being written.
fn error<E>(data: &[u8], read: fn(&[u8]) -> Result<E, UnreadableError>)
where
    E: Serialize + PartialEq + Debug + ToString,
{
    if let Ok(error) = read(data) {
        let written = serde_json::to_vec(&error).unwrap();
        assert_eq!(read(&written).as_ref(), Ok(&error));
        drop(error.to_string());
    }
}
