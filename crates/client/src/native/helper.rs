//! A program of the user's that has secrets, as git and docker have them.
//!
//! It is started with its own arguments and `get`, finds one JSON object on its standard input, and
//! answers with one on its standard output:
//!
//! ```json
//! {"version": 1, "kind": "signing-key", "registry": "https://registry.example/", "domain": "registry.example"}
//! {"secret": "ecdsa-p256:…"}
//! ```
//!
//! `kind` is `signing-key` or `token`; `registry` and `domain` are missing if a key for any registry is
//! wanted; a token is for the registry's API. An answer without `secret` says that it has none. Its
//! standard error is the user's.
//!
//! It is asked once for each secret. What it answered is kept in memory until the registry does not
//! take it, or the process ends. Both its answer and its end have to come within a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wargate_crypto::PrivateKey;
use zeroize::Zeroizing;

use crate::credentials::{Located, SECRET_BYTES_MAX, Source, read_key, read_token};
use crate::origin::{Domain, RegistryUrl};
use crate::seams::{Asked, SecretError, Token};

/// How long a helper may take; it may have to ask the user.
pub const HELPER_TIME_MAX: Duration = Duration::from_mins(1);

/// Most answers that are kept; with one more, all are forgotten.
const ANSWERS_MAX: usize = 1_000;

/// How long to wait at first before looking again whether a helper has ended.
const FIRST_LOOK: Duration = Duration::from_millis(1);

/// How long to wait at most before looking again.
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// A program that has secrets. A clone is the same one, with what it has answered.
#[derive(Clone)]
pub struct Helper {
    command: Vec<String>,
    time_max: Duration,
    answers: Arc<Mutex<Answers>>,
}

/// What was answered, by kind and registry. The lock is held while it is asked, so that requests that
/// are made at once ask once.
type Answers = BTreeMap<(Kind, Option<String>), Option<Zeroizing<String>>>;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    SigningKey,
    Token,
}

#[derive(Serialize)]
struct Question {
    version: u32,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Domain>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    secret: Option<String>,
}

impl Helper {
    /// A program with its arguments.
    pub fn new(command: Vec<String>, time_max: Duration) -> Self {
        Self { command, time_max, answers: Arc::default() }
    }

    fn place(&self) -> String {
        format!("the credential helper `{}`", self.command.first().map_or("", String::as_str))
    }

    fn failed(&self, what: impl std::fmt::Display) -> SecretError {
        SecretError { message: format!("{} {what}", self.place()) }
    }

    /// What it answered before, or answers now. A failure is not kept.
    fn answer(
        &self,
        kind: Kind,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<Zeroizing<String>>, SecretError> {
        let whose = (kind, registry.map(ToString::to_string));
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers.get(&whose) {
            return Ok(answer.clone());
        }
        let answer = self.ask(kind, registry)?;
        if answers.len() >= ANSWERS_MAX {
            answers.clear();
        }
        answers.insert(whose, answer.clone());
        Ok(answer)
    }

    fn ask(
        &self,
        kind: Kind,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<Zeroizing<String>>, SecretError> {
        let Some((program, arguments)) = self.command.split_first() else { return Ok(None) };
        let deadline = Instant::now() + self.time_max;
        let question = Question {
            version: 1,
            kind,
            registry: registry.map(ToString::to_string),
            domain: registry.map(RegistryUrl::domain),
        };
        let question = serde_json::to_vec(&question).map_err(|error| self.failed(error))?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| self.failed(format_args!("cannot be started: {error}")))?;
        let ended = self.converse(&mut child, question, deadline).and_then(|output| {
            let status = wait(&mut child, deadline).map_err(|error| self.failed(error))?;
            let status = status.ok_or_else(|| self.failed("answered and took too long to end"))?;
            Ok((output, status))
        });
        if ended.is_err() {
            // It may have ended by itself; once it is killed, waiting takes no time.
            let _ = child.kill();
            let _ = child.wait();
        }
        let (output, status) = ended?;
        if !status.success() {
            return Err(self.failed(format_args!("failed ({status})")));
        }
        // What it said may be a secret, so the error does not repeat it.
        let answer: Answer = serde_json::from_slice(&output)
            .map_err(|_| self.failed("did not answer with a JSON object with a text `secret`"))?;
        Ok(answer.secret.map(Zeroizing::new))
    }

    /// Hands over the question and takes the answer. Threads do it, because a helper that neither reads
    /// nor ends must not hold up the user.
    fn converse(
        &self,
        child: &mut Child,
        question: Vec<u8>,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (mut stdin, stdout) = pipes.ok_or_else(|| self.failed("has no pipes"))?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            // A helper need not read the question to answer it.
            let _ = stdin.write_all(&question);
        });
        thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 1));
            let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX) + 1;
            let read = stdout.take(limit).read_to_end(&mut bytes).map(|_| bytes);
            // Nobody waits any more if it took too long.
            let _ = sender.send(read);
        });
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Ok(output)) if output.len() > SECRET_BYTES_MAX => Err(self.failed("says too much")),
            Ok(read) => read.map_err(|error| self.failed(error)),
            Err(_) => Err(self.failed("took too long to answer")),
        }
    }
}

/// Waits for the end of a program; `None` if it does not come in time. There is nothing to be woken by,
/// so it looks now and then.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = FIRST_LOOK;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        thread::park_timeout(pause.min(left));
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

impl Source for Helper {
    fn signing_key(
        &self,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<Located<PrivateKey>>, SecretError> {
        let Some(text) = self.answer(Kind::SigningKey, registry)? else { return Ok(None) };
        let place = self.place();
        let secret = read_key(&text, &place)?;
        Ok(Some(Located { secret, place }))
    }

    fn token(&self, asked: Asked<'_>) -> Result<Option<Located<Token>>, SecretError> {
        let Some(text) = self.answer(Kind::Token, Some(asked.api))? else { return Ok(None) };
        let place = self.place();
        let secret = read_token(&text, &place)?;
        Ok(Some(Located { secret, place }))
    }

    fn refused(&self, asked: Asked<'_>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.remove(&(Kind::Token, Some(asked.api.to_string())));
    }
}

impl fmt::Debug for Helper {
    /// Without what it has answered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helper").field("command", &self.command).finish_non_exhaustive()
    }
}
