//! A link of the tower, as a core module for WASI preview 1.

wit_bindgen::generate!({ world: "tower", path: "wit" });

use example::greet::greeting;

struct Tower;

impl exports::example::greet::greeting::Guest for Tower {
    fn greet(name: String) -> String {
        format!("Module[{}]", greeting::greet(&name))
    }
}

export!(Tower);
