//! Generated protobuf types of `proto/protocol.proto`; `cargo xtask codegen` writes them.

#![expect(unreachable_pub, clippy::pedantic, reason = "generated")]

include!("proto/warg.protocol.rs");
