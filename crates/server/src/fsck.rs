//! `wargate fsck`: everything that the registry keeps, checked against its log.

use std::process::ExitCode;

use anyhow::Result;
use wargate_console::Table;
use wargate_registry::fsck::{Depth, Report, check};

use crate::args::{CommonOptions, FsckOptions};
use crate::config::data_dir_of;
use crate::data_dir::DataDir;
use crate::process;

/// The command. Its exit code is 2 if something is wrong.
pub(crate) fn run(common: &CommonOptions, options: &FsckOptions) -> Result<ExitCode> {
    let data_dir = DataDir::open(&data_dir_of(common)?)?;
    let (store, blobs) = process::stores(&data_dir)?;
    let depth = if options.skip_content { Depth::Names } else { Depth::Bytes };
    let report = check(&*store, &*blobs, depth)?;
    if common.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn print(report: &Report) {
    let mut table = Table::new(["CHECKED", "COUNT", "WRONG"]);
    for part in &report.parts {
        table.row([part.what.to_owned(), part.checked.to_string(), part.wrong.to_string()]);
    }
    println!("{table}");
    for finding in &report.findings {
        println!("wrong: {finding}");
    }
    for note in &report.notes {
        println!("note: {note}");
    }
    if report.is_clean() {
        println!("All of it agrees with the log.");
    } else {
        println!(
            "The data is damaged.\nhint: keep a copy of the data directory as it is, then restore a \
             backup or a mirror."
        );
    }
}
