//! `opsbell oncall`: who is on call, from the configuration alone; no server needed.

use std::sync::Arc;

use anyhow::anyhow;

use super::{End, Global, USAGE, check, out};
use crate::domain::oncall::show;
use crate::domain::paging::look;
use crate::domain::time::Timestamp;
use crate::runtime::clock::{Clock, SystemClock};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// At another time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    let loaded = check::load(&global.config())?;
    let Some(config) = loaded.config else {
        check::print(&loaded.findings, global.json)?;
        return Err(End::Status(USAGE));
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let at: Timestamp = match &args.at {
        Some(at) => at.parse().map_err(|_| {
            End::Failed(USAGE, anyhow!("`{at}` is not a time; write it like 2026-12-25T03:00:00+01:00"))
        })?,
        None => clock.now(),
    };
    if global.json {
        out(show::json(&config.org, at))?;
        return Ok(());
    }
    let text = show::who(&config.org, None, at).map_err(|reject| End::Failed(super::NO, anyhow!(reject)))?;
    out(look::times(text.trim_end_matches("Who comes after: /oncall next").trim_end(), config.org.defaults.zone, at))?;
    out(format_args!("Times in {}.", config.org.defaults.zone))?;
    Ok(())
}
