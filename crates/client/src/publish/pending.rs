//! A publication that is put together over several calls.

use super::{Change, Publication};
use crate::error::Error;
use crate::registry::Registry;
use crate::seams::{Key, StateError};
use wargate_protocol::PackageName;

impl Registry {
    /// The publication that is being put together; `None` if there is none. There is one for each
    /// registry.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn pending(&self) -> Result<Option<Publication>, Error> {
        let key = self.pending_key()?;
        let Some(bytes) = self.client().parts.state.read(&key)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::Damaged { key: key.to_string(), reason: error.to_string() })
    }

    /// Begins to put a publication together.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is one already; [`Error::State`]
    pub fn begin_pending(&self, name: PackageName) -> Result<(), Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        if let Some(pending) = self.pending()? {
            let name = pending.name;
            return Err(Error::Usage(format!("a publish of `{name}` is pending already")));
        }
        self.write_pending(&Publication { name, head: None, entries: Vec::new() })
    }

    /// Adds a change to the publication that is being put together.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, or it is of another package; [`Error::State`]
    pub fn add_pending(&self, name: &PackageName, change: Change) -> Result<Publication, Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        let none = || Error::Usage("no publish is pending".into());
        let mut pending = self.pending()?.ok_or_else(none)?;
        if pending.name != *name {
            let other = &pending.name;
            return Err(Error::Usage(format!("the publish that is pending is of `{other}`")));
        }
        pending.entries.push(change);
        self.write_pending(&pending)?;
        Ok(pending)
    }

    /// Forgets the publication that was being put together. Returns it.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn abort_pending(&self) -> Result<Option<Publication>, Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        let pending = self.pending()?;
        self.client().parts.state.remove(&self.pending_key()?)?;
        Ok(pending)
    }

    /// Forgets what was published of the publication that is being put together. What was added to it
    /// meanwhile stays.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn settle_pending(&self, published: &Publication) -> Result<(), Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        let Some(mut pending) = self.pending()? else { return Ok(()) };
        let count = published.entries.len();
        if pending.name != published.name || !pending.entries.starts_with(&published.entries) {
            return Ok(());
        }
        if pending.entries.len() == count {
            return Ok(self.client().parts.state.remove(&self.pending_key()?)?);
        }
        pending.entries.drain(..count);
        self.write_pending(&pending)
    }

    fn write_pending(&self, pending: &Publication) -> Result<(), Error> {
        let key = self.pending_key()?;
        let bytes = serde_json::to_vec_pretty(pending)
            .map_err(|error| Error::Damaged { key: key.to_string(), reason: error.to_string() })?;
        Ok(self.client().parts.state.write(&key, &bytes)?)
    }

    fn pending_key(&self) -> Result<Key, StateError> {
        crate::client::key(&["publishing", self.domain().as_str(), "pending"])
    }
}
