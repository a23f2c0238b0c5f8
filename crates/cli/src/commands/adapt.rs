//! `warg adapt`: a core module as a component.

use std::path::Path;

use serde_json::{Value, json};
use wargate_component::adapt;
use wargate_component::provenance::{Made, Role};

use super::composing::{default_adapter, default_output, not_adapted, refuse_over};
use super::product::{Ingredient, Product};
use super::subject::Subject;
use super::targets::wit_package;
use crate::args::Adapt;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::worker::{Answer, Fault, Job, work};

/// The command.
pub(crate) fn run(context: &Context, options: &Adapt) -> Result<Report, Failure> {
    let target = options.output.clone();
    let name = if options.module == "-" { "module" } else { &options.module };
    let target = target.unwrap_or_else(|| default_output(name, ".component.wasm"));
    let inputs = [Some(Path::new(&options.module)), options.adapter.as_deref().map(Path::new)];
    refuse_over(&target, inputs.into_iter().flatten().chain(options.wit.as_deref()))?;
    let wit = options.wit.as_deref().map(wit_package).transpose()?;
    let module = Subject::load_one(context, &options.module)?;
    let look = adapt::look(&module.bytes).map_err(|error| not_adapted(&module.name, &error))?;
    let adapter = match look.adapter {
        None => None,
        Some(adapter) => {
            let name = options.adapter.clone();
            let name = name.map_or_else(|| default_adapter(adapter), Ok)?;
            let loaded = Subject::load_one(context, &name).map_err(|failure| {
                failure.hint(format!(
                    "the module needs the adapter {name}: `wargate seed` publishes it, and \
                     `--adapter` names another one"
                ))
            })?;
            Some((adapter, ingredient(loaded, Role::Adapter)))
        }
    };
    let job = Job::Adapt { has_wit: wit.is_some(), world: options.world.clone() };
    let mut contents = vec![module.bytes.as_slice()];
    contents.extend(wit.as_deref());
    contents.extend(adapter.as_ref().map(|(_, it)| it.bytes.as_slice()));
    let bytes = match work(&job, &contents, &options.bounds)? {
        (Answer::Adapted, bytes) => bytes,
        (Answer::Failed(Fault::Adapt(error)), _) => return Err(not_adapted(&module.name, &error)),
        _ => return Err(Failure::other("the process answered something else")),
    };
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

fn ingredient(subject: Subject, role: Role) -> Ingredient {
    let release = subject.release.map(|(id, _)| id);
    Ingredient::new(role, release, subject.bytes).of_digest(subject.digest)
}
