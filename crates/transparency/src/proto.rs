//! Generated protobuf types of `proto/transparency.proto`; `cargo xtask codegen` writes them.

#![expect(missing_docs, reason = "generated")]

include!("proto/warg.transparency.rs");
