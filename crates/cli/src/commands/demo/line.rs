//! The line between people and their registry: it passes everything on as it is, until somebody sits
//! on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What somebody does to answers on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// Nothing.
    None,
    /// One bit of one byte of each content is another one.
    FlipByte,
    /// The newest record of each package is left out.
    HideNewest,
}

/// The line, until it is dropped.
pub(super) struct Line {
    address: SocketAddr,
    course: Arc<Mutex<Course>>,
    task: JoinHandle<()>,
}

/// Where the line leads, and what happens on it.
#[derive(Clone, Copy)]
struct Course {
    registry: Option<SocketAddr>,
    lie: Lie,
}

/// Most bytes of a head, and of a message.
const HEAD_BYTES_MAX: usize = 64 << 10;
const MESSAGE_BYTES_MAX: u64 = 16 << 20;

/// Most connections at a time; further ones wait.
const CONNECTIONS_MAX: usize = 64;

impl Line {
    /// A line that leads nowhere yet. The system chooses its port.
    pub(super) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let course = Arc::new(Mutex::new(Course { registry: None, lie: Lie::None }));
        let current = Arc::clone(&course);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                while connections.len() >= CONNECTIONS_MAX {
                    connections.join_next().await;
                }
                let Ok((client, _)) = listener.accept().await else { return };
                let course = *current.lock().unwrap_or_else(PoisonError::into_inner);
                connections.spawn(pass_on(client, course));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, course, task })
    }

    /// The URL at this end.
    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Leads the line to a registry.
    pub(super) fn lead_to(&self, registry: SocketAddr) {
        self.course.lock().unwrap_or_else(PoisonError::into_inner).registry = Some(registry);
    }

    /// Lets somebody lie on it.
    pub(super) fn lie(&self, lie: Lie) {
        self.course.lock().unwrap_or_else(PoisonError::into_inner).lie = lie;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request or an answer.
struct Message {
    first: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Passes one request on, and its answer back. Each has a connection of its own, which is not fast and
/// easy to follow. What goes wrong ends the connection, as on any line.
async fn pass_on(mut client: TcpStream, course: Course) -> io::Result<()> {
    let Some(registry) = course.registry else { return Ok(()) };
    let Some(mut request) = Message::read(&mut client, false).await? else { return Ok(()) };
    let mut words = request.first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // Of this version, an answer ends with its connection.
    request.first = format!("{method} {path} HTTP/1.0");
    request.set("connection", "close");
    let mut server = TcpStream::connect(registry).await?;
    server.write_all(&request.to_bytes()).await?;
    let Some(mut answer) = Message::read(&mut server, true).await? else { return Ok(()) };
    if method != "HEAD" {
        answer.tamper(&path, course.lie);
        answer.set("content-length", &answer.body.len().to_string());
    }
    let status = answer.first.split_once(' ').map(|(_, status)| status.to_owned());
    answer.first = format!("HTTP/1.1 {}", status.unwrap_or_default());
    answer.set("connection", "close");
    client.write_all(&answer.to_bytes()).await?;
    client.shutdown().await
}

impl Message {
    /// Reads a message; `None` if it ends before its head does, or has what nobody sends here.
    async fn read(from: &mut (impl AsyncRead + Unpin), to_end: bool) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if bytes.len() > HEAD_BYTES_MAX || from.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let mut body = bytes.split_off(end + 4);
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let fields = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        let fields: Vec<_> = fields.collect();
        let length = fields.iter().find(|(name, _)| name == "content-length");
        let length = length.and_then(|(_, value)| value.parse::<u64>().ok());
        let missing = if to_end {
            MESSAGE_BYTES_MAX
        } else {
            length.unwrap_or(0).min(MESSAGE_BYTES_MAX).saturating_sub(body.len() as u64)
        };
        from.take(missing).read_to_end(&mut body).await?;
        Ok(Some(Self { first, fields, body }))
    }

    fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(found, _)| found != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    fn to_bytes(&self) -> Vec<u8> {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!("{}\r\n{}\r\n", self.first, fields.collect::<String>());
        [head.as_bytes(), &self.body].concat()
    }

    /// Tells the lie, if this is an answer to tell it in.
    fn tamper(&mut self, path: &str, lie: Lie) {
        match lie {
            Lie::FlipByte if path.starts_with("/content/") => {
                let middle = self.body.len() / 2;
                if let Some(byte) = self.body.get_mut(middle) {
                    *byte ^= 1;
                }
            }
            Lie::HideNewest if path.starts_with("/v1/fetch/") => {
                let Ok(mut json) = serde_json::from_slice::<Value>(&self.body) else { return };
                for place in ["/packages", "/logs/packages"] {
                    let logs = json.pointer_mut(place).and_then(Value::as_object_mut);
                    for log in logs.into_iter().flat_map(serde_json::Map::values_mut) {
                        log.as_array_mut().and_then(Vec::pop);
                    }
                }
                self.body = json.to_string().into_bytes();
            }
            Lie::None | Lie::FlipByte | Lie::HideNewest => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, lie: Lie, body: &str) -> String {
        let body = body.as_bytes().to_vec();
        let mut answer = Message { first: String::new(), fields: Vec::new(), body };
        answer.tamper(path, lie);
        String::from_utf8(answer.body).unwrap()
    }

    #[test]
    fn each_lie_changes_what_it_is_about() {
        assert_eq!(told("/content/sha256-00", Lie::FlipByte, "abc"), "acc");
        assert_eq!(told("/v1/fetch/logs", Lie::FlipByte, "abc"), "abc");
        assert_eq!(told("/content/sha256-00", Lie::None, "abc"), "abc");
        let logs = r#"{"logs":{"packages":{"x":[1,2]}}}"#;
        let less = r#"{"logs":{"packages":{"x":[1]}}}"#;
        assert_eq!(told("/v1/fetch/transcript", Lie::HideNewest, logs), less);
        assert_eq!(told("/v1/fetch/logs", Lie::HideNewest, r#"{"packages":{"x":[1]}}"#), {
            r#"{"packages":{"x":[]}}"#
        });
    }
}
