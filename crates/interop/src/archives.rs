//! Files that others published in packages of other registries: `testdata/real-components` says which.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;
use wargate_crypto::Digest;

/// Which archives there are.
const TABLE: &str = include_str!("../../../testdata/real-components/archives.json");

/// The beginning of the table says what it is, and in which form.
#[derive(Deserialize)]
struct Table {
    format: String,
    archives: Vec<Archive>,
}

/// A version of a package of another registry.
#[derive(Deserialize)]
struct Archive {
    registry: Registry,
    package: String,
    version: String,
    /// The name of the file that the registry has.
    #[serde(rename = "archive")]
    file: String,
    /// Its digest, in hexadecimal digits.
    sha256: String,
    /// Those of its files that count.
    files: Vec<Packed>,
}

/// Where a package is.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Registry {
    Cargo,
    Npm,
    Pypi,
}

/// A file in an archive.
#[derive(Deserialize)]
struct Packed {
    name: String,
    release: String,
    path: String,
    kind: String,
    sha256: String,
}

/// A file as its makers published it.
pub(crate) struct Foreign {
    /// The package that it is published as here, without namespace.
    pub(crate) name: String,
    /// The version.
    pub(crate) release: String,
    /// `component` or `coreModule`, as inspections say it.
    pub(crate) kind: String,
    pub(crate) bytes: Vec<u8>,
}

/// All files of the table, in its order, out of the archives in this folder, which are downloaded if
/// they are missing; and the names of the archives that cannot be had.
///
/// # Errors
/// If an archive or a file in it is another one than the table says.
pub(crate) fn obtain(folder: &Path) -> Result<(Vec<Foreign>, Vec<String>)> {
    fs::create_dir_all(folder)?;
    let (mut files, mut missing) = (Vec::new(), Vec::new());
    for archive in table()?.archives {
        let path = folder.join(&archive.file);
        if !path.is_file()
            && let Err(error) = archive.download(folder)
        {
            missing.push(format!("{}: {error:#}", archive.file));
            continue;
        }
        compare(&fs::read(&path)?, &archive.sha256, &path)?;
        let unpacked = archive.unpack(&path)?;
        for file in archive.files {
            let path = unpacked.path().join(&file.path);
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            compare(&bytes, &file.sha256, &path)?;
            let Packed { name, release, kind, .. } = file;
            files.push(Foreign { name, release, kind, bytes });
        }
    }
    Ok((files, missing))
}

fn table() -> Result<Table> {
    let table: Table = serde_json::from_str(TABLE)?;
    ensure!(table.format == "wargate-archives/1", "a table of another form: {}", table.format);
    Ok(table)
}

fn compare(bytes: &[u8], sha256: &str, path: &Path) -> Result<()> {
    let (found, path) = (Digest::of(bytes), path.display());
    ensure!(found.to_string() == format!("sha256:{sha256}"), "{path} is another one: {found}");
    Ok(())
}

impl Archive {
    /// Has the registry's own client put the archive into the folder.
    fn download(&self, folder: &Path) -> Result<()> {
        let Self { package, version, .. } = self;
        match self.registry {
            // It downloads what it tells of, and keeps it with all other crates.
            Registry::Cargo => {
                let mut info = Command::new("cargo");
                info.args(["info", "--quiet", "--registry", "crates-io"]);
                run(info.arg(format!("{package}@{version}")).current_dir(folder))?;
                fs::copy(self.kept_by_cargo()?, folder.join(&self.file))?;
            }
            Registry::Npm => {
                let mut pack = Command::new("npm");
                pack.args(["pack", "--silent", &format!("{package}@{version}")]);
                run(pack.current_dir(folder))?;
            }
            Registry::Pypi => {
                let mut pip = Command::new("python3");
                pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "download"]);
                pip.args(["--no-deps", "--dest", ".", &format!("{package}=={version}")]);
                run(pip.current_dir(folder))?;
            }
        }
        ensure!(folder.join(&self.file).is_file(), "its client left no such file");
        Ok(())
    }

    /// Where cargo keeps the archive: in a folder for each registry.
    fn kept_by_cargo(&self) -> Result<PathBuf> {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        let cache = home.context("no home directory")?.join("registry/cache");
        for registry in fs::read_dir(&cache)? {
            let path = registry?.path().join(&self.file);
            if path.is_file() {
                return Ok(path);
            }
        }
        bail!("cargo keeps no {} below {}", self.file, cache.display())
    }

    /// Unpacks the files of the archive at this path into a folder of their own.
    fn unpack(&self, path: &Path) -> Result<TempDir> {
        let unpacked = tempfile::tempdir()?;
        let mut unpack = match self.registry {
            Registry::Cargo | Registry::Npm => {
                let mut tar = Command::new("tar");
                tar.arg("-xzf").arg(path);
                tar.args(self.files.iter().map(|file| &file.path));
                tar
            }
            Registry::Pypi => {
                let mut zip = Command::new("python3");
                zip.args(["-m", "zipfile", "-e"]).arg(path).arg(".");
                zip
            }
        };
        run(unpack.current_dir(unpacked.path()))?;
        Ok(unpacked)
    }
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("could not start {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}", said.trim_end());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Component;

    use super::*;

    #[test]
    fn the_table_names_each_file_once_and_stays_below_its_folder() {
        let archives = table().unwrap().archives;
        let packages: BTreeSet<_> = archives.iter().map(|archive| &archive.package).collect();
        assert!(packages.len() >= 8, "{packages:?}");
        let files: Vec<_> = archives.iter().flat_map(|archive| &archive.files).collect();
        let names: BTreeSet<_> = files.iter().map(|file| (&file.name, &file.release)).collect();
        let digests: BTreeSet<_> = files.iter().map(|file| &file.sha256).collect();
        assert_eq!((names.len(), digests.len()), (files.len(), files.len()));
        let components = files.iter().filter(|file| file.kind == "component");
        assert!(components.count() >= 12);
        for path in files.iter().map(|file| &file.path).chain(archives.iter().map(|it| &it.file)) {
            let below = Path::new(path).components().all(|it| matches!(it, Component::Normal(_)));
            assert!(below, "{path}");
        }
        for digest in digests.into_iter().chain(archives.iter().map(|archive| &archive.sha256)) {
            assert!(format!("sha256:{digest}").parse::<Digest>().is_ok(), "{digest}");
        }
    }
}
