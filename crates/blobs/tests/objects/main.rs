//! Content in a real S3 server, which is a process of its own.

#![expect(clippy::unwrap_used, reason = "tests")]

mod behaviour;
mod world;

#[test]
fn s3_server() {
    wargate_testkit::s3::serve_if_asked();
}
