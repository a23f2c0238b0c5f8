//! The program `warg`.

fn main() {}
