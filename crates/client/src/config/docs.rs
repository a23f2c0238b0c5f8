//! The documentation of all settings, made of the table.

use std::fmt::Write;

use super::table::{Row, TABLE};

const HEAD: &str = "\
# Configuration

<!-- Made of the table in crates/client/src/config/table.rs; a test compares them. \
WARGATE_WRITE=1 cargo nextest run -p wargate-cli documentation writes it anew. -->

`warg config show --origin` prints every value that counts, and where it comes from.

## Where values come from

From the weakest to the strongest; a later one replaces an earlier one, value by value:

1. the default;
2. `warg/config.json` in `$XDG_CONFIG_HOME` (`~/.config`), in the form of the reference client and \
shared with it;
3. `warg/config.toml` beside it, which is this program's own;
4. `warg-config.json` in the current directory or the nearest directory above it that has one. But for \
the registry, it counts only for what your own files do not say, and it is never written to;
5. `warg.toml`, the project's file, found the same way;
6. the file that `--config` or `WARG_CONFIG` names, JSON or TOML, which takes the place of 2, 3 and 4;
7. variables of the environment; an empty one says nothing;
8. flags.

Both are looked for up to the root of a repository (a directory with `.git`) or your home directory, \
and no further. One that belongs to another user of the machine is an error, as in git: make it yours, \
or list its directory in `safe-directories`.

A `warg.toml` comes with whatever you cloned. It chooses registries and may pin their keys, but it may \
neither name files and programs of your machine nor weaken a check: that is an error.

Of the reference client's file, `registriesDir`, `contentDir` and `namespaceMapPath` are left alone: \
its cache is not shared. Its `keys` help to find keys in its keyring.

## Keys and tokens

The first place that has one counts:

1. the variables `WARG_SIGNING_KEY`, `WARG_TOKEN_<REGISTRY>` and `WARG_TOKEN`;
2. `key-file`, for a key;
3. `credential-helper`, which is asked once for each secret;
4. the keyring, where `warg login` and `warg key` keep them.

`WARG_TOKEN` is for your home registry alone, and is not sent to one that only a project's file names. \
`WARG_TOKEN_<REGISTRY>` is for the registry that it names. Its name is the registry's as `warg trust` \
shows it, in capitals, with `_` for `.`, `__` for `-` and `___` for `_`, so that no two registries share \
one. What that leaves open (several of these in a row, capitals in a path) stands as `____`, its bytes in \
hexadecimal, and `_`.

| registry | variable |
|---|---|
| `https://registry.acme.com` | `WARG_TOKEN_REGISTRY_ACME_COM` |
| `https://registry-acme.com` | `WARG_TOKEN_REGISTRY__ACME_COM` |
| `https://registry.acme.com:8443` | `WARG_TOKEN_REGISTRY_ACME_COM__8443` |
| `http://127.0.0.1:8090` | `WARG_TOKEN_127_0_0_1__8090` |
| `https://acme.com/warg` | `WARG_TOKEN_ACME_COM___WARG` |

A registry may say in its discovery document that its API is at another host. Tokens are kept by the name \
of the API: `warg login` asks where it is, and `warg whoami` shows it. Variables may name either.

A registry's URL has no user and no password in it.

## Keyrings

| `keyring-backend` | where secrets are | system |
|---|---|---|
| `flat-file` | files in `warg/keyring` in `$XDG_CONFIG_HOME`, readable by you alone | all |
| `none` | nowhere | all |
| `secret-service` | GNOME Keyring, KWallet or another Secret Service on the session's D-Bus | Linux |
| `linux-keyutils` | the kernel's memory, which forgets when the machine restarts or after days without use; needs a session keyring, as a login makes | Linux |
| `macos` | your keychain | macOS |
| `windows` | the Credential Manager, which takes at most 1,280 characters | Windows |
| `mock` | nowhere; only the reference client has it, for its tests | |

The entries are those of the reference client, so each client finds what the other has stored. The keyrings \
of operating systems are in builds with the feature `os-keyring`: \
`cargo install --locked --path crates/cli --features os-keyring`. A keyring that cannot be opened within 10 \
seconds, or does not answer within a minute, in which it may ask you for its password, is an error. Machines \
without a desktop do without: `flat-file`, variables, `key-file` and `credential-helper` need none.

## Paths

Relative paths in a file are relative to that file's directory; others to the current directory.

## Settings
";

const EXAMPLE: &str = "
## Examples

Yours, `~/.config/warg/config.toml`:

```toml
registry = \"https://registry.example\"
checkpoint-age-max = \"6h\"

[namespaces]
wasi = \"https://wasi.example\"

[registries.\"wasi.example\"]
operator-keys = [\"sha256:5bf53b8c27ae8c9f3d2f9a35a1b1a6c5d3c9e7a0f0b1c2d3e4f5061728394a5b\"]
```

A project's, `warg.toml`:

```toml
registry = \"https://registry.example\"

[package]
name = \"example:hello\"
version = \"1.2.0\"
files = [\"target/wasm32-wasip2/release/hello.wasm\"]

[dependencies]
\"example:greeting\" = \"1.2\"
```
";

/// The page `docs/configuration.md`.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n| key | variable | flag | value | default | a project may set it |\n");
    page.push_str("|---|---|---|---|---|---|\n");
    for row in TABLE {
        let Row { key, form, default, project, .. } = row;
        let code = |text: Option<&str>| {
            text.filter(|text| !text.is_empty())
                .map_or_else(String::new, |text| format!("`{text}`"))
        };
        // Writing to a text does not fail.
        let _ = writeln!(
            page,
            "| `{key}` | {} | {} | {form} | {} | {} |",
            code(row.variable),
            code(row.flag),
            code(Some(default)),
            if *project { "yes" } else { "" },
        );
    }
    page.push('\n');
    for row in TABLE {
        let _ = write!(page, "- `{}`: {}", row.key, row.what);
        if !row.reference.is_empty() {
            let _ = write!(
                page,
                " Read from the reference client's `{}`.",
                row.reference.replace(", ", "` and `")
            );
        }
        page.push('\n');
    }
    page.push_str(EXAMPLE);
    page
}
