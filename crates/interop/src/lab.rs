//! What a scenario works with: a registry, the released programs, and people who use them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::archives::{self, Foreign};
use crate::fixtures::Person;
use crate::machine::{Machine, Output};
use crate::proxy::Proxy;
use crate::recording::{Exchange, REGISTRY, ServerOptions, Step};
use crate::server::{Program, Server};
use crate::terminal::Answer;

/// Where the clients are.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// The released programs: a folder `NAME-VERSION/bin` for each crate.
    pub(crate) released: PathBuf,
    /// Our `warg`, which scenarios call `our-warg`.
    pub(crate) ours: PathBuf,
}

/// The released programs: what a scenario calls them, their crates, which `xtask/src/interop.rs`
/// installs, and their files.
const CLIENTS: &[(&str, &str, &str)] = &[
    ("warg", "warg-cli-0.10.0", "warg"),
    ("wkg", "wkg-0.15.1", "wkg"),
    // It has lost Warg.
    ("newest-wkg", "wkg-0.16.1", "wkg"),
    ("wac", "wac-cli-0.12.0", "wac"),
    ("cargo-component", "cargo-component-0.21.1", "cargo-component"),
];

impl Clients {
    fn find(&self, name: &str) -> Result<PathBuf> {
        if name == Warg::Ours.command() {
            return Ok(self.ours.clone());
        }
        let (_, folder, program) = CLIENTS
            .iter()
            .find(|(client, ..)| *client == name)
            .with_context(|| format!("{name} is none of the clients"))?;
        let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
        let path = self.released.join(folder).join("bin").join(file);
        ensure!(
            path.is_file(),
            "there is no {}; `cargo xtask interop` installs it",
            path.display()
        );
        Ok(path)
    }
}

/// One of the two clients that are called `warg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Warg {
    Ours,
    Released,
}

impl Warg {
    /// The first word of its commands.
    pub(crate) const fn command(self) -> &'static str {
        match self {
            Self::Ours => "our-warg",
            Self::Released => "warg",
        }
    }
}

/// A registry with everything around it, for one scenario.
pub(crate) struct Lab {
    clients: Clients,
    proxy: Proxy,
    program: Program,
    options: ServerOptions,
    steps: Vec<Step>,
    /// `None` only while it is started again.
    server: Option<Server>,
    /// Removed when the scenario is over, after the server has ended: fields are dropped in order.
    folder: TempDir,
}

impl Lab {
    /// Starts a registry.
    pub(crate) fn open(clients: Clients, program: Program, options: ServerOptions) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("wargate-interop-").tempdir()?;
        let proxy = Proxy::start(format!("/{}", options.path).trim_end_matches('/').to_owned())?;
        let steps = Vec::new();
        let mut lab = Self { clients, proxy, program, options, steps, server: None, folder };
        lab.restart()?;
        Ok(lab)
    }

    /// Ends the registry, as a power cut would, and starts it again.
    pub(crate) fn restart(&mut self) -> Result<()> {
        // It has to be gone before the next one takes its data.
        drop(self.server.take());
        let folder = self.folder.path().join("server");
        let public = format!("{}/", self.url());
        let server = Server::start(&self.program, &self.options, &folder, &public)?;
        self.proxy.forward_to(server.address());
        self.server = Some(server);
        Ok(())
    }

    /// The registry's URL, without its last slash.
    fn url(&self) -> String {
        format!("http://{}/{}", self.proxy.address(), self.options.path)
            .trim_end_matches('/')
            .to_owned()
    }

    /// Where the server itself listens, behind the proxy that writes down what is said.
    pub(crate) fn server(&self) -> Result<SocketAddr> {
        Ok(self.server.as_ref().context("the registry was ended")?.address())
    }

    /// Whether the registry is the reference implementation's.
    pub(crate) const fn is_reference(&self) -> bool {
        matches!(self.program, Program::Reference(_))
    }

    /// The registry's address, with a port.
    pub(crate) fn host(&self) -> String {
        self.proxy.address().to_string()
    }

    /// The files that others published, as far as they can be had.
    #[expect(clippy::print_stdout, reason = "whoever runs it should know what is left out")]
    pub(crate) fn foreign(&self) -> Result<Vec<Foreign>> {
        let (files, missing) = archives::obtain(&self.clients.released.join("archives"))?;
        for archive in missing {
            println!("not to be had: {archive}");
        }
        Ok(files)
    }

    /// A machine on which nothing was set up.
    pub(crate) fn machine(&self, name: &str) -> Result<Machine> {
        Machine::new(&self.folder.path().join(name))
    }

    /// The machine of somebody who has configured `warg` and has a key.
    pub(crate) fn person(&mut self, person: Person) -> Result<Machine> {
        self.person_at(person, person.name)
    }

    /// Another machine of such a person.
    pub(crate) fn person_at(&mut self, person: Person, name: &str) -> Result<Machine> {
        self.person_with(Warg::Released, person, name)
    }

    /// A machine of a person who uses this client.
    pub(crate) fn person_with(
        &mut self,
        client: Warg,
        person: Person,
        name: &str,
    ) -> Result<Machine> {
        let machine = self.machine(name)?;
        let warg = client.command();
        let config = format!("{warg} config --registry {{registry}} --keyring-backend flat-file");
        self.run(&machine, &config)?.succeeds()?;
        self.run(&machine, &format!("{warg} key new"))?.succeeds()?;
        // In the place of the key that was made at random.
        machine.write_home(KEY_FILE, person.key)?;
        let info = self.run(&machine, &format!("{warg} key info"))?.succeeds()?;
        info.says(&person.key_id()?)?;
        Ok(machine)
    }

    /// Runs a command, whose first word is one of the clients; `{registry}` and `{host}` stand for
    /// the registry's URL and address.
    pub(crate) fn run(&mut self, machine: &Machine, line: &str) -> Result<Ran> {
        self.run_in(machine, ".", line)
    }

    /// The same in a folder of the working directory.
    pub(crate) fn run_in(&mut self, machine: &Machine, folder: &str, line: &str) -> Result<Ran> {
        self.step(line, |program, words| machine.run(program, words, folder))
    }

    /// Runs a command at a terminal and answers what it asks.
    pub(crate) fn type_into(
        &mut self,
        machine: &Machine,
        line: &str,
        answers: &[Answer<'_>],
    ) -> Result<Ran> {
        self.step(line, |program, words| machine.type_into(program, words, answers))
    }

    /// Runs one command on each machine, all at once. What they ask is recorded in one step.
    pub(crate) fn run_at_once<'a>(&mut self, lines: &[(&'a Machine, String)]) -> Result<Vec<Ran>> {
        let prepare = |(machine, line): &(&'a Machine, String)| Ok((*machine, self.prepare(line)?));
        let prepared = lines.iter().map(prepare).collect::<Result<Vec<_>>>()?;
        let outputs: Vec<Result<Output>> = thread::scope(|scope| {
            let mut threads = Vec::new();
            for (machine, prepared) in &prepared {
                let run = || machine.run(&prepared.program, &prepared.words(), ".");
                threads.push(scope.spawn(run));
            }
            let panicked = |_| anyhow!("a thread panicked");
            threads.into_iter().map(|thread| thread.join().map_err(panicked)?).collect()
        });
        let rename = Rename::of(&self.host());
        let exchanges = self.exchanges(&rename);
        let ran = prepared.iter().zip(outputs).map(|((_, prepared), output)| {
            Ok(Ran::new(&rename, &prepared.line, &output?, Vec::new()))
        });
        let ran = ran.collect::<Result<Vec<_>>>()?;
        let command = format!("{} commands at once", lines.len());
        self.steps.push(Step { command, exchanges });
        Ok(ran)
    }

    /// What was said, command by command.
    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// The end of the server's log.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("server/stderr.txt"));
        let text = text.unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
    }

    fn step(
        &mut self,
        line: &str,
        run: impl FnOnce(&Path, &[&str]) -> Result<Output>,
    ) -> Result<Ran> {
        let prepared = self.prepare(line)?;
        let output = run(&prepared.program, &prepared.words());
        let output = output.with_context(|| format!("$ {}", prepared.line))?;
        let rename = Rename::of(&self.host());
        let exchanges = self.exchanges(&rename);
        let ran = Ran::new(&rename, &prepared.line, &output, exchanges.clone());
        self.steps.push(Step { command: ran.command.clone(), exchanges });
        Ok(ran)
    }

    fn prepare(&self, line: &str) -> Result<Prepared> {
        let line = line.replace("{registry}", &self.url()).replace("{host}", &self.host());
        let client = line.split_whitespace().next().context("an empty command")?;
        Ok(Prepared { program: self.clients.find(client)?, line })
    }

    /// What was asked and answered since the last command.
    fn exchanges(&self, rename: &Rename) -> Vec<Exchange> {
        self.proxy.take().iter().map(|raw| raw.exchange(|text| rename.apply(text))).collect()
    }
}

/// A command that can be run.
#[derive(Clone, Debug)]
struct Prepared {
    program: PathBuf,
    line: String,
}

impl Prepared {
    /// The program's arguments.
    fn words(&self) -> Vec<&str> {
        self.line.split_whitespace().skip(1).collect()
    }
}

/// Where `warg` keeps the key of that name in plain files.
pub(crate) const KEY_FILE: &str = ".config/warg/keyring/service=warg-signing-key&user=default";

/// Puts the address of [`REGISTRY`] in the place of the one that the registry really has.
struct Rename {
    pairs: [(String, String); 2],
}

impl Rename {
    fn of(host: &str) -> Self {
        let recorded = REGISTRY.trim_start_matches("http://").trim_end_matches('/');
        // Clients call it so where a colon cannot be.
        let label = |host: &str| host.replace(':', "-");
        Self { pairs: [(host.to_owned(), recorded.to_owned()), (label(host), label(recorded))] }
    }

    fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.pairs {
            text = text.replace(from, to);
        }
        text
    }
}

/// A command that was run.
#[derive(Debug)]
pub(crate) struct Ran {
    command: String,
    is_success: bool,
    text: String,
    exchanges: Vec<Exchange>,
}

impl Ran {
    fn new(rename: &Rename, line: &str, output: &Output, exchanges: Vec<Exchange>) -> Self {
        let (command, text) = (rename.apply(line), rename.apply(&output.text));
        Self { command, is_success: output.status.success(), text, exchanges }
    }

    /// The exit status was 0.
    pub(crate) const fn is_success(&self) -> bool {
        self.is_success
    }

    /// The exit status was 0.
    pub(crate) fn succeeds(self) -> Result<Self> {
        if self.is_success { Ok(self) } else { self.bail("failed") }
    }

    /// The exit status was not 0, and every one of the words was said.
    pub(crate) fn fails(self, words: &[&str]) -> Result<Self> {
        if self.is_success {
            return self.bail("succeeded");
        }
        for words in words {
            self.says(words)?;
        }
        Ok(self)
    }

    /// The words were said.
    pub(crate) fn says(&self, words: &str) -> Result<&Self> {
        if self.text.contains(words) {
            Ok(self)
        } else {
            self.bail(&format!("did not say {words:?}"))
        }
    }

    /// The words were not said.
    pub(crate) fn keeps_quiet_about(&self, words: &str) -> Result<&Self> {
        if self.text.contains(words) { self.bail(&format!("said {words:?}")) } else { Ok(self) }
    }

    /// What was said, as a whole.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The first digest that was said.
    pub(crate) fn digest(&self) -> Result<&str> {
        let mut words = self.text.split(|it: char| it.is_whitespace() || it == '`');
        match words.find(|word| word.starts_with("sha256:")) {
            Some(digest) => Ok(digest),
            None => self.bail("named no digest"),
        }
    }

    /// The exchanges of this method whose paths have this beginning and this end.
    pub(crate) fn exchanges(&self, method: &str, begin: &str, end: &str) -> Vec<&Exchange> {
        let fits = |exchange: &&Exchange| {
            let path = &exchange.path;
            exchange.method == method && path.starts_with(begin) && path.ends_with(end)
        };
        self.exchanges.iter().filter(fits).collect()
    }

    /// The one exchange of this method whose path has this beginning and this end.
    pub(crate) fn exchange(&self, method: &str, begin: &str, end: &str) -> Result<&Exchange> {
        match *self.exchanges(method, begin, end) {
            [exchange] => Ok(exchange),
            ref found => {
                self.bail(&format!("made {} requests {method} {begin}…{end}", found.len()))
            }
        }
    }

    /// The same, and the answer had this status.
    pub(crate) fn was_answered(&self, method: &str, end: &str, status: u16) -> Result<&Exchange> {
        let exchange = self.exchange(method, "/", end)?;
        if exchange.status == status {
            return Ok(exchange);
        }
        self.bail(&format!("was answered {}, not {status}", exchange.status))
    }

    /// Every exchange of the command, in order.
    pub(crate) fn all(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// An error that shows everything that the command said and asked.
    pub(crate) fn bail<T>(&self, what: &str) -> Result<T> {
        let requests = self.exchanges.iter().map(|exchange| {
            let Exchange { method, path, status, .. } = exchange;
            let message = exchange.response.member("message").and_then(Value::as_str);
            let message = message.filter(|_| *status >= 400).unwrap_or_default();
            format!("\n  {method} {path} -> {status} {message}")
        });
        let requests: String = requests.collect();
        bail!("`{}` {what}\n{}{requests}", self.command, self.text.trim_end())
    }
}
