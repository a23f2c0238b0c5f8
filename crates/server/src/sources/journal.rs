//! What is still to be fetched, as files in the data directory, one for a record. What was taken is
//! taken up again when the process starts.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wargate_crypto::{Digest, KeyId};
use wargate_protocol::{LogId, RecordId};

use crate::data_dir::sync_folder_of;

/// Records whose content is to be fetched, at most.
pub(super) const JOBS_MAX: usize = 1000;
/// The same of those that one key has signed.
pub(super) const JOBS_PER_KEY_MAX: usize = 50;

/// What is to be fetched for a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job {
    pub(super) log: LogId,
    pub(super) record: RecordId,
    /// Who has signed the record; nobody in a note that an older program has left.
    #[serde(default)]
    pub(super) signer: Option<KeyId>,
    pub(super) wanted: Vec<(Digest, Vec<String>)>,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Journal(PathBuf);

impl Journal {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        sync_folder_of(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// Keeps a job; durable on return.
    pub(super) fn put(&self, job: &Job) -> io::Result<()> {
        let path = self.path(job);
        let unfinished = path.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(job)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        sync_folder_of(&path)
    }

    /// Forgets a job. One that comes back after a loss of power is done at once.
    pub(super) fn remove(&self, job: &Job) -> io::Result<()> {
        match fs::remove_file(self.path(job)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// What is left from before.
    pub(super) fn jobs(&self) -> io::Result<Vec<Job>> {
        let mut jobs = Vec::new();
        for entry in fs::read_dir(&self.0)?.take(JOBS_MAX * 2) {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                // Half written: its publisher got no answer.
                fs::remove_file(&path)?;
                continue;
            }
            match serde_json::from_slice(&fs::read(&path)?) {
                Ok(job) => jobs.push(job),
                Err(error) => tracing::warn!(%error, "{} is no job", path.display()),
            }
        }
        jobs.truncate(JOBS_MAX);
        Ok(jobs)
    }

    fn path(&self, job: &Job) -> PathBuf {
        let name = format!("{}-{}.json", job.record, job.log);
        self.0.join(name.replace("sha256:", ""))
    }
}
