//! `warg adapt`: a core module as a component.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use wargate_component::adapt::Adapter;
use wargate_component::provenance::{Made, Role};
use wargate_protocol::PackageName;

use super::composing::{adapted, default_adapter, default_output, not_adapted, refuse_over};
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
    let mut report =
        product.write(context, |sink| sink.put(bytes.into(), &[], vec![("adapter", kind)]))?;
    if let Some((adapter, Ingredient { release, .. })) = &adapter
        && !report.text.is_empty()
    {
        let from = release.as_ref().map_or_else(|| "a file".to_owned(), ToString::to_string);
        report.text.push_str(&format!("With the adapter `{}`: {from}.\n", adapter.name()));
    }
    Ok(report)
}

/// The adapter that is named, or else the one that fits: in the version of the lock, if that has it, or the
/// newest.
fn find(context: &Context, options: &Adapt, adapter: Adapter) -> Result<Ingredient, Failure> {
    let name = options.adapter.clone().map_or_else(|| default_adapter(adapter), Ok)?;
    let locked = match name.parse::<PackageName>() {
        Ok(package) => {
            let lock = locking::read(&locking::path(context, &LockPlace::default()))?;
            let mut packages = lock.into_iter().flat_map(|lock| lock.packages);
            packages.find(|(id, _)| id.package == package)
        }
        Err(_) => None,
    };
    let exact = locked.as_ref().map_or(name.clone(), |(id, _)| id.to_string());
    let loaded = Subject::load_one(context, &exact).map_err(|failure| {
        failure.hint(format!(
            "the module needs the adapter {name}: `wargate seed` publishes it, and `--adapter` names \
             another one"
        ))
    })?;
    if let Some((id, locked)) = locked.filter(|(_, locked)| locked.digest != loaded.digest) {
        let (found, locked) = (loaded.digest, locked.digest);
        return Err(Failure::usage(format!("{id} is {found}, and the lock has {locked}"))
            .hint("`--adapter` names another one"));
    }
    Ok(ingredient(loaded, Role::Adapter))
}

fn ingredient(subject: Subject, role: Role) -> Ingredient {
    let release = subject.release.map(|(id, _)| id);
    Ingredient::new(role, release, subject.bytes).of_digest(subject.digest)
}
