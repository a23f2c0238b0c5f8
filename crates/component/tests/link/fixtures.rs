//! Components that call each other, as WAT.

/// A component whose instance `$i` has `add`; `EXPORTS` stands for what it exports.
pub(crate) const ADD: &str = r#"(component
    (core module $m (func (export "add") (param i32 i32) (result i32)
        local.get 0 local.get 1 i32.add))
    (core instance $c (instantiate $m))
    (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $c "add")))
    (instance $i (export "add" (func $add)))
    EXPORTS)"#;

/// Exports `add`, which adds something more.
pub(crate) fn adder(more: u32) -> String {
    format!(
        r#"(component
            (core module $m (func (export "add") (param i32 i32) (result i32)
                local.get 0 local.get 1 i32.add i32.const {more} i32.add))
            (core instance $c (instantiate $m))
            (func (export "add") (param "a" u32) (param "b" u32) (result u32)
                (canon lift (core func $c "add"))))"#
    )
}

/// Exports a function that adds a number to its argument, by means of an import that has `add`.
pub(crate) fn caller(import: &str, export: &str, number: u32) -> String {
    format!(
        r#"(component
            (import "{import}" (instance $add
                (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
            (core func $add (canon lower (func $add "add")))
            (core module $m
                (import "" "add" (func $add (param i32 i32) (result i32)))
                (func (export "{export}") (param i32) (result i32)
                    local.get 0 i32.const {number} call $add))
            (core instance $i (instantiate $m (with "" (instance (export "add" (func $add))))))
            (func (export "{export}") (param "n" u32) (result u32)
                (canon lift (core func $i "{export}"))))"#
    )
}

/// Defines a resource, `handle`, with `make` and `read`.
const HANDLE: &str = r#"(component
    (type $rep (resource (rep i32)))
    (core func $new (canon resource.new $rep))
    (core module $m
        (import "" "new" (func $new (param i32) (result i32)))
        (func (export "make") (param i32) (result i32) local.get 0 call $new)
        (func (export "read") (param i32) (result i32) local.get 0))
    (core instance $c (instantiate $m (with "" (instance (export "new" (func $new))))))
    EXPORTS)"#;

/// Exports the resource and its functions.
pub(crate) fn handles() -> String {
    HANDLE.replace(
        "EXPORTS",
        r#"(export $handle "handle" (type $rep))
        (func $make (param "n" u32) (result (own $handle)) (canon lift (core func $c "make")))
        (func $read (param "it" (borrow $handle)) (result u32) (canon lift (core func $c "read")))
        (export "make" (func $make))
        (export "read" (func $read))"#,
    )
}

/// Exports them as the interface `test:d/handles@1.0.0`.
pub(crate) fn handles_in_interface() -> String {
    HANDLE.replace(
        "EXPORTS",
        r#"(func $make (param "n" u32) (result (own $rep)) (canon lift (core func $c "make")))
        (func $read (param "it" (borrow $rep)) (result u32) (canon lift (core func $c "read")))
        (component $shim
            (import "handle" (type $h (sub resource)))
            (import "make" (func $make (param "n" u32) (result (own $h))))
            (import "read" (func $read (param "it" (borrow $h)) (result u32)))
            (export $handle "handle" (type $h))
            (export "make" (func $make) (func (param "n" u32) (result (own $handle))))
            (export "read" (func $read) (func (param "it" (borrow $handle)) (result u32))))
        (instance $i (instantiate $shim (with "handle" (type $rep))
            (with "make" (func $make)) (with "read" (func $read))))
        (export "test:d/handles@1.0.0" (instance $i))"#,
    )
}

/// Exports `produce`, which makes a handle, and `handle`, its type.
const PRODUCER: &str = r#"(component
    (import "IMPORT" (instance $d
        (export "handle" (type $h (sub resource)))
        (export "make" (func (param "n" u32) (result (own $h))))))
    (alias export $d "handle" (type $handle))
    (core func $make (canon lower (func $d "make")))
    (core module $m
        (import "" "make" (func $make (param i32) (result i32)))
        (func (export "produce") (param i32) (result i32) local.get 0 call $make))
    (core instance $c (instantiate $m (with "" (instance (export "make" (func $make))))))
    (func $produce (param "n" u32) (result (own $handle)) (canon lift (core func $c "produce")))
    (export "handle" (type $handle))
    (export "produce" (func $produce)))"#;

pub(crate) fn producer(import: &str) -> String {
    PRODUCER.replace("IMPORT", import)
}

/// Exports `consume`, which reads a handle, and `handle`, its type.
const CONSUMER: &str = r#"(component
    (import "IMPORT" (instance $d
        (export "handle" (type $h (sub resource)))
        (export "read" (func (param "it" (borrow $h)) (result u32)))))
    (alias export $d "handle" (type $handle))
    (core func $read (canon lower (func $d "read")))
    (core func $drop (canon resource.drop $handle))
    (core module $m
        (import "" "read" (func $read (param i32) (result i32)))
        (import "" "drop" (func $drop (param i32)))
        (func (export "consume") (param i32) (result i32)
            local.get 0 call $read local.get 0 call $drop))
    (core instance $c (instantiate $m (with "" (instance
        (export "read" (func $read)) (export "drop" (func $drop))))))
    (func $consume (param "it" (own $handle)) (result u32) (canon lift (core func $c "consume")))
    (export "handle" (type $handle))
    (export "consume" (func $consume)))"#;

pub(crate) fn consumer(import: &str) -> String {
    CONSUMER.replace("IMPORT", import)
}

/// Hands what `test:b` produces to `test:c`; that both mean one resource stands in the types.
pub(crate) fn diamond() -> String {
    with_imports(
        r#"(import "unlocked-dep=<test:b>" (instance $b
            (export "handle" (type $h (sub resource)))
            (export "produce" (func (param "n" u32) (result (own $h))))))
        (alias export $b "handle" (type $handle))"#,
    )
}

/// The same, with the resource from the package that defines it.
pub(crate) fn diamond_with_root() -> String {
    with_imports(
        r#"(import "unlocked-dep=<test:d@{>=1.0.0}>" (instance $d
            (export "handle" (type (sub resource)))))
        (alias export $d "handle" (type $handle))
        (import "unlocked-dep=<test:b>" (instance $b
            (export "produce" (func (param "n" u32) (result (own $handle))))))"#,
    )
}

fn with_imports(imports: &str) -> String {
    format!(
        r#"(component
            {imports}
            (import "unlocked-dep=<test:c>" (instance $c
                (export "consume" (func (param "it" (own $handle)) (result u32)))))
            (core func $produce (canon lower (func $b "produce")))
            (core func $consume (canon lower (func $c "consume")))
            (core module $m
                (import "" "produce" (func $produce (param i32) (result i32)))
                (import "" "consume" (func $consume (param i32) (result i32)))
                (func (export "run") (param i32) (result i32)
                    local.get 0 call $produce call $consume))
            (core instance $i (instantiate $m (with "" (instance
                (export "produce" (func $produce)) (export "consume" (func $consume))))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#
    )
}
