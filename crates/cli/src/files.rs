//! Files that somebody else may have made, of which nothing but a regular one is opened and none is waited
//! for; and files that are written whole or not at all.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use wargate_crypto::Digest;

use crate::failure::Failure;

/// Opens a regular file for reading, and says what is known of the one that was opened. A pipe or a
/// device, which may never end, is an error.
pub(crate) fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    // Opening some devices already does something.
    refuse_other(&std::fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    // Should it have become a pipe since then, nobody waits for who writes into it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    refuse_other(&metadata)?;
    Ok((file, metadata))
}

/// Reads a regular file of at most so many bytes.
pub(crate) fn read_regular(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = open_regular(path)?;
    let mut bytes = Vec::new();
    // Somebody may still write to it.
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len().max(usize::try_from(metadata.len()).unwrap_or(usize::MAX)) as u64 > bytes_max {
        return Err(io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// A path below a directory, none of whose parts below it is a link, and which is a file if it is there:
/// what is in the directory may be somebody else's doing.
///
/// # Errors
/// That something is in the way.
pub(crate) fn below(directory: &Path, path: &Path) -> Result<PathBuf, Failure> {
    let mut whole = directory.to_owned();
    let count = path.components().count();
    for (at, part) in path.components().enumerate() {
        whole.push(part);
        let Ok(metadata) = std::fs::symlink_metadata(&whole) else { continue };
        let is_right = if at + 1 < count { metadata.is_dir() } else { metadata.is_file() };
        if !is_right {
            let whole = whole.display();
            return Err(Failure::usage(format!("{whole} is a link, or not what belongs there"))
                .hint("remove it, or name another directory"));
        }
    }
    Ok(whole)
}

fn refuse_other(metadata: &Metadata) -> io::Result<()> {
    match metadata {
        regular if regular.is_file() => Ok(()),
        directory if directory.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("it is a pipe or a device, and no regular file")),
    }
}

/// Writes a file, which appears when it is whole, and not before. What is no file, such as a device or a
/// pipe, gets all of it at once.
///
/// # Errors
/// This machine's fault, or what `write` fails with.
pub(crate) fn write_whole<E: From<Failure>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error: io::Error| E::from(cannot_write(path, &error));
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        let mut file = tempfile::tempfile().map_err(failed)?;
        write(&mut file)?;
        file.rewind().map_err(failed)?;
        let mut target = OpenOptions::new().write(true).open(path).map_err(failed)?;
        io::copy(&mut file, &mut target).map_err(failed)?;
        return Ok(());
    }
    let directory = folder_of(path);
    if !directory.is_dir() {
        let (path, directory) = (path.display(), directory.display());
        let message = format!("cannot write {path}: there is no directory {directory}");
        return Err(Failure::local(message).hint("make it, or name another path").into());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".warg-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(directory).map_err(failed)?;
    write(file.as_file_mut())?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Writes a text that is not to be lost, as [`write_whole`] does.
///
/// # Errors
/// This machine's fault.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    write_whole(path, |file| {
        let written = io::Write::write_all(file, text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| cannot_write(path, &error))
    })
}

/// The digests of contents, in their order.
pub(crate) fn digests(contents: Vec<&[u8]>) -> Vec<Digest> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(contents.len());
    let mut digests = vec![None; contents.len()];
    let open = Mutex::new(contents.into_iter().zip(&mut digests));
    let next = || open.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((content, digest)) = next() {
            *digest = Some(Digest::of(content));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system gives no thread, it goes without.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    digests.into_iter().flatten().collect()
}

/// That a file cannot be written.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let text = error.to_string();
    // The name of the unfinished file says nothing to anybody.
    let reason = text.split(" at path ").next().unwrap_or(&text);
    Failure::local(format!("cannot write {}: {reason}", path.display()))
}

/// The directory that a path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A text as one word of a shell's command line.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@%~=:".contains(&byte);
    if !text.is_empty() && !text.starts_with(['~', '=']) && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_it_for_one_word() {
        assert_eq!(shell_word("/srv/a-b_1.2"), "/srv/a-b_1.2");
        assert_eq!(shell_word("/srv/a b; rm -rf $HOME"), "'/srv/a b; rm -rf $HOME'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!((shell_word(""), shell_word("~x")), ("''".into(), "'~x'".into()));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_but_a_regular_file_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [&pipe, Path::new("/dev/zero")] {
            assert!(open_regular(path).unwrap_err().to_string().contains("no regular file"));
        }
        let error = open_regular(directory.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let file = directory.path().join("file");
        std::fs::write(&file, "four").unwrap();
        assert_eq!(open_regular(&file).unwrap().1.len(), 4);
    }
}
