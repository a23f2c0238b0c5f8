//! What a component is granted: what was typed, as typed values.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use wargate_console::harmless;

use crate::arguments::GrantArguments;
use crate::failure::Failure;
use crate::network::Network;

/// What a component may do beside computing.
#[derive(Debug)]
pub(crate) struct Grants {
    pub(crate) directories: Vec<Directory>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) network: Arc<Network>,
}

/// A directory that a component sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    /// Where it is.
    pub(crate) host: PathBuf,
    /// What the component calls it.
    pub(crate) guest: String,
    pub(crate) may_write: bool,
}

impl Grants {
    /// Reads what was typed.
    ///
    /// # Errors
    /// It cannot be understood, or names what is not there.
    pub(crate) fn new(arguments: &GrantArguments) -> Result<Self, Failure> {
        let directories: Vec<Directory> =
            arguments.dir.iter().map(|text| directory(text)).collect::<Result<_, _>>()?;
        let variables: Vec<(String, String)> =
            arguments.env.iter().map(|text| variable(text)).collect::<Result<_, _>>()?;
        if let Some(guest) = twice(directories.iter().map(Directory::place)) {
            let guest = guest.display().to_string();
            let message = format!("`--dir`: two directories are to be {}", harmless(&guest));
            return Err(Failure::usage(message).hint("`HOST::GUEST` gives one another name"));
        }
        if let Some(name) = twice(variables.iter().map(|(name, _)| name)) {
            let message = format!("`--env`: the variable {} is named twice", harmless(name));
            return Err(Failure::usage(message).hint("give it one value"));
        }
        let network = Arc::new(Network::new(arguments)?);
        Ok(Self { directories, variables, network })
    }
}

impl Directory {
    /// What the component calls it, without what makes no difference.
    fn place(&self) -> PathBuf {
        let parts = Path::new(&self.guest).components();
        parts.filter(|part| *part != Component::CurDir).collect()
    }
}

/// What is there twice.
fn twice<T: Ord>(all: impl Iterator<Item = T>) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    let at = all.windows(2).position(|two| two[0] == two[1])?;
    Some(all.swap_remove(at))
}

fn directory(text: &str) -> Result<Directory, Failure> {
    let directory = split_directory(text);
    let host = directory.host.display();
    if directory.guest.is_empty() || directory.host.as_os_str().is_empty() {
        return Err(Failure::usage(format!("`--dir {}` names no directory", harmless(text)))
            .hint("it is written HOST, HOST::GUEST, or with :rw behind it"));
    }
    let mode = strange_mode(text);
    if let Some(mode) = mode.filter(|_| text.contains("::")) {
        return Err(Failure::usage(format!("`--dir`: there is no mode :{}", harmless(mode)))
            .hint("the modes are :ro and :rw; a name with a colon is followed by one of them"));
    }
    if directory.host.is_dir() {
        return Ok(directory);
    }
    if directory.host.exists() {
        let failure = Failure::usage(format!("`--dir`: {host} is a file, and no directory"));
        return Err(failure.hint("grant a directory that has it"));
    }
    let failure = Failure::usage(format!("`--dir`: there is no directory {host}"));
    Err(match mode {
        Some(_) => failure.hint("the modes are :ro and :rw"),
        None => failure,
    })
}

/// What stands where a mode would, and is none.
fn strange_mode(text: &str) -> Option<&str> {
    let path = text.split_once("::").map_or(text, |(_, guest)| guest);
    let (_, word) = path.rsplit_once(':')?;
    (!["ro", "rw"].contains(&word) && !word.contains(['/', '\\'])).then_some(word)
}

/// `HOST[::GUEST][:ro|:rw]`. Without a name of its own, the component calls it as it is called here.
fn split_directory(text: &str) -> Directory {
    let (path, may_write) = match (text.strip_suffix(":rw"), text.strip_suffix(":ro")) {
        (Some(path), _) => (path, true),
        (_, Some(path)) => (path, false),
        _ => (text, false),
    };
    let (host, guest) = path.split_once("::").unwrap_or((path, path));
    Directory { host: host.into(), guest: guest.to_owned(), may_write }
}

fn variable(text: &str) -> Result<(String, String), Failure> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() || text.contains('\0') {
        return Err(Failure::usage(format!("`--env {}` names no variable", harmless(text))));
    }
    if let Some(value) = value {
        return Ok((name.to_owned(), value));
    }
    match std::env::var(name) {
        Ok(value) => Ok((name.to_owned(), value)),
        Err(std::env::VarError::NotPresent) => {
            let name = harmless(name);
            Err(Failure::usage(format!("`--env {name}`: there is no such variable"))
                .hint(format!("`--env {name}=VALUE` gives it one")))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("`--env {}`: its value is no text", harmless(name))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_have_names_and_modes() {
        for (text, host, guest, may_write) in [
            (".", ".", ".", false),
            ("a/b:rw", "a/b", "a/b", true),
            ("a/b::/data", "a/b", "/data", false),
            ("a/b::/data:ro", "a/b", "/data", false),
            ("/x::y:rw", "/x", "y", true),
            (r"C:\x::/y:rw", r"C:\x", "/y", true),
            ("a:b", "a:b", "a:b", false),
        ] {
            let expected = Directory { host: host.into(), guest: guest.into(), may_write };
            assert_eq!(split_directory(text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in ["", ":rw", "::", "::/data", ".::", "no/such/directory"] {
            assert!(directory(text).is_err(), "{text}");
        }
        for text in [".::a:xx", ".::a:", ".::a:RW", ".::/a/b:rwx", ".::a:rw:xx"] {
            assert!(
                directory(text).unwrap_err().message().contains("there is no mode :"),
                "{text}"
            );
        }
        for text in [".::a:b:ro", ".::a:b/c", ".:ro"] {
            assert!(directory(text).is_ok(), "{text}");
        }
        for text in ["", "=x", "WARGATE_NO_SUCH_VARIABLE"] {
            assert!(variable(text).is_err(), "{text}");
        }
        assert_eq!(variable("A=b=c").unwrap(), ("A".into(), "b=c".into()));
    }

    #[test]
    fn nothing_is_granted_twice() {
        for (dir, env, is_fine) in [
            (&["."][..], &["A=1", "B=1", "a=1"][..], true),
            (&[".::a", ".::b", ".::/a"], &[], true),
            (&[], &["A=1", "B=1", "A=2"], false),
            (&[], &["A=1", "A=1"], false),
            (&[".::a", "src::a"], &[], false),
            (&[".::a:rw", "src::./a/"], &[], false),
            (&[".", ".:rw"], &[], false),
        ] {
            let owned = |texts: &[&str]| texts.iter().map(|&it| it.into()).collect();
            let arguments =
                GrantArguments { dir: owned(dir), env: owned(env), ..Default::default() };
            assert_eq!(Grants::new(&arguments).is_ok(), is_fine, "{dir:?} {env:?}");
        }
    }
}
