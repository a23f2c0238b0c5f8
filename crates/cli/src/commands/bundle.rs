//! `warg bundle`: a component and all that it depends on, in one.

use std::collections::BTreeMap;
use std::path::Path;

use wargate_component::lock::Lock;

use super::compose::is_document;
use super::linking::{Form, Linking};
use super::locking::{Locking, refuse_inputs};
use crate::args::{Bundle, LockPlace, Roots};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::folder_of;
use crate::output::Report;

/// The command.
pub(crate) fn run(context: &Context, options: &Bundle) -> Result<Report, Failure> {
    let (locking, lock) = solve(context, &options.roots, &options.place, options.no_lock)?;
    let folder = folder_of(&locking.path);
    let linking = Linking::gather(context, &lock, folder, options.vendored.as_deref())?;
    let path = options.output.clone().unwrap_or_else(|| linking.file_name(Form::Bundle));
    refuse_inputs(&locking, [Some(&*path)])?;
    linking.write(context, Form::Bundle, &path)
}

/// What one root needs: by the lock if there is one, and it is to count.
pub(super) fn solve(
    context: &Context,
    roots: &Roots,
    place: &LockPlace,
    no_lock: bool,
) -> Result<(Locking, Lock), Failure> {
    if no_lock && roots.named.is_empty() {
        return Err(Failure::usage("nothing is named, and the lock is not to count")
            .hint("name a file or a package: `warg bundle app.wasm --no-lock`"));
    }
    if roots.named.len() > 1 {
        return Err(Failure::usage("one component is linked at a time, and several are named")
            .hint("name one; what stands behind `--` is for the component that `warg run` runs"));
    }
    if let Some(document) = roots.named.iter().find(|name| is_document(Path::new(name))) {
        return Err(Failure::usage(format!("{document} is a WAC document, and no component"))
            .hint("`warg compose` makes a component of it"));
    }
    let locking = Locking::new(context, roots, place)?;
    // What the lock does not answer, nobody else is asked for: a bundle is what was locked.
    let hint = "`--no-lock` takes the newest releases that answer, and not those of the lock";
    let lock = locking.answered(context, place, no_lock, hint)?;
    if !no_lock && let Some(known) = &locking.known {
        refuse_changed(known, &lock)?;
    }
    Ok((locking, lock))
}

/// Refuses files that are others than those that were locked.
fn refuse_changed(known: &Lock, lock: &Lock) -> Result<(), Failure> {
    let before: BTreeMap<_, _> = known
        .roots
        .iter()
        .filter_map(|root| root.file.as_ref())
        .map(|it| (&it.path, it.digest))
        .collect();
    let mut changed = lock
        .roots
        .iter()
        .filter_map(|root| root.file.as_ref())
        .filter(|file| before.get(&file.path).is_some_and(|digest| *digest != file.digest))
        .map(|file| file.path.clone());
    let mut replaced = lock
        .packages
        .iter()
        .filter(|(id, now)| known.packages.get(id).is_some_and(|then| then.digest != now.digest))
        .map(|(id, _)| id.to_string());
    match changed.next().or_else(|| replaced.next()) {
        Some(what) => Err(Failure::usage(format!("{what} was changed since it was locked"))
            .hint("`warg lock` locks it as it is now")),
        None => Ok(()),
    }
}
