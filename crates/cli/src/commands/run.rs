//! `warg run` and `warg serve`: finds, verifies and links a component, and hands it to the program that
//! runs components, `warg-run`.

mod helper;
mod prepared;

use std::ffi::OsString;

use serde_json::json;

use self::helper::Helper;
use self::prepared::Prepared;
use crate::args::{Grants, Run, Serve};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

pub(crate) use self::prepared::clear;

/// `warg run`. On Unix it returns only if it fails: the helper takes this process's place.
pub(crate) fn run(context: &Context, options: &Run) -> Result<Report, Failure> {
    if context.globals.json {
        return Err(Failure::usage("standard output is the component's, and cannot take JSON")
            .hint("leave out `--json`"));
    }
    let prepared = Prepared::new(context, &options.what, "run")?;
    let helper = Helper::find()?;
    let mut words = words("run", &prepared, &options.grants);
    limit(&mut words, "--max-memory", options.max_memory.as_deref());
    limit(&mut words, "--timeout", options.timeout.as_deref());
    words.push("--".into());
    words.extend(options.arguments.iter().map(OsString::from));
    helper.start(&words)
}

/// `warg serve`. On Unix it returns only if it fails: the helper takes this process's place.
pub(crate) fn serve(context: &Context, options: &Serve) -> Result<Report, Failure> {
    let prepared = Prepared::new(context, &options.what, "serve")?;
    let helper = Helper::find()?;
    let mut words = words("serve", &prepared, &options.grants);
    limit(&mut words, "--listen", options.listen.as_deref());
    limit(&mut words, "--max-memory", options.max_memory.as_deref());
    limit(&mut words, "--timeout", options.timeout.as_deref());
    limit(&mut words, "--max-requests", options.max_requests.as_deref());
    if context.globals.json {
        let mut document = json!({ "component": prepared.name, "digest": prepared.digest });
        context.notices.put_into(&mut document);
        words.push(format!("--json={document}").into());
    }
    helper.start(&words)
}

/// What the helper is told of a component and its grants. Values stand behind `=`, so that none is taken
/// for a flag.
fn words(verb: &str, prepared: &Prepared, grants: &Grants) -> Vec<OsString> {
    let mut words = vec![verb.into()];
    let flag = |name: &str, value: &OsString| {
        let mut word = OsString::from(format!("{name}="));
        word.push(value);
        word
    };
    words.push(flag("--name", &prepared.name.clone().into()));
    words.push(flag("--cache", &prepared.code.clone().into()));
    for (name, values) in grants.flags() {
        words.extend(values.iter().map(|value| flag(name, &value.into())));
    }
    // It begins with a directory, and never with `-`.
    words.push(prepared.path.clone().into());
    words
}

fn limit(words: &mut Vec<OsString>, name: &str, value: Option<&str>) {
    words.extend(value.map(|value| format!("{name}={value}").into()));
}
