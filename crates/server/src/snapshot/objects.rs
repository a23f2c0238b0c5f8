//! Snapshots in object storage.
//!
//! The names are those of a directory, below the prefix, with `locks/` in place of the lock and without
//! `tmp`. An object is there whole or not at all, and durable when the storage has said so; so parts
//! before manifests is all the order that is needed. What is sent has a checksum with it that the
//! storage compares, and what comes is compared with its digest by whoever reads it.

mod lock;
mod place;

use std::io::{self, Read};
use std::sync::Arc;

use anyhow::{Context, Result};
use object_store::path::Path;
use wargate_blobs::Failure;
use wargate_blobs::limits::PART_BYTES;
use wargate_crypto::{Digest, Sha256};
use wargate_registry::snapshot::{SnapshotId, Target};

use self::lock::Lock;
use self::place::Place;
use super::Use;
use super::folder::{ALGORITHM, MANIFEST_SUFFIX, MANIFESTS, MARK, MARK_TEXT, PARTS, changed};
use super::folder::{check_mark_text, has_something_else};

/// Longest mark that is read, in bytes.
const MARK_BYTES_MAX: u64 = 200;

/// How many objects are looked at before a place is made one of snapshots.
const LOOK_OBJECTS_MAX: usize = 1000;

/// A place in object storage with snapshots.
pub(super) struct ObjectTarget {
    place: Arc<Place>,
    lock: Option<Lock>,
}

/// Opens the place that a URL names.
pub(super) fn open(url: &str, how: Use) -> Result<Box<dyn Target>> {
    let target = wargate_blobs::Target::open(url).context("snapshots cannot be kept there")?;
    let wrong = format!("cannot use {target} for snapshots");
    let target = Place::new(target).and_then(|place| ObjectTarget::open(place, how));
    Ok(Box::new(target.context(wrong)?))
}

impl ObjectTarget {
    /// Opens a place; makes it one of snapshots if they are to be added and there is nothing else.
    fn open(place: Place, how: Use) -> io::Result<Self> {
        let mark = place.path(MARK);
        match place.get(&mark, MARK_BYTES_MAX) {
            Ok(Some(text)) => check_mark_text(&String::from_utf8_lossy(&text))?,
            Ok(None) => {
                look(&place)?;
                if how != Use::Add {
                    let what =
                        "there are no snapshots in it\nhint: `wargate snapshot URL` takes one";
                    return Err(io::Error::other(what));
                }
                place.put(&mark, MARK_TEXT.into())?;
            }
            Err(error) => return Err(explain(error)),
        }
        let place = Arc::new(place);
        let lock = if how == Use::Read { None } else { Some(Lock::take(&place, how)?) };
        Ok(Self { place, lock })
    }

    fn part_path(&self, digest: &Digest) -> Path {
        let text = digest.to_string();
        let digits = text.strip_prefix(ALGORITHM).unwrap_or(&text);
        let [first, ..] = digest.as_bytes();
        self.place.path(&format!("{PARTS}/{first:02x}/{digits}"))
    }

    fn manifest_path(&self, id: &SnapshotId) -> Path {
        self.place.path(&format!("{MANIFESTS}/{id}{MANIFEST_SUFFIX}"))
    }

    /// Whoever writes may do so.
    fn hold(&self) -> io::Result<()> {
        self.lock.as_ref().map_or_else(|| Err(for_reading()), Lock::hold)
    }

    /// Whoever only looks keeps up what right to write there is: between two writes there may be
    /// thousands of looks.
    fn hold_on(&self) -> io::Result<()> {
        self.lock.as_ref().map_or(Ok(()), Lock::hold)
    }

    fn hold_now(&self) -> io::Result<()> {
        self.lock.as_ref().map_or_else(|| Err(for_reading()), Lock::hold_now)
    }

    /// Sends a part in pieces, which become an object only if the bytes are right.
    fn keep_large(&self, digest: &Digest, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        let mut upload = self.place.upload(&self.part_path(digest), bytes)?;
        let (mut hasher, mut found, mut buffer) = (Sha256::new(), 0_u64, vec![0; 1 << 20]);
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            self.hold()?;
            hasher.update(&buffer[..read]);
            found += read as u64;
            upload.write(&buffer[..read])?;
        }
        if found != bytes || hasher.finish() != *digest {
            return Err(changed(digest));
        }
        upload.end()
    }
}

/// Whether object storage answers and lets us in, and there is nothing of others at a place.
fn look(place: &Place) -> io::Result<()> {
    let (mut looked, mut other) = (0, None);
    let listed = place.list(None, &mut |object| {
        looked += 1;
        let name = place.below(&object.location).first().copied().unwrap_or_default();
        if ![PARTS, MANIFESTS, lock::FOLDER, MARK].contains(&name) {
            other = Some(name.to_owned());
        }
        other.is_none() && looked < LOOK_OBJECTS_MAX
    });
    match (listed, other) {
        (Err(error), _) => Err(explain(error)),
        (Ok(()), Some(other)) => {
            Err(has_something_else(&other, "name a prefix with nothing below it"))
        }
        (Ok(()), None) => Ok(()),
    }
}

/// What the first request fails with, and what to do.
fn explain(error: io::Error) -> io::Error {
    let failure = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>());
    let (what, hint) = match failure {
        Some(Failure::NotFound | Failure::Status(404)) => {
            ("there is no bucket of that name", "make it, or look at the name and AWS_ENDPOINT_URL")
        }
        Some(Failure::Unreachable | Failure::TimedOut) => {
            ("object storage cannot be reached", "AWS_ENDPOINT_URL and AWS_REGION say where it is")
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{what}\nhint: {hint}"))
}

fn for_reading() -> io::Error {
    io::Error::other("it was opened to be read")
}

impl Target for ObjectTarget {
    fn part(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + '_>>> {
        self.hold_on()?;
        let found = self.place.open(&self.part_path(digest))?;
        Ok(found.map(|reader| -> Box<dyn Read> { Box::new(reader) }))
    }

    fn part_bytes(&self, digest: &Digest) -> io::Result<Option<u64>> {
        self.hold_on()?;
        Ok(self.place.head(&self.part_path(digest))?.map(|found| found.size))
    }

    fn keep_part(&self, digest: &Digest, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        self.hold()?;
        if bytes > PART_BYTES {
            return self.keep_large(digest, bytes, from);
        }
        let mut part = Vec::new();
        from.take(PART_BYTES + 1).read_to_end(&mut part)?;
        if part.len() as u64 != bytes || Digest::of(&part) != *digest {
            return Err(changed(digest));
        }
        self.place.put(&self.part_path(digest), part)
    }

    fn parts(&self, each: &mut dyn FnMut(Digest, u64)) -> io::Result<()> {
        let mut held = Ok(());
        self.place.list(Some(PARTS), &mut |object| {
            let name = object.location.filename().unwrap_or_default();
            // What somebody else has put there is not ours.
            if let Ok(digest) = format!("{ALGORITHM}{name}").parse()
                && self.part_path(&digest) == object.location
            {
                each(digest, object.size);
            }
            held = self.hold_on();
            held.is_ok()
        })?;
        held
    }

    fn remove_part(&self, digest: &Digest) -> io::Result<()> {
        self.hold()?;
        self.place.remove(&self.part_path(digest))
    }

    /// What was kept is durable.
    fn settle(&self) -> io::Result<()> {
        Ok(())
    }

    fn manifests(&self) -> io::Result<Vec<SnapshotId>> {
        let mut found = Vec::new();
        self.place.list(Some(MANIFESTS), &mut |object| {
            let name = object.location.filename().unwrap_or_default();
            found.extend(name.strip_suffix(MANIFEST_SUFFIX).and_then(|id| id.parse().ok()));
            true
        })?;
        found.sort_unstable();
        Ok(found)
    }

    fn manifest(&self, id: &SnapshotId, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        self.hold_on()?;
        self.place.get(&self.manifest_path(id), bytes_max)
    }

    fn keep_manifest(&self, id: &SnapshotId, bytes: &[u8]) -> io::Result<()> {
        self.hold_now()?;
        self.place.put(&self.manifest_path(id), bytes.to_vec())?;
        // If it was lost in the meantime, parts may be gone that the manifest names.
        self.hold_now().inspect_err(|_| drop(self.place.remove(&self.manifest_path(id))))
    }

    fn remove_manifest(&self, id: &SnapshotId) -> io::Result<()> {
        self.hold()?;
        self.place.remove(&self.manifest_path(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A way to look.
    type Look<'a> = &'a dyn Fn(&ObjectTarget) -> io::Result<()>;

    /// Whoever has one may look for so long, writing nothing, that others would believe it dead; whoever
    /// only reads has none and needs none.
    #[test]
    fn who_looks_for_long_keeps_its_lock() {
        let folder = tempfile::TempDir::new().unwrap();
        let place = || {
            let target = wargate_blobs::Target::open(folder.path().to_str().unwrap()).unwrap();
            Place::new(target).unwrap()
        };
        let target = ObjectTarget::open(place(), Use::Add).unwrap();
        let part = b"a part";
        let digest = Digest::of(part);
        target.keep_part(&digest, part.len() as u64, &mut part.as_slice()).unwrap();
        let id = "20261121T171834007Z-12-0123456789abcdef".parse().unwrap();
        let looks: [(&str, Look<'_>); 4] = [
            ("part", &|target| target.part(&digest).map(drop)),
            ("part_bytes", &|target| target.part_bytes(&digest).map(drop)),
            ("parts", &|target| target.parts(&mut |_, _| ())),
            ("manifest", &|target| target.manifest(&id, 1000).map(drop)),
        ];
        let lock = target.lock.as_ref().unwrap();
        for (what, look) in looks {
            assert!(!lock.is_due());
            lock.grow_old();
            assert!(lock.is_due());
            look(&target).unwrap();
            assert!(!lock.is_due(), "{what}");
        }
        let reader = ObjectTarget::open(place(), Use::Read).unwrap();
        for (what, look) in looks {
            assert!(look(&reader).is_ok(), "{what}");
        }
    }
}
