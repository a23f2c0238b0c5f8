//! `wargate fsck`: everything that the registry keeps, checked against its log.

use std::process::ExitCode;

use anyhow::Result;
use wargate_console::Table;
use wargate_registry::fsck::{Depth, Report, check};

use crate::args::{CommonOptions, FsckOptions};
use crate::config::data_dir_of;
use crate::data_dir::DataDir;
use crate::{output, process};

/// The command. Its exit code is 2 if something is wrong.
pub(crate) fn run(common: &CommonOptions, options: &FsckOptions) -> Result<ExitCode> {
    let data_dir = DataDir::open(&data_dir_of(common)?)?;
    let (store, blobs) = process::stores(&data_dir)?;
    let depth = if options.skip_content { Depth::Names } else { Depth::Bytes };
    let report = check(&*store, &*blobs, depth)?;
    if common.json {
        output::line(serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&report)?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn print(report: &Report) -> Result<()> {
    let mut table = Table::new(["CHECKED", "COUNT", "WRONG"]);
    for part in &report.parts {
        table.row([part.what.to_owned(), part.checked.to_string(), part.wrong.to_string()]);
    }
    output::line(table)?;
    for finding in &report.findings {
        output::line(format_args!("wrong: {finding}"))?;
    }
    for note in &report.notes {
        output::line(format_args!("note: {note}"))?;
    }
    if report.is_clean() {
        output::line("All of it agrees with the log.")?;
    } else {
        output::line(
            "The data is damaged.\nhint: keep a copy of the data directory as it is, then restore a \
             backup or a mirror.",
        )?;
    }
    Ok(())
}
