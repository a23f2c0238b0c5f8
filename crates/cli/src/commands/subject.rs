//! What is looked into: a file, standard input, or a release of a package.

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use wargate_client::{Client, Wanted};
use wargate_component::lock::PackageId;
use wargate_crypto::Digest;

use super::get::wanted;
use super::roots::{FILE_BYTES_MAX, is_file, read};
use crate::context::{Context, Failed};
use crate::failure::Failure;

/// Bytes, and where they are from.
pub(crate) struct Subject {
    /// As people call it.
    pub(crate) name: String,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Their digest.
    pub(crate) digest: Digest,
    /// The release that they are, and its registry.
    pub(crate) release: Option<(PackageId, String)>,
}

impl Subject {
    /// Loads what is named. Files are read before any registry is asked.
    pub(crate) fn load(context: &Context, names: &[&str]) -> Result<Vec<Self>, Failure> {
        let mut subjects: Vec<Option<Self>> = Vec::new();
        let mut wants: Vec<Wanted> = Vec::new();
        for name in names {
            if *name == "-" && names.iter().filter(|name| **name == "-").count() > 1 {
                return Err(Failure::usage("standard input cannot be two files")
                    .hint("name a file in the place of one `-`"));
            }
            if *name == "-" || is_file(name) {
                subjects.push(Some(Self::of_file(name)?));
            } else {
                // Who names a version exactly wants to see that one, yanked or not.
                wants.push(wanted(name, true)?);
                subjects.push(None);
            }
        }
        let wants = &wants;
        let mut fetched = match wants.as_slice() {
            [] => Vec::new(),
            wants => context.run(|client| async move { fetch(context, &client, wants).await })?,
        }
        .into_iter();
        Ok(subjects.into_iter().filter_map(|subject| subject.or_else(|| fetched.next())).collect())
    }

    /// Loads one.
    pub(crate) fn load_one(context: &Context, name: &str) -> Result<Self, Failure> {
        let loaded = Self::load(context, &[name])?.pop();
        loaded.ok_or_else(|| Failure::local("nothing was fetched"))
    }

    fn of_file(name: &str) -> Result<Self, Failure> {
        let bytes = if name == "-" { standard_input()? } else { read(Path::new(name))? };
        let digest = Digest::of(&bytes);
        let name = if name == "-" { "standard input" } else { name }.to_owned();
        Ok(Self { name, bytes, digest, release: None })
    }

    /// As programs read it.
    pub(crate) fn to_json(&self) -> Value {
        match &self.release {
            None => json!({ "file": self.name, "digest": self.digest }),
            Some((id, registry)) => json!({
                "package": id.package,
                "version": id.version,
                "registry": registry,
                "digest": self.digest,
            }),
        }
    }
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format!("cannot read standard input: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("standard input has more than {FILE_BYTES_MAX} bytes");
        return Err(Failure::usage(message));
    }
    Ok(bytes)
}

async fn fetch(
    context: &Context,
    client: &Client,
    wants: &[Wanted],
) -> Result<Vec<Subject>, Failed> {
    let mut subjects = Vec::new();
    for mut fetched in client.get(wants).await? {
        context.tell_where(&fetched.package);
        let (package, version) = (fetched.package.name().clone(), fetched.release.version.clone());
        let registry = fetched.package.registry().to_string();
        if fetched.content.length() > FILE_BYTES_MAX {
            let message = format!("{package}@{version} has more than {FILE_BYTES_MAX} bytes");
            return Err(Failure::usage(message).hint("`warg get` gets it as a file").into());
        }
        let digest = fetched.digest;
        let bytes = client.whole(&mut fetched)?;
        let id = PackageId { package, version };
        subjects.push(Subject {
            name: id.to_string(),
            bytes,
            digest,
            release: Some((id, registry)),
        });
    }
    Ok(subjects)
}
