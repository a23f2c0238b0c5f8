//! HTTP components: each request has an instance of its own, and harms no other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::program::{HTTP, program, run};

/// A program that serves; it ends with its value.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let mut command = program(&[&["serve", HTTP, "--listen", "127.0.0.1:0"], options].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Serving http.wasm on http://").unwrap();
        let address = address.trim_end_matches('/').to_owned();
        Self { child, address }
    }

    /// Sends a request, and reads nothing yet.
    fn send(&self, head: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream
    }

    fn get(&self, path: &str) -> Answer {
        let head = format!("GET {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n");
        answer(self.send(&head, b""))
    }

    /// Begins a request whose answer needs a body, and returns when an instance waits for that.
    fn begin(&self, length: usize) -> TcpStream {
        let head = format!(
            "POST /echo HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\ncontent-length: \
             {length}\r\nexpect: 100-continue\r\n\r\n"
        );
        let stream = self.send(&head, b"");
        let mut said = [0; 25];
        (&stream).read_exact(&mut said).unwrap();
        assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for its end; what it said on standard error.
    fn end(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer, and whether its body came to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
    is_whole: bool,
}

fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let head = head.to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let is_chunked = head.contains("transfer-encoding: chunked");
    let body = if is_chunked { unchunked(rest) } else { rest.to_owned() };
    Answer { status, head, body, is_whole: !is_chunked || rest.ends_with("0\r\n\r\n") }
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        let Some(chunk) = after.get(..length) else { break };
        body.push_str(chunk);
        rest = after.get(length + 2..).unwrap_or_default();
    }
    body
}

#[test]
fn every_request_has_an_instance_of_its_own() {
    let server = Server::start(&["--env", "A=b"]);
    for (path, status, body) in [
        ("/", 200, "GET /"),
        ("/count", 200, "1"),
        ("/count", 200, "1"),
        ("/teapot", 418, "short and stout"),
        ("/environment", 200, r#"[("A", "b")]"#),
        ("/trap", 500, "internal error\n"),
        ("/silence", 500, "internal error\n"),
        ("/count?after=trap", 200, "1"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}: {answer:?}");
        assert!(answer.is_whole, "{path}");
    }
    // It is broken off, behind what has gone out until then, which may be nothing.
    let half = server.get("/half");
    assert!(half.status == 0 || !half.is_whole, "{half:?}");
    assert_eq!(server.get("/say").body, "said");
    let tunnel = "CONNECT a.example:1 HTTP/1.1\r\nhost: a.example:1\r\nconnection: close\r\n\r\n";
    let refused = answer(server.send(tunnel, b""));
    assert_eq!((refused.status, refused.body.as_str()), (501, "this server is no proxy\n"));
    server.signal("-TERM");
    let (status, said) = server.end();
    assert!(status.success(), "{said}");
    for line in [
        "GET /teapot 418 ",
        "/trap: http.wasm trapped: wasm `unreachable` instruction executed",
        "GET /silence 500 ",
        "CONNECT a.example:1 501 ",
        "/half: http.wasm trapped",
        "said on stdout\n",
        "said on stderr\n",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("after=trap"), "queries are not logged: {said}");
    let cut_off: Vec<&str> = said.lines().filter(|line| line.ends_with(": cut off")).collect();
    assert!(cut_off.len() == 1 && cut_off[0].starts_with("GET /half 200 "), "{said}");
}

#[test]
fn requests_have_limits_of_time_memory_and_number() {
    let server = Server::start(&["--timeout=500ms", "--max-memory=16MiB", "--max-requests=32"]);
    std::thread::scope(|scope| {
        let loops: Vec<_> = (0..4).map(|_| scope.spawn(|| server.get("/loop"))).collect();
        // Whoever computes for ever keeps nobody from being answered.
        let counts: Vec<_> = (0..16).map(|_| scope.spawn(|| server.get("/count"))).collect();
        assert!(counts.into_iter().all(|count| count.join().unwrap().body == "1"));
        assert!(loops.into_iter().all(|it| it.join().unwrap().status == 504));
    });
    assert_eq!(server.get("/memory?8").body, "8");
    let much = server.get("/memory?64");
    assert_eq!((much.status, much.body.as_str()), (500, "internal error\n"));
    let large =
        format!("GET / HTTP/1.1\r\nhost: a.example\r\nlong: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(answer(server.send(&large, b"")).status, 431);
    assert_eq!(answer(server.send("GET / HTTP/1.0\r\n\r\n", b"")).status, 400);
    assert_eq!(answer(server.send("nonsense\r\n\r\n", b"")).status, 400);

    let narrow = Server::start(&["--max-requests=1"]);
    let mut first = narrow.begin(5);
    let refused = narrow.get("/count");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.head.contains("retry-after: 1"), "{refused:?}");
    first.write_all(b"hello").unwrap();
    assert_eq!(answer(first).body, "hello");
}

#[test]
fn many_are_answered_at_once_and_none_gets_the_answer_of_another() {
    let server = Server::start(&[]);
    let mut begun: Vec<TcpStream> = (0..24).map(|_| server.begin(40_000)).collect();
    for (number, stream) in begun.iter_mut().enumerate() {
        stream.write_all(format!("{number:>4}").repeat(10_000).as_bytes()).unwrap();
    }
    for (number, stream) in begun.into_iter().enumerate() {
        let answer = answer(stream);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.is_whole && answer.body == format!("{number:>4}").repeat(10_000));
    }
}

#[test]
fn requests_are_sent_where_granted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let port = address.rsplit(':').next().unwrap();
    let server = Server::start(&["--allow-http", &address]);
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
        line
    });
    let fetched = server.get(&format!("/fetch?{address}"));
    assert_eq!((fetched.status, fetched.body.as_str()), (200, "204"), "{fetched:?}");
    assert_eq!(answering.join().unwrap(), "GET / HTTP/1.1\r\n");
    for denied in [format!("localhost:{port}"), "127.0.0.1:1".to_owned(), format!("x@{address}")] {
        let fetched = server.get(&format!("/fetch?{denied}"));
        assert_eq!(fetched.status, 502, "{denied}: {fetched:?}");
        assert!(fetched.body.contains("Denied"), "{denied}: {fetched:?}");
    }
    let unreachable = Server::start(&["--allow-http=127.0.0.1:1"]).get("/fetch?127.0.0.1:1");
    assert!(unreachable.status == 502 && !unreachable.body.contains("Denied"), "{unreachable:?}");
}

#[test]
fn what_is_on_its_way_is_answered_at_the_stop() {
    for signal in ["-TERM", "-INT"] {
        let server = Server::start(&[]);
        let mut begun = server.begin(5);
        let idle = TcpStream::connect(&server.address).unwrap();
        server.signal(signal);
        // It does not listen any more; what it has not taken yet is refused.
        while TcpStream::connect(&server.address).is_ok() {}
        begun.write_all(b"hello").unwrap();
        let answer = answer(begun);
        assert_eq!((answer.status, answer.body.as_str(), answer.is_whole), (200, "hello", true));
        let (status, said) = server.end();
        assert!(status.success() && !said.contains("cut off"), "{said}");
        drop(idle);
    }
    // Who asks twice does not wait.
    let server = Server::start(&[]);
    let begun = server.begin(5);
    server.signal("-TERM");
    while TcpStream::connect(&server.address).is_ok() {}
    server.signal("-TERM");
    let (status, said) = server.end();
    assert!(status.success() && said.contains("stopped again"), "{said}");
    drop(begun);
}

#[test]
fn half_a_head_is_not_waited_for_at_the_stop() {
    let server = Server::start(&["--timeout=10s"]);
    let half = server.send("GET / HTTP/1.1\r\nHo", b"");
    let mut second = server.send("GET /count HTTP/1.1\r\nhost: a.example\r\n\r\n", b"");
    let mut begun = Vec::new();
    while !begun.ends_with(b"1\r\n0\r\n\r\n") {
        let mut byte = [0];
        second.read_exact(&mut byte).unwrap();
        begun.extend(byte);
    }
    second.write_all(b"GET /count HTTP/1.1\r\nHo").unwrap();
    // It has taken the others when it takes this one, which is answered.
    let mut waiting = server.begin(5);
    server.signal("-TERM");
    for mut stream in [half, second] {
        let mut rest = Vec::new();
        // Whether it is closed or reset is all the same.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{rest:?}");
    }
    waiting.write_all(b"hello").unwrap();
    assert_eq!(answer(waiting).body, "hello");
    let (status, said) = server.end();
    // It would be, if it had waited for the others.
    assert!(status.success() && !said.contains("cut off"), "{said}");
}

#[test]
fn where_it_listens_is_said_to_people_and_programs() {
    let document = r#"--json={"component":"my:http"}"#;
    let mut command = program(&["serve", HTTP, "--listen", "127.0.0.1:0", document]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut documents =
        serde_json::Deserializer::from_reader(child.stdout.take().unwrap()).into_iter();
    let said: serde_json::Value = documents.next().unwrap().unwrap();
    assert_eq!(said["component"], "my:http");
    let address = said["url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/');
    let taken = run(&["serve", HTTP, "--listen", address]);
    assert_eq!(taken.code, Some(8), "{taken}");
    assert!(taken.err.contains(&format!("cannot listen on {address}")), "{taken}");
    let server = Server { address: address.to_owned(), child };
    assert_eq!(server.get("/count").body, "1");
    for wrong in
        ["--listen=nonsense", "--listen=127.0.0.1", "--listen=127.0.0.1:99999", "--timeout=0"]
    {
        let refused = run(&["serve", HTTP, wrong]);
        assert_eq!(refused.code, Some(2), "{wrong}: {refused}");
    }
}
