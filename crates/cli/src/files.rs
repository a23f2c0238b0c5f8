//! Files that somebody else may have made: nothing but a regular file is opened, and none is waited for.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

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

fn refuse_other(metadata: &Metadata) -> io::Result<()> {
    match metadata {
        regular if regular.is_file() => Ok(()),
        directory if directory.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("it is a pipe or a device, and no regular file")),
    }
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
