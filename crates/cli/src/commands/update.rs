//! `warg update` and `warg outdated`: what is known of packages, and what a lock could have.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wargate_client::Package;
use wargate_component::lock::{Lock, Origin, PackageId};
use wargate_component::solve::Options;
use wargate_console::Table;
use wargate_protocol::{PackageName, Release, VersionReq};

use super::locking::{self, Locking, changes};
use super::{info, lock};
use crate::args::{Outdated, Roots, Update};
use crate::context::Context;
use crate::failure::{EXIT_OTHER, Failure};
use crate::output::Report;

/// Brings logs up to date, and takes newer releases into the lock.
pub(crate) fn update(context: &Context, options: &Update) -> Result<Report, Failure> {
    let path = locking::path(context, &options.place);
    let known = locking::read(&path)?;
    let wants_lock = !options.precise.is_empty() || options.dry_run || options.place.file.is_some();
    let Some(known) = known else {
        if wants_lock {
            locking::existing(&path)?;
        }
        return info::update(context, &options.packages);
    };
    let named: Vec<PackageName> = options.packages.clone();
    let is_locked = |package: &PackageName| known.packages.keys().any(|id| id.package == *package);
    // Who names packages that are not locked means what is known of them, and nothing else.
    if !named.is_empty() && !named.iter().any(is_locked) && options.precise.is_empty() {
        return info::update(context, &named);
    }
    if context.config.settings.offline {
        return Err(Failure::usage("what is newer is not known without the network")
            .hint("leave out `--offline`, or unset WARG_OFFLINE"));
    }
    let roots = Roots {
        precise: options.precise.clone(),
        prereleases: options.prereleases,
        ..Roots::default()
    };
    let mut locking = Locking::new(context, &roots, &options.place)?;
    let asked = locking.resolving.question.options.clone();
    let mut pins = known.pins();
    if named.is_empty() && options.precise.is_empty() {
        pins.clear();
    }
    pins.retain(|package, _| !named.contains(package) && !asked.precise.contains_key(package));
    let lock = locking.lock_with(context, Options { pins, ..asked })?;
    let changes = changes(Some(&known), &lock);
    let locked = if options.dry_run {
        lock::dry(&locking, &lock, &changes)
    } else {
        lock::write(&locking, &lock, &changes)?
    };
    Ok(Report::new(locked.text, json!({ "lock": locked.json })))
}

/// Shows which locked packages have newer releases.
pub(crate) fn outdated(context: &Context, options: &Outdated) -> Result<Report, Failure> {
    let path = locking::path(context, &options.place);
    let known = locking::existing(&path)?;
    if context.config.settings.offline {
        return Err(Failure::usage("what is newer is not known without the network")
            .hint("leave out `--offline`, or unset WARG_OFFLINE"));
    }
    let locking = Locking::new(context, &Roots::default(), &options.place)?;
    let newest = locking.solve(context, None)?;
    let of_registry = |(id, package): (&PackageId, &wargate_component::lock::LockedPackage)| {
        matches!(package.origin, Origin::Registry(_)).then(|| id.package.clone())
    };
    let mut names: Vec<PackageName> = known.packages.iter().filter_map(of_registry).collect();
    names.dedup();
    let (names, lock) = (&names, &known);
    let packages =
        context.run(|client| async move { Ok(client.routed_by(lock)?.update(names).await?) })?;
    let packages: BTreeMap<_, _> =
        packages.into_iter().map(|package| (package.name().clone(), package)).collect();
    let mut table = Table::new(["PACKAGE", "LOCKED", "UPDATE", "NEWEST", ""]);
    let mut list = Vec::new();
    let mut is_behind = false;
    for (id, locked) in &known.packages {
        let Some(package) = packages.get(&id.package) else { continue };
        if !matches!(locked.origin, Origin::Registry(_)) {
            continue;
        }
        let row = Row::new(id, package, &newest);
        is_behind |= row.update.is_some();
        if row.is_news() {
            table.row(row.cells());
            list.push(row.to_json());
        }
    }
    let text = if list.is_empty() {
        format!("{} is up to date: nothing has a newer release.\n", path.display())
    } else if is_behind {
        format!("{table}\n`warg update` takes what stands under UPDATE.\n")
    } else {
        format!(
            "{table}\nWhat is locked is the newest that answers; who imports it asks for less.\n"
        )
    };
    let mut report = Report::new(text, json!({ "packages": list }));
    if options.check && is_behind {
        report.exit = EXIT_OTHER;
    }
    Ok(report)
}

/// A locked package, and what there is instead.
struct Row<'a> {
    id: &'a PackageId,
    /// What an update would take in its place.
    update: Option<String>,
    /// The newest of all.
    newest: Option<String>,
    is_yanked: bool,
}

impl<'a> Row<'a> {
    fn new(id: &'a PackageId, package: &Package, newest: &Lock) -> Self {
        let state = package.state();
        let mut updates: Vec<String> = Vec::new();
        if !newest.packages.contains_key(id) {
            let of_package = newest.packages.keys().filter(|other| other.package == id.package);
            updates.extend(of_package.map(|other| other.version.to_string()));
        }
        let highest = state.latest(&VersionReq::ANY).map(|release| release.version.clone());
        Self {
            id,
            update: (!updates.is_empty()).then(|| updates.join(", ")),
            newest: highest.filter(|it| *it > id.version).map(|version| version.to_string()),
            is_yanked: state.release(&id.version).is_some_and(Release::is_yanked),
        }
    }

    const fn is_news(&self) -> bool {
        self.update.is_some() || self.newest.is_some() || self.is_yanked
    }

    fn cells(&self) -> [String; 5] {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        let yanked = if self.is_yanked { "yanked" } else { "" };
        [
            self.id.package.to_string(),
            self.id.version.to_string(),
            or_none(&self.update),
            or_none(&self.newest),
            yanked.into(),
        ]
    }

    fn to_json(&self) -> Value {
        let mut json = json!({ "package": self.id.package, "locked": self.id.version });
        for (name, value) in [("update", &self.update), ("newest", &self.newest)] {
            if let Some(value) = value {
                json[name] = value.as_str().into();
            }
        }
        if self.is_yanked {
            json["yanked"] = true.into();
        }
        json
    }
}
