//! Generated protobuf types of `proto/transparency.proto`; `cargo xtask codegen` writes them.

#![expect(unreachable_pub, reason = "generated")]

include!("proto/warg.transparency.rs");
