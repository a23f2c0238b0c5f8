//! The schema of what `--json` prints, its page, and documents checked against it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::program::{User, commands};

const HEAD: &str = "\
# What `--json` prints

<!-- Made of warg.schema.json; a test compares them. \
WARGATE_WRITE=1 cargo nextest run -p wargate-cli page_of_json writes it anew. -->

With `--json` every command prints one JSON document to standard output, and `warg monitor` one for \
each event, each on a line. [warg.schema.json](warg.schema.json) describes them as a JSON Schema: its \
`$defs` have an entry `command-NAME` for each command, with `-` for a space in the name, and `failure` \
for what is printed when a command fails. Every document that the tests see is checked against it. \
[cli.md](cli.md#json) shows examples.

Members are added in later versions, and none is removed or changes its meaning. Every document of \
which it makes sense may have a member `notices`, with what the user should know beside the result. A \
member in *italics* is not always there.
";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn whole() -> Value {
    serde_json::from_slice(&std::fs::read(docs("warg.schema.json")).unwrap()).unwrap()
}

fn entry(command: &str) -> String {
    format!("command-{}", command.replace(' ', "-"))
}

/// Fails if a document of this command is not as the schema says, or has a member that it does not name.
pub(crate) fn check(command: &str, document: &Value) {
    let name = if document.get("error").is_some() { "failure".into() } else { entry(command) };
    let mut schema = json!({ "$ref": format!("#/$defs/{name}"), "$defs": whole()["$defs"] });
    close(&mut schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "`{command}`: {errors:#?}\n{document:#}");
}

/// Forbids members that are not named.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn every_command_has_a_schema_and_every_schema_a_command() {
    let whole = whole();
    jsonschema::meta::validate(&whole).unwrap();
    let commands = commands(&User::new());
    let described = whole["$defs"].as_object().unwrap().keys();
    let described: Vec<_> = described.filter(|name| name.starts_with("command-")).collect();
    for command in commands.iter().filter(|command| *command != "key") {
        assert!(described.contains(&&entry(command)), "`{command}` has no schema");
    }
    for name in described {
        assert!(commands.iter().any(|command| entry(command) == *name), "{name} is no command");
    }
}

#[test]
fn the_page_of_json_is_fresh() {
    let whole = whole();
    let definitions = whole["$defs"].as_object().unwrap();
    let mut page = String::from(HEAD);
    let is_command = |name: &str| name.starts_with("command-");
    page.push_str("\n## Commands\n");
    let all = commands(&User::new());
    for command in all.iter().filter(|command| *command != "key") {
        describe(&mut page, &format!("`warg {command}`"), &definitions[&entry(command)]);
    }
    page.push_str("\n## A failure\n");
    describe(&mut page, "failure", &definitions["failure"]);
    page.push_str("\n## Parts\n");
    for (name, schema) in definitions {
        if !is_command(name) && name != "failure" {
            describe(&mut page, name, schema);
        }
    }
    let path = docs("json.md");
    if std::env::var_os("WARGATE_WRITE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/json.md is not what the schema says; WARGATE_WRITE=1 writes it");
}

fn text(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// A definition, as a heading and a table of its members for each of its forms.
fn describe(page: &mut String, name: &str, schema: &Value) {
    page.push_str(&format!("\n### {name}\n\n"));
    if schema.get("$ref").is_some() {
        page.push_str(&format!("It is {}.\n", kind(schema)));
        return;
    }
    page.push_str(&format!("{}\n", text(schema)));
    match schema["oneOf"].as_array() {
        Some(forms) => {
            for form in forms {
                page.push_str(&format!("\n{}\n", text(form)));
                table(page, form);
            }
        }
        None => table(page, schema),
    }
}

fn table(page: &mut String, schema: &Value) {
    let mut rows = Vec::new();
    members(schema, "", &mut rows);
    if !rows.is_empty() {
        page.push_str("\n| member | is | meaning |\n|---|---|---|\n");
        page.push_str(&rows.concat());
    }
}

/// The members of an object, and those of objects within, as rows of a table.
fn members(schema: &Value, above: &str, rows: &mut Vec<String>) {
    let empty = Map::new();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, member) in schema["properties"].as_object().unwrap_or(&empty) {
        let path = format!("{above}{name}");
        let always = required.contains(&Value::from(name.as_str()));
        let shown = if always { format!("`{path}`") } else { format!("*`{path}`*") };
        rows.push(format!("| {shown} | {} | {} |\n", kind(member), text(member)));
        members(member, &format!("{path}."), rows);
        members(&member["items"], &format!("{path}[]."), rows);
    }
}

/// What a value is.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return format!("[{name}](#{name})");
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    let either = |list: &Vec<Value>, word: &dyn Fn(&Value) -> String| {
        list.iter().map(word).collect::<Vec<_>>().join(" or ")
    };
    if let Some(list) = schema["enum"].as_array() {
        return either(list, &|value| format!("`{value}`"));
    }
    if let Some(list) = schema["oneOf"].as_array() {
        return either(list, &kind);
    }
    let of = match &schema["items"] {
        Value::Null => String::new(),
        items => format!(" of {}", kind(items)),
    };
    match &schema["type"] {
        Value::Array(types) => {
            either(types, &|one| format!("{}{of}", one.as_str().unwrap_or_default()))
        }
        one => format!("{}{of}", one.as_str().unwrap_or("anything")),
    }
}
