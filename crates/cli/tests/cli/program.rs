//! Running the program.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A user of this machine: a home directory and a current directory, with nothing in them.
pub(crate) struct User {
    home: TempDir,
}

/// What came of a command.
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl User {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("here")).unwrap();
        Self { home }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file below the home directory.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.home().join(path)).unwrap()
    }

    /// The program, with nothing of this process's environment that it would listen to.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warg"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .current_dir(self.home().join("here"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments))
    }

    pub(crate) fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        run(self.command(arguments).envs(variables.iter().copied()))
    }

    /// With a text on standard input.
    pub(crate) fn tell(&self, input: &str, arguments: &[&str]) -> Output {
        self.tell_with(&[], input, arguments)
    }

    /// With variables, and a text on standard input.
    pub(crate) fn tell_with(
        &self,
        variables: &[(&str, &str)],
        input: &str,
        arguments: &[&str],
    ) -> Output {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        read(child.wait_with_output().unwrap())
    }

    /// What a command says, with what differs from run to run replaced.
    pub(crate) fn tame(&self, output: &Output) -> String {
        let home = self.home().display().to_string();
        output.to_string().replace(&home, "~")
    }
}

/// All commands, from the page that the program makes of itself; those below others are `above below`.
pub(crate) fn commands(user: &User) -> Vec<String> {
    let page = user.run(&["man", "--markdown"]).out;
    let names = page.lines().filter_map(|line| line.strip_prefix("### `warg ")?.strip_suffix('`'));
    names.map(str::to_owned).collect()
}

fn run(command: &mut Command) -> Output {
    read(command.output().unwrap())
}

fn read(output: std::process::Output) -> Output {
    Output {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, out, err } = self;
        write!(f, "exit: {}\n{out}", code.unwrap_or(-1))?;
        if !err.is_empty() {
            write!(f, "--- stderr\n{err}")?;
        }
        Ok(())
    }
}
