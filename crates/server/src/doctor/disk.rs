//! The disk: what kind it is, how much is free, how long `fsync` takes.

use super::Findings;
use super::subject::Subject;

#[cfg(not(unix))]
pub(super) fn check(_: &Subject, _: &mut Findings) {}

#[cfg(unix)]
pub(super) use self::unix::check;

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::Write;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::{Findings, Subject};

    /// Less than this, and the next upload may fail.
    const FREE_BYTES_MIN: u64 = 256 << 20;

    /// Less than this part of a disk, and its file system becomes slow and its owner nervous.
    const FREE_PART_MIN: u64 = 10;

    /// A commit takes as long as this, at least.
    const FSYNC_MAX: Duration = Duration::from_millis(50);

    /// How often it is tried; the middle one counts.
    const FSYNCS: usize = 5;

    pub(in super::super) fn check(subject: &Subject, findings: &mut Findings) {
        let Some(data_dir) = &subject.data_dir else { return };
        // Where it is not there yet: whatever it will be made in.
        let Some(place) = data_dir.ancestors().find(|path| path.is_dir()) else { return };
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        kind(place, findings);
        free(place, findings);
        fsync(place, findings);
    }

    /// File systems that are no place for a database, by their number (statfs(2)).
    fn kind(place: &Path, findings: &mut Findings) {
        #[cfg(target_os = "linux")]
        if let Ok(found) = rustix::fs::statfs(place) {
            let number = u32::try_from(found.f_type & 0xffff_ffff).unwrap_or_default();
            let over_network = match number {
                0x6969 => Some("NFS"),
                0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
                0x00c3_6400 => Some("Ceph"),
                0x0102_1997 => Some("9P"),
                0x5346_414f | 0x6b41_4653 => Some("AFS"),
                _ => None,
            };
            if let Some(name) = over_network {
                findings.fail(
                    "file system",
                    format!("{name}: the database's locks and its shared memory do not work there"),
                    "keep the data on a disk of this machine",
                );
                return;
            }
            match number {
                0x0102_1994 | 0x8584_58f6 => findings.warn(
                    "file system",
                    "in memory: nothing there survives the machine's restart",
                    "keep the data on a disk",
                ),
                0x794c_7630 => findings.warn(
                    "file system",
                    "an overlay, such as a container has: it goes with the container",
                    "keep the data in a volume",
                ),
                0x6573_5546 => findings.warn(
                    "file system",
                    "FUSE: whether `fsync` and locks work depends on what is behind it",
                    "keep the data on a disk of this machine",
                ),
                _ => findings.ok("file system", "fit for a database"),
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (place, findings);
    }

    fn free(place: &Path, findings: &mut Findings) {
        let disk = match rustix::fs::statvfs(place) {
            Ok(disk) => disk,
            Err(error) => {
                findings.warn("free space", format!("not known: {error}"), "look with `df`");
                return;
            }
        };
        let (free, size) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
        let found = format!("{} MiB of {} MiB", free >> 20, size >> 20);
        if free < FREE_BYTES_MIN {
            findings.fail("free space", found, "make room: publishing fails when the disk is full");
        } else if free < size / FREE_PART_MIN {
            findings.warn("free space", found, "make room, or take a larger disk");
        } else {
            findings.ok("free space", found);
        }
    }

    /// Into a file without a name, which nobody sees and which is gone with the program.
    fn fsync(place: &Path, findings: &mut Findings) {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, Mode, OFlags, openat};
            let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
            let file = match openat(CWD, place, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => File::from(file),
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
                    findings.ok("fsync", "not tried: the file system has no files without names");
                    return;
                }
                Err(error) => {
                    let found = format!("{} cannot be written to: {error}", place.display());
                    findings.fail("fsync", found, "let the registry's user write there");
                    return;
                }
            };
            match time_fsync(file) {
                Err(error) => findings.fail("fsync", error.to_string(), "look at the disk"),
                Ok(took) if took > FSYNC_MAX => findings.warn(
                    "fsync",
                    format!("takes {} ms; no commit is faster", took.as_millis()),
                    "take a faster disk: an SSD takes a few",
                ),
                Ok(took) => findings.ok("fsync", format!("takes {} µs", took.as_micros())),
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (place, findings);
    }

    fn time_fsync(mut file: File) -> std::io::Result<Duration> {
        let mut times = Vec::new();
        for _ in 0..FSYNCS {
            file.write_all(&[0; 4096])?;
            let began = Instant::now();
            file.sync_all()?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(FSYNCS / 2).copied().unwrap_or_default())
    }
}
