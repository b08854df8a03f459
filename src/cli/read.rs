//! `opsbell read SOURCE FILE`: how a payload is read; one JSON object per signal.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context, anyhow};

use super::{End, Global, NO, USAGE, check, out};
use crate::domain::org::Mapping;
use crate::source;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(help = format!("The source: {}", source::names()))]
    source: String,
    /// The payload; - for standard input
    file: PathBuf,
    /// The integration whose mapping reads it (generic, text); the first of the source otherwise
    #[arg(long, value_name = "ID")]
    integration: Option<String>,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    let source = source::find(&args.source).map_err(|error| End::Failed(USAGE, anyhow!(error)))?;
    let mut bytes = Vec::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
    } else {
        bytes = std::fs::read(&args.file).with_context(|| format!("{}: cannot be read", args.file.display()))?;
    }
    let mapping = mapping(global, args)?;
    let reading = (source.read)(&bytes, &mapping).map_err(|error| {
        let place = error.path.as_deref().map(|path| format!("{path}: ")).unwrap_or_default();
        End::Failed(NO, anyhow!("{}: {place}{}. {}", args.file.display(), error.message, error.hint))
    })?;
    for signal in &reading.signals {
        out(serde_json::to_string(&signal.reading()).context("a signal as JSON")?)?;
    }
    for rejected in &reading.rejected {
        eprintln!("{}: {}: {}", args.file.display(), rejected.path, rejected.reason);
    }
    if reading.rejected.is_empty() { Ok(()) } else { Err(End::Status(NO)) }
}

/// The mapping of the integration that is meant; none where no configuration is named.
fn mapping(global: &Global, args: &Args) -> Result<Mapping, End> {
    if global.config.is_none() && args.integration.is_none() {
        return Ok(Mapping::default());
    }
    let dir = global.config();
    let Some(config) = check::load(&dir)?.config else {
        return Err(End::Failed(
            USAGE,
            anyhow!("{}: the configuration has errors; see `opsbell check`", dir.display()),
        ));
    };
    let mut fitting = config.org.integrations.values().filter(|integration| integration.source == args.source);
    let found = match &args.integration {
        Some(id) => fitting.find(|integration| integration.id.as_str() == id).ok_or_else(|| {
            End::Failed(USAGE, anyhow!("{}: no integration {id} reads {}", dir.display(), args.source))
        })?,
        None => match fitting.next() {
            Some(integration) => integration,
            None => return Ok(Mapping::default()),
        },
    };
    Ok(found.mapping.clone().unwrap_or_default())
}
