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
    out(format_args!("\nNext: edit {dir}/opsbell.toml and {dir}/teams.toml, then"))?;
    for name in catalog::secrets_named(&args.dir) {
        out(format_args!("  export {name}=…"))?;
    }
    out(format_args!("  opsbell check --config {dir}                # all that is wrong, with the line"))?;
    out(format_args!("  opsbell rehearse {dir}/stories/*.txt        # nobody is really paged"))?;
    out(format_args!("  opsbell serve --config {dir}"))?;
    out("Make each key a long random text, for example with `openssl rand -hex 24`; its sender shows the same.")?;
    Ok(())
}
