//! Tests of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::settings::Choice;

fn file(path: &str, role: Role, text: &str) -> SourceFile {
    SourceFile { path: path.into(), text: text.into(), role }
}

fn of(files: Vec<SourceFile>) -> Result<Config, String> {
    resolve(files, &[], &[])
}

fn resolve(
    files: Vec<SourceFile>,
    variables: &[(&str, &str)],
    flags: &[Flag],
) -> Result<Config, String> {
    let variables =
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Config::resolve(&Sources { files, variables, flags: flags.to_vec() })
        .map_err(|error| error.to_string())
}

fn user(text: &str) -> Vec<SourceFile> {
    vec![file("/u/config.toml", Role::User, text)]
}

fn project(text: &str) -> Vec<SourceFile> {
    vec![file("/p/warg.toml", Role::Project, text)]
}

#[test]
fn without_sources_the_defaults_of_the_client_count() {
    let config = of(Vec::new()).unwrap();
    let default = Settings::default();
    assert_eq!(format!("{:?}", config.settings), format!("{default:?}"));
    // And the table says the same.
    let text: Vec<String> = TABLE
        .iter()
        .filter(|row| !row.default.is_empty())
        .map(|row| format!("{} = {:?}\n", row.key, row.default))
        .collect();
    let config = of(user(&text.concat())).unwrap();
    assert_eq!(format!("{:?}", config.settings), format!("{default:?}"));
    assert!(config.interactive && config.color == "auto");
}

#[test]
fn a_stronger_source_replaces_a_weaker_one() {
    let url = |name: &str| format!("https://{name}.example/");
    let json = |name: &str| format!("{{\n  \"homeUrl\": \"{}\"\n}}", url(name));
    let toml = |name: &str| format!("registry = \"{}\"", url(name));
    let given = file("/g/x", Role::Given, &json("given"));
    let layers = [
        file("/u/config.json", Role::User, &json("shared")),
        file("/u/config.toml", Role::User, &toml("own")),
        file("/p/warg-config.json", Role::Found, &json("found")),
        file("/p/warg.toml", Role::Project, &toml("project")),
        given,
    ];
    let origins = [
        "/u/config.json:2",
        "/u/config.toml:1",
        "/p/warg-config.json:2",
        "/p/warg.toml:1",
        "/g/x:2",
    ];
    let names = ["shared", "own", "found", "project", "given"];
    for count in 1..=layers.len() {
        // The order in which files are handed over does not count.
        for reversed in [false, true] {
            let mut files = layers[..count].to_vec();
            if reversed {
                files.reverse();
            }
            let config = of(files).unwrap();
            assert_eq!(config.settings.home.as_ref().unwrap().to_string(), url(names[count - 1]));
            let origin = config.origin("registry").unwrap();
            assert_eq!(origin.to_string(), origins[count - 1]);
            assert_eq!(config.trusted_home().is_none(), matches!(count, 3 | 4), "{count}");
        }
    }
    let variables = [("WARG_REGISTRY", "https://env.example")];
    let config = resolve(layers.to_vec(), &variables, &[]).unwrap();
    assert_eq!(config.settings.home.as_ref().unwrap().to_string(), url("env"));
    assert_eq!(config.origin("registry").unwrap().to_string(), "WARG_REGISTRY");
    let flag = Flag { name: "--registry", key: "registry", value: "flag.example".into() };
    let config = resolve(layers.to_vec(), &variables, &[flag]).unwrap();
    assert_eq!(config.settings.home.as_ref().unwrap().to_string(), url("flag"));
    assert_eq!(config.origin("registry").unwrap().to_string(), "--registry");
    // An empty variable says nothing.
    let config = resolve(layers.to_vec(), &[("WARG_REGISTRY", "")], &[]).unwrap();
    assert_eq!(config.settings.home.unwrap().to_string(), url("given"));
}

#[test]
fn a_token_is_held_back_from_what_only_a_project_chose() {
    let mut files = vec![file("/u/config.toml", Role::User, "registry = 'mine.example'")];
    files.extend(project("registry = 'evil-one.example'"));
    let token = [("WARG_TOKEN", "s3cret")];
    let config = resolve(files.clone(), &token, &[]).unwrap();
    assert!(config.home_is_of_project && config.trusted_home().is_none());
    assert_eq!(
        config.warnings,
        [
            "WARG_TOKEN is not sent to https://evil-one.example/, which only /p/warg.toml:1 names; if it \
          is meant for it, name the registry in WARG_REGISTRY, or put the token into \
          WARG_TOKEN_EVIL__ONE_EXAMPLE"
        ]
    );
    // Whom the user named as well, the project did not choose.
    files[1].text = "registry = 'https://mine.example/'".into();
    let config = resolve(files.clone(), &token, &[]).unwrap();
    assert_eq!(config.trusted_home().unwrap().to_string(), "https://mine.example/");
    assert!(config.warnings.is_empty());
    // The same name without TLS is not the same registry.
    files[0].text = "registry = 'https://localhost'".into();
    files[1].text = "registry = 'http://localhost'".into();
    assert!(resolve(files.clone(), &token, &[]).unwrap().trusted_home().is_none());
    let variables = [token[0], ("WARG_REGISTRY", "evil-one.example")];
    assert!(resolve(files, &variables, &[]).unwrap().trusted_home().is_some());
}

#[test]
fn a_file_that_was_found_adds_to_the_users_own_and_replaces_nothing_of_it() {
    let found = r#"{"homeUrl": "found.example", "keys": ["b"], "keyringBackend": "none",
        "disableAutoAcceptFederationHints": true, "disableAutoPackageInit": true}"#;
    let files = |own: &str| {
        vec![
            file("/p/warg-config.json", Role::Found, found),
            file("/u/config.json", Role::User, r#"{"homeUrl": "mine.example", "keys": ["a"]}"#),
            file("/u/config.toml", Role::User, own),
        ]
    };
    let config =
        of(files("hints = 'ignore'\nkeyring-backend = 'flat-file'\nattempts = 2")).unwrap();
    assert_eq!(config.settings.home.as_ref().unwrap().to_string(), "https://found.example/");
    assert!(config.trusted_home().is_none());
    assert_eq!((config.settings.hints, config.settings.attempts), (Choice::No, 2));
    assert_eq!(config.settings.create_packages, Choice::Ask);
    assert_eq!(config.machine.keyring_backend, Some("flat-file"));
    assert_eq!(config.reference.keys, ["a", "b"]);
    let config = of(files("")).unwrap();
    assert_eq!(
        (config.settings.hints, config.machine.keyring_backend),
        (Choice::Ask, Some("none"))
    );
}

#[test]
fn every_setting_arrives() {
    let key = "sha256:5bf53b8c27ae8c9f3d2f9a35a1b1a6c5d3c9e7a0f0b1c2d3e4f5061728394a5b";
    let config = of(user(&format!(
        "hints = 'ask'\ncreate-packages = 'no'\ncheckpoint-age-max = 'none'\nclock-skew-max = '1min'\n\
         offline = true\nattempts = 7\ndownloads-at-once = 3\npublish-wait = '5s'\n\
         interactive = false\ncolor = 'never'\ncache-dir = 'c'\nstate-dir = '/s'\n\
         keyring-backend = 'none'\nkey-file = 'k'\ncredential-helper = ['/bin/h', 'a b']\n\
         safe-directories = ['/srv/a b']\n\
         [namespaces]\nwasi = 'wasi.example'\n[packages]\n'a:b' = 'http://localhost:8090'\n\
         [registries.'wasi.example']\noperator-keys = ['{key}']\n\
         [package]\nname = 'a:b'\nversion = '1.2.3'\nfiles = ['x.wasm']\n"
    )))
    .unwrap();
    let settings = &config.settings;
    assert_eq!((settings.hints, settings.create_packages), (Choice::Ask, Choice::No));
    assert_eq!(settings.checkpoint_age_max, None);
    assert_eq!(settings.clock_skew_max, Duration::from_mins(1));
    assert!(settings.offline && !config.interactive);
    assert_eq!((settings.attempts, settings.downloads_at_once), (7, 3));
    assert_eq!(settings.publish_wait_max, Duration::from_secs(5));
    let wasi = "wasi.example".parse().unwrap();
    assert_eq!(settings.operator_keys[&wasi][0].as_str(), key);
    let namespace = settings.namespaces.iter().next().unwrap();
    assert_eq!((namespace.0.to_string(), namespace.1.to_string()).1, "https://wasi.example/");
    assert_eq!(settings.packages.values().next().unwrap().to_string(), "http://localhost:8090/");
    let machine = &config.machine;
    assert_eq!(machine.cache_dir, Some(PathBuf::from("/u/c")));
    assert_eq!(machine.state_dir, Some(PathBuf::from("/s")));
    assert_eq!(machine.key_file, Some(PathBuf::from("/u/k")));
    assert_eq!(machine.keyring_backend, Some("none"));
    assert_eq!(machine.credential_helper, Some(vec!["/bin/h".into(), "a b".into()]));
    assert_eq!(machine.safe_directories, ["/srv/a b"]);
    assert_eq!(config.project.files, [PathBuf::from("/u/x.wasm")]);
    assert_eq!(config.project.name.unwrap().to_string(), "a:b");
    assert_eq!(config.color, "never");
}

#[test]
fn every_variable_arrives_and_says_so() {
    let value = |row: &Row| match row.form {
        Form::Registry => "https://r.example",
        Form::Word(words) => words[words.len() - 1],
        Form::Flag => "false",
        Form::Count { .. } => "5",
        Form::Time { .. } => "3s",
        Form::Keys => "sha256:5bf53b8c27ae8c9f3d2f9a35a1b1a6c5d3c9e7a0f0b1c2d3e4f5061728394a5b",
        _ => "x",
    };
    for row in TABLE {
        let Some(variable) = row.variable else { continue };
        let variables = [("WARG_REGISTRY", "https://r.example"), (variable, value(row))];
        let config = resolve(Vec::new(), &variables, &[]).unwrap();
        let entry = config
            .entries()
            .iter()
            .find(|entry| entry.row.key == row.key && entry.origin != Origin::Default)
            .unwrap();
        assert_eq!(entry.origin, Origin::Variable(variable.into()), "{}", row.key);
        assert_eq!(entry.value.as_ref().unwrap().to_string().trim_end_matches('/'), value(row));
    }
    let keys = [("WARG_OPERATOR_KEYS", value(row("registries.<registry>.operator-keys").unwrap()))];
    assert!(resolve(Vec::new(), &keys, &[]).unwrap_err().contains("home registry"));
}

#[test]
fn directories_in_a_variable_may_have_spaces_in_their_names() {
    let paths = std::env::join_paths(["/srv/my projects", "", "/b"]).unwrap();
    let variables = [("WARG_SAFE_DIRECTORIES", paths.to_str().unwrap())];
    let config = resolve(Vec::new(), &variables, &[]).unwrap();
    assert_eq!(config.machine.safe_directories, ["/srv/my projects", "/b"]);
    let helper = [("WARG_CREDENTIAL_HELPER", "/bin/helper an argument")];
    let config = resolve(Vec::new(), &helper, &[]).unwrap();
    assert_eq!(config.machine.credential_helper.unwrap(), ["/bin/helper", "an", "argument"]);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let cases = [
        (
            "\nregistri = 'x'",
            "/u/config.toml:2: there is no setting `registri`; did you mean `registry`?",
        ),
        (
            "[pakage]\nname = 'a:b'",
            "/u/config.toml:1: there is no setting `pakage`; did you mean `package`?",
        ),
        ("[package]\nnam = 'a:b'", ":2: there is no setting `package.nam`; did you mean `name`?"),
        ("a =", ":1: "),
        (
            "\n\nhints = 'asc'",
            ":3: `hints`: `asc` is not one of `accept`, `ask`, `ignore`; did you mean `ask`?",
        ),
        ("attempts = 0", ":1: `attempts`: `0` is not a number from 1 to 20"),
        ("attempts = 1.5", ":1: `attempts` is a number from 1 to 20, not a fraction"),
        ("offline = 'perhaps'", "`perhaps` is not `true` or `false`"),
        ("publish-wait = 'none'", "is not a time"),
        ("publish-wait = '9999999999y'", "is not a time"),
        ("registry = 'http://r.example'", "only talked to over https"),
        ("registry = 'https://user:secret@'", ":1: `registry`: "),
        ("registry = 'https://user:secret@h'", ":1: `registry`: the URL of a registry has no user"),
        ("registry = ['a']", "a list is not the URL of a registry"),
        ("registry = 5", ":1: `registry`: `5` is not the URL of a registry: its host is a number"),
        ("namespaces = 1", ":1: `namespaces` is a table, not a number"),
        ("[namespaces]\n'A!' = 'x.example'", ":2: `A!` is not a namespace"),
        ("[packages]\nb = 'x.example'", ":2: `b` is not the name of a package"),
        ("[registries.'../x']\noperator-keys = []", ":2: "),
        ("[registries.'x.example']\noperator-keys = []", "would believe nobody"),
        ("[registries.'x.example']\noperator-keys = ['sha256:1']", "is not a fingerprint"),
    ];
    for (text, message) in cases {
        let error = of(user(text)).unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let long = "#".repeat(FILE_BYTES_MAX + 1);
    assert!(of(user(&long)).unwrap_err().contains("at most"));
    for (variable, message) in [
        (("WARG_ATTEMPTS", "x"), "WARG_ATTEMPTS: `attempts`: `x` is not a number"),
        (("WARG_HINTS", "\x1b[1m"), "WARG_HINTS: `hints`: `\\u{1b}[1m` is not one of"),
    ] {
        let error = resolve(Vec::new(), &[variable], &[]).unwrap_err();
        assert!(error.starts_with(message), "{error}");
    }
    let config = resolve(Vec::new(), &[("WARG_TOKEN_A_b", "s3cret")], &[]).unwrap();
    let [warning] = &config.warnings[..] else { unreachable!("{:?}", config.warnings) };
    assert!(warning.starts_with("the variable `WARG_TOKEN_A_b` names no registry"), "{warning}");
    assert!(!warning.contains("s3cret"));
    let config = resolve(Vec::new(), &[("WARG_REGISTY", "x"), ("WARG_TOKEN_A", "y")], &[]).unwrap();
    let warning = "the variable `WARG_REGISTY` means nothing here; did you mean `WARG_REGISTRY`?";
    assert_eq!(config.warnings, [warning]);
}

#[test]
fn a_project_may_not_touch_the_machine_nor_weaken_a_check() {
    for row in TABLE.iter().filter(|row| !row.project) {
        let value = match row.form {
            Form::Texts | Form::Directories => "['sh', '-c', 'evil']".to_owned(),
            _ if row.default.is_empty() => "'x'".to_owned(),
            _ => format!("'{}'", row.default),
        };
        let text = format!("{} = {value}", row.key);
        let error = of(project(&text)).unwrap_err();
        assert!(error.starts_with("/p/warg.toml:1: a project may not set `"), "{text}: {error}");
        assert!(of(user(&text)).is_ok(), "{text}");
    }
    let never = ["key-file", "credential-helper", "cache-dir", "state-dir", "keyring-backend"];
    for key in never.iter().chain(&["checkpoint-age-max", "clock-skew-max", "hints"]) {
        assert!(!row(key).unwrap().project, "{key}");
    }
}

#[test]
fn a_project_pins_only_what_the_user_has_not_pinned() {
    let [one, two] = ["11", "22"].map(|byte| format!("sha256:{}", byte.repeat(32)));
    let pins =
        |name: &str, key: &str| format!("[registries.'{name}']\noperator-keys = ['{key}']\n");
    let mut files = user(&pins("a.example", &one));
    files.extend(project(&(pins("https://a.example/", &two) + &pins("b.example", &two))));
    let settings = of(files).unwrap().settings;
    let keys = |name: &str| settings.operator_keys[&name.parse().unwrap()].clone();
    assert_eq!(keys("a.example"), [one.as_str().into()]);
    assert_eq!(keys("b.example"), [two.as_str().into()]);
}

#[test]
fn the_reference_clients_file_is_read_as_it_is() {
    // As warg 0.10.0 writes it.
    let text = r#"{
  "homeUrl": "http://127.0.0.1:8090/",
  "registriesDir": "../reg",
  "keys": ["default", "http://127.0.0.1:8090/"],
  "keyringAuth": true,
  "ignoreFederationHints": false,
  "disableAutoAcceptFederationHints": true,
  "disableAutoPackageInit": true,
  "disableInteractive": false,
  "keyringBackend": "flat-file"
}"#;
    let config = of(vec![file("/u/config.json", Role::User, text)]).unwrap();
    assert_eq!(config.settings.home.unwrap().to_string(), "http://127.0.0.1:8090/");
    assert_eq!(config.settings.hints, Choice::Ask);
    assert_eq!(config.settings.create_packages, Choice::Ask);
    assert!(config.interactive);
    assert_eq!(config.machine.keyring_backend, Some("flat-file"));
    assert_eq!(config.reference.keys, ["default", "http://127.0.0.1:8090/"]);
    let all = r#"{"ignoreFederationHints": true, "disableInteractive": true, "later": 1}"#;
    let config = of(vec![file("/u/config.json", Role::User, all)]).unwrap();
    assert_eq!((config.settings.hints, config.interactive), (Choice::No, false));
    for (text, message) in [
        ("[]", "a configuration is a JSON object"),
        ("{\n\n\"homeUrl\": 1}", "/u/config.json:3: `homeUrl` is a text"),
        ("{\n\"homeUrl\": }", "/u/config.json:2: "),
        (r#"{"keys": [1]}"#, "`keys` is a list of texts"),
        (r#"{"keyringBackend": "x"}"#, "there is no keyring backend `x`"),
        (r#"{"disableInteractive": "no"}"#, "`disableInteractive` is `true` or `false`"),
    ] {
        let error = of(vec![file("/u/config.json", Role::User, text)]).unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn every_setting_is_described() {
    let page = markdown();
    let variables = page.lines().filter_map(|line| {
        let (registry, variable) = line.strip_prefix("| `http")?.split_once("` | `WARG_TOKEN_")?;
        Some((
            format!("http{registry}"),
            format!("WARG_TOKEN_{}", variable.trim_end_matches("` |")),
        ))
    });
    let variables: Vec<_> = variables.collect();
    assert_eq!(variables.len(), 5);
    for (registry, variable) in variables {
        let domain = registry.parse::<RegistryUrl>().unwrap().domain();
        assert_eq!(crate::credentials::Environment::token_variable(&domain), variable);
    }
    for row in TABLE {
        assert!(row.what.ends_with('.'), "{}", row.key);
        assert!(page.contains(&format!("| `{}` |", row.key)), "{}", row.key);
        assert_eq!(TABLE.iter().filter(|other| other.key == row.key).count(), 1);
    }
}
