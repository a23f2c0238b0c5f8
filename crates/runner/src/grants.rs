//! What a component is granted: what was typed, as typed values.

use std::path::PathBuf;
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
        let directories =
            arguments.dir.iter().map(|text| directory(text)).collect::<Result<_, _>>()?;
        let variables =
            arguments.env.iter().map(|text| variable(text)).collect::<Result<_, _>>()?;
        let network = Arc::new(Network::new(arguments)?);
        Ok(Self { directories, variables, network })
    }
}

fn directory(text: &str) -> Result<Directory, Failure> {
    let directory = split_directory(text);
    let host = directory.host.display();
    if directory.guest.is_empty() || directory.host.as_os_str().is_empty() {
        return Err(Failure::usage(format!("`--dir {}` names no directory", harmless(text)))
            .hint("it is written HOST, HOST::GUEST, or with :rw behind it"));
    }
    if !directory.host.is_dir() {
        return Err(Failure::usage(format!("`--dir`: there is no directory {host}")));
    }
    Ok(directory)
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
        for text in ["", "=x", "WARGATE_NO_SUCH_VARIABLE"] {
            assert!(variable(text).is_err(), "{text}");
        }
        assert_eq!(variable("A=b=c").unwrap(), ("A".into(), "b=c".into()));
    }
}
