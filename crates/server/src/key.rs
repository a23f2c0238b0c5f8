//! `wargate key`: the registry's public keys, and new private ones.

use anyhow::Result;
use serde_json::json;
use wargate_console::Table;

use crate::args::{CommonOptions, KeyCommand};
use crate::config::{data_dir_of, operator_key_file_of};
use crate::{keys, output};

/// The command.
pub(crate) fn run(common: &CommonOptions, command: &KeyCommand) -> Result<()> {
    match command {
        KeyCommand::Show => show(common),
        KeyCommand::New { file } => {
            let key = keys::generate();
            keys::write(file, &key)?;
            let public = key.public_key();
            if common.json {
                let body = json!({ "keyId": public.id(), "publicKey": public.to_string() });
                output::line(format_args!("{body:#}"))?;
            } else {
                output::line(format_args!("Key ID: {}\nPublic Key: {public}", public.id()))?;
                output::line(format_args!(
                    "The private key is in {}; only you can read it.",
                    file.display()
                ))?;
            }
            Ok(())
        }
    }
}

fn show(common: &CommonOptions) -> Result<()> {
    let folder = data_dir_of(common)?.join("keys");
    let operator = operator_key_file_of(common)?.unwrap_or_else(|| folder.join("operator.key"));
    let files = [("operator", operator), ("checkpoint", folder.join("checkpoint.key"))];
    let mut table = Table::new(["ROLE", "KEY ID", "PUBLIC KEY"]);
    let mut list = Vec::new();
    for (role, path) in files {
        // Without a key of their own, checkpoints are signed with the operator's.
        if role == "checkpoint" && !path.exists() {
            continue;
        }
        let key = keys::read(&path)?.public_key();
        table.row([role.into(), key.id().to_string(), key.to_string()]);
        list.push(json!({ "role": role, "keyId": key.id(), "publicKey": key.to_string() }));
    }
    if common.json {
        output::line(format_args!("{:#}", json!(list)))?;
    } else {
        output::write(table)?;
    }
    Ok(())
}
