//! As much of an HTTP client as the tests need: one connection, one request at a time. Its two halves
//! are apart, so that something can happen between a request and its answer.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A server that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// The connection broke: the server has gone. What it did with the request is not known.
#[derive(Debug)]
pub(crate) struct Gone;

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        let hangs = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!hangs, "the server does not answer");
        Self
    }
}

pub(crate) struct Client {
    address: SocketAddr,
    connection: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Gone> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { address, connection: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Answer, Gone> {
        self.send("GET", path, &[])?;
        self.receive()
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Result<Answer, Gone> {
        self.send("POST", path, body.to_string().as_bytes())?;
        self.receive()
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<(), Gone> {
        let head = format!(
            "{method} /{path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.connection.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        Ok(())
    }

    pub(crate) fn receive(&mut self) -> Result<Answer, Gone> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap();
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            assert!(!line.starts_with("transfer-encoding:"), "an answer without length");
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body)?;
        Ok(Answer { status, body })
    }

    fn line(&mut self) -> Result<String, Gone> {
        let mut line = String::new();
        self.connection.read_line(&mut line)?;
        // Cut off, it is no answer.
        line.strip_suffix("\r\n").map(str::to_owned).ok_or(Gone)
    }
}

impl Answer {
    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap()
    }
}
