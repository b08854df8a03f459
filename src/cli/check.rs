//! `opsbell check`: all findings of a configuration at once.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::anyhow;

use super::{End, Global, NO, USAGE};
use crate::catalog::{self, Finding, Form, Loaded, Severity, process_env};

pub fn run(global: &Global) -> Result<(), End> {
    let dir = global.config();
    let mut loaded = load(&dir)?;
    if let Some(config) = &loaded.config {
        // `serve` refuses these; a check says so without failing, since a rehearsal simulates them.
        loaded.findings.extend(catalog::not_built(config).into_iter().map(|finding| Finding {
            severity: Severity::Warning,
            ..finding
        }));
    }
    print(&loaded.findings, global.json);
    let errors = loaded.errors();
    let warnings = loaded.findings.len() - errors;
    if errors > 0 {
        eprintln!("{errors} errors, {warnings} warnings in {}", dir.display());
        return Err(End::Status(NO));
    }
    if !global.json {
        println!("{} is in order ({warnings} warnings).", dir.display());
    }
    Ok(())
}

/// Reads a configuration; an unreadable directory is an error of usage.
pub fn load(dir: &Path) -> Result<Loaded, End> {
    catalog::load_dir(dir, &process_env).map_err(|error| {
        End::Failed(USAGE, anyhow!(error).context("try --config DIR, or write a configuration with `opsbell init DIR`"))
    })
}

/// Prints findings: with the line drawn on a terminal, as plain lines or JSON else.
pub fn print(findings: &[Finding], json: bool) {
    let form = if json {
        Form::Json
    } else if std::io::stdout().is_terminal() {
        Form::Drawn
    } else {
        Form::Plain
    };
    print!("{}", catalog::render(findings, form));
}
