//! `wargate operator` and `wargate rebuild`: through the running server if there is one, directly
//! otherwise.

use anyhow::{Result, bail};
use wargate_console::Table;

use crate::admin::{self, Answer, Desk, Report, Request};
use crate::args::{CommonOptions, OperatorCommand};
use crate::config::{data_dir_of, operator_key_file_of};
use crate::data_dir::{DataDir, admin_socket};
use crate::keys::KeyFiles;
use crate::{output, process, recovery};

/// The command.
pub(crate) fn run(common: &CommonOptions, command: &OperatorCommand) -> Result<()> {
    let request = match command {
        OperatorCommand::Show => Request::Show,
        OperatorCommand::Usage => Request::Usage,
        OperatorCommand::Define { namespace } => Request::Define { namespace: namespace.clone() },
        OperatorCommand::Import { namespace, registry } => {
            Request::Import { namespace: namespace.clone(), registry: registry.clone() }
        }
        OperatorCommand::Grant { public_key, permission } => {
            Request::Grant { public_key: public_key.clone(), permissions: permission.clone() }
        }
        OperatorCommand::Revoke { key_id, permission } => {
            Request::Revoke { key_id: key_id.clone(), permissions: permission.clone() }
        }
        OperatorCommand::CheckpointKey => Request::CheckpointKey,
        OperatorCommand::RecoveryKey { file } => return recovery::make(common, file),
        OperatorCommand::Rotate { signed_by: Some(file) } => return recovery::rotate(common, file),
        OperatorCommand::Rotate { signed_by: None } => Request::Rotate,
    };
    let report = ask(common, request)?;
    if common.json {
        output::line(serde_json::to_string_pretty(&report)?)?;
    } else if let Some(usage) = &report.usage {
        usage.print()?;
    } else {
        print(command, &report)?;
    }
    Ok(())
}

/// The command `rebuild`.
pub(crate) fn rebuild(common: &CommonOptions) -> Result<()> {
    let report = ask(common, Request::Rebuild)?;
    if common.json {
        output::line(serde_json::to_string_pretty(&report)?)?;
    } else {
        output::line(
            "Nothing had to be made anew: all that this registry keeps is part of its log.",
        )?;
    }
    Ok(())
}

pub(crate) fn ask(common: &CommonOptions, request: Request) -> Result<Report> {
    let path = data_dir_of(common)?;
    let answer = match admin::ask(&admin_socket(&path), &request)? {
        Some(answer) => answer,
        None => directly(common, request)?,
    };
    match answer {
        Answer::Done(report) => Ok(*report),
        Answer::Failed { message } => bail!("{message}"),
    }
}

/// Without a server, holding the data directory for as long as it takes.
fn directly(common: &CommonOptions, request: Request) -> Result<Answer> {
    let data_dir = DataDir::open(&data_dir_of(common)?)?;
    let files = KeyFiles::new(&data_dir, operator_key_file_of(common)?);
    let opened = process::open_alone(&data_dir, files)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let report = runtime.block_on(admin::perform(&Desk::of(&opened), request))?;
    Ok(Answer::Done(Box::new(report)))
}

fn print(command: &OperatorCommand, report: &Report) -> Result<()> {
    if let Some(state) = &report.state {
        if let Some(pause) = &report.paused {
            let (since, reason) = (crate::snapshot::time(pause.since_seconds), &pause.reason);
            output::line(format_args!("paused          since {since}  {reason}"))?;
        }
        output::line(format_args!("log length      {}", state.log_length))?;
        output::line(format_args!("operator key    {}", state.operator_key))?;
        output::line(format_args!("checkpoint key  {}\n", state.checkpoint_key))?;
        let mut keys = Table::new(["KEY", "PERMISSIONS"]);
        for (key, held) in &state.permissions {
            keys.row([key.clone(), held.join(", ")]);
        }
        output::line(keys)?;
        let mut namespaces = Table::new(["NAMESPACE", "STATE"]);
        for (namespace, state) in &state.namespaces {
            namespaces.row([namespace.clone(), state.clone()]);
        }
        output::write(namespaces)?;
        return Ok(());
    }
    let indices: Vec<_> = report.registry_indices.iter().map(u64::to_string).collect();
    output::line(format_args!("Done; in the log at position {}.", indices.join(" and ")))?;
    if let Some(key) = &report.key_id {
        output::line(format_args!("The new key is {key}."))?;
    }
    if matches!(command, OperatorCommand::Rotate { .. }) {
        output::line("Whoever pins the operator key by its fingerprint has to learn the new one.")?;
    }
    Ok(())
}
