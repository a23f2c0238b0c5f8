//! What went wrong, whose fault it is, and what helps.

use clap::error::ErrorKind;
use serde_json::{Value, json};
use wargate_client::seams::TransportFault;
use wargate_client::{Error, Kind};
use wargate_console::harmless;

use crate::output::Report;

/// Something else went wrong; of a check, what was checked is not as it should be.
pub(crate) const EXIT_OTHER: u8 = 1;

/// The command line cannot be understood.
pub(crate) const EXIT_USAGE: u8 = 2;

/// There is no such thing.
pub(crate) const EXIT_NOT_FOUND: u8 = 3;

/// The network or the registry fails.
pub(crate) const EXIT_UNAVAILABLE: u8 = 5;

/// What the registry says cannot be true.
pub(crate) const EXIT_UNTRUSTED: u8 = 6;

/// Exit codes: the number, the word in JSON, and what it means.
pub(crate) const EXITS: &[(u8, &str, &str)] = &[
    (0, "", "it was done"),
    (EXIT_OTHER, "other", "something else went wrong"),
    (
        EXIT_USAGE,
        "usage",
        "the command, the configuration or a file of yours is wrong, or a question was \
                   not answered",
    ),
    (
        EXIT_NOT_FOUND,
        "not-found",
        "there is no such package, release or registry, or it is not at hand offline",
    ),
    (4, "denied", "a permission, a key or a token is missing"),
    (EXIT_UNAVAILABLE, "unavailable", "the network or the registry fails; later may help"),
    (EXIT_UNTRUSTED, "untrusted", "the registry, or somebody between, says what cannot be true"),
    (7, "rejected", "the registry refuses what was to be published"),
    (8, "local", "this machine fails: disk, files, permissions"),
    (130, "interrupted", "you stopped it"),
];

/// What helps, by the code of the client's error.
#[derive(Clone, Copy, Debug)]
enum Help {
    Hint(&'static str),
    /// Nothing, for this reason.
    Nothing(
        #[cfg_attr(
            not(test),
            expect(dead_code, reason = "for whoever reads the table, and a test")
        )]
        &'static str,
    ),
}

const EVIDENCE: Help = Help::Hint(
    "nothing of it was believed. Try another network; if it stays so, tell the registry's operator",
);

/// Every code of the client, with what helps; a test compares the list with the client's source.
const HELP: &[(&str, Help)] = &[
    ("no-content", Help::Hint("the registry's operator has to look for it")),
    (
        "unreachable",
        Help::Hint("check the network and the registry's URL (`warg config show registry`)"),
    ),
    (
        "unavailable",
        Help::Hint("try again later, or check the registry's URL (`warg config show registry`)"),
    ),
    ("unauthorized", Help::Hint("store a token with `warg login`, or set WARG_TOKEN")),
    ("unknown-package", Help::Hint("check the name; `warg publish` creates packages")),
    ("no-such-release", Help::Hint("`warg versions PACKAGE` lists what there is")),
    ("conflict", Help::Hint("`warg dependencies` with other `--precise` versions may tell more")),
    ("unsolvable", Help::Nothing("the message says what is beyond which limit")),
    (
        "not-as-locked",
        Help::Hint(
            "releases never change: somebody changed the lock, or it was made at another registry \
             of that name; `warg lock` makes it anew once it is removed",
        ),
    ),
    (
        "other-imports",
        Help::Hint(
            "the lock was changed, or its registry did not tell the truth when it was made: remove \
             the lock, and `warg lock --component` compares while it makes it anew",
        ),
    ),
    (
        "other-log",
        Help::Hint(
            "whoever wrote the lock was shown another log: compare with them (`warg verify \
             --export-checkpoint`). If the registry began anew on purpose, remove the lock",
        ),
    ),
    (
        "yanked",
        Help::Hint("`warg versions PACKAGE` lists the others; `warg get --yanked` gets this one"),
    ),
    ("already-released", Help::Hint("a version is released once: choose a new one")),
    ("already-initialised", Help::Hint("release a version with `warg publish FILE`")),
    (
        "unknown-namespace",
        Help::Hint("check the name; to publish there, ask the registry's operator to define it"),
    ),
    (
        "imported-namespace",
        Help::Hint("name the other registry with `--registry`, or in `[namespaces]`"),
    ),
    (
        "not-permitted",
        Help::Hint(
            "one of those who may can let you: `warg publish grant PUBLIC_KEY`, with \
                                  the key that `warg key info` shows",
        ),
    ),
    ("rejected", Help::Nothing("the registry's reason is in the message, and only it knows more")),
    (
        "publish-refused",
        Help::Nothing("the registry's reason is in the message, and only it knows more"),
    ),
    ("still-waiting", Help::Hint("`warg publish wait PACKAGE RECORD` goes on waiting")),
    (
        "unknown-record",
        Help::Hint(
            "check the id: `warg publish` prints it, and `warg log PACKAGE` lists those in the log",
        ),
    ),
    ("offline", Help::Hint("leave out `--offline`, or unset WARG_OFFLINE")),
    ("no-signing-key", Help::Hint("make a key with `warg key new`, or set WARG_SIGNING_KEY")),
    (
        "no-registry",
        Help::Hint(
            "name one with `--registry URL`, WARG_REGISTRY, or `warg config --registry URL`",
        ),
    ),
    (
        "undecided",
        Help::Hint(
            "nobody can be asked here: set `hints` or `create-packages`, or their \
                              variables WARG_HINTS and WARG_CREATE_PACKAGES",
        ),
    ),
    ("usage", Help::Nothing("the message says what is wrong with the command")),
    ("content", Help::Nothing("the message says what is wrong with the file")),
    (
        "config",
        Help::Hint(
            "docs/configuration.md describes every setting; `warg config show --origin` shows \
                           which count",
        ),
    ),
    ("registry-name", Help::Nothing("the message says what a name looks like")),
    ("registry-url", Help::Nothing("the message says what a URL of a registry looks like")),
    (
        "state",
        Help::Hint(
            "the directory is `state-dir`; `warg config show state-dir --origin` says where \
                          that comes from",
        ),
    ),
    (
        "damaged-state",
        Help::Hint("`warg reset` forgets all that is known; it is fetched and verified anew"),
    ),
    ("cache", Help::Hint("the directory is `cache-dir`; `warg clear` empties it")),
    ("secret", Help::Hint("`warg whoami` shows where keys and tokens come from")),
];

/// What went wrong.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    exit: u8,
    code: &'static str,
    message: String,
    hints: Vec<String>,
    details: Box<Details>,
}

/// What few failures have.
#[derive(Clone, Debug, Default)]
struct Details {
    places: Vec<Value>,
    culprit: Option<&'static str>,
    evidence: Option<String>,
    done: Option<Report>,
}

impl Failure {
    fn new(exit: u8, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exit, code, message, hints: Vec::new(), details: Box::default() }
    }

    /// The user's fault.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(EXIT_USAGE, "usage", message)
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(EXIT_NOT_FOUND, "not-found", message)
    }

    /// This machine's.
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self::new(8, "local", message)
    }

    /// Something else.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::new(1, "other", message)
    }

    /// A key or token is missing.
    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(4, "denied", message)
    }

    /// The user stopped it.
    pub(crate) fn interrupted() -> Self {
        Self::new(130, "interrupted", "stopped; what was not finished was not done")
    }

    /// What helps.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Where it is in a document, as programs read it.
    pub(crate) fn at(mut self, place: Value) -> Self {
        self.details.places.push(place);
        self
    }

    /// Of the same kind, and with this message instead.
    pub(crate) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// What was done before it.
    pub(crate) fn after(mut self, done: Report) -> Self {
        self.details.done = Some(done);
        self
    }

    /// What was done before it; `None`: nothing.
    pub(crate) fn done(&self) -> Option<&Report> {
        self.details.done.as_ref()
    }

    /// A command line that clap cannot understand.
    pub(crate) fn of_command_line(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::usage("the command line names no command").hint("`--help` lists them");
        }
        let text = error.render().to_string();
        let mut parts = text.split("\n\n").map(str::trim);
        let message = parts.next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let mut failure = Self::usage(message.lines().map(harmless).collect::<Vec<_>>().join("\n"));
        for part in parts.filter(|part| !part.starts_with("For more information")) {
            failure = failure.hint(part.strip_prefix("tip: ").unwrap_or(part));
        }
        failure
    }

    pub(crate) const fn exit(&self) -> u8 {
        self.exit
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    /// As programs read it.
    pub(crate) fn to_json(&self) -> Value {
        let kind = EXITS.iter().find(|(exit, ..)| *exit == self.exit).map_or("other", |row| row.1);
        let mut json = json!({ "kind": kind, "code": self.code, "message": self.message });
        if !self.hints.is_empty() {
            json["hint"] = self.hints.join("\n").into();
        }
        if !self.details.places.is_empty() {
            json["places"] = self.details.places.clone().into();
        }
        if let Some(culprit) = self.details.culprit {
            json["culprit"] = culprit.into();
        }
        if let Some(evidence) = &self.details.evidence {
            json["evidence"] = evidence.as_str().into();
        }
        json
    }
}

const fn exit_of(kind: Kind) -> u8 {
    match kind {
        Kind::Usage => EXIT_USAGE,
        Kind::NotFound => EXIT_NOT_FOUND,
        Kind::Denied => 4,
        Kind::Unavailable => EXIT_UNAVAILABLE,
        Kind::Untrusted => EXIT_UNTRUSTED,
        Kind::Rejected => 7,
        Kind::Local => 8,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self::new(exit_of(error.kind()), error.code(), chain(&error));
        failure.details.culprit = error.culprit();
        failure.details.evidence = error.evidence().map(ToString::to_string);
        if let Error::UnknownPackage { similar, .. } = &error
            && let Some(first) = similar.first()
        {
            return failure.hint(format!("did you mean `{first}`?"));
        }
        if let Error::Unreachable { source, .. } = &error
            && source.fault == TransportFault::Tls
        {
            return failure.hint(
                "if the registry's certificate is from an authority of your own, name its file in \
                 `ca-file` or WARG_CA_FILE; if not, somebody may be in between",
            );
        }
        if let Error::NoSuchRelease { available, .. } = &error
            && !available.is_empty()
        {
            let shown: Vec<_> = available.iter().take(5).map(ToString::to_string).collect();
            return failure.hint(format!("there is {}", shown.join(", ")));
        }
        if let Error::Conflict(conflict) = &error {
            return failure.hint(conflict.problem.hint());
        }
        if let Error::Damaged { key, .. } = &error
            && let Some(registry) =
                key.strip_prefix("publishing/").and_then(|it| it.split('/').next())
        {
            return failure.hint(format!("`warg publish abort --registry {registry}` drops it"));
        }
        let kept = failure.details.evidence.as_ref().map(|id| {
            format!(
                "the evidence is kept: `warg trust --evidence {id}` prints it, for others to check"
            )
        });
        let failure = match help(error.code(), error.kind()) {
            Help::Hint(hint) => failure.hint(hint),
            Help::Nothing(_) => failure,
        };
        let failure = match error.may_be_anew().and_then(|registry| registry.to_url().ok()) {
            Some(url) => failure.hint(format!(
                "this registry is on this machine: if you started it anew on purpose, `warg trust \
                 {url} --forget` makes warg forget the one before"
            )),
            None => failure,
        };
        match kept {
            Some(kept) => failure.hint(kept),
            None => failure,
        }
    }
}

fn help(code: &str, kind: Kind) -> Help {
    let row = HELP.iter().find(|(known, _)| *known == code);
    match row {
        Some((_, help)) => *help,
        None if kind == Kind::Untrusted => EVIDENCE,
        None => Help::Nothing("nobody has thought of it yet"),
    }
}

/// The message, with causes that it does not name itself.
fn chain(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

impl From<wargate_client::config::ConfigError> for Failure {
    fn from(error: wargate_client::config::ConfigError) -> Self {
        Error::from(error).into()
    }
}

impl From<wargate_client::seams::SecretError> for Failure {
    fn from(error: wargate_client::seams::SecretError) -> Self {
        Error::from(error).into()
    }
}

impl From<wargate_client::origin::RegistryUrlError> for Failure {
    fn from(error: wargate_client::origin::RegistryUrlError) -> Self {
        Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_hint_or_a_reason_for_none() {
        let examples = wargate_client::error::examples();
        for error in &examples {
            let (code, kind) = (error.code(), error.kind());
            let row = HELP.iter().find(|(known, _)| *known == code);
            assert!(row.is_some() || kind == Kind::Untrusted, "`{code}` has no help");
            let (Help::Hint(text) | Help::Nothing(text)) = help(code, kind);
            assert!(!text.ends_with('.') && text.len() > 10, "{code}: {text}");
        }
        for (code, _) in HELP {
            assert!(examples.iter().any(|error| error.code() == *code), "nobody says `{code}`");
        }
        for error in examples {
            let (code, is_lie) = (error.code(), error.kind() == Kind::Untrusted);
            let hinted = matches!(help(code, error.kind()), Help::Hint(_));
            let kept = error.evidence().map(ToString::to_string);
            let failure = Failure::from(error);
            assert_eq!(!failure.hints().is_empty(), hinted, "{code}");
            assert!(!is_lie || failure.exit() == EXIT_UNTRUSTED, "{code}");
            let hints = failure.hints().join("\n");
            assert!(kept.is_none_or(|id| hints.contains(&id)), "{code}: {hints}");
        }
    }

    #[test]
    fn exit_codes_differ_by_kind() {
        let kinds = [
            Kind::Usage,
            Kind::NotFound,
            Kind::Denied,
            Kind::Unavailable,
            Kind::Untrusted,
            Kind::Rejected,
            Kind::Local,
        ];
        for (at, kind) in kinds.iter().enumerate() {
            assert!(EXITS.iter().any(|row| row.0 == exit_of(*kind)));
            assert!(kinds[..at].iter().all(|other| exit_of(*other) != exit_of(*kind)));
        }
    }

    #[test]
    fn a_failure_says_it_to_people_and_programs() {
        let failure = Failure::from(Error::NoRegistry);
        assert_eq!((failure.exit(), failure.code), (2, "no-registry"));
        assert!(failure.hints()[0].contains("--registry"));
        let json = failure.to_json();
        assert_eq!(
            (json["kind"].as_str(), json["code"].as_str()),
            (Some("usage"), Some("no-registry"))
        );
        let bad = Error::Usage("a\x1b[31mb".into());
        assert_eq!(Failure::from(bad).message(), "a\u{fffd}[31mb");
    }
}
