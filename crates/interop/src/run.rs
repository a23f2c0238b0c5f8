//! The program: which scenarios run, and how they went.
#![expect(clippy::print_stdout, reason = "the table of results is what the program is for")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};

use crate::lab::{Clients, Lab};
use crate::recording::{FORMAT, Recording, Step};
use crate::scenarios::{ALONE, SCENARIOS, Scenario};
use crate::server::Program;

/// What was typed.
struct Arguments {
    /// Where the released programs are.
    clients: PathBuf,
    /// Our client.
    warg: PathBuf,
    /// Our server.
    server: PathBuf,
    /// The reference implementation's server.
    reference: PathBuf,
    /// Whether that one takes the place of ours.
    is_reference: bool,
    record: Option<PathBuf>,
    list: bool,
    filters: Vec<String>,
}

const USAGE: &str = "interop --clients DIR --warg PROGRAM --server PROGRAM \
                     --reference-server PROGRAM [--reference] [--record DIR] [NAME…]";

impl Arguments {
    fn new(arguments: &[String]) -> Result<Self> {
        let mut read = Self {
            clients: PathBuf::new(),
            warg: PathBuf::new(),
            server: PathBuf::new(),
            reference: PathBuf::new(),
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
                "--warg" => read.warg = value(rest.next())?,
                "--reference-server" => read.reference = value(rest.next())?,
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
        let is_possible = scenario.is_common || scenario.is_elsewhere || !self.is_reference;
        by_name && is_possible
    }

    /// The server that a scenario is played at.
    fn program(&self, scenario: &Scenario) -> Result<Program> {
        Ok(if self.is_reference || scenario.is_elsewhere {
            Program::Reference(absolute(&self.reference)?)
        } else {
            Program::Wargate(absolute(&self.server)?)
        })
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
    let wanted = SCENARIOS.iter().filter(|it| arguments.wants(it));
    let (elsewhere, here): (Vec<_>, Vec<_>) = wanted.partition(|it| it.is_elsewhere);
    if elsewhere.is_empty() && here.is_empty() {
        bail!("no scenario has such a name; --list shows them all");
    }
    let outcomes = play_all(&here, &elsewhere, &arguments)?;
    println!();
    for Outcome { name, about, seconds, is_passed } in &outcomes {
        let verdict = if *is_passed { "ok" } else { "FAILED" };
        println!("{verdict:<6}  {name:<24} {seconds:>5.1} s  {about}");
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.is_passed).count();
    println!("\n{} scenarios, {failed} failed", outcomes.len());
    Ok(failed == 0)
}

/// Plays one after the other, and meanwhile all those that wait for a slow server anyway.
fn play_all(
    here: &[&Scenario],
    elsewhere: &[&Scenario],
    arguments: &Arguments,
) -> Result<Vec<Outcome>> {
    thread::scope(|scope| {
        let beside = elsewhere.iter().map(|scenario| scope.spawn(|| play(scenario, arguments)));
        // All are started before the first of the others is played.
        let beside: Vec<_> = beside.collect();
        let mut outcomes = Vec::new();
        for scenario in here {
            outcomes.push(play(scenario, arguments)?);
        }
        for thread in beside {
            outcomes.push(thread.join().map_err(|_| anyhow!("a thread panicked"))??);
        }
        Ok(outcomes)
    })
}

fn play(scenario: &Scenario, arguments: &Arguments) -> Result<Outcome> {
    let Scenario { name, about, .. } = *scenario;
    let program = arguments.program(scenario)?;
    let clients =
        Clients { released: absolute(&arguments.clients)?, ours: absolute(&arguments.warg)? };
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

/// Publishes, fetches and verifies the components of `testdata` with our `warg` at our `wargate`, of
/// which the paths are given, as processes of this machine.
///
/// # Errors
/// What went wrong, and the end of the server's log.
pub fn play_components(warg: &Path, wargate: &Path) -> Result<()> {
    let clients = Clients { released: PathBuf::new(), ours: absolute(warg)? };
    try_play(&ALONE, Program::Wargate(absolute(wargate)?), clients).map(drop)
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
