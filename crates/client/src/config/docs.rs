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
4. `warg-config.json` in the current directory or the nearest directory above it that has one, which \
takes the place of `config.json`;
5. `warg.toml`, the project's file, found the same way;
6. the file that `--config` or `WARG_CONFIG` names, JSON or TOML, which takes the place of 2, 3 and 4;
7. variables of the environment; an empty one says nothing;
8. flags.

A `warg.toml` comes with whatever you cloned. It chooses registries and may pin their keys, but it may \
neither name files and programs of your machine nor weaken a check: that is an error. A token in \
`WARG_TOKEN` is not sent to a home registry that only a project's file names.

Of the reference client's file, `registriesDir`, `contentDir` and `namespaceMapPath` are left alone: \
its cache is not shared. Its `keys` help to find keys in its keyring.

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
