//! Who writes to a place in object storage: objects below `locks`, one for each.
//!
//! Whoever begins puts its own object there first and lists the others then, so of two who begin at the
//! same time at least one sees the other. Those who add do not mind each other, and wait for those who
//! remove; who removes gives way to everybody. That needs lists which have what was written before
//! them, as those of S3 have, and no conditions on writes, which not every storage knows.
//!
//! Objects of those who were killed stay, and do not count when they are [`EXPIRED_SECONDS`] older than
//! one's own. Those who live write theirs anew long before that, and whoever finds that it did not is
//! told so and gives up. All times are the storage's: whether clocks of machines agree does not matter.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use getrandom::SysRng;
use object_store::ObjectMeta;
use object_store::path::Path;
use rand_core::TryRng;

use super::super::Use;
use super::place::Place;

/// Where they are.
pub(super) const FOLDER: &str = "locks";
/// What an object counts for no more after.
const EXPIRED_SECONDS: i64 = 3600;
/// After how long without writing it one who holds it believes it no more. The rest is for what was
/// asked of the storage before that.
const HELD_SECONDS_MAX: i64 = 1800;
/// How often it is written.
const RENEWED_AFTER: Duration = Duration::from_mins(5);
/// How long those who add wait for one who removes, looking so often.
const WAIT_MAX: Duration = Duration::from_mins(10);
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// What names begin with.
const ADD: &str = "add-";
const REMOVE: &str = "remove-";

/// The right to write, until it is dropped.
pub(super) struct Lock {
    place: Arc<Place>,
    path: Path,
    how: Use,
    written: Mutex<Written>,
}

/// When it was written last.
struct Written {
    object: ObjectMeta,
    /// By two clocks of this machine, because either may miss something: one the time that the machine
    /// slept, the other that it was set.
    steady: Instant,
    wall: SystemTime,
}

impl Lock {
    /// Takes it.
    pub(super) fn take(place: &Arc<Place>, how: Use) -> io::Result<Self> {
        let kind = if how == Use::Remove { REMOVE } else { ADD };
        let number = SysRng.try_next_u64().map_err(io::Error::other)?;
        let path = place.path(&format!("{FOLDER}/{kind}{number:016x}"));
        let written = Mutex::new(write(place, &path, how)?);
        let lock = Self { place: Arc::clone(place), path, how, written };
        let began = Instant::now();
        while lock.somebody()? {
            if how == Use::Remove {
                let what = "somebody takes or removes snapshots, or was interrupted within the last \
                            hour: try again later";
                return Err(io::Error::other(what));
            }
            if began.elapsed() > WAIT_MAX {
                let what = "somebody removes snapshots, or was interrupted within the last hour: try \
                            again later";
                return Err(io::Error::other(what));
            }
            lock.place.wait(async {
                let next = tokio::time::Instant::now() + LOOK_AFTER;
                tokio::time::interval_at(next, LOOK_AFTER).tick().await;
                Ok(())
            })?;
        }
        Ok(lock)
    }

    /// Whether there is one who must not be there at the same time. What is left of those who were
    /// killed is removed.
    fn somebody(&self) -> io::Result<bool> {
        let own = self.written().object.last_modified;
        let (mut found, mut expired) = (false, Vec::new());
        self.place.list(Some(FOLDER), &mut |object| {
            let name = object.location.filename().unwrap_or_default();
            if object.location != self.path && (name.starts_with(ADD) || name.starts_with(REMOVE)) {
                if (own - object.last_modified).num_seconds() > EXPIRED_SECONDS {
                    expired.push(object.location.clone());
                } else {
                    found |= self.how == Use::Remove || name.starts_with(REMOVE);
                }
            }
            true
        })?;
        expired.iter().try_for_each(|path| self.place.remove(path))?;
        Ok(found)
    }

    /// Makes sure that it is held, by writing it anew if that is due. Called before whatever must not
    /// happen without it.
    pub(super) fn hold(&self) -> io::Result<()> {
        if self.is_due() { self.hold_now() } else { Ok(()) }
    }

    /// Whether it is to be written anew.
    pub(super) fn is_due(&self) -> bool {
        let written = self.written();
        let slept = written.wall.elapsed().unwrap_or(RENEWED_AFTER);
        written.steady.elapsed().max(slept) >= RENEWED_AFTER
    }

    /// As if that had been long ago.
    #[cfg(test)]
    pub(super) fn grow_old(&self) {
        self.written().wall -= RENEWED_AFTER;
    }

    /// The same, and writes it in any case.
    pub(super) fn hold_now(&self) -> io::Result<()> {
        let now = write(&self.place, &self.path, self.how)?;
        let mut written = self.written();
        let pause = (now.object.last_modified - written.object.last_modified).num_seconds();
        if pause > HELD_SECONDS_MAX {
            let what = "this took a pause that was too long, and others may have changed what is \
                        there: try again";
            return Err(io::Error::other(what));
        }
        *written = now;
        Ok(())
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the object, and asks when the storage says that it was.
fn write(place: &Place, path: &Path, how: Use) -> io::Result<Written> {
    let (steady, wall) = (Instant::now(), SystemTime::now());
    let does = if how == Use::Remove { "removes" } else { "adds" };
    let program = env!("CARGO_PKG_VERSION");
    let text = format!("wargate {program}, process {}, {does} snapshots\n", std::process::id());
    place.put(path, text.into_bytes())?;
    let gone = || io::Error::other("somebody has removed this process's lock: try again");
    Ok(Written { object: place.head(path)?.ok_or_else(gone)?, steady, wall })
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If it stays, it expires.
        drop(self.place.remove(&self.path));
    }
}
