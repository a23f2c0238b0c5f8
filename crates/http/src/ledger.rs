//! The raw registry log (specification 12.9).

use wargate_api::headers::PACKED_LEDGER;
use wargate_api::ledger::{
    HashAlgorithm, LedgerContentType, LedgerSource, LedgerSourcesResponse, SOURCE_RECORDS_MAX,
};
use wargate_api::paths;
use wargate_protocol::{RegistryIndex, ledger};

use crate::answer::{self, Answer};
use crate::call::Call;

/// `GET v1/ledger`
pub(crate) async fn sources(call: Call) -> Answer {
    let length = call.front.registry().newest().committed.length().get();
    let pages = length.div_ceil(SOURCE_RECORDS_MAX);
    let source = |page: u64| {
        let first = page * SOURCE_RECORDS_MAX;
        let last = (first + SOURCE_RECORDS_MAX).min(length) - 1;
        LedgerSource {
            first_registry_index: RegistryIndex::new(first),
            last_registry_index: RegistryIndex::new(last),
            url: paths::ledger_records(RegistryIndex::new(first)),
            content_type: LedgerContentType::Packed,
            accept_ranges: false,
        }
    };
    let sources = (0..pages).map(source).collect();
    let body = LedgerSourcesResponse { hash_algorithm: HashAlgorithm::Sha256, sources };
    let mut response = answer::json(&body)?;
    answer::cache(&mut response, answer::NO_CACHE);
    Ok(response)
}

/// `GET v1/ledger/records/{start}`
pub(crate) async fn records(call: Call) -> Answer {
    let start = call.start()?;
    let page = usize::try_from(SOURCE_RECORDS_MAX).unwrap_or(usize::MAX);
    let leaves = call.front.ask(move |registry| registry.leaves(start, page)).await?;
    let full = leaves.len() == page;
    let bytes: Vec<u8> = leaves.iter().flat_map(ledger::pack).collect();
    let mut response = answer::of_bytes(bytes, PACKED_LEDGER);
    answer::cache(&mut response, if full { answer::FOR_EVER } else { answer::NO_CACHE });
    Ok(response)
}
