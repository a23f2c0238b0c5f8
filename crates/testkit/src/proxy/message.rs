//! The head of a request or of an answer.

use std::io;

use tokio::io::AsyncReadExt;

use super::Seen;

/// Most bytes of a head.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The first line, and header lines.
#[derive(Clone, Debug)]
pub(super) struct Head {
    first: String,
    fields: Vec<(String, String)>,
}

/// Reads a head, and what came with it of the body; `None` if the connection ended before it did.
pub(super) async fn read_head(
    from: &mut (impl AsyncReadExt + Unpin),
) -> io::Result<Option<(Head, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if bytes.len() > HEAD_BYTES_MAX || from.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let rest = bytes.split_off(end + 4);
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(Some((Head { first, fields: fields.collect() }, rest)))
}

impl Head {
    /// As a request.
    pub(super) fn seen(&self, number: u64) -> Seen {
        let mut words = self.first.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Seen { number, method, path, headers: self.fields.clone() }
    }

    /// With the demand to close the connection after it.
    pub(super) fn closing(mut self) -> Self {
        self.set("connection", "close");
        self
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(found, _)| found != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn content_length(&self) -> Option<u64> {
        let (_, value) = self.fields.iter().find(|(name, _)| name == "content-length")?;
        value.parse().ok()
    }

    pub(super) fn add_to_length(&mut self, more: i64) {
        if let Some(length) = self.content_length() {
            self.set("content-length", &length.saturating_add_signed(more).to_string());
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}\r\n", self.first, fields.collect::<String>()).into_bytes()
    }
}
