//! What may be fetched and what not, with real sockets and a resolver of our own.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::addresses::Allowed;
use super::fetch::{Resolve, Resolving, Rules, Unfetched};

/// Answers whatever comes with the same text, and remembers the heads of what came.
struct Source {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Source {
    /// `answer` says what is sent for a path; the connection is closed then.
    fn start(at: &str, answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((at, 0)).unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::default());
        let seen: Arc<Mutex<Vec<String>>> = Arc::clone(&heads);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = BufReader::new(connection.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && connection.read_line(&mut head).unwrap() > 0 {}
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                seen.lock().unwrap().push(head);
                let _ = connection.get_mut().write_all(answer(&path).as_bytes());
                if path == "/stalls" {
                    // Held open for as long as the test lives.
                    std::mem::forget(connection);
                }
            }
        });
        Self { address, heads }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn ok(headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n")
}

/// Hosts with, for each time that they are asked for, the addresses that they have then.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>>, Arc<Mutex<Vec<String>>>);

impl Names {
    fn with(self, host: &str, answers: &[&[&str]]) -> Self {
        let answers = answers.iter().map(|it| it.iter().map(|it| it.parse().unwrap()).collect());
        self.0.lock().unwrap().insert(host.to_owned(), answers.collect());
        self
    }

    fn asked(&self) -> Vec<String> {
        self.1.lock().unwrap().clone()
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.1.lock().unwrap().push(host.to_owned());
        let mut names = self.0.lock().unwrap();
        let answers =
            names.get_mut(host).map(|it| if it.len() > 1 { it.remove(0) } else { it[0].clone() });
        Box::pin(async move { answers.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

fn rules(allowed: &[&str], names: &Names) -> Rules {
    let allowed = allowed.iter().map(|text| text.parse::<Allowed>().unwrap()).collect();
    let pause = Duration::from_millis(500);
    Rules { allowed, resolver: Box::new(names.clone()), pause }
}

async fn text(rules: &Rules, url: &str) -> Result<String, Unfetched> {
    let mut fetched = rules.get(url).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = fetched.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8(bytes).unwrap())
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "results are made for it")]
fn assert_never<T: std::fmt::Debug>(result: Result<T, Unfetched>, what: &str) {
    assert!(matches!(result, Err(Unfetched::Ever(_))), "{what}: {result:?}");
}

#[tokio::test]
async fn nothing_of_this_machine_or_network_is_asked() {
    let source = Source::start("127.0.0.1", |_| ok("", "secret"));
    let port = source.address.port();
    let names = Names::default()
        .with("local.test", &[&["127.0.0.1"]])
        .with("private.test", &[&["10.1.2.3"]])
        .with("metadata.test", &[&["169.254.169.254"]])
        .with("mapped.test", &[&["::ffff:127.0.0.1"]])
        .with("mixed.test", &[&["1.1.1.1", "127.0.0.1"]]);
    let rules = rules(&[], &names);
    let forms = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "10.0.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "local.test",
        "private.test",
        "metadata.test",
        "mapped.test",
        "mixed.test",
        "LOCAL.TEST",
        "１２７.0.0.1",
    ];
    for host in forms {
        for suffix in ["", &format!(":{port}")] {
            let url = format!("http://{host}{suffix}/");
            assert_never(rules.get(&url).await, &url);
        }
    }
    assert!(source.heads().is_empty());
    // Whoever is refused by address is refused when they publish.
    assert!(rules.read("http://127.0.0.1/").is_err() && rules.read("http://local.test/").is_ok());
}

#[tokio::test]
async fn urls_say_where_and_no_more() {
    let rules = rules(&[], &Names::default());
    let long = format!("https://a.test/{}", "a".repeat(2048));
    for url in [
        "file:///etc/passwd",
        "ftp://a.test/",
        "gopher://a.test/",
        "data:,a",
        "/a",
        "",
        "http://",
        "http://id@a.test/",
        "http://id:password@a.test/",
        "https://:password@a.test/",
        &long,
        "http://a.test:22/",
        "https://a.test:8443/",
        "unix:/a",
        "http://a.test:0/",
    ] {
        let why = rules.read(url).unwrap_err();
        assert!(!why.contains("password@"), "{why}");
    }
    for url in
        ["http://a.test/b?c=d", "https://a.test/", "https://a.test:443/", "https://a.test:80/"]
    {
        rules.read(url).unwrap();
    }
}

#[tokio::test]
async fn what_the_operator_allows_is_fetched() {
    let source = Source::start("127.0.0.1", |_| ok("", "content"));
    let port = source.address.port();
    let names = Names::default()
        .with("files.test", &[&["127.0.0.1"]])
        .with("other.test", &[&["127.0.0.2"]]);
    let by_net = rules(&["127.0.0.1/32"], &names);
    let by_name = rules(&["files.test"], &names);
    let by_name_url = format!("http://files.test:{port}/a");
    assert_eq!(text(&by_net, &source.url("/a")).await.unwrap(), "content");
    assert_eq!(text(&by_net, &by_name_url).await.unwrap(), "content");
    assert_eq!(text(&by_name, &by_name_url).await.unwrap(), "content");
    // The address of an allowed name is not allowed by that.
    assert_never(by_name.get(&source.url("/a")).await, "address");
    assert_never(by_net.get(&format!("http://other.test:{port}/")).await, "other");
    let head = source.heads().remove(0).to_ascii_lowercase();
    assert!(head.contains("accept-encoding: identity"), "{head}");
    for header in ["cookie", "authorization", "referer", "proxy"] {
        assert!(!head.contains(header), "{head}");
    }
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_means_what_was_checked() {
    let right = Source::start("127.0.0.1", |_| ok("", "right"));
    let port = right.address.port();
    // The second answer, which a second lookup would get, is where nobody may go.
    let names = Names::default().with("rebind.test", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let rules = rules(&["127.0.0.1/32"], &names);
    let url = format!("http://rebind.test:{port}/");
    assert_eq!(text(&rules, &url).await.unwrap(), "right");
    assert_eq!(names.asked(), ["rebind.test"]);
    // Now it is asked anew, and refused.
    assert_never(rules.get(&url).await, "rebound");
    assert_eq!(right.heads().len(), 1);
}

#[tokio::test]
async fn redirects_are_looked_at_as_urls_are() {
    let inner = Source::start("127.0.0.2", |_| ok("", "secret"));
    let (to_inner, inner_port) = (inner.url("/"), inner.address.port());
    let source = Source::start("127.0.0.1", move |path| match path {
        "/once" => redirect("/there"),
        "/there" => ok("", "content"),
        "/inner" => redirect(&to_inner),
        "/inner-name" => redirect(&format!("http://inner.test:{inner_port}/")),
        "/file" => redirect("file:///etc/passwd"),
        "/password" => redirect("http://a:b@127.0.0.1/"),
        "/nowhere" => "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".into(),
        _ => redirect("/loop"),
    });
    let names = Names::default().with("inner.test", &[&["127.0.0.2"]]);
    let rules = rules(&["127.0.0.1/32"], &names);
    assert_eq!(text(&rules, &source.url("/once")).await.unwrap(), "content");
    assert!(!source.heads()[1].to_ascii_lowercase().contains("cookie"));
    for path in ["/inner", "/inner-name", "/file", "/password", "/nowhere", "/loop"] {
        assert_never(rules.get(&source.url(path)).await, path);
    }
    assert!(inner.heads().is_empty());
    // One and its redirects.
    assert_eq!(source.heads().iter().filter(|head| head.contains("/loop")).count(), 6);
}

#[test]
fn clients_are_sent_to_places_with_tls_and_those_that_the_operator_names() {
    let rules = rules(&["files.test", "10.1.0.0/16"], &Names::default());
    let may = |url: &str| rules.may_refer(&url.parse().unwrap());
    for url in ["https://a.test/", "http://files.test:81/", "http://10.1.2.3/", "https://1.1.1.1/"]
    {
        assert!(may(url), "{url}");
    }
    for url in ["http://a.test/", "http://10.2.0.1/", "http://1.1.1.1/", "http://[::1]/"] {
        assert!(!may(url), "{url}");
    }
}

#[tokio::test]
async fn redirects_do_not_leave_https() {
    let rules = rules(&[], &Names::default());
    let answer = |to: &str| {
        let answer = axum::http::Response::builder().status(302).header("location", to);
        reqwest::Response::from(answer.body("").unwrap())
    };
    let from = "https://a.test/".parse().unwrap();
    assert_never(rules.follow(&from, &answer("http://a.test/")), "down");
    rules.follow(&from, &answer("https://b.test/")).unwrap();
    rules.follow(&"http://a.test/".parse().unwrap(), &answer("https://b.test/")).unwrap();
}

#[tokio::test]
async fn answers_are_what_they_say_or_nothing() {
    let source = Source::start("127.0.0.1", |path| match path {
        "/gzip" => ok("content-encoding: gzip\r\n", "zipped"),
        "/short" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".into(),
        "/stalls" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nstalls".into(),
        "/partial" => "HTTP/1.1 206 Partial Content\r\ncontent-length: 1\r\n\r\na".into(),
        "/missing" => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
        "/busy" => "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".into(),
        "/many" => "HTTP/1.1 429 Many\r\ncontent-length: 0\r\n\r\n".into(),
        _ => "this is not HTTP\r\n\r\n".into(),
    });
    let rules = rules(&["127.0.0.1"], &Names::default());
    for path in ["/gzip", "/partial", "/missing"] {
        assert_never(text(&rules, &source.url(path)).await, path);
    }
    for path in ["/short", "/stalls", "/busy", "/many", "/other"] {
        let result = text(&rules, &source.url(path)).await;
        assert!(matches!(result, Err(Unfetched::Now(_))), "{path}: {result:?}");
    }
    let unknown = rules.get("http://unknown.test/").await;
    assert!(matches!(unknown, Err(Unfetched::Now(_))));
}
