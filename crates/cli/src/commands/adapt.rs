//! `warg adapt`: a core module as a component.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use wargate_component::adapt::Adapter;
use wargate_component::provenance::{Made, Role};
use wargate_protocol::PackageName;

use super::composing::{
    Origins, adapted, default_adapter, default_output, find_adapter, not_adapted, refuse_over,
};
use super::locking;
use super::product::{Ingredient, Product};
use super::subject::Subject;
use super::targets::wit_package;
use crate::args::{Adapt, LockPlace};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::worker::Job;

/// The command.
pub(crate) fn run(context: &Context, options: &Adapt) -> Result<Report, Failure> {
    let target = options.output.clone();
    let name = if options.module == "-" { "module" } else { &options.module };
    let target = target.unwrap_or_else(|| default_output(name, ".component.wasm"));
    let inputs = [Some(Path::new(&options.module)), options.adapter.as_deref().map(Path::new)];
    refuse_over(&target, inputs.into_iter().flatten().chain(options.wit.as_deref()))?;
    let wit = options.wit.as_deref().map(wit_package).transpose()?;
    let module = Subject::load_one(context, &options.module)?;
    let job = Job::Adapt { has_wit: wit.is_some(), world: options.world.clone() };
    let mut contents = vec![module.bytes.as_slice()];
    contents.extend(wit.as_deref());
    let mut adapters = BTreeMap::new();
    let find = |adapter| find(context, options, adapter);
    let bytes = adapted(&job, contents, &options.bounds, &mut adapters, find)?
        .map_err(|error| not_adapted(&module.name, &error))?;
    let adapter = adapters.into_iter().next();
    let name = module.name.clone();
    let module = ingredient(module, Role::Root);
    let kind = adapter.as_ref().map_or(Value::Null, |(adapter, _)| json!(adapter.name()));
    let product = Product {
        made: Made::Adapted,
        from: &name,
        path: &target,
        ingredients: [&module].into_iter().chain(adapter.as_ref().map(|(_, it)| it)).collect(),
    };
    let stated = product.state(bytes.into(), &[], vec![("adapter", kind)]);
    let mut report = product.write(context, stated)?;
    if let Some((adapter, Ingredient { release, .. })) = &adapter
        && !report.text.is_empty()
    {
        let from = release.as_ref().map_or_else(|| "a file".to_owned(), ToString::to_string);
        report.text.push_str(&format!("With the adapter `{}`: {from}.\n", adapter.name()));
    }
    Ok(report)
}

/// The adapter that is named, or else the one that fits: that of the lock, if that has it, or the newest.
fn find(context: &Context, options: &Adapt, adapter: Adapter) -> Result<Ingredient, Failure> {
    let name = options.adapter.clone().map_or_else(|| default_adapter(adapter), Ok)?;
    let place = LockPlace::default();
    if let Ok(package) = name.parse::<PackageName>()
        && let Some(lock) = locking::read(&locking::path(context, &place))?
        && lock.packages.keys().any(|id| id.package == package)
    {
        let (place, named) = (&place, options.adapter.as_deref());
        let origins = Origins { place, no_lock: false, vendored: None, adapter: named };
        return find_adapter(context, &origins, adapter);
    }
    let loaded = Subject::load_one(context, &name).map_err(|failure| {
        failure.hint(format!(
            "the module needs the adapter {name}: `wargate seed` publishes it, and `--adapter` names \
             another one"
        ))
    })?;
    Ok(ingredient(loaded, Role::Adapter))
}

fn ingredient(subject: Subject, role: Role) -> Ingredient {
    let release = subject.release.map(|(id, _)| id);
    Ingredient::new(role, release, subject.bytes).of_digest(subject.digest)
}
