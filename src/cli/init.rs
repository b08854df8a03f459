//! `opsbell init DIR`: a small configuration to start from.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{End, NO, out};
use crate::catalog;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An empty or new directory
    dir: PathBuf,
}

pub fn run(args: &Args) -> Result<(), End> {
    let written = catalog::write_new(&args.dir).map_err(|error| End::Failed(NO, anyhow!(error)))?;
    for path in &written {
        out(path.display())?;
    }
    let dir = args.dir.display();
    out(format_args!(
        "\nNext: edit {dir}/teams.toml, then `opsbell check --config {dir}`, `opsbell rehearse {dir}/stories/*.txt`"
    ))?;
    out(format_args!("and `opsbell serve --config {dir}`."))?;
    Ok(())
}
