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
//! wanted. An answer without `secret` says that it has none. Its standard error is the user's.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wargate_crypto::PrivateKey;
use zeroize::Zeroizing;

use crate::credentials::{Located, SECRET_BYTES_MAX, Source, read_key, read_token};
use crate::origin::{Domain, RegistryUrl};
use crate::seams::{SecretError, Token};

/// How long a helper may take; it may have to ask the user.
pub const HELPER_TIME_MAX: Duration = Duration::from_mins(1);

/// A program that has secrets.
#[derive(Clone, Debug)]
pub struct Helper {
    command: Vec<String>,
    time_max: Duration,
}

#[derive(Serialize)]
struct Question<'a> {
    version: u32,
    kind: &'a str,
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
    pub const fn new(command: Vec<String>, time_max: Duration) -> Self {
        Self { command, time_max }
    }

    fn place(&self) -> String {
        format!("the credential helper `{}`", self.command.first().map_or("", String::as_str))
    }

    fn failed(&self, what: impl std::fmt::Display) -> SecretError {
        SecretError { message: format!("{} {what}", self.place()) }
    }

    fn ask(
        &self,
        kind: &str,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<Zeroizing<String>>, SecretError> {
        let Some((program, arguments)) = self.command.split_first() else { return Ok(None) };
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
        let output = self.converse(&mut child, question);
        if output.is_err() {
            // It may have ended by itself.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| self.failed(error))?;
        let output = output?;
        if output.len() > SECRET_BYTES_MAX {
            return Err(self.failed("says too much"));
        }
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
        match receiver.recv_timeout(self.time_max) {
            Ok(read) => read.map_err(|error| self.failed(error)),
            Err(_) => Err(self.failed("took too long to answer")),
        }
    }
}

impl Source for Helper {
    fn signing_key(
        &self,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<Located<PrivateKey>>, SecretError> {
        let Some(text) = self.ask("signing-key", registry)? else { return Ok(None) };
        let place = self.place();
        let secret = read_key(&text, &place)?;
        Ok(Some(Located { secret, place }))
    }

    fn token(&self, registry: &RegistryUrl) -> Result<Option<Located<Token>>, SecretError> {
        let Some(text) = self.ask("token", Some(registry))? else { return Ok(None) };
        let place = self.place();
        let secret = read_token(&text, &place)?;
        Ok(Some(Located { secret, place }))
    }
}
