//! Keyrings of the operating system, with the program: a Secret Service on a session bus of its own, and
//! machines that have none. For builds with the feature `os-keyring`.

#![expect(clippy::print_stdout, reason = "a test says why it could not test anything")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::program::{Output, User};

const KEY: &str = "ecdsa-p256:I+UlDo0HxyBBFeelhPPWmD+LnklOpqZDkrFP5VduASk=";
const TOKEN: &str = "the-hidden-token";
const CONFIG: &str =
    "{\"homeUrl\": \"http://127.0.0.1:8090/\", \"keyringBackend\": \"secret-service\"}";

/// A session of a user without a screen: a bus, and the programs that it starts.
struct Session {
    user: User,
    bus: Child,
    address: String,
}

impl Session {
    /// `None`: this machine has no bus to start.
    fn new() -> Option<Self> {
        let user = User::new();
        user.write(".config/warg/config.json", CONFIG);
        std::fs::DirBuilder::new().mode(0o700).create(user.home().join("run")).unwrap();
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .arg(format!("--address=unix:path={}", user.home().join("bus").display()))
            .env("HOME", user.home())
            .env("XDG_RUNTIME_DIR", user.home().join("run"))
            .env_remove("DISPLAY")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Self { user, bus, address: address.trim_end().to_owned() })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", self.user.home())
            .env("XDG_RUNTIME_DIR", self.user.home().join("run"))
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command
    }

    /// Starts a keyring that this password opens, and waits until it is on the bus. It ends with the
    /// bus.
    fn start_keyring(&self, password: &str) -> Option<()> {
        let mut daemon = self
            .command("gnome-keyring-daemon")
            .args(["--unlock", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut stdin: ChildStdin = daemon.stdin.take().unwrap();
        stdin.write_all(password.as_bytes()).unwrap();
        drop(stdin);
        assert!(daemon.wait().unwrap().success());
        let start = ["string:org.freedesktop.secrets", "uint32:0"];
        let bus = "org.freedesktop.DBus";
        self.call(bus, "/", "org.freedesktop.DBus.StartServiceByName", &start).map(drop)
    }

    /// What a method of somebody on the bus answers, as a text.
    fn call(&self, whom: &str, path: &str, method: &str, arguments: &[&str]) -> Option<String> {
        let output = self
            .command("dbus-send")
            .args(["--session", "--print-reply", &format!("--dest={whom}"), path, method])
            .args(arguments)
            .output()
            .ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap())
    }

    /// How many items have these attributes.
    fn items(&self, attributes: &str) -> usize {
        let method = "org.freedesktop.Secret.Service.SearchItems";
        let attributes = format!("dict:string:string:{attributes}");
        let answer = self.call(
            "org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            method,
            &[&attributes],
        );
        answer.unwrap().matches("object path").count()
    }

    fn variables(&self) -> [(&str, &str); 1] {
        [("DBUS_SESSION_BUS_ADDRESS", &self.address)]
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.user.run_with(&self.variables(), arguments)
    }

    fn tell(&self, input: &str, arguments: &[&str]) -> Output {
        self.user.tell_with(&self.variables(), input, arguments)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

#[test]
fn the_secret_service_keeps_keys_and_tokens_as_the_reference_client_does() {
    let Some(session) = Session::new() else {
        println!("skipped: there is no dbus-daemon");
        return;
    };
    if session.start_keyring("open").is_none() {
        println!("skipped: there is no gnome-keyring-daemon or no dbus-send");
        return;
    }
    let made = session.run(&["key", "new"]);
    assert!(made.code == Some(0) && made.out.starts_with("Key ID: sha256:"), "{made}");
    assert_eq!(session.run(&["key", "info"]).out, made.out);
    assert_eq!(session.items("service,warg-signing-key,username,default,target,default"), 1);
    let refused = session.tell(KEY, &["key", "set"]);
    assert!(refused.code == Some(2) && refused.err.contains("--overwrite"), "{refused}");
    let given = session.tell(KEY, &["key", "set", "--overwrite"]);
    assert!(given.code == Some(0) && given.out.starts_with("Key ID: "), "{given}");
    assert_eq!(session.run(&["key", "info"]).out, given.out);
    assert_eq!(session.items("service,warg-signing-key"), 1);
    let stored = session.tell(TOKEN, &["login", "--token-stdin", "--offline"]);
    let place = "in the entry `127.0.0.1-8090` of `warg-auth-token:127.0.0.1-8090` in the keyring \
                 `secret-service`";
    assert!(stored.code == Some(0) && stored.out.contains(place), "{stored}");
    let token = "service,warg-auth-token:127.0.0.1-8090,username,127.0.0.1-8090,target,default";
    assert_eq!(session.items(token), 1);
    let who = session.run(&["whoami", "--offline"]);
    assert!(who.out.contains("Token from: the entry `127.0.0.1-8090`"), "{who}");
    assert!(!who.to_string().contains(TOKEN) && !who.to_string().contains(KEY));
    let logout = session.run(&["logout", "--offline"]);
    assert!(logout.out.contains("Removed the token for 127.0.0.1-8090"), "{logout}");
    assert_eq!(session.items(token), 0);
    assert_eq!(session.run(&["key", "delete", "--yes"]).code, Some(0));
    assert_eq!(session.items("service,warg-signing-key"), 0);
    assert_eq!(session.run(&["key", "info"]).code, Some(4));
    // Nothing of it is in files.
    assert!(!session.user.home().join(".config/warg/keyring").exists());
}

#[test]
fn the_kernel_keeps_keys_for_those_of_a_session() {
    let user = User::new();
    user.write(".config/warg/config.json", &CONFIG.replace("secret-service", "linux-keyutils"));
    let key = format!("{} --registry kernel.wargate.test key", env!("CARGO_BIN_EXE_warg"));
    let script =
        format!("{key} new && {key} info && cat /proc/keys && {key} delete --yes && ! {key} info");
    let mut keyctl = Command::new("keyctl");
    keyctl.args(["session", "-", "sh", "-c", &script]).env("HOME", user.home());
    let Ok(output) = keyctl.output() else {
        println!("skipped: there is no keyctl");
        return;
    };
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    if !output.status.success() {
        // Sandboxes forbid the calls.
        assert!(err.contains("`linux-keyutils`") || err.contains("keyctl"), "{err}");
        println!("skipped: {err}");
        return;
    }
    let ids: Vec<_> = out.lines().filter(|line| line.starts_with("Key ID: ")).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{out}");
    let name = " keyring-rs:kernel.wargate.test@warg-signing-key: ";
    assert!(out.contains(name), "{out}");
    assert!(err.contains("there is no key") && !err.contains("panicked"), "{err}");
}

#[test]
fn a_machine_without_secret_service_says_so_and_what_to_do() {
    let user = User::new();
    user.write(".config/warg/config.json", CONFIG);
    let nowhere = format!("unix:path={}", user.home().join("nothing").display());
    let expect = |variables: &[(&str, &str)]| {
        let output = user.run_with(variables, &["key", "info"]);
        assert_eq!(output.code, Some(8), "{output}");
        let says = "the keyring `secret-service` cannot be opened: ";
        assert!(output.err.contains(says) && !output.err.contains("panicked"), "{output}");
        for way in ["`flat-file`", "`WARG_SIGNING_KEY`", "`key-file`", "`credential-helper`"] {
            assert!(output.err.contains(way), "{output}");
        }
        // Variables count before it.
        let mut variables = variables.to_vec();
        variables.push(("WARG_SIGNING_KEY", KEY));
        let output = user.run_with(&variables, &["key", "info"]);
        assert!(output.code == Some(0) && output.out.contains("Key ID: "), "{output}");
    };
    expect(&[("DBUS_SESSION_BUS_ADDRESS", &nowhere)]);
    expect(&[("DBUS_SESSION_BUS_ADDRESS", "no address")]);
    // Somebody is there who speaks something else.
    let path = user.home().join("strange");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    expect(&[("DBUS_SESSION_BUS_ADDRESS", &format!("unix:path={}", path.display()))]);
}

#[test]
fn a_bus_that_is_silent_is_left() {
    let user = User::new();
    user.write(".config/warg/config.json", CONFIG);
    let path = user.home().join("silent");
    // Connections wait in its queue, and nobody takes them.
    let _listener = UnixListener::bind(&path).unwrap();
    let address = format!("unix:path={}", path.display());
    let output = user.run_with(&[("DBUS_SESSION_BUS_ADDRESS", &address)], &["key", "info"]);
    assert_eq!(output.code, Some(8), "{output}");
    assert!(output.err.contains("`secret-service` does not answer in time"), "{output}");
}
