//! The program: which scenarios run, and how they went.
#![expect(clippy::print_stdout, reason = "the table of results is what the program is for")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::lab::{Clients, Lab};
use crate::recording::{FORMAT, Recording, Step};
use crate::scenarios::{SCENARIOS, Scenario};
use crate::server::Program;

/// What was typed.
struct Arguments {
    /// Where the released programs are.
    clients: PathBuf,
    server: PathBuf,
    is_reference: bool,
    record: Option<PathBuf>,
    list: bool,
    filters: Vec<String>,
}

const USAGE: &str = "interop --clients DIR --server PROGRAM [--reference] [--record DIR] [NAME…]";

impl Arguments {
    fn new(arguments: &[String]) -> Result<Self> {
        let mut read = Self {
            clients: PathBuf::new(),
            server: PathBuf::new(),
            is_reference: false,
            record: None,
            list: false,
            filters: Vec::new(),
        };
        let mut rest = arguments.iter();
        let value = |next: Option<&String>| {
            next.map(PathBuf::from).with_context(|| format!("a value is missing; usage: {USAGE}"))
        };
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--clients" => read.clients = value(rest.next())?,
                "--server" => read.server = value(rest.next())?,
                "--record" => read.record = Some(value(rest.next())?),
                "--reference" => read.is_reference = true,
                "--list" => read.list = true,
                flag if flag.starts_with('-') => bail!("no option {flag}; usage: {USAGE}"),
                name => read.filters.push(name.to_owned()),
            }
        }
        Ok(read)
    }

    /// Whether a scenario was asked for.
    fn wants(&self, scenario: &Scenario) -> bool {
        let by_name = self.filters.is_empty()
            || self.filters.iter().any(|filter| scenario.name.contains(filter.as_str()));
        by_name && (scenario.is_common || !self.is_reference)
    }
}

/// How a scenario went.
struct Outcome {
    name: &'static str,
    about: &'static str,
    seconds: f64,
    is_passed: bool,
}

/// Runs the scenarios that the arguments ask for and prints a table of the results; true if all
/// passed.
///
/// # Errors
/// If the arguments make no sense or a recording cannot be written. A scenario that fails is no
/// error here.
pub fn run(arguments: &[String]) -> Result<bool> {
    let arguments = Arguments::new(arguments)?;
    if arguments.list {
        for Scenario { name, about, .. } in SCENARIOS {
            println!("{name:<24} {about}");
        }
        return Ok(true);
    }
    let wanted: Vec<_> = SCENARIOS.iter().filter(|it| arguments.wants(it)).collect();
    if wanted.is_empty() {
        bail!("no scenario has such a name; --list shows them all");
    }
    let outcomes: Vec<_> =
        wanted.iter().map(|scenario| play(scenario, &arguments)).collect::<Result<_>>()?;
    println!();
    for Outcome { name, about, seconds, is_passed } in &outcomes {
        let verdict = if *is_passed { "ok" } else { "FAILED" };
        println!("{verdict:<6}  {name:<24} {seconds:>5.1} s  {about}");
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.is_passed).count();
    println!("\n{} scenarios, {failed} failed", outcomes.len());
    Ok(failed == 0)
}

fn play(scenario: &Scenario, arguments: &Arguments) -> Result<Outcome> {
    let Scenario { name, about, .. } = *scenario;
    let program = match (arguments.is_reference, absolute(&arguments.server)?) {
        (false, path) => Program::Wargate(path),
        (true, path) => Program::Reference(path),
    };
    let clients = Clients(absolute(&arguments.clients)?);
    let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let clock = Instant::now();
    let result = try_play(scenario, program, clients);
    let seconds = clock.elapsed().as_secs_f64();
    match &result {
        Ok(_) => println!("{name}: ok"),
        Err(error) => println!("{name}: FAILED\n{error:#}\n"),
    }
    let is_passed = result.is_ok();
    let folder = arguments.record.as_ref().filter(|_| scenario.is_recorded);
    if let (Ok(steps), Some(folder)) = (result, folder) {
        write(scenario, started, steps, folder)?;
    }
    Ok(Outcome { name, about, seconds, is_passed })
}

fn try_play(scenario: &Scenario, program: Program, clients: Clients) -> Result<Vec<Step>> {
    let mut lab = Lab::open(clients, program, scenario.options()?)?;
    match (scenario.play)(&mut lab) {
        Ok(()) => Ok(lab.into_steps()),
        Err(error) => Err(error.context(format!("the end of the server's log:\n{}", lab.log()))),
    }
}

fn write(scenario: &Scenario, started: u64, mut steps: Vec<Step>, folder: &Path) -> Result<()> {
    // Commands that the registry never heard of are no conversation.
    steps.retain(|step| !step.exchanges.is_empty());
    let recording = Recording {
        about: format!("Released clients and a registry: {}.", scenario.about),
        format: FORMAT.to_owned(),
        scenario: scenario.name.to_owned(),
        server: scenario.options()?,
        started,
        steps,
    };
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{}.json", scenario.name));
    let text = serde_json::to_string_pretty(&recording)? + "\n";
    fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    let folder = env::current_dir().context("there is no current directory")?;
    Ok(folder.join(path))
}
