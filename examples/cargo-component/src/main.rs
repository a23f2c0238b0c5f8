//! A command that greets whom it is told to.

#[rustfmt::skip]
mod bindings;

use bindings::example::greet::greeting::greet;

fn main() {
    for name in std::env::args().skip(1) {
        println!("{}", greet(&name));
    }
}
