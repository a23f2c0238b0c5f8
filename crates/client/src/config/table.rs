//! The table of all settings. The reading of variables, `warg config show` and `docs/configuration.md`
//! are made of it.

use super::form::Form;

/// A setting.
#[derive(Debug)]
pub struct Row {
    /// Its key in TOML files, with dots between tables. A part in angle brackets stands for any name.
    pub key: &'static str,
    /// Its variable.
    pub variable: Option<&'static str>,
    /// Its flag.
    pub flag: Option<&'static str>,
    /// What its values look like.
    pub form: Form,
    /// The value if nobody says anything, as one would write it; empty if there is none.
    pub default: &'static str,
    /// Whether a project's file may set it.
    pub project: bool,
    /// The members of the reference client's `config.json` that it is read from.
    pub reference: &'static str,
    /// What it does.
    pub what: &'static str,
}

/// Keyrings. After the first two, names of the reference client.
pub const BACKENDS: &[&str] =
    &["flat-file", "none", "secret-service", "linux-keyutils", "macos", "windows", "mock"];

const ROW: Row = Row {
    key: "",
    variable: None,
    flag: None,
    form: Form::Text,
    default: "",
    project: false,
    reference: "",
    what: "",
};

/// All settings.
pub const TABLE: &[Row] = &[
    Row {
        key: "registry",
        variable: Some("WARG_REGISTRY"),
        flag: Some("--registry"),
        form: Form::Registry,
        project: true,
        reference: "homeUrl",
        what: "The home registry: for every package that no mapping names.",
        ..ROW
    },
    Row {
        key: "namespaces.<namespace>",
        form: Form::Registry,
        project: true,
        what: "The registry of a namespace.",
        ..ROW
    },
    Row {
        key: "packages.<package>",
        form: Form::Registry,
        project: true,
        what: "The registry of one package; it counts before that of its namespace.",
        ..ROW
    },
    Row {
        key: "registries.<registry>.operator-keys",
        variable: Some("WARG_OPERATOR_KEYS"),
        form: Form::Keys,
        project: true,
        what: "The operator keys (fingerprints or public keys) that are believed of a registry, which \
               is named as `warg trust` shows it; others are refused. The variable is for the home \
               registry. A project's keys count only for registries that you have pinned no key of.",
        ..ROW
    },
    Row {
        key: "hints",
        variable: Some("WARG_HINTS"),
        form: Form::Word(&["accept", "ask", "ignore"]),
        default: "accept",
        reference: "ignoreFederationHints, disableAutoAcceptFederationHints",
        what: "What to do when a registry says that a namespace belongs to another one.",
        ..ROW
    },
    Row {
        key: "create-packages",
        variable: Some("WARG_CREATE_PACKAGES"),
        form: Form::Word(&["yes", "ask", "no"]),
        default: "yes",
        reference: "disableAutoPackageInit",
        what: "Whether publishing creates a package that does not exist.",
        ..ROW
    },
    Row {
        key: "checkpoint-age-max",
        variable: Some("WARG_CHECKPOINT_AGE_MAX"),
        form: Form::Time { none: true },
        default: "1day",
        what: "Checkpoints that were signed longer ago are refused, because somebody may be hiding what \
               came after. `none` for static mirrors.",
        ..ROW
    },
    Row {
        key: "clock-skew-max",
        variable: Some("WARG_CLOCK_SKEW_MAX"),
        form: Form::Time { none: false },
        default: "15min",
        what: "How far a checkpoint may be ahead of this machine's clock.",
        ..ROW
    },
    Row {
        key: "offline",
        variable: Some("WARG_OFFLINE"),
        flag: Some("--offline"),
        form: Form::Flag,
        default: "false",
        what: "Do without the network.",
        ..ROW
    },
    Row {
        key: "attempts",
        variable: Some("WARG_ATTEMPTS"),
        form: Form::Count { least: 1, most: 20 },
        default: "4",
        project: true,
        what: "How often something that may pass is tried in all.",
        ..ROW
    },
    Row {
        key: "downloads-at-once",
        variable: Some("WARG_DOWNLOADS_AT_ONCE"),
        form: Form::Count { least: 1, most: 64 },
        default: "8",
        project: true,
        what: "How many contents come in at a time.",
        ..ROW
    },
    Row {
        key: "publish-wait",
        variable: Some("WARG_PUBLISH_WAIT"),
        form: Form::Time { none: false },
        default: "2min",
        project: true,
        what: "How long to wait until a record is in the registry's log.",
        ..ROW
    },
    Row {
        key: "interactive",
        variable: Some("WARG_INTERACTIVE"),
        form: Form::Flag,
        default: "true",
        reference: "disableInteractive",
        what: "Whether questions may be asked, if there is a terminal.",
        ..ROW
    },
    Row {
        key: "color",
        variable: Some("WARG_COLOR"),
        flag: Some("--color"),
        form: Form::Word(&["auto", "always", "never"]),
        default: "auto",
        what: "When to colour. `auto` follows the terminal, `NO_COLOR` and `CLICOLOR_FORCE`.",
        ..ROW
    },
    Row {
        key: "ca-file",
        variable: Some("WARG_CA_FILE"),
        form: Form::Path,
        what: "A file with certificates in PEM form, whose holders may vouch for registries over TLS as \
               those that this machine trusts may.",
        ..ROW
    },
    Row {
        key: "cache-dir",
        variable: Some("WARG_CACHE_DIR"),
        form: Form::Path,
        what: "The directory of downloaded content. Without it: `wargate/client` in `$XDG_CACHE_HOME`.",
        ..ROW
    },
    Row {
        key: "state-dir",
        variable: Some("WARG_STATE_DIR"),
        form: Form::Path,
        what: "The directory of what is remembered of registries: checkpoints, logs, evidence. Without \
               it: `wargate/client` in `$XDG_STATE_HOME`.",
        ..ROW
    },
    Row {
        key: "keyring-backend",
        variable: Some("WARG_KEYRING_BACKEND"),
        form: Form::Word(BACKENDS),
        default: "flat-file",
        reference: "keyringBackend",
        what: "Where `warg login` and `warg key` keep secrets: `flat-file` is the directory \
               `warg/keyring` in `$XDG_CONFIG_HOME`, `none` keeps nothing. The others are those of \
               operating systems, for builds with the feature `os-keyring`. All are shared with the \
               reference client.",
        ..ROW
    },
    Row {
        key: "key-file",
        variable: Some("WARG_SIGNING_KEY_FILE"),
        form: Form::Path,
        what: "A file with the key that signs, readable by you alone. It counts before the keyring.",
        ..ROW
    },
    Row {
        key: "credential-helper",
        variable: Some("WARG_CREDENTIAL_HELPER"),
        form: Form::Texts,
        what: "A program that has keys and tokens, with its arguments. It counts before the keyring.",
        ..ROW
    },
    Row {
        key: "safe-directories",
        variable: Some("WARG_SAFE_DIRECTORIES"),
        form: Form::Directories,
        what: "Directories whose `warg.toml` and `warg-config.json` count although they belong to \
               another user; `*` for all. Without it such a file is an error. In the variable they are \
               separated as in `PATH`: by `:`, or `;` on Windows.",
        ..ROW
    },
    Row {
        key: "package.name",
        form: Form::Package,
        project: true,
        what: "The package that the project publishes.",
        ..ROW
    },
    Row {
        key: "package.version",
        form: Form::Version,
        project: true,
        what: "The version that the project publishes.",
        ..ROW
    },
    Row {
        key: "package.files",
        form: Form::Texts,
        project: true,
        what: "The files that `warg publish` publishes if it is given none. Those that a project names \
               have to be below its directory, where links lead as well. `warg lock` locks what they \
               depend on.",
        ..ROW
    },
    Row {
        key: "dependencies.<package>",
        form: Form::Requirement,
        project: true,
        what: "Which versions of a package the project needs, as Cargo has it: `1.2` is anything \
               compatible with it. `warg add` and `warg remove` write this table, and `warg lock` locks \
               it.",
        ..ROW
    },
];

/// The row of a key; the key has placeholders where the table has them.
pub fn row(key: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.key == key)
}
