//! From paths to a rehearsal: which configuration a story plays in, and the story's own directory. The only place of
//! this room that touches files.

use std::path::{Path, PathBuf};

use super::report::Outcome;
use super::run::{Surroundings, run};
use super::story::{Story, SyntaxError};
use crate::catalog::{self, Config};
use crate::domain::org::Org;

/// The file that makes a directory a configuration.
const MAIN: &str = "opsbell.toml";
/// A story or payload larger than this is not read.
const LARGEST_BYTES: u64 = 1024 * 1024;

/// Why a story was not even begun.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// The story cannot be read.
    #[error("{0}")]
    Story(String),
    /// The story has errors.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Syntax(Vec<SyntaxError>),
    /// There is no configuration, or it has errors.
    #[error("{0}")]
    Config(String),
}

/// Rehearses one story. Without `config` it plays in its nearest parent directory that has an `opsbell.toml`.
pub fn rehearse(story: &Path, config: Option<&Path>) -> Result<Outcome, Unready> {
    let name = story.display().to_string();
    let bytes = read(story).map_err(|wrong| Unready::Story(format!("{name}: {wrong}")))?;
    let text = String::from_utf8(bytes).map_err(|wrong| {
        let line = 1 + wrong.as_bytes()[..wrong.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        Unready::Story(format!("{name}:{line}: this is not UTF-8 text; save the story as UTF-8"))
    })?;
    let parsed = Story::parse(&name, &text).map_err(Unready::Syntax)?;
    let own;
    let config = match config {
        Some(dir) => dir,
        None => {
            own = nearest(story).ok_or_else(|| {
                Unready::Config(format!("{name}: no directory above it has an {MAIN}; name one with --config DIR"))
            })?;
            &own
        }
    };
    let org = organisation(config).map_err(Unready::Config)?;
    let beside = story.parent().unwrap_or_else(|| Path::new(""));
    let around = Surroundings { load: &|dir| organisation(&beside.join(dir)), read: &|file| read(&beside.join(file)) };
    Ok(run(&parsed, org, &around))
}

/// The nearest directory above a file that has an `opsbell.toml`.
pub fn nearest(file: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(file).ok()?;
    let found = whole.ancestors().skip(1).find(|dir| dir.join(MAIN).is_file())?;
    Some(found.to_path_buf())
}

/// The organisation that a configuration directory declares. Secrets are not looked for, and what this
/// release cannot send is simulated. Errors: all findings that are errors, as text.
pub fn organisation(dir: &Path) -> Result<Org, String> {
    config(dir).map(|config| config.org)
}

/// The same with the chats that `serve` would have: none, unless one is configured.
pub fn as_served(dir: &Path) -> Result<Org, String> {
    let mut config = config(dir)?;
    config.org.chat_connected = config.chat.keys().any(|chat| chat != "terminal");
    Ok(config.org)
}

fn config(dir: &Path) -> Result<Config, String> {
    let loaded = catalog::load_dir(dir, &|_| None).map_err(|wrong| wrong.to_string())?;
    let Some(config) = loaded.config else {
        let errors = loaded.findings.iter().filter(|finding| finding.severity == catalog::Severity::Error);
        let told: Vec<String> = errors
            .map(|finding| {
                let hint = finding.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
                format!("{}:{}: {}{hint}", finding.file, finding.line, finding.message)
            })
            .collect();
        return Err(told.join("\n"));
    };
    Ok(config)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let wrong = |wrong: std::io::Error| format!("{} cannot be read: {wrong}", file.display());
    let about = std::fs::metadata(file).map_err(wrong)?;
    if about.len() > LARGEST_BYTES {
        return Err(format!("{} is larger than {} KiB", file.display(), LARGEST_BYTES / 1024));
    }
    std::fs::read(file).map_err(wrong)
}
