//! `opsbell demo`.

use super::{End, Global};

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_global: &Global, _args: &Args) -> Result<(), End> {
    Ok(())
}
