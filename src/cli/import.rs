//! `opsbell import TOOL FILE|DIR --to DIR`: another tool's export becomes a configuration, with a list of what did not
//! map.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::json;

use super::{End, Global, NO, USAGE, out};
use crate::catalog::import::{Tool, convert};
use crate::domain::counted::counted;

/// A larger file is no export of one organisation.
const LARGEST: u64 = 256 * 1024 * 1024;
/// More files than any export has.
const MOST_FILES: usize = 20_000;

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum From {
    /// The answers of Opsgenie's REST API: users, teams, schedules, escalations, services
    Opsgenie,
    /// The answers of PagerDuty's REST API: users, schedules, escalation_policies, services
    Pagerduty,
    /// The answers of GoAlert's GraphQL API: users, rotations, schedules, escalationPolicies, services
    Goalert,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which tool
    tool: From,
    /// A JSON file, or a folder of them
    export: PathBuf,
    /// A new or empty directory for the configuration
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    let tool = match args.tool {
        From::Opsgenie => Tool::Opsgenie,
        From::Pagerduty => Tool::PagerDuty,
        From::Goalert => Tool::GoAlert,
    };
    let there = |dir: &Path| std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if there(&args.to) || args.to.is_file() {
        let refused =
            anyhow!("{} is not empty, and nothing in it is overwritten; name a new directory", args.to.display());
        return Err(End::Failed(NO, refused));
    }
    let mut documents = Vec::new();
    for path in files(&args.export)? {
        let bytes = std::fs::read(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            End::Failed(NO, anyhow!("{}:{}: this is not JSON: {error}", path.display(), error.line()))
        })?;
        documents.push((path, value));
    }
    let done = convert(tool, &documents).map_err(|why| End::Failed(NO, anyhow!("{}: {why}", args.export.display())))?;
    for (path, text) in &done.files {
        write(&args.to.join(path), text)?;
    }
    let mut list = "# What did not map\n\nIn the words of the tool it came from.\n\n".to_owned();
    done.notes.iter().for_each(|note| list.push_str(&format!("- {note}\n")));
    if done.notes.is_empty() {
        list.push_str("Everything did.\n");
    }
    write(&args.to.join("IMPORTED.md"), &list)?;
    let [people, schedules, policies, services] = done.counts;
    if global.json {
        return out(json!({
            "people": people, "schedules": schedules, "escalations": policies, "services": services,
            "notes": done.notes, "to": args.to,
        }));
    }
    for note in &done.notes {
        out(note)?;
    }
    let to = args.to.display();
    out(format_args!(
        "\nIn {to}: {}, {}, {}, {}. Not mapped: {} (IMPORTED.md).",
        if people == 1 { "1 person".to_owned() } else { format!("{people} people") },
        counted(schedules, "schedule"),
        counted(policies, "escalation"),
        counted(services, "service"),
        counted(done.notes.len(), "thing")
    ))?;
    out(format_args!("Next: opsbell check --config {to}, then opsbell oncall --config {to}"))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    let made = std::fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    made.with_context(|| format!("{}: cannot be written", path.display()))
}

/// The file, or all `*.json` below the folder, in order of their names.
fn files(export: &Path) -> Result<Vec<PathBuf>, End> {
    let about = std::fs::metadata(export)
        .with_context(|| format!("{}: cannot be read", export.display()))
        .map_err(|error| End::Failed(USAGE, error))?;
    if about.is_file() {
        if about.len() > LARGEST {
            return Err(End::Failed(NO, anyhow!("{}: larger than any export", export.display())));
        }
        return Ok(vec![export.to_owned()]);
    }
    let (mut found, mut open) = (Vec::new(), vec![export.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).with_context(|| format!("{}: cannot be read", dir.display()))? {
            let entry = entry.context("an entry of the folder")?;
            let (kind, path) = (entry.file_type().context("an entry of the folder")?, entry.path());
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|kind| kind == "json") {
                let large = entry.metadata().is_ok_and(|meta| meta.len() > LARGEST);
                if found.len() == MOST_FILES || large {
                    return Err(End::Failed(NO, anyhow!("{}: more than any export has", export.display())));
                }
                found.push(path);
            }
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(End::Failed(NO, anyhow!("{}: no *.json in it", export.display())));
    }
    Ok(found)
}
