//! The page of all commands, made of the program and of what it really prints. `WARGATE_WRITE=1` writes
//! it anew.

use std::path::Path;

use serde_json::Value;

use crate::files::component;
use crate::mask::mask;
use crate::program::User;
use crate::server::{Server, run};

const HEAD: &str = "\
# The command line

<!-- Made of the program; a test compares them. \
WARGATE_WRITE=1 cargo nextest run -p wargate-cli pages writes it anew. -->

`warg demo` shows it all in a few seconds, and `warg COMMAND --help` says what stands here. Settings, \
and where they come from, are in [configuration.md](configuration.md). Keyrings of operating systems are in \
builds with the feature `os-keyring` ([which there are](configuration.md#keyrings)).

";

const JSON: &str = "
## JSON

With `--json` a command prints one JSON document to standard output and nothing else there; `warg \
monitor` prints one a line. Members are added in later versions, and none is removed or changes its \
meaning. A failure has the member `error`, beside what was done before it; its `code` stays what it is, \
`message` and `hint` are for people, `culprit` is `registry` or `server`, and `evidence` names what `warg trust \
--evidence` prints. [json.md](json.md) describes each document. These are real documents, with other hashes, keys and times:
";

/// What is run, in order, as one user. The last two fail.
const LINES: &[&str] = &[
    "config --registry URL",
    "key new",
    "publish a.wasm --name demo:hello --release 1.0.0 --dry-run",
    "publish a.wasm --name demo:hello --release 1.0.0",
    "get demo:hello -o copy.wasm",
    "download demo:hello -o copy",
    "show demo:hello",
    "show demo:hello@1.0.0",
    "versions demo:hello",
    "log demo:hello",
    "update",
    "info",
    "whoami",
    "key info",
    "trust",
    "verify copy.wasm --package demo:hello",
    "verify demo:hello",
    "verify --all",
    "monitor --once",
    "publish start demo:hello",
    "publish release a.wasm --name demo:hello --version 1.1.0",
    "publish list",
    "publish abort",
    "config show registry",
    "clear",
    "reset",
    "get demo:helo",
    "get demo:hello@2.0.0",
];

#[test]
fn the_page_of_all_commands_is_fresh() {
    let server = Server::new();
    let (user, url) = (User::new(), server.url());
    std::fs::write(user.home().join("here/a.wasm"), component(1, 100)).unwrap();
    let mut page = format!("{HEAD}{}{JSON}", user.run(&["man", "--markdown"]).out);
    for line in LINES {
        let typed = line.replace("URL", &url);
        let words: Vec<&str> = typed.split(' ').chain(["--json"]).collect();
        let output = run(&user, "", "1", &words);
        assert!(output.code == Some(0) || line.contains("get demo:hel"), "{line}: {output}");
        let documents: Vec<Value> = serde_json::Deserializer::from_str(&output.out)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(!documents.is_empty(), "{line} prints no JSON: {output}");
        page.push_str(&["\n### `warg ", line, " --json`\n\n```json\n"].concat());
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let home = user.home().display().to_string();
        for mut document in documents {
            mask(&mut document, "", &|text| {
                text.replace(address, "127.0.0.1:8090")
                    .replace(&address.replace(':', "-"), "127.0.0.1-8090")
                    .replace(&home, "~")
            });
            page.push_str(&serde_json::to_string_pretty(&document).unwrap());
            page.push('\n');
        }
        page.push_str("```\n");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os("WARGATE_WRITE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/cli.md is not what the program says; WARGATE_WRITE=1 writes it");
}
