//! A link of the tower, in Rust.

wit_bindgen::generate!({ world: "tower", path: "wit" });

use example::greet::greeting;

struct Tower;

impl exports::example::greet::greeting::Guest for Tower {
    fn greet(name: String) -> String {
        format!("Rust[{}]", greeting::greet(&name))
    }
}

export!(Tower);
