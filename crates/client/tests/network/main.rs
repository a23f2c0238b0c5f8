//! The seams of this machine as its users meet them: HTTP over a bad line and over TLS, and files that many
//! processes share, some of which are killed.

mod http;
mod processes;
mod tls;
