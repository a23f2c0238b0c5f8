//! How the module is linked: its memory comes from outside, with what is sealed behind
//! `__heap_base`.

fn main() {
    for argument in ["--import-memory", "-zstack-size=16384", "--export=__heap_base"] {
        println!("cargo:rustc-link-arg-cdylib={argument}");
    }
}
