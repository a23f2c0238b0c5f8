//! Keys and tokens: where they go, who can read them, and that nobody is told.

use std::os::unix::fs::PermissionsExt;

use crate::program::User;

const URL: &str = "http://127.0.0.1:8090";
const KEY: &str = "ecdsa-p256:I+UlDo0HxyBBFeelhPPWmD+LnklOpqZDkrFP5VduASk=";
const TOKEN: &str = "the-hidden-token";
const KEYRING: &str = ".config/warg/keyring";

#[test]
fn a_key_is_made_shown_replaced_and_deleted() {
    let user = User::new();
    assert_eq!(user.run(&["key", "info"]).code, Some(4));
    let made = user.run(&["key", "new"]);
    assert!(
        made.out.starts_with("Key ID: sha256:") && made.out.contains("\nPublic Key: ecdsa-p256:")
    );
    assert_eq!(user.run(&["key", "info"]).out, made.out);
    let file = user.home().join(KEYRING).join("service=warg-signing-key&user=default");
    let bits = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((bits(&file), bits(file.parent().unwrap())), (0o600, 0o700));
    let refused = user.tell(KEY, &["key", "set"]);
    assert!(refused.code == Some(2) && refused.err.contains("hint: `--overwrite`"), "{refused}");
    // A line end behind it does not count (specification 20.3, N14).
    let given = user.tell(&format!("{KEY}\n"), &["key", "set", "--overwrite"]);
    assert_eq!((given.code, std::fs::read_to_string(&file).unwrap().as_str()), (Some(0), KEY));
    assert_ne!(given.out, made.out);
    let refused = user.run(&["key", "delete"]);
    assert!(refused.code == Some(2) && refused.err.contains("--yes"), "{refused}");
    assert_eq!(user.run(&["key", "delete", "--yes"]).code, Some(0));
    assert!(!file.exists());
    let wrong = user.tell("ecdsa-p256:nonsense", &["key", "set"]);
    assert!(wrong.code == Some(2) && !wrong.err.contains("nonsense"), "{wrong}");
}

#[test]
fn a_key_for_a_registry_is_found_under_one_name_and_by_the_reference_client() {
    let user = User::new();
    user.write(".config/warg/config.json", "{\"homeUrl\": \"http://127.0.0.1:8090\"}");
    let general = user.run(&["key", "new"]).out;
    let own = user.run(&["key", "new", "--registry", URL]).out;
    assert_ne!(general, own);
    // The one of the registry counts, with and without naming it.
    assert_eq!(user.run(&["key", "info"]).out, own);
    assert_eq!(user.run(&["key", "info", "--registry", URL]).out, own);
    assert_eq!(user.run(&["key", "info", "--registry", "r.example"]).out, general);
    let names = user.read(".config/warg/config.json");
    assert!(
        names.contains("\"default\"") && names.contains("\"http://127.0.0.1:8090/\""),
        "{names}"
    );
    assert!(
        user.home().join(KEYRING).join("service=warg-signing-key&user=127.0.0.1-8090").exists()
    );
    // A new one without a name replaces the one that counts, and not another one.
    let newer = user.run(&["key", "new", "--overwrite"]).out;
    assert_eq!(user.run(&["key", "info"]).out, newer);
}

#[test]
fn logging_in_changes_what_was_said_and_nothing_else() {
    let user = User::new();
    user.write(
        ".config/warg/config.json",
        "{\"homeUrl\": \"http://127.0.0.1:8090\", \"ignoreFederationHints\": true}",
    );
    let output = user.tell(&format!("{TOKEN}\n"), &["login", "--token-stdin"]);
    assert!(output.code == Some(0) && output.out.contains("Key ID: sha256:"), "{output}");
    assert!(!output.to_string().contains(TOKEN));
    let config = user.read(".config/warg/config.json");
    assert!(config.contains("\"ignoreFederationHints\": true"), "{config}");
    assert!(config.contains("\"keyringAuth\": true") && !config.contains(TOKEN), "{config}");
    let file = "service=warg-auth-token%3A127.0.0.1-8090&user=127.0.0.1-8090";
    assert_eq!(user.read(&format!("{KEYRING}/{file}")), TOKEN);
    let who = user.run(&["whoami"]);
    assert!(who.out.contains("Token from: the file") && !who.out.contains(TOKEN), "{who}");
    assert!(user.run(&["logout"]).out.contains("Removed the token"));
    assert!(user.run(&["whoami"]).out.contains("Token: none"));
    // There is no terminal to ask at, and no flag that would show a token to everybody.
    let refused = user.run(&["login"]);
    assert!(refused.code == Some(2) && refused.err.contains("--token-stdin"), "{refused}");
    assert_eq!(user.run(&["login", "--token", TOKEN]).code, Some(2));
}

#[test]
fn variables_are_enough_without_a_home_directory() {
    let user = User::new();
    let run = |variables: &[(&str, &str)]| {
        let mut command = user.command(&["whoami"]);
        command.env_remove("HOME").envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let out = run(&[("WARG_SIGNING_KEY", KEY), ("WARG_REGISTRY", URL), ("WARG_TOKEN", TOKEN)]);
    assert!(out.contains("Key from: the variable WARG_SIGNING_KEY"), "{out}");
    assert!(out.contains("Token from: the variable WARG_TOKEN"), "{out}");
    assert!(!out.contains(KEY) && !out.contains(TOKEN));
    // A project's file cannot have the token sent to where it likes.
    user.write("here/warg.toml", "registry = \"https://evil.example\"\n");
    let out = run(&[("WARG_TOKEN", TOKEN)]);
    assert!(out.contains("WARG_TOKEN is not sent"), "{out}");
    let out = run(&[("WARG_TOKEN", TOKEN), ("WARG_REGISTRY", URL)]);
    assert!(out.contains("Token from: the variable WARG_TOKEN"), "{out}");
    // Whose name is in the variable's gets the token, whoever named the registry; a like name does not.
    let out = run(&[("WARG_TOKEN_EVIL_EXAMPLE", TOKEN), ("WARG_OFFLINE", "1")]);
    assert!(out.contains("Token from: the variable WARG_TOKEN_EVIL_EXAMPLE"), "{out}");
    let out = run(&[("WARG_TOKEN_EVIL__EXAMPLE", TOKEN), ("WARG_OFFLINE", "1")]);
    assert!(out.contains("Token: none"), "{out}");
    // Files that others can read are refused.
    user.write("key", KEY);
    let path = user.home().join("key");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let output = user.run_with(&[("WARG_SIGNING_KEY_FILE", path.to_str().unwrap())], &["whoami"]);
    assert_eq!(output.code, Some(8), "{output}");
    assert!(output.err.contains("chmod 600") && !output.err.contains(KEY), "{output}");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let output = user.run_with(&[("WARG_SIGNING_KEY_FILE", path.to_str().unwrap())], &["whoami"]);
    assert!(output.out.contains("Key from: the file"), "{output}");
}

/// A server that says where the API of a registry is, and answers so often.
fn discovery(api: &str, times: usize) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let body = format!("{{\"wargUrl\": \"{api}\"}}");
    std::thread::spawn(move || {
        for stream in listener.incoming().take(times) {
            let mut stream = stream.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
            assert!(request.contains("/.well-known/") && !request.contains("authorization"));
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}/")
}

#[test]
fn a_token_is_kept_by_the_name_of_the_api() {
    let user = User::new();
    let named = discovery("http://localhost:9/api", 8);
    user.write(".config/warg/config.toml", &format!("registry = \"{named}\"\n"));
    let output = user.tell(TOKEN, &["login", "--token-stdin"]);
    let says = "API: http://localhost:9/api/, as 127.0.0.1-";
    assert!(output.out.contains(says), "{output}");
    assert!(output.out.contains("Stored a token for localhost-9_api in the file"), "{output}");
    let file = "service=warg-auth-token%3Alocalhost-9_api&user=localhost-9_api";
    assert_eq!(user.read(&format!("{KEYRING}/{file}")), TOKEN);
    let who = user.run(&["whoami"]);
    assert!(who.out.contains(says) && who.out.contains("Token from: the file"), "{who}");
    // Both names are fine in a variable, and `WARG_TOKEN` goes where the home registry leads.
    let own = format!(
        "WARG_TOKEN_127_0_0_1__{}",
        named.trim_end_matches('/').rsplit(':').next().unwrap()
    );
    let who = user.run_with(&[(&own, TOKEN)], &["whoami"]);
    assert!(who.out.contains(&format!("Token from: the variable {own}\n")), "{who}");
    // Only the registry says whose token it is, and a stranger's could say it of any.
    let refused = user.run(&["logout"]);
    assert!(
        refused.code == Some(2) && refused.err.contains("hint: --yes answers yes"),
        "{refused}"
    );
    assert_eq!(user.read(&format!("{KEYRING}/{file}")), TOKEN);
    let removed = user.run(&["logout", "--yes"]);
    assert!(removed.out.contains("Removed the token for localhost-9_api"), "{removed}");
    assert!(!user.home().join(KEYRING).join(file).exists());
    // Where it cannot be asked, that is said, and the name is taken.
    let output = user.tell(TOKEN, &["login", "--token-stdin", "--offline"]);
    assert!(output.out.contains("API: taken for the same, because"), "{output}");
    assert!(output.out.contains("Stored a token for 127.0.0.1-"), "{output}");
    let who = user.run(&["whoami", "--offline"]);
    assert!(who.out.contains("Token from: the file"), "{who}");
}

#[test]
fn no_registry_touches_the_token_of_another_one() {
    let user = User::new();
    let good = "http://localhost:9";
    let stored = user.tell(TOKEN, &["login", "--token-stdin", "--offline", "--registry", good]);
    assert_eq!(stored.code, Some(0), "{stored}");
    let file = format!("{KEYRING}/service=warg-auth-token%3Alocalhost-9&user=localhost-9");
    let evil = discovery(good, 8);
    // Whoever named it,
    let login = ["login", "--token-stdin", "--registry", &evil];
    let refused = user.tell("another", &login);
    assert!(refused.code == Some(2) && refused.err.contains("--overwrite"), "{refused}");
    assert_eq!(user.read(&file), TOKEN);
    // and even with the flag if a project did.
    user.write(".config/warg/config.json", "{}");
    user.write("here/warg.toml", &format!("registry = \"{evil}\"\n"));
    let refused = user.tell("another", &["login", "--token-stdin", "--overwrite"]);
    assert!(refused.code == Some(2) && refused.err.contains("only a project's file"), "{refused}");
    let refused = user.run(&["logout"]);
    assert!(refused.code == Some(2) && refused.err.contains("--yes"), "{refused}");
    assert_eq!(user.read(&file), TOKEN);
    // Whoever says so, may.
    let replaced = user.tell("another", &[&login[..], &["--overwrite"]].concat());
    assert_eq!((replaced.code, user.read(&file).as_str()), (Some(0), "another"), "{replaced}");
}

#[test]
fn a_token_that_may_still_be_there_is_not_said_to_be_gone() {
    let user = User::new();
    let variables = [("WARG_REGISTRY", "http://127.0.0.1:1"), ("WARG_ATTEMPTS", "1")];
    let failed = user.run_with(&variables, &["logout"]);
    assert!(failed.code == Some(5) && failed.err.contains("there may be one"), "{failed}");
    assert!(failed.err.contains("hint: "), "{failed}");
    user.tell_with(&variables, TOKEN, &["login", "--token-stdin"]);
    let removed = user.run_with(&variables, &["logout"]);
    assert!(removed.code == Some(0) && removed.out.contains("Removed the token"), "{removed}");
}

#[test]
fn a_password_in_a_registrys_url_is_refused_and_not_repeated() {
    let user = User::new();
    let refused = user.run(&["config", "--registry", "https://me:hush@r.example"]);
    assert!(refused.code == Some(2) && !refused.err.contains("hush"), "{refused}");
    assert!(refused.err.contains("no user and no password") && refused.err.contains("warg login"));
    user.write(".config/warg/config.json", "{\"homeUrl\": \"https://me:hush@r.example\"}");
    let refused = user.run(&["whoami"]);
    assert!(refused.code == Some(2) && !refused.err.contains("hush"), "{refused}");
}

#[test]
fn a_keyring_that_is_not_here_says_so() {
    let user = User::new();
    user.write(".config/warg/config.json", "{\"keyringBackend\": \"mock\"}");
    let output = user.run(&["key", "info"]);
    assert!(output.code == Some(8) && output.err.contains("no keyring `mock`"), "{output}");
    for way in ["`flat-file`", "`WARG_SIGNING_KEY`", "`key-file`", "`credential-helper`"] {
        assert!(output.err.contains(way), "{output}");
    }
    // Variables count before it.
    let output = user.run_with(&[("WARG_SIGNING_KEY", KEY)], &["key", "info"]);
    assert_eq!(output.code, Some(0), "{output}");
}
