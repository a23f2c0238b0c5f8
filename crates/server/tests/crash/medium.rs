//! A disk that forgets what was not flushed.
//!
//! A library that is preloaded into the server (`unsynced.c`) writes down what reaches the medium: the
//! bytes of a file when it is flushed, the names in a folder when that is. The folder itself has what
//! was written. A power loss makes a new folder of the first and, as the dice fall, some of the second.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, DirEntry};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dice::Dice;
use crate::server::Environment;

const SHIM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crash/unsynced.c");
/// What a disk writes in one go, as far as the system is concerned.
const PAGE_BYTES: usize = 4096;
/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// A folder, and what of it is on the medium.
pub(crate) struct Medium {
    live: PathBuf,
    flushed: PathBuf,
    shim: PathBuf,
}

/// What of the unflushed outlives a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survivors {
    None,
    /// Each name and each page of 4 KiB with this probability in percent; some pages in part.
    Some(u64),
}

/// A file or a folder by its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(u64),
    Folder(u64),
}

type Names = BTreeMap<String, Node>;

impl Medium {
    /// An empty folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let [live, flushed, shim] =
            ["live", "flushed", "unsynced.so"].map(|name| folder.join(name));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&shim).arg(SHIM);
        assert!(compiler.arg("-pthread").status().unwrap().success());
        fs::create_dir(&live).unwrap();
        let medium = Self { live, flushed, shim };
        medium.flush_everything();
        medium
    }

    pub(crate) fn path(&self) -> &Path {
        &self.live
    }

    /// What a program needs to write to it, and which of its calls lie.
    pub(crate) fn environment(&self, lies: Option<&str>) -> Environment {
        let mut environment: Environment = vec![
            ("LD_PRELOAD", self.shim.clone().into()),
            ("UNSYNCED_ROOT", self.live.clone().into()),
            ("UNSYNCED_MEDIUM", self.flushed.clone().into()),
        ];
        environment.extend(lies.map(|lies| ("UNSYNCED_LIES", lies.into())));
        environment
    }

    /// After the programs have gone: what comes back when the power does.
    pub(crate) fn lose_power(&self, survivors: Survivors, dice: &mut Dice) {
        let after = self.live.with_extension("after");
        let mut paths = HashMap::new();
        find(&self.live, &mut paths);
        PowerLoss { flushed: &self.flushed, paths, survivors, dice }
            .folder(inode(&self.live), &after);
        fs::remove_dir_all(&self.live).unwrap();
        fs::rename(after, &self.live).unwrap();
        self.flush_everything();
    }

    /// Empties the folder.
    pub(crate) fn clear(&self) {
        fs::remove_dir_all(&self.live).unwrap();
        fs::create_dir(&self.live).unwrap();
        self.flush_everything();
    }

    /// After programs that write without the library.
    pub(crate) fn flush_everything(&self) {
        drop(fs::remove_dir_all(&self.flushed));
        for kind in ["files", "folders", "kept"] {
            fs::create_dir_all(self.flushed.join(kind)).unwrap();
        }
        let mut paths = HashMap::new();
        find(&self.live, &mut paths);
        for (inode, path) in &paths {
            let at = |kind: &str| self.flushed.join(kind).join(inode.to_string());
            if path.is_dir() {
                let list = list(path);
                if !list.is_empty() {
                    fs::write(at("folders"), list).unwrap();
                }
            } else {
                fs::copy(path, at("files")).unwrap();
                fs::hard_link(path, at("kept")).unwrap();
            }
        }
    }
}

struct PowerLoss<'a> {
    flushed: &'a Path,
    /// What is in the folder, by inode.
    paths: HashMap<u64, PathBuf>,
    survivors: Survivors,
    dice: &'a mut Dice,
}

impl PowerLoss<'_> {
    /// Makes what is left of a folder.
    fn folder(&mut self, inode: u64, to: &Path) {
        fs::create_dir(to).unwrap();
        let flushed = fs::read_to_string(self.flushed.join(format!("folders/{inode}")));
        let flushed = names(&flushed.unwrap_or_default());
        let now = self.paths.get(&inode).map_or_else(Names::new, |path| names(&list(path)));
        let all: BTreeSet<&String> = flushed.keys().chain(now.keys()).collect();
        for name in all {
            let (before, after) = (flushed.get(name), now.get(name));
            let node = if before != after && self.survives() { after } else { before };
            match node {
                None => {}
                Some(Node::Folder(inode)) => self.folder(*inode, &to.join(name)),
                Some(Node::File(inode)) => {
                    let content = self.file(*inode);
                    fs::write(to.join(name), content).unwrap();
                    only_for_owner(&to.join(name));
                }
            }
        }
        only_for_owner(to);
    }

    /// What is left of a file.
    fn file(&mut self, inode: u64) -> Vec<u8> {
        let flushed = fs::read(self.flushed.join(format!("files/{inode}"))).unwrap_or_default();
        if self.survivors == Survivors::None {
            return flushed;
        }
        let kept = self.flushed.join(format!("kept/{inode}"));
        let path = if kept.exists() { Some(&kept) } else { self.paths.get(&inode) };
        let now = fs::read(path.unwrap()).unwrap();
        let mut left = flushed;
        if left.len() != now.len() && self.survives() {
            left.resize(now.len(), 0);
        }
        for (left, now) in left.chunks_mut(PAGE_BYTES).zip(now.chunks(PAGE_BYTES)) {
            let common = left.len().min(now.len());
            if left[..common] != now[..common] && self.survives() {
                let torn = self.dice.one_in(8);
                let end = if torn { self.dice.index(8) * SECTOR_BYTES } else { common };
                let end = end.min(common);
                left[..end].copy_from_slice(&now[..end]);
            }
        }
        left
    }

    fn survives(&mut self) -> bool {
        match self.survivors {
            Survivors::None => false,
            Survivors::Some(percent) => self.dice.below(100) < percent,
        }
    }
}

/// Everything below a folder, and itself, by inode. Sockets are no files, and the shared memory of a
/// database is none that would be flushed.
fn find(path: &Path, paths: &mut HashMap<u64, PathBuf>) {
    paths.insert(inode(path), path.to_owned());
    for entry in entries(path) {
        if entry.file_type().unwrap().is_dir() {
            find(&entry.path(), paths);
        } else {
            paths.insert(inode(&entry.path()), entry.path());
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.filter(|entry| {
        let kind = entry.file_type().unwrap();
        kind.is_dir() || kind.is_file() && !is_memory(&entry.file_name().to_string_lossy())
    })
}

fn is_memory(name: &str) -> bool {
    name.ends_with("-shm")
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

/// The names in a folder, in the form in which the library writes them.
fn list(folder: &Path) -> String {
    let line = |entry: DirEntry| {
        let kind = if entry.file_type().unwrap().is_dir() { 'd' } else { 'f' };
        format!("{} {kind} {}\n", inode(&entry.path()), entry.file_name().to_str().unwrap())
    };
    entries(folder).map(line).collect()
}

fn names(list: &str) -> Names {
    let name = |line: &str| {
        let [inode, kind, name] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        let inode = inode.parse().unwrap();
        let node = if kind == "d" { Node::Folder(inode) } else { Node::File(inode) };
        (name.to_owned(), node)
    };
    list.lines().map(name).filter(|(name, _)| !is_memory(name)).collect()
}

fn only_for_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
