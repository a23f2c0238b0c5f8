//! What releases depend on, what depends on them, and which releases answer. The reference has none of
//! it: its client downloads every candidate to see what it needs.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use wargate_api::dependencies::{
    ContentDependencies, DependenciesRequest, DependenciesResponse, Dependent, DependentsResponse,
    ListedRelease, PACKAGES_MAX, ReleaseDependencies, SOLVE_IMPORTS_MAX, Solution, SolveRequest,
    SolveResponse, SolvedImport, SolvedRelease,
};
use wargate_component::ImportName;
use wargate_component::solve::{self, Answer as Solved, Options};
use wargate_protocol::PackageName;
use wargate_registry::{ReadError, read};

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::limits::SOLVING_WAIT_MAX;
use crate::problem::Problem;

/// `GET v1/dependencies/{digest}`
pub(crate) async fn content(call: Call) -> Answer {
    let digest = call.digest()?;
    let imports = call.front.registry().dependencies(&digest)?;
    let is_known = imports.is_some();
    let mut response = answer::json(&ContentDependencies { imports })?;
    answer::cache(&mut response, if is_known { answer::FOR_EVER } else { answer::NO_CACHE });
    Ok(response)
}

/// `GET v1/dependencies/{namespace}/{name}/{version}`
pub(crate) async fn release(call: Call) -> Answer {
    let (package, version) = (call.package()?, call.version()?);
    let asked = call.headers().clone();
    let found = call.front.ask(move |registry| registry.release_dependencies(&package, &version));
    let (read::ListedRelease { version, digest, yanked }, imports) = found.await?;
    let release = ReleaseDependencies { version, digest, yanked, imports };
    let mut response = answer::tagged_json(&release, &asked)?;
    // It may be yanked at any time.
    answer::cache(&mut response, answer::NO_CACHE);
    Ok(response)
}

/// `POST v1/dependencies`
pub(crate) async fn packages(mut call: Call) -> Answer {
    let DependenciesRequest { packages } = call.json().await?;
    if packages.len() > PACKAGES_MAX {
        let message = format!(
            "{} packages were asked for, but at most {PACKAGES_MAX} can be at once",
            packages.len()
        );
        return Err(Problem::bad_request(message));
    }
    // Writing the answer takes as long as reading what it is made of.
    let answered = call.front.ask(move |registry| {
        let page = registry.packages_dependencies(&packages)?;
        let listed = |read::ListedRelease { version, digest, yanked }| ListedRelease {
            version,
            digest,
            yanked,
        };
        let of_package = |(package, releases): (PackageName, Vec<_>)| {
            (package, releases.into_iter().map(listed).collect())
        };
        let mut contents: Vec<_> = page.contents.into_iter().collect();
        contents.sort();
        Ok::<_, ReadError>(answer::json(&DependenciesResponse {
            log_length: page.length,
            packages: page.packages.into_iter().map(of_package).collect(),
            contents: contents.into_iter().collect(),
            rest: page.rest,
        }))
    });
    let mut response = answered.await??;
    answer::cache(&mut response, answer::NO_STORE);
    Ok(response)
}

/// `GET v1/dependents/{namespace}/{name}`
pub(crate) async fn dependents(call: Call) -> Answer {
    let (package, after) = (call.package()?, call.place("after")?);
    let page = call.front.ask(move |registry| registry.dependents(&package, after)).await?;
    let dependents = page.dependents.into_iter().map(|(row, yanked)| Dependent {
        package: row.package,
        version: row.version,
        digest: row.digest.into(),
        yanked,
        import: row.import,
    });
    let mut response = answer::json(&DependentsResponse {
        log_length: page.length,
        dependents: dependents.collect(),
        next: page.next.map(|place| place.to_string()),
    })?;
    answer::cache(&mut response, answer::NO_CACHE);
    Ok(response)
}

/// `POST v1/solve`
pub(crate) async fn solve(mut call: Call) -> Answer {
    let request: SolveRequest = call.json().await?;
    let (imports, options) = question(request)?;
    // Whoever waits long is better off with solving it himself.
    let permit = tokio::time::timeout(SOLVING_WAIT_MAX, call.front.registry().permit_solving());
    let permit = permit.await.map_err(|_| Problem::unavailable("too many are solving already"))?;
    let answered = call.front.ask(move |registry| {
        let page = registry.solve(&imports, &options);
        drop(permit);
        Ok::<_, ReadError>(answer::json(&response(page?)))
    });
    let mut response = answered.await??;
    answer::cache(&mut response, answer::NO_STORE);
    Ok(response)
}

/// The question as the solver takes it.
fn question(request: SolveRequest) -> Result<(Vec<ImportName>, Options), Problem> {
    let SolveRequest { imports, prereleases, pins, precise } = request;
    let pinned = pins.values().map(Vec::len).sum();
    for (count, of) in [(imports.len(), "imports"), (pinned, "pins"), (precise.len(), "versions")] {
        if count > SOLVE_IMPORTS_MAX {
            let message =
                format!("a question may have at most {SOLVE_IMPORTS_MAX} {of}, not {count}");
            return Err(Problem::bad_request(message));
        }
    }
    let named = |text: String| -> Result<ImportName, Problem> {
        let unprocessable = |why: &dyn std::fmt::Display| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the import {text:?}: {why}"))
        };
        let name: ImportName = text.parse().map_err(|error| unprocessable(&error))?;
        match name.dependency() {
            Some(_) => Ok(name),
            None => Err(unprocessable(&"it is no dependency on a package")),
        }
    };
    let imports = imports.into_iter().map(named).collect::<Result<_, _>>()?;
    let pins: BTreeMap<_, BTreeSet<_>> =
        pins.into_iter().map(|(package, them)| (package, them.into_iter().collect())).collect();
    Ok((imports, Options { prereleases, pins, precise: precise.into_iter().collect() }))
}

fn response(page: read::SolvedPage) -> SolveResponse {
    let (solution, conflict) = match page.answer {
        Solved::Solved(solution) => (Some(solved(solution)), None),
        Solved::Conflict(conflict) => (None, Some(conflict.to_string())),
        // Nothing is missing for whoever has everything.
        Solved::Missing(_) => (None, None),
    };
    SolveResponse { checkpoint: page.checkpoint, packages: page.packages, solution, conflict }
}

fn solved(solution: solve::Solution) -> Solution {
    let edges = |edges: Vec<solve::Edge>| {
        let edge = |solve::Edge { import, to }| SolvedImport { import: import.to_string(), to };
        edges.into_iter().map(edge).collect()
    };
    let releases = solution.nodes.into_iter().map(|node| SolvedRelease {
        package: node.package,
        version: node.version,
        digest: node.digest.into(),
        yanked: node.yanked,
        imports: edges(node.edges),
    });
    Solution { releases: releases.collect(), roots: edges(solution.roots) }
}

/// The engine's limits and the API's are the same.
const _: () = assert!(PACKAGES_MAX == wargate_registry::limits::DEPENDENCIES_PACKAGES_MAX);
