//! `warg get` and `warg download`: content, as files.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wargate_client::{Client, Error, Fetched, Selector, Wanted};
use wargate_protocol::{PackageName, VersionReq};

use crate::args::{Download, Get};
use crate::context::{Context, Failed};
use crate::failure::Failure;
use crate::files::{cannot_write, write_whole};
use crate::output::{Report, print};
use crate::prompt;

/// A package, perhaps with what is wanted of it: `ns:name`, `ns:name@1.2.3`, `ns:name@^1`.
pub(crate) fn parse(text: &str) -> Result<(PackageName, Option<String>), Failure> {
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version.to_owned())),
        None => (text, None),
    };
    let name = name.parse().map_err(|error| {
        Failure::usage(format!("`{}` is not a package: {error}", text.escape_debug())).hint(
            "a package is NAMESPACE:NAME, with @VERSION behind it if not the newest is wanted",
        )
    })?;
    Ok((name, version))
}

/// What is wanted: the newest, one version, or one that fits a requirement.
pub(crate) fn wanted(text: &str, yanked: bool) -> Result<Wanted, Failure> {
    let (name, version) = parse(text)?;
    let version = match version.as_deref() {
        None => Selector::Highest(VersionReq::ANY),
        Some(text) => match text.parse() {
            Ok(version) => Selector::Exact(version),
            Err(_) => Selector::Highest(text.parse().map_err(|_| {
                let text = text.escape_debug();
                Failure::usage(format!("`{text}` is neither a version nor a requirement"))
                    .hint("a version is like 1.2.0, a requirement like ^1 or >=1.2,<2")
            })?),
        },
    };
    Ok(Wanted { name, version, yanked })
}

/// Where content goes.
enum Target {
    File(PathBuf),
    StandardOutput,
}

/// Gets packages, as files.
pub(crate) fn get(context: &Context, options: &Get) -> Result<Report, Failure> {
    let wants = options.packages.iter().map(|text| wanted(text, options.yanked));
    let wants: Vec<Wanted> = wants.collect::<Result<_, _>>()?;
    let targets = targets(options, &wants)?;
    if context.globals.json && targets.iter().any(|target| matches!(target, Target::StandardOutput))
    {
        return Err(Failure::usage("standard output cannot take both the content and JSON")
            .hint("leave out `--json`, or name a file with `--output`"));
    }
    if options.no_clobber
        && let Some(Target::File(path)) =
            targets.iter().find(|target| matches!(target, Target::File(path) if path.exists()))
    {
        return Err(Failure::usage(format!("there is a file {} already", path.display()))
            .hint("leave out `--no-clobber`, or name another file with `--output`"));
    }
    let (wants, targets) = (&wants, &targets);
    let quiet = context.globals.quiet;
    context.run(|client| async move {
        let mut lines = String::new();
        let mut items = Vec::new();
        let fetched = client.get(wants).await?;
        for (mut fetched, target) in fetched.into_iter().zip(targets) {
            context.tell_where(&fetched.package);
            let mut item = describe(&fetched);
            match target {
                Target::StandardOutput => return to_stdout(&client, &mut fetched),
                Target::File(path) => {
                    if let Err(failed) = write(&client, &mut fetched, path) {
                        return Err(after(failed, &lines, &items));
                    }
                    item["path"] = path.display().to_string().into();
                    lines.push_str(&line(&fetched, path));
                }
            }
            items.push(item);
        }
        let text = if quiet { String::new() } else { lines };
        Ok(Report::new(text, json!({ "packages": items })))
    })
}

/// A failure, with what was written before it.
fn after(failed: Failed, lines: &str, items: &[Value]) -> Failed {
    if items.is_empty() {
        return failed;
    }
    let failure = match failed {
        Failed::Client(error) => error.into(),
        Failed::Other(failure) => failure,
    };
    failure.after(Report::new(lines, json!({ "packages": items }))).into()
}

fn targets(options: &Get, wants: &[Wanted]) -> Result<Vec<Target>, Failure> {
    let of = |want: &Wanted| PathBuf::from(format!("{}.wasm", want.name.name()));
    let one = wants.len() == 1;
    let paths: Vec<PathBuf> = match &options.output {
        Some(path) if path == Path::new("-") && one => return Ok(vec![Target::StandardOutput]),
        Some(path) if path.is_dir() => wants.iter().map(|want| path.join(of(want))).collect(),
        Some(path) if one => vec![path.clone()],
        Some(path) => {
            let message =
                format!("{} is no directory, and there are several packages", path.display());
            return Err(
                Failure::usage(message).hint("name a directory that exists with `--output`")
            );
        }
        None => wants.iter().map(of).collect(),
    };
    for (at, path) in paths.iter().enumerate() {
        if paths[..at].contains(path) {
            let message = format!("two packages would become the file {}", path.display());
            return Err(Failure::usage(message).hint("get them one by one, with `--output`"));
        }
    }
    Ok(paths.into_iter().map(Target::File).collect())
}

fn to_stdout(client: &Client, fetched: &mut Fetched) -> Result<Report, Failed> {
    // First whole and checked: what was printed cannot be taken back.
    let mut file = tempfile::tempfile().map_err(|error| cannot_write(Path::new("-"), &error))?;
    copy(client, fetched, &mut file, Path::new("-"))?;
    let failed = |error: std::io::Error| cannot_write(Path::new("-"), &error);
    std::io::Seek::rewind(&mut file).map_err(failed)?;
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = std::io::Read::read(&mut file, &mut piece).map_err(failed)?;
        if read == 0 {
            return Ok(Report::new("", describe(fetched)));
        }
        print(&piece[..read])?;
    }
}

/// Writes content to a file, once it is whole and checked.
pub(crate) fn write(client: &Client, fetched: &mut Fetched, path: &Path) -> Result<(), Failed> {
    write_whole(path, |file| copy(client, fetched, file, path))
}

fn copy(
    client: &Client,
    fetched: &mut Fetched,
    file: &mut std::fs::File,
    path: &Path,
) -> Result<(), Failed> {
    let sound = client.copy(fetched, &mut |bytes| {
        file.write_all(bytes)
            .map_err(|error| Error::Content(format!("cannot write {}: {error}", path.display())))
    })?;
    if sound {
        Ok(())
    } else {
        let message =
            format!("the content of `{}` has rotten in the cache", fetched.package.name());
        Err(Failure::local(message).hint("run the command again: it is downloaded anew").into())
    }
}

fn line(fetched: &Fetched, path: &Path) -> String {
    format!("{}@{} -> {}\n", fetched.package.name(), fetched.release.version, path.display())
}

fn describe(fetched: &Fetched) -> Value {
    json!({
        "package": fetched.package.name().as_str(),
        "version": fetched.release.version.to_string(),
        "digest": fetched.digest.to_string(),
        "size": fetched.content.length(),
        "registry": fetched.package.registry().as_str(),
        "checkpoint": fetched.package.checkpoint(),
    })
}

/// Downloads one package as the reference client does.
pub(crate) fn download(context: &Context, options: &Download) -> Result<Report, Failure> {
    let version =
        options.version.clone().map_or(Selector::Highest(VersionReq::ANY), Selector::Exact);
    let want = Wanted { name: options.package.clone(), version, yanked: false };
    let asked = PathBuf::from(format!("{}.wasm", options.package.name()));
    let path = match &options.output {
        Some(path) if path.extension().is_some_and(|extension| extension == "wasm") => {
            Some(path.clone())
        }
        Some(path) => {
            let mut text = path.clone().into_os_string();
            text.push(".wasm");
            Some(text.into())
        }
        None if context.may_ask() => {
            let question = format!("Write {}?", asked.display());
            prompt::confirm(&question, true)?.then_some(asked)
        }
        None => None,
    };
    let (want, path) = (&want, &path);
    context.run(|client| async move {
        let fetched = client.get(std::slice::from_ref(want)).await?;
        let Some(mut fetched) = fetched.into_iter().next() else {
            return Err(Failure::local("nothing was fetched").into());
        };
        context.tell_where(&fetched.package);
        let mut text = format!(
            "Downloaded version: {}\nDigest: {}\n",
            fetched.release.version, fetched.digest
        );
        let mut item = describe(&fetched);
        if let Some(path) = path {
            write(&client, &mut fetched, path)?;
            item["path"] = path.display().to_string().into();
            text.push_str(&format!("Written to: {}\n", path.display()));
        }
        Ok(Report::new(text, item))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_stands_behind_the_name() {
        let of = |text: &str| wanted(text, false).map(|want| want.version);
        assert_eq!(of("a:b").unwrap(), Selector::Highest(VersionReq::ANY));
        assert_eq!(of("a:b@1.2.3").unwrap(), Selector::Exact("1.2.3".parse().unwrap()));
        assert_eq!(of("a:b@^1").unwrap(), Selector::Highest("^1".parse().unwrap()));
        for wrong in ["a", "a:b@", "a:b@nonsense", "../a:b", "A B:c"] {
            let failure = of(wrong).unwrap_err();
            assert_eq!(failure.exit(), 2, "{wrong}");
        }
    }
}
