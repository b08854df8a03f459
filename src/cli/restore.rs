//! `opsbell restore BACKUP --data DIR`: a backup becomes a data directory.

use std::path::PathBuf;

use serde_json::json;

use super::{End, Global, NO, USAGE, out};
use crate::domain::counted::counted;
use crate::runtime::backup::restore;
use crate::runtime::clock::{Clock as _, SystemClock};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file that `opsbell backup` made
    backup: PathBuf,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    // Not into a directory that nobody named.
    let Some(dir) = &global.data else {
        return Err(End::Failed(USAGE, anyhow::anyhow!("name the new data directory: --data DIR")));
    };
    let done = restore(&args.backup, dir, SystemClock::new().now()).map_err(|error| End::Failed(NO, error))?;
    let (manifest, report) = (&done.manifest, &done.report);
    let config = manifest.config.as_ref().map(|hash| dir.join("config").join(hash)).filter(|copy| copy.is_dir());
    if global.json {
        return out(json!({
            "data": dir, "commits": report.commits, "head": manifest.head, "taken_at": manifest.taken_at,
            "from": manifest.install, "install": done.install, "config": config,
        }));
    }
    out(format_args!(
        "Restored {} into {}, as of {}.",
        counted(report.commits, "commit"),
        dir.display(),
        manifest.taken_at
    ))?;
    out(format_args!("head {}:{}", manifest.head.seq, manifest.head.hash))?;
    out(format_args!(
        "Installation {} goes on as {}: buttons from after the backup are refused, and what it still owed is sent \
         again, marked as a possible repeat.",
        manifest.install, done.install
    ))?;
    // Not served where it is: what somebody mends there would no longer be what was in force.
    let (copied, config) = match config {
        Some(copy) => (format!("cp -rT {} ops && ", copy.display()), "ops"),
        None => (String::new(), "YOUR-CONFIG"),
    };
    out(format_args!("Next: {copied}opsbell serve --config {config} --data {}", dir.display()))
}
