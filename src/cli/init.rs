//! `opsbell init DIR`: a small configuration to start from.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{End, NO};
use crate::catalog;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An empty or new directory
    dir: PathBuf,
}

pub fn run(args: &Args) -> Result<(), End> {
    let written = catalog::write_new(&args.dir).map_err(|error| End::Failed(NO, anyhow!(error)))?;
    for path in &written {
        println!("{}", path.display());
    }
    let dir = args.dir.display();
    println!(
        "\nNext: edit {dir}/teams.toml, then `opsbell check --config {dir}`, `opsbell rehearse {dir}/stories/*.txt`"
    );
    println!("and `opsbell serve --config {dir}`.");
    Ok(())
}
