//! `opsbell rehearse STORY…`, and `opsbell rehearse --at TIME --source S --alert FILE`: who would be woken?

use std::path::PathBuf;

use anyhow::{Context, anyhow};

use super::{End, Global, NO, USAGE, out};
use crate::domain::time::Timestamp;
use crate::rehearsal::{self, Unready};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stories to run
    #[arg(required_unless_present = "alert")]
    stories: Vec<PathBuf>,
    /// A payload: who would be woken by it?
    #[arg(long, value_name = "FILE", conflicts_with = "stories")]
    alert: Option<PathBuf>,
    /// When the payload comes in (RFC 3339)
    #[arg(long, value_name = "TIME", requires = "alert")]
    at: Option<String>,
    /// Which source reads the payload
    #[arg(long, value_name = "SOURCE", requires = "alert")]
    source: Option<String>,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    match (&args.alert, &args.at, &args.source) {
        (Some(alert), Some(at), Some(source)) => who_is_woken(global, alert, at, source),
        (Some(alert), at, source) => Err(incomplete(alert, at.as_deref(), source.as_deref())),
        (None, ..) => stories(global, &args.stories),
    }
}

/// Runs all stories; a failed one ends with 1, one that cannot be read or has errors with 2.
fn stories(global: &Global, stories: &[PathBuf]) -> Result<(), End> {
    let (mut failed, mut unready) = (0, 0);
    for story in stories {
        match rehearsal::rehearse(story, global.config.as_deref()) {
            Ok(outcome) => {
                failed += usize::from(!outcome.passed());
                out(&outcome)?;
            }
            Err(error @ (Unready::Story(_) | Unready::Syntax(_) | Unready::Config(_))) => {
                unready += 1;
                eprintln!("{error}");
            }
        }
    }
    let passed = stories.len() - failed - unready;
    out(format_args!("{passed} passed, {} failed", failed + unready))?;
    match (unready, failed) {
        (0, 0) => Ok(()),
        (0, _) => Err(End::Status(NO)),
        _ => Err(End::Status(USAGE)),
    }
}

/// A payload alone does not say who reads it, nor whose night it is.
fn incomplete(alert: &std::path::Path, at: Option<&str>, source: Option<&str>) -> End {
    let sources = crate::source::names();
    let missing = match (source, at) {
        (None, None) => format!("--source (one of {sources}) and --at (the time it comes in)"),
        (None, Some(_)) => format!("--source, one of {sources}"),
        (Some(_), _) => "--at, the time it comes in".to_owned(),
    };
    let example = format!(
        "opsbell rehearse --at {} --source {} --alert {}",
        at.unwrap_or("2026-12-25T03:00:00+01:00"),
        source.unwrap_or("alertmanager"),
        alert.display()
    );
    End::Failed(USAGE, anyhow!("--alert needs {missing}\nfor example: {example}"))
}

fn who_is_woken(global: &Global, alert: &PathBuf, at: &str, source: &str) -> Result<(), End> {
    let at: Timestamp = at
        .parse()
        .map_err(|_| End::Failed(USAGE, anyhow!("`{at}` is not a time; write it like 2026-12-25T03:00:00+01:00")))?;
    let org = rehearsal::as_served(&global.config()).map_err(|error| End::Failed(USAGE, anyhow!(error)))?;
    let body = std::fs::read(alert).with_context(|| format!("{}: cannot be read", alert.display()))?;
    let woken = rehearsal::who_is_woken(org, at, source, &body).map_err(|error| End::Failed(NO, anyhow!(error)))?;
    if global.json {
        out(serde_json::to_string(&woken).context("the answer as JSON")?)?;
    } else {
        out(&woken)?;
    }
    Ok(())
}
