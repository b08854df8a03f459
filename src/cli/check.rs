//! `opsbell check`: all findings of a configuration at once.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::anyhow;

use super::{End, Global, NO, USAGE, out};
use crate::catalog::{self, Finding, Form, Loaded, Severity, process_env};
use crate::domain::counted::counted;
use crate::runtime::clock::{Clock as _, SystemClock};

pub fn run(global: &Global) -> Result<(), End> {
    let dir = global.config();
    let mut loaded = load(&dir)?;
    if let Some(config) = &loaded.config {
        loaded.findings.extend(catalog::gaps_at(config, SystemClock::new().now()));
        // `serve` refuses these; a check says so without failing, since a rehearsal simulates them.
        loaded.findings.extend(catalog::not_built(config).into_iter().map(|mut finding| {
            finding.severity = Severity::Warning;
            finding
        }));
        loaded.findings.extend(catalog::unusable_secrets(config));
    }
    print(&loaded.findings, global.json)?;
    let errors = loaded.errors();
    let warnings = loaded.findings.len() - errors;
    if errors > 0 {
        eprintln!("{}, {} in {}", counted(errors, "error"), counted(warnings, "warning"), dir.display());
        return Err(End::Status(NO));
    }
    if !global.json {
        out(format_args!("{} is in order ({}).", dir.display(), counted(warnings, "warning")))?;
    }
    Ok(())
}

/// Reads a configuration; an unreadable directory is an error of usage.
pub fn load(dir: &Path) -> Result<Loaded, End> {
    catalog::load_dir(dir, &process_env).map_err(unreadable)
}

/// How it ends where a directory cannot be read.
pub fn unreadable(error: catalog::Unreadable) -> End {
    End::Failed(USAGE, anyhow!(error).context("try --config DIR, or write a configuration with `opsbell init DIR`"))
}

/// Prints findings: with the line drawn on a terminal, as plain lines else, each as a line of JSON with `--json`.
pub fn print(findings: &[Finding], json: bool) -> Result<(), End> {
    if json {
        for finding in findings {
            out(serde_json::to_string(finding).unwrap_or_default())?;
        }
        return Ok(());
    }
    let form = if std::io::stdout().is_terminal() {
        Form::Graphical { colour: process_env("NO_COLOR").is_none_or(|set| set.is_empty()), width: 100 }
    } else {
        Form::Plain
    };
    match catalog::render(findings, form).trim_end_matches('\n') {
        "" => Ok(()),
        text => out(text),
    }
}
