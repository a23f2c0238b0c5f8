//! Publishing and fetching with content in object storage.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use wargate_testkit::s3::{BUCKET, S3Server, SECRET_KEY};

use crate::S3;
use crate::client::{Release, request, some_bytes};
use crate::program::Place;

const MIB: usize = 1 << 20;

#[test]
fn content_goes_to_the_bucket_and_comes_back() {
    let s3 = S3Server::start(S3).unwrap();
    let place = Place::new(s3.address());
    let server = place.start();
    let at = server.address;
    let sizes = [10, 100_000, MIB, 3 * MIB + 5, 20 * MIB];
    let releases: Vec<Release> = sizes
        .iter()
        .map(|size| Release::new(&format!("test:size{size}"), some_bytes(1, *size)))
        .collect();
    for release in &releases {
        release.publish_all(at);
        release.assert_there(at);
    }
    // What is small stays in the store.
    assert_eq!(objects(&s3), sizes.len() - 1);
    let big = &releases[4];
    for (first, last) in [(0, 0), (5, 2 * MIB), (7 * MIB, 20 * MIB - 1)] {
        let head = format!("GET {}\nrange: bytes={first}-{last}", big.content_path());
        let part = request(at, &head, &[]);
        assert!(part.status == 206 && part.body == big.content[first..=last]);
    }
    server.stop();
    place.assert_clean();
    // The choice is remembered, and hashes of pieces are not.
    let mut place = place;
    place.unset("WARGATE_CONTENT_STORE");
    let server = place.start();
    let head = format!("GET {}\nrange: bytes={}-", big.content_path(), 7 * MIB + 3);
    let part = request(server.address, &head, &[]);
    assert!(part.status == 206 && part.body == big.content[7 * MIB + 3..]);
    for release in &releases {
        release.assert_there(server.address);
    }
    assert_eq!(fs::read_dir(place.data().join("content/incoming")).unwrap().count(), 0);
    server.stop();
    place.assert_clean();
}

#[test]
fn fsck_reads_every_byte_and_counts_what_belongs_to_nobody() {
    let s3 = S3Server::start(S3).unwrap();
    let place = Place::new(s3.address());
    let server = place.start();
    let release = Release::new("test:one", some_bytes(1, 2 * MIB));
    release.publish_all(server.address);
    server.stop();
    let folder = s3.bucket().join("registry/content/sha256");
    let file = files(&folder).pop().unwrap();
    let hex = "ab".repeat(32);
    fs::create_dir_all(folder.join("ab")).unwrap();
    fs::write(folder.join("ab").join(&hex), "nobody's").unwrap();
    let checked = place.run(&["fsck"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success() && said.contains("1 content files belong to no"), "{said}");
    let mut bytes = release.content.clone();
    bytes[MIB + 9] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let checked = place.run(&["fsck"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(
        checked.status.code(),
        Some(2),
        "{said}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    assert!(said.contains("other bytes"), "{said}");
    fs::remove_file(&file).unwrap();
    let said = String::from_utf8(place.run(&["fsck"]).stdout).unwrap();
    assert!(said.contains("is missing"), "{said}");
    // Nobody is told that content never came.
    let server = place.start();
    assert_eq!(release.download(server.address).status, 503);
}

#[test]
fn a_kill_in_the_middle_of_an_upload_costs_nothing() {
    let mut s3 = S3Server::start(S3).unwrap();
    let place = Place::new(s3.address());
    let server = place.start();
    let kept = Release::new("test:kept", some_bytes(1, 2 * MIB));
    kept.publish_all(server.address);
    let release = Release::new("test:cut", some_bytes(2, 24 * MIB));
    assert_eq!(release.publish(server.address).json()["state"], "sourcing");
    // Half of it has come.
    let mut connection = TcpStream::connect(server.address).unwrap();
    let Release { log, record, digest, content, .. } = &release;
    let length = content.len();
    write!(
        connection,
        "POST /v1/package/{log}/record/{record}/content/{digest} HTTP/1.1\r\nhost: {}\r\n\
         content-length: {length}\r\n\r\n",
        server.address
    )
    .unwrap();
    connection.write_all(&content[..length / 2]).unwrap();
    server.kill();
    let server = place.start();
    assert_eq!(release.state(server.address), "sourcing");
    assert_eq!(fs::read_dir(place.data().join("content/incoming")).unwrap().count(), 0);
    // All of it has come, and some of it is in the bucket.
    let at = server.address;
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| release.upload(at));
        let began =
            || files(&s3.bucket()).iter().any(|path| path.to_string_lossy().contains("upload"));
        while !began() && !upload.is_finished() {
            std::thread::yield_now();
        }
        server.kill();
        let _ = upload.join().unwrap();
    });
    let server = place.start();
    kept.assert_there(server.address);
    if release.state(server.address) != "published" {
        assert_eq!(release.upload(server.address).unwrap().status, 201);
    }
    assert_eq!(release.state(server.address), "published");
    release.assert_there(server.address);
    // The bucket's server dies, and the log is served on.
    s3.kill().unwrap();
    assert_eq!(release.state(server.address), "published");
    assert!([503, 200].contains(&release.download(server.address).status));
    s3.start_again(S3).unwrap();
    release.assert_there(server.address);
    server.stop();
    place.assert_clean();
}

#[test]
fn a_place_that_cannot_be_is_refused_before_anything_is_kept() {
    let s3 = S3Server::start(S3).unwrap();
    let mut place = Place::new(s3.address());
    for wrong in
        ["s3://id:hush-hush@bucket/a", "ftp://bucket/a", "/some/folder", "s3://no-such-bucket"]
    {
        place.set("WARGATE_CONTENT_STORE", wrong);
        let said = place.try_start().err().unwrap();
        assert!(!said.contains("hush"), "{said}");
        assert!(!place.data().join("content-store").exists());
    }
    place.set("WARGATE_CONTENT_STORE", &format!("s3://{BUCKET}/registry"));
    place.set("AWS_SECRET_ACCESS_KEY", &format!("{SECRET_KEY}-not"));
    let said = place.try_start().err().unwrap();
    assert!(said.contains("refuses the credentials"), "{said}");
    place.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    place.start().stop();
    place.set("WARGATE_CONTENT_STORE", &format!("s3://{BUCKET}/elsewhere"));
    let said = place.try_start().err().unwrap();
    assert!(said.contains("keeps its content in s3://bucket/registry"), "{said}");
    place.assert_no_secrets();
}

#[test]
fn content_on_the_disk_is_not_lost_sight_of() {
    let s3 = S3Server::start(S3).unwrap();
    let mut place = Place::local();
    let server = place.start();
    let release = Release::new("test:one", some_bytes(1, 2 * MIB));
    release.publish_all(server.address);
    server.stop();
    for (name, value) in S3Server::variables(s3.address()) {
        place.set(&name, &value);
    }
    place.set("WARGATE_CONTENT_STORE", &format!("s3://{BUCKET}/registry"));
    let said = place.try_start().err().unwrap();
    assert!(said.contains("aws s3 sync"), "{said}");
    // As it says.
    let (from, to) =
        (place.data().join("content/sha256"), s3.bucket().join("registry/content/sha256"));
    for file in files(&from) {
        let target = to.join(file.strip_prefix(&from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    fs::remove_dir_all(from).unwrap();
    let server = place.start();
    release.assert_there(server.address);
    server.stop();
    place.assert_clean();
}

fn objects(s3: &S3Server) -> usize {
    files(&s3.bucket().join("registry/content/sha256")).len()
}

pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn downloads_are_sent_on_to_the_bucket() {
    let s3 = S3Server::start(S3).unwrap();
    let mut place = Place::new(s3.address());
    place.set("WARGATE_CONTENT_REDIRECT", "true").set("WARGATE_LOG", "debug");
    let server = place.start();
    let at = server.address;
    let small = Release::new("test:small", some_bytes(1, 10));
    let large = Release::new("test:large", some_bytes(2, 3 * MIB + 5));
    small.publish_all(at);
    large.publish_all(at);
    // What is in the database comes from there.
    small.assert_there(at);
    let sent_on = raw(at, &format!("GET {} HTTP/1.1\r\nhost: {at}", large.content_path()));
    assert!(sent_on.starts_with("HTTP/1.1 307"), "{sent_on}");
    assert!(sent_on.contains("cache-control: no-store"), "{sent_on}");
    let url = sent_on.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
    assert!(url.starts_with(&format!("http://{}/{BUCKET}/registry/content/", s3.address())));
    assert!(url.contains("X-Amz-Expires=300&"), "{url}");
    // Anybody can read it there, whole and in parts, and nothing else.
    let path = url.split_once(&s3.address().to_string()).unwrap().1;
    let got = request(s3.address(), &format!("GET {path}"), &[]);
    assert!(got.status == 200 && got.body == large.content);
    let part = request(s3.address(), &format!("GET {path}\nrange: bytes=5-{MIB}"), &[]);
    assert!(part.status == 206 && part.body == large.content[5..=MIB]);
    let other = path.replacen("content/sha256", "content/sha257", 1);
    assert_eq!(request(s3.address(), &format!("GET {other}"), &[]).status, 403);
    let put = format!("PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0", s3.address());
    assert!(raw(s3.address(), &put).starts_with("HTTP/1.1 403"));
    // Who only looks, has it already, or asks for what is not there gets no such URL.
    let tag = format!("if-none-match: \"{}\"", large.digest);
    for (asked, status) in [
        (format!("HEAD {}", large.content_path()), 200),
        (format!("GET {}\n{tag}", large.content_path()), 304),
        (format!("GET {}\nrange: bytes=99999999-", large.content_path()), 416),
    ] {
        let answer = request(at, &asked, &[]);
        assert_eq!(answer.status, status, "{asked}");
        assert!(!answer.has("location"), "{asked}");
    }
    server.stop();
    assert!(place.logged().contains("status=307"), "{}", place.logged());
    assert!(!place.logged().contains("X-Amz"), "{}", place.logged());
    place.assert_clean();
}

/// The head of an answer as it came.
fn raw(at: std::net::SocketAddr, head: &str) -> String {
    let mut connection = TcpStream::connect(at).unwrap();
    write!(connection, "{head}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut connection, &mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
