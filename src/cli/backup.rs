//! `opsbell backup FILE|DIR`: the journal up to its durable head and the configurations, in one file.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::client::Client;
use super::{End, Global, NO, USAGE, out};
use crate::runtime::backup::{Saved, save};
use crate::runtime::clock::{Clock as _, SystemClock};
use crate::runtime::data;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A new file, or a directory in which the backup gets a name of its own
    target: PathBuf,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    let dir = global.data();
    if !dir.join("journal").is_dir() {
        let none = anyhow::anyhow!("{}: no journal here; name the data directory with --data", dir.display());
        return Err(End::Failed(USAGE, none));
    }
    let head = durable(global);
    let head = head.as_ref().map(|(seq, hash)| (*seq, hash.as_str()));
    let saved = save(&dir, head, &args.target, SystemClock::new().now()).map_err(|error| End::Failed(NO, error))?;
    let Saved { path, bytes, sha256, manifest } = &saved;
    if global.json {
        return out(json!({
            "path": path, "bytes": bytes, "sha256": sha256, "install": manifest.install, "head": manifest.head,
            "config": manifest.config, "files": manifest.files.len(), "taken_at": manifest.taken_at,
        }));
    }
    out(format_args!("{sha256}  {}", path.display()))?;
    out(format_args!("{bytes} bytes, head {}:{}", manifest.head.seq, manifest.head.hash))?;
    out("Keep it on another machine. To take it back: opsbell restore BACKUP --data NEW-DIR")
}

/// The durable head of the server that runs on the directory, if one does.
fn durable(global: &Global) -> Option<(u64, String)> {
    // No server: every whole line is durable, or becomes so at the next start.
    data::server_of(&global.data()).ok()?;
    let read = |answer: &Value| {
        Some((answer.get("seq")?.as_u64().filter(|seq| *seq > 0)?, answer.get("hash")?.as_str()?.to_owned()))
    };
    let answer =
        Client::find(global, None).and_then(|client| client.ask(reqwest::Method::GET, "/v1/journal/head", None));
    let head = answer.ok().as_ref().and_then(read);
    if head.is_none() {
        eprintln!("The server did not say how far its journal is durable; the backup goes to the last whole line.");
    }
    head
}
