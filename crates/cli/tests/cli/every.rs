//! Every command, succeeding and failing, for people and for programs: what it says, as it stands, and
//! its JSON against its schema.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use wargate_testkit::vectors::testdata;

use crate::mask::mask;
use crate::program::{Output, User, commands};
use crate::schema::check;
use crate::with_registry::{COMPONENT, OTHER, Registry, Session, masked};

/// What is run, in order, by one user: what is on standard input, and the command. `OTHERS_KEY` and
/// `OTHERS_ID` are of somebody else's key, and `RECORD` is the newest record of `demo:greet`.
const LINES: &[(&str, &str)] = &[
    ("", "config"),
    ("", "config --registry URL"),
    ("", "config show registry"),
    ("", "config show registy"),
    ("", "key info"),
    ("", "key delete --yes"),
    ("", "key new"),
    ("", "key new"),
    ("nonsense", "key set --overwrite"),
    ("KEY", "key set --overwrite"),
    ("", "key info"),
    ("", "login"),
    ("token", "login --token-stdin"),
    ("", "whoami"),
    ("", "whoami --config none.toml"),
    ("", "logout"),
    ("", "logout --config none.toml"),
    ("", "info"),
    ("", "info --namespaces"),
    ("", "info nonsense"),
    ("", "trust"),
    ("", "publish COMPONENT"),
    ("", "publish releas"),
    ("", "publish COMPONENT --name demo:greet --release 1.0.0 --dry-run"),
    ("", "publish COMPONENT --name demo:greet --release 1.0.0"),
    ("", "publish COMPONENT --name demo:greet --release 1.0.0"),
    ("", "publish COMPONENT --name demo:greet --release 1.0.0 --dry-run"),
    ("", "publish OTHER --name demo:greet --release 1.0.0"),
    ("", "publish --dry-run init demo:new"),
    ("", "publish init demo:new"),
    ("", "publish init demo:new"),
    ("", "publish release COMPONENT --name demo:new --version 0.1.0"),
    ("", "publish release OTHER --name demo:new --version 0.1.0"),
    ("", "publish release none.wasm --name demo:new --version 0.2.0"),
    ("", "publish grant OTHERS_KEY --name demo:new --permission release"),
    ("", "publish grant nonsense --name demo:new"),
    ("", "publish revoke OTHERS_ID --name demo:new --permission release"),
    ("", "publish revoke nonsense --name demo:new"),
    ("", "publish yank --name demo:new --version 0.1.0"),
    ("", "publish yank --name demo:new --version 0.1.0 --yes"),
    ("", "publish list"),
    ("", "publish abort"),
    ("", "publish submit"),
    ("", "publish start demo:new"),
    ("", "publish start demo:new"),
    ("", "publish submit"),
    ("", "publish release OTHER --name demo:new --version 0.2.0"),
    ("", "publish list"),
    ("", "publish submit"),
    ("", "publish start demo:new"),
    ("", "publish abort"),
    ("", "publish release OTHER --name demo:new --version 0.3.0 --no-wait"),
    ("", "publish wait demo:greet RECORD"),
    ("", "publish wait demo:greet nonsense"),
    ("", "get demo:greet demo:new --output ."),
    ("", "get demo:gret"),
    ("", "get demo:greet@nonsense"),
    ("", "get"),
    ("", "get demo:greet --output none/greet.wasm"),
    ("", "get demo:greet --no-such-flag"),
    ("", "download demo:greet --output out"),
    ("", "download demo:greet --version 9.9.9"),
    ("", "show demo:greet"),
    ("", "show demo:greet@1.0.0"),
    ("", "show demo:greet@3.0.0"),
    ("", "versions demo:new"),
    ("", "versions demo:none"),
    ("", "log demo:new"),
    ("", "log demo:none --offline"),
    ("", "dependencies demo:greet"),
    ("", "dependencies none.wasm"),
    ("", "dependencies demo:greet --why demo:none"),
    ("", "dependencies --reverse demo:greet"),
    ("", "dependencies"),
    ("", "lock"),
    ("", "lock demo:greet COMPONENT --file ./greet.lock"),
    ("", "lock --file greet.lock --check"),
    ("", "lock --file greet.lock --offline"),
    ("", "lock demo:greet --file greet.lock --check"),
    ("", "lock demo:none"),
    ("", "lock demo:greet@nonsense"),
    ("", "inspect demo:greet"),
    ("", "inspect none.wasm"),
    ("", "wit demo:greet"),
    ("", "wit COMPONENT --output wit"),
    ("", "wit none.wasm"),
    ("", "diff COMPONENT OTHER"),
    ("", "diff demo:greet@1.0.0"),
    ("", "diff COMPONENT"),
    ("", "bundle demo:greet --no-lock --output greet.bundle.wasm"),
    ("", "bundle"),
    ("", "compose greet.wac --no-lock"),
    ("", "compose none.wac"),
    ("", "plug OTHER --plug demo:greet --no-lock"),
    ("", "plug OTHER --plug COMPONENT --output plugged.wasm"),
    ("", "plug COMPONENT --plug OTHER"),
    ("", "targets COMPONENT"),
    ("", "targets OTHER wasi wasi:http/proxy@0.2.3"),
    ("", "targets demo:greet none"),
    ("", "adapt COMPONENT"),
    ("", "adapt LINK"),
    ("", "adapt LINK --adapter ADAPTER --output adapted.wasm"),
    ("", "inspect plugged.wasm"),
    ("", "verify plugged.wasm --deep"),
    ("", "verify COMPONENT --deep"),
    ("", "run none.wasm"),
    ("", "serve none.wasm"),
    ("", "virtualize COMPONENT --env A=B --output sealed.wasm"),
    ("", "virtualize COMPONENT --env nonsense"),
    ("", "fetch --file greet.lock"),
    ("", "fetch"),
    ("", "outdated --file greet.lock"),
    ("", "outdated"),
    ("", "add demo:greet"),
    ("", "add demo:none"),
    ("", "remove demo:greet"),
    ("", "remove demo:greet"),
    ("", "update"),
    ("", "update demo:none"),
    ("", "info"),
    ("", "trust"),
    ("", "trust URL"),
    ("", "trust URL --confirm nonsense"),
    ("", "trust --evidence none"),
    ("", "verify COMPONENT --package demo:greet"),
    ("", "verify OTHER --package demo:greet"),
    ("", "verify demo:greet --contents"),
    ("", "verify --all"),
    ("", "verify --export-checkpoint"),
    ("", "verify none.wasm"),
    ("", "monitor --once"),
    ("", "monitor http://127.0.0.1:9 --once"),
    ("", "monitor --from none.json"),
    ("", "demo --server none"),
    ("", "completions bash"),
    ("", "completions nonsense"),
    ("", "man"),
    ("", "man --out pages"),
    ("", "man --out out.wasm/pages"),
    ("", "clear"),
    ("", "clear --config none.toml"),
    ("", "trust URL --forget"),
    ("", "reset"),
    ("", "reset --config none.toml"),
    ("", "key delete"),
    ("", "key delete --yes"),
];

const KEY: &str = "ecdsa-p256:I+UlDo0HxyBBFeelhPPWmD+LnklOpqZDkrFP5VduASk=";

/// Commands whose success is checked elsewhere: the whole demonstration by `tests/rough/demo.rs`, and
/// what runs components by `running.rs`.
const ELSEWHERE: &[&str] = &["demo", "run", "serve"];

/// Most lines of one output that a snapshot has.
const LINES_MAX: usize = 40;

/// A WAC document over the package that is published first.
const DOCUMENT: &str =
    "package demo:app;\nlet greet = new demo:greet@1.0.0 { ... };\nexport greet...;\n";

#[test]
fn every_command_says_what_it_said() {
    let all = commands(&User::new());
    let mut pages: BTreeMap<&str, String> = BTreeMap::new();
    let (mut succeeded, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for json in [false, true] {
        let registry = Registry::start();
        let session = Session::new(&registry);
        let other = User::new().run(&["key", "new"]).out;
        fs::write(session.user.home().join("here/greet.wac"), DOCUMENT).unwrap();
        for (input, line) in LINES {
            let command = command_of(&all, line);
            let output = run(&session, &other, input, line, json);
            if output.code == Some(0) { &mut succeeded } else { &mut failed }.insert(command);
            let flag = if json { " --json" } else { "" };
            let said =
                if json { programs(&session, command, &output) } else { people(&session, &output) };
            let page = pages.entry(command).or_default();
            page.push_str(&["$ warg ", line, flag, "\n", &shortened(&said), "\n"].concat());
        }
    }
    for command in all.iter().map(String::as_str).filter(|command| *command != "key") {
        assert!(failed.contains(command), "no line has `{command}` fail");
        let well = succeeded.contains(command) || ELSEWHERE.contains(&command);
        assert!(well, "no line has `{command}` succeed");
    }
    for (command, page) in pages {
        insta::assert_snapshot!(format!("run {command}"), page);
    }
}

/// The command that a line runs.
fn command_of<'a>(all: &'a [String], line: &str) -> &'a str {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with('-')).collect();
    let two = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    let named = |name: &str| all.iter().find(|command| *command == name);
    named(&two).or_else(|| named(words[0])).unwrap()
}

fn run(session: &Session<'_>, other: &str, input: &str, line: &str, json: bool) -> Output {
    let of_other =
        |prefix| other.lines().find_map(|line| line.strip_prefix(prefix)).unwrap().to_owned();
    let word = |word: &str| match word {
        "COMPONENT" => COMPONENT.to_owned(),
        "OTHER" => OTHER.to_owned(),
        "LINK" => module("link-rust-wasip1"),
        "ADAPTER" => module("adapter-reactor"),
        "URL" => session.registry.url.clone(),
        "OTHERS_KEY" => of_other("Public Key: "),
        "OTHERS_ID" => of_other("Key ID: "),
        "RECORD" => {
            let log = session.fine(&["log", "demo:greet", "--json"]);
            let log: Value = serde_json::from_str(&log).unwrap();
            log["records"][0]["record"].as_str().unwrap().to_owned()
        }
        word => word.to_owned(),
    };
    let mut words: Vec<String> = line.split(' ').map(word).collect();
    words.extend(json.then(|| "--json".to_owned()));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // The registry is named by the environment until it is configured, and from then on too.
    let variables: &[(&str, &str)] = match words.as_slice() {
        ["config", ..] => &[],
        _ => &[("WARG_REGISTRY", &session.registry.url), ("WARG_ATTEMPTS", "1")],
    };
    let input = if input == "KEY" { KEY } else { input };
    session.user.tell_with(variables, input, &words)
}

/// A core module of the test data.
fn module(name: &str) -> String {
    testdata().join(format!("components/modules/{name}.wasm")).display().to_string()
}

fn own(session: &Session<'_>, text: &str) -> String {
    let address = session.registry.url.trim_start_matches("http://").trim_end_matches('/');
    text.replace(address, "HOST")
        .replace(&address.replace(':', "-"), "HOST")
        .replace(COMPONENT, "COMPONENT")
        .replace(&module("link-rust-wasip1"), "LINK")
        .replace(&module("adapter-reactor"), "ADAPTER")
        .replace(OTHER, "OTHER")
        .replace(&session.user.home().display().to_string(), "~")
}

fn people(session: &Session<'_>, output: &Output) -> String {
    let mut text = masked(&own(session, &output.to_string()));
    for ago in ["just now", "1 minute ago", "2 minutes ago", "3 minutes ago", "4 minutes ago"] {
        text = text.replace(&format!("({ago})"), "(AGO)");
    }
    text
}

/// The documents, each of which is checked. Nothing else is on standard output.
fn programs(session: &Session<'_>, command: &str, output: &Output) -> String {
    let documents = serde_json::Deserializer::from_str(&output.out).into_iter::<Value>();
    let mut text = format!("exit: {}\n", output.code.unwrap());
    let mut count = 0;
    for document in documents {
        let mut document = document.unwrap_or_else(|error| panic!("{error}: {output}"));
        check(command, &document);
        count += 1;
        mask(&mut document, "", &|text| own(session, text));
        short(&mut document);
        text.push_str(&format!("{document:#}\n"));
    }
    assert!(count > 0, "`{command}` prints no JSON: {output}");
    if !output.err.is_empty() {
        text.push_str(&format!("--- stderr\n{}", masked(&own(session, &output.err))));
    }
    text
}

/// Whole scripts and pages are left out.
fn short(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(short),
        Value::Array(items) => items.iter_mut().for_each(short),
        Value::String(text) if text.len() > 1_000 => *text = "…".into(),
        _ => {}
    }
}

fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    // JSON is never cut: it is short already.
    if lines.len() <= LINES_MAX || text.contains("\n{\n") {
        return lines.join("\n") + "\n";
    }
    format!("{}\n…\n", lines[..LINES_MAX].join("\n"))
}
