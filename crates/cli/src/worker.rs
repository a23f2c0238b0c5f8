//! Work on what strangers wrote, in a process of its own.
//!
//! The libraries that compose trust what they get: they may panic, loop, or take all memory. So `warg`
//! starts itself once more for that, with limits of time and memory and nothing in its environment, hands
//! over a [`Job`] with contents, and reads an [`Answer`] and what follows it. Whatever becomes of that
//! process, this one says what happened.
//!
//! Both messages are a length as 8 bytes, a JSON document of that length, and then bytes.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wargate_component::adapt::{self, AdaptError};
use wargate_component::compose::config::{Config, ConfigError, Conversion, Found, Lookup};
use wargate_component::compose::{self, ComposeError, Form, Reference, Wiring};
use wargate_component::limits::LINK_BYTES_MAX;
use wargate_component::picture::Graph;
use wargate_component::targets::{self, Fit, Host, TargetError};

use crate::args::Bounds;
use crate::failure::Failure;

/// The word on the command line that asks for it.
const WORD: &str = "__work";

/// Longest JSON document of a message, in bytes.
const HEAD_BYTES_MAX: u64 = 64 << 20;

/// Bytes of the stack that works. Types of components are nested, and so are functions that read them.
const STACK_BYTES: usize = 256 << 20;

/// What a program says whose memory is at its end.
const NO_MEMORY: &str = "memory allocation";

/// How long it may take longer than it may, until it is ended from outside.
const GRACE: Duration = Duration::from_secs(10);

/// Most bytes that are kept of what the process says on its way out.
const WORDS_BYTES_MAX: u64 = 1 << 12;

/// What is to be done with contents, which are named in their order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Wire outlines as a document says.
    Wire { source: String, form: Form, packages: Vec<Reference> },
    /// Wire outlines: the socket, then the plugs.
    Plug { form: Form, pieces: Vec<Reference> },
    /// Say as a document what a configuration does with a component: its outline, then those of what was
    /// found.
    Convert { config: String, root: String, found: Vec<(Wanted, Option<String>)> },
    /// Make a component of a module: the module, then perhaps the WIT package whose world the module is
    /// told first, then perhaps the adapter.
    Adapt { has_wit: bool, world: Option<String> },
    /// Compare a component with hosts, and with the world of the package behind it, if there is one.
    Fit { hosts: Vec<String>, world: Option<String> },
}

/// A component that a configuration names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wanted {
    /// By a path, relative to the configuration.
    Path(String),
    /// By the name of a file in one of its folders.
    Name(String),
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// A document, with the packages that it names and the paths of their components.
    Converted { source: String, packages: Vec<(String, String)>, unused: Vec<String> },
    /// It cannot be said before these were looked for.
    Wants(Vec<Wanted>),
    /// A component that holds the outlines, which follows; of plugs, those of which nothing was wanted.
    Wired { graph: Graph, unused: Vec<usize> },
    /// A component, which follows.
    Adapted,
    /// How it fits: the hosts in their order, then the world.
    Fits(Vec<Fit>),
    /// Nothing.
    Failed(Fault),
}

/// Why nothing came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Fault {
    Compose(ComposeError),
    Adapt(AdaptError),
    Target(TargetError),
    Config(ConfigError),
    /// It took longer than it may.
    Time,
}

/// Does a job in a process of its own.
///
/// # Errors
/// As those of [`Worker::work`].
pub(crate) fn work(
    job: &Job,
    contents: &[&[u8]],
    bounds: &Bounds,
) -> Result<(Answer, Vec<u8>), Failure> {
    Worker::start(bounds)?.work(job, contents)
}

/// A process that waits for a [`Job`]. Who starts it before all is there to work on does not wait for it.
pub(crate) struct Worker {
    /// There until there is work.
    child: Option<Child>,
    bounds: Bounds,
}

impl Worker {
    /// Starts the process.
    ///
    /// # Errors
    /// This machine's fault.
    pub(crate) fn start(bounds: &Bounds) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::local(format!("cannot start a process: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let child = Command::new(program)
            .arg(WORD)
            .arg(u64::try_from(bounds.time_limit.as_nanos()).unwrap_or(u64::MAX).to_string())
            .arg((bounds.memory_limit << 20).to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        Ok(Self { child: Some(child), bounds: bounds.clone() })
    }

    /// Does a job. Its time runs from now on.
    ///
    /// # Errors
    /// That the process did not get to an answer. A fault of what was worked on is an answer.
    pub(crate) fn work(
        mut self,
        job: &Job,
        contents: &[&[u8]],
    ) -> Result<(Answer, Vec<u8>), Failure> {
        let Some(mut child) = self.child.take() else {
            return Err(Failure::other("the process has work already"));
        };
        let bounds = &self.bounds;
        let lengths: Vec<usize> = contents.iter().map(|content| content.len()).collect();
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let errors = child.stderr.take();
        let child = Mutex::new(child);
        let (done, answered) = mpsc::channel::<()>();
        let process = &child;
        let (said, words) = thread::scope(|scope| {
            let words = scope.spawn(move || words_of(errors));
            scope.spawn(move || {
                // Should it not end itself in time, it is ended.
                let late = answered.recv_timeout(bounds.time_limit.saturating_add(GRACE));
                if late == Err(mpsc::RecvTimeoutError::Timeout)
                    && let Ok(mut process) = process.lock()
                {
                    let _ = process.kill();
                }
            });
            let written = scope.spawn(move || {
                // Should it have ended already, its answer says why.
                let mut input = input?;
                write_head(&mut input, &(job, &lengths)).ok()?;
                contents.iter().try_for_each(|content| input.write_all(content)).ok()?;
                Some(input)
            });
            let said = answer_of(output);
            drop(done);
            // As long as that is open, somebody waits for the answer.
            drop(written.join());
            (said, words.join().unwrap_or_default())
        });
        let child = child.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended = end(child, &words, bounds);
        match said {
            Some((Answer::Failed(Fault::Time), _)) => Err(Failure::usage(format!(
                "it takes longer than {}",
                humantime::format_duration(bounds.time_limit)
            ))
            .hint("`--time-limit` gives it more time")),
            Some(said) if ended.is_ok() => Ok(said),
            _ => Err(ended.err().unwrap_or_else(|| Failure::local("the process did not answer"))),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn answer_of(output: Option<ChildStdout>) -> Option<(Answer, Vec<u8>)> {
    let mut output = output?;
    let (answer, length): (Answer, usize) = read_head(&mut output).ok()?;
    let mut bytes = Vec::with_capacity(length.min(LINK_BYTES_MAX));
    output.take(LINK_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some((answer, bytes))
}

/// What it says on its way out. All of it is read, so that it can say it, and the beginning is kept.
fn words_of(errors: Option<ChildStderr>) -> String {
    let Some(mut errors) = errors else { return String::new() };
    let mut words = Vec::new();
    let _ = errors.by_ref().take(WORDS_BYTES_MAX).read_to_end(&mut words);
    let _ = io::copy(&mut errors, &mut io::sink());
    String::from_utf8_lossy(&words).into_owned()
}

/// Waits for the process, and says why it ended if not by itself.
fn end(mut child: Child, words: &str, bounds: &Bounds) -> Result<(), Failure> {
    let status = child.wait().map_err(|error| Failure::local(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let (why, hint) = if words.contains(NO_MEMORY) {
        let why = format!("it needs more than {} MiB of memory", bounds.memory_limit);
        (why, "`--memory-limit` gives it more")
    } else if words.contains("overflowed its stack") {
        ("it is nested deeper than can be worked on".to_owned(), "compose it in several steps")
    } else {
        let words = words.lines().next().unwrap_or_default();
        (format!("the process that worked on it ended with {status} {words}"), "please report it")
    };
    Err(Failure::usage(why).hint(hint))
}

/// Does what the process is for that [`work`] has started, if this is that one.
pub(crate) fn serve() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != WORD {
        return None;
    }
    let mut number = || words.next()?.to_str()?.parse::<u64>().ok();
    let (Some(time), Some(memory)) = (number(), number()) else { return Some(ExitCode::FAILURE) };
    limit_memory(memory);
    // What panics is an answer, and nobody reads more of it.
    std::panic::set_hook(Box::new(|_| {}));
    // The job is there, and then it is done.
    let (tell, told) = mpsc::channel();
    let worker = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        let answer = answer(|| {
            let _ = tell.send((Instant::now(), None));
        });
        let _ = tell.send((Instant::now(), Some(answer)));
    });
    if worker.is_err() {
        // Not even its stack fits.
        let _ = io::stderr().write_all(NO_MEMORY.as_bytes());
        return Some(ExitCode::FAILURE);
    }
    // What is there too late is not taken, either, so that it does not depend on who was woken first.
    let time = Duration::from_nanos(time);
    let answer = match told.recv() {
        Ok((begun, None)) => match told.recv_timeout(time) {
            Ok((ended, _)) if ended.duration_since(begun) > time => {
                Err(mpsc::RecvTimeoutError::Timeout)
            }
            said => said.map(|(_, answer)| answer),
        },
        Ok((_, answer)) => Ok(answer),
        Err(_) => Err(mpsc::RecvTimeoutError::Disconnected),
    };
    let (answer, bytes) = match answer {
        Ok(Some(Ok(answer))) => answer,
        Ok(_) | Err(mpsc::RecvTimeoutError::Disconnected) => return Some(ExitCode::FAILURE),
        Err(mpsc::RecvTimeoutError::Timeout) => (Answer::Failed(Fault::Time), Vec::new()),
    };
    let mut output = io::stdout().lock();
    let written = write_head(&mut output, &(&answer, bytes.len()))
        .and_then(|()| output.write_all(&bytes))
        .and_then(|()| output.flush());
    // A worker that goes on ends with the process.
    Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn answer(begun: impl FnOnce()) -> io::Result<(Answer, Vec<u8>)> {
    let mut input = io::stdin().lock();
    let (job, lengths): (Job, Vec<usize>) = read_head(&mut input)?;
    begun();
    let mut contents = Vec::new();
    for length in lengths {
        let mut content = Vec::with_capacity(length);
        input.by_ref().take(length as u64).read_to_end(&mut content)?;
        if content.len() != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        contents.push(content);
    }
    drop(input);
    // Who has gone needs no answer. Where there is no thread to wait for that, time is limited anyway.
    drop(thread::Builder::new().spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(1);
    }));
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    Ok(done(&job, &contents).unwrap_or_else(|fault| (Answer::Failed(fault), Vec::new())))
}

fn done(job: &Job, contents: &[&[u8]]) -> Result<(Answer, Vec<u8>), Fault> {
    let of = |at: usize| contents.get(at).copied().unwrap_or_default();
    let outlines = || contents.iter().map(|outline| outline.to_vec());
    let wired = |it: Wiring| (Answer::Wired { graph: it.graph, unused: it.unused }, it.frame);
    match job {
        Job::Wire { source, form, packages } => {
            let outlines = packages.iter().cloned().zip(outlines()).collect();
            compose::wire(source, outlines, *form).map(wired).map_err(Fault::Compose)
        }
        Job::Plug { form, pieces } => {
            let outlines = pieces.iter().cloned().zip(outlines()).collect();
            compose::wire_plugs(outlines, *form).map(wired).map_err(Fault::Compose)
        }
        Job::Convert { config, root, found } => {
            convert(config, (root.clone(), of(0).to_vec()), found, contents)
        }
        Job::Adapt { has_wit, world } => {
            let told = has_wit.then(|| adapt::embed(of(0), of(1), world.as_deref()));
            let told = told.transpose().map_err(Fault::Adapt)?;
            let module = told.as_deref().unwrap_or_else(|| of(0));
            let adapter = contents.get(1 + usize::from(*has_wit)).copied();
            let made = adapt::adapt(module, adapter).map_err(Fault::Adapt)?;
            Ok((Answer::Adapted, made))
        }
        Job::Fit { hosts, world } => {
            let mut fits = Vec::new();
            for host in hosts {
                let host = Host::named(host).map_err(Fault::Target)?;
                fits.push(host.fit(of(0)).map_err(Fault::Target)?);
            }
            if let Some(wit) = contents.get(1) {
                let fit = targets::fit(of(0), wit, world.as_deref()).map_err(Fault::Target)?;
                fits.push(fit);
            }
            Ok((Answer::Fits(fits), Vec::new()))
        }
    }
}

/// `contents` are the root and what was found, of which `found` has the paths.
fn convert(
    config: &str,
    root: Found,
    found: &[(Wanted, Option<String>)],
    contents: &[&[u8]],
) -> Result<(Answer, Vec<u8>), Fault> {
    let config = Config::from_yaml(config).map_err(Fault::Config)?;
    let contents = contents.get(1..).unwrap_or_default();
    let mut wants = Vec::new();
    let converted = config.to_wac(root, |lookup| {
        let wanted = match lookup {
            Lookup::Path(path) => Wanted::Path(path.to_owned()),
            // Names may be those of interfaces; no file is called so.
            Lookup::Name(name) if name.contains(['/', '\\', ':']) => return Ok(None),
            Lookup::Name(name) => Wanted::Name(name.to_owned()),
        };
        let Some(at) = found.iter().position(|(known, _)| *known == wanted) else {
            if !wants.contains(&wanted) {
                wants.push(wanted);
            }
            return Ok::<_, ConfigError>(None);
        };
        let Some(path) = &found[at].1 else { return Ok(None) };
        let before = found[..at].iter().filter(|(_, path)| path.is_some()).count();
        let bytes = contents.get(before).copied().unwrap_or_default();
        Ok(Some((path.clone(), bytes.to_vec())))
    });
    let answer = if wants.is_empty() {
        let Conversion { source, packages, unused } = converted.map_err(Fault::Config)?;
        let packages = packages.into_iter().map(|(name, (path, _))| (name, path)).collect();
        Answer::Converted { source, packages, unused }
    } else {
        // What is in the way may be that these were not there.
        Answer::Wants(wants)
    };
    Ok((answer, Vec::new()))
}

fn write_head(to: &mut impl Write, head: &impl Serialize) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    to.write_all(&(head.len() as u64).to_le_bytes())?;
    to.write_all(&head)
}

fn read_head<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > HEAD_BYTES_MAX {
        return Err(io::Error::other("a message is longer than it may be"));
    }
    let mut head = Vec::new();
    from.take(length).read_to_end(&mut head)?;
    Ok(serde_json::from_slice(&head)?)
}

/// Has the system refuse this process more memory than that.
#[cfg(unix)]
fn limit_memory(bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    // Where the system knows no such limit, there is none.
    let _ = setrlimit(Resource::As, limit);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

#[cfg(not(unix))]
fn limit_memory(_bytes: u64) {}
