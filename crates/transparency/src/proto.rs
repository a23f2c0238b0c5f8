//! Generated protobuf types of `proto/transparency.proto`; `cargo xtask codegen` writes them.

#![expect(missing_docs, clippy::pedantic, reason = "generated")]

include!("proto/warg.transparency.rs");
