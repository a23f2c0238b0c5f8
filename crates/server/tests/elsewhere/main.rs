//! Content elsewhere: the program with its content in a real S3 server, each a process of its own, and
//! what it does when that fails.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod backups;
mod client;
mod faults;
#[cfg(target_os = "linux")]
mod machine;
mod objects;
mod program;
mod sources;

/// Names of the test that is the S3 server.
const S3: &str = "s3_server";

#[test]
fn s3_server() {
    wargate_testkit::s3::serve_if_asked();
}
