//! How many questions a publish costs.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::fixtures::{ALICE, EMPTY, small_component};
use crate::lab::{Lab, Ran};

/// A client that waits asks for the record's state at once and then every second, so a registry that
/// answers the first question with the final state saves its users that second.
pub(super) fn publish(lab: &mut Lab) -> Result<()> {
    let alice = lab.person(ALICE)?;
    alice.write("empty.wasm", EMPTY)?;
    alice.write("small.wasm", small_component("small")?)?;
    let new = "warg publish release --name test:hello --version 0.1.0 empty.wasm";
    let new = lab.run(&alice, new)?.succeeds()?;
    // Somebody new has no checkpoint yet that the newest one could contradict.
    check(
        &new,
        &["POST record", "POST content", "GET record"],
        &["checkpoint", "logs", "inclusion"],
    )?;
    let verify = ["checkpoint", "logs", "inclusion", "consistency"];
    let known = "warg publish release --name test:hello --version 0.2.0 empty.wasm";
    let known = lab.run(&alice, known)?.succeeds()?;
    check(&known, &["POST record", "GET record"], &verify)?;
    let more = "warg publish release --name test:hello --version 0.3.0 small.wasm";
    let more = lab.run(&alice, more)?.succeeds()?;
    check(&more, &["POST record", "POST content", "GET record"], &verify)
}

/// The requests from the record on are those that publish, and those that verify what came of it.
fn check(ran: &Ran, publish: &[&str], verify: &[&str]) -> Result<()> {
    let said: Vec<_> = ran.all().iter().filter_map(|it| word(&it.method, &it.path)).collect();
    let begin = said.iter().position(|word| *word == "POST record").unwrap_or_default();
    let expected = [publish, verify].concat();
    ensure!(said.get(begin..) == Some(&expected[..]), "{said:?} is not {expected:?}");
    let state = ran.exchange("GET", "/v1/package/", "")?.response.member("state");
    ensure!(state.and_then(Value::as_str) == Some("published"), "the first answer is not final");
    Ok(())
}

/// What a request is for.
fn word(method: &str, path: &str) -> Option<&'static str> {
    let is_package = path.starts_with("/v1/package/");
    Some(match (method, path) {
        ("POST", path) if is_package && path.ends_with("/record") => "POST record",
        ("POST", path) if is_package && path.contains("/content/") => "POST content",
        ("GET", _) if is_package => "GET record",
        ("GET", "/v1/fetch/checkpoint") => "checkpoint",
        ("POST", "/v1/fetch/logs") => "logs",
        ("POST", "/v1/proof/inclusion") => "inclusion",
        ("POST", "/v1/proof/consistency") => "consistency",
        ("GET", "/.well-known/wasm-pkg/registry.json") => "discovery",
        _ => return None,
    })
}
