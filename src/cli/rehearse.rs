//! `opsbell rehearse`.

use super::{End, Global};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stories
    stories: Vec<std::path::PathBuf>,
}

pub fn run(_global: &Global, _args: &Args) -> Result<(), End> {
    Ok(())
}
