//! `opsbell journal verify|export|rebuild`. Verify and export need no lock and change nothing.

use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::PathBuf;

use anyhow::{Context, anyhow};

use super::placed::Placed;
use super::{End, Global, NO, USAGE, out};
use crate::domain::counted::counted;
use crate::journal::{self, Journal, JournalError, RealDisk};
use crate::runtime::data::{self, Data};
use crate::runtime::recover;

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Check every line: hashes, order, gaps; repairs nothing
    Verify {
        /// A commit noted elsewhere, as SEQ:HASH; a journal that ends before it has been cut short
        #[arg(long, value_name = "SEQ:HASH")]
        head: Option<String>,
    },
    /// Write the journal's lines to a file or standard output
    Export {
        /// First commit
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Last commit
        #[arg(long, default_value_t = u64::MAX)]
        to: u64,
        /// Where to; standard output without it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Build the records anew from the journal (the server must not run)
    Rebuild,
}

pub fn run(global: &Global, verb: &Verb) -> Result<(), End> {
    let held_dir = global.data();
    let dir = held_dir.join("journal");
    if !dir.is_dir() {
        return Err(End::Failed(
            USAGE,
            anyhow!("{}: no journal here; name the data directory with --data", dir.display()),
        ));
    }
    match verb {
        Verb::Verify { head } => verify(global, &dir, head.as_deref()),
        Verb::Export { from, to, out } => {
            let mut sink: Box<dyn std::io::Write> = match out {
                Some(path) => Box::new(BufWriter::new(
                    std::fs::File::create_new(path).with_context(|| format!("{}: cannot be made", path.display()))?,
                )),
                None => Box::new(BufWriter::new(std::io::stdout().lock())),
            };
            let lines = journal::export(&RealDisk, &dir, *from, *to, &mut *sink)
                .and_then(|lines| sink.flush().map(|()| lines).map_err(JournalError::Export));
            let lines = match lines {
                // Whoever reads has enough.
                Err(JournalError::Export(error)) if error.kind() == ErrorKind::BrokenPipe => {
                    return Err(End::Status(0));
                }
                lines => lines.map_err(|error| End::Failed(NO, anyhow!(error)))?,
            };
            eprintln!("{} exported", counted(lines, "commit"));
            Ok(())
        }
        Verb::Rebuild => {
            let held = Data::take(&held_dir)?;
            // Only for a journal without a line: it is named as a first start would name it.
            let install = data::random_install()?;
            let (journal, found) = Journal::open(std::sync::Arc::new(RealDisk), &dir, &install, None)
                .map_err(|error| End::Failed(NO, anyhow!(error)))?;
            let progress = &mut |done: u64, total: u64| eprint!("\r{done}/{total} commits");
            let records = held.dir().join("records");
            let (records, state) =
                recover::rebuild(&records, &journal.reader(), &found.install, found.last_seq, progress)?;
            records.close().map_err(|trouble| anyhow!(trouble))?;
            eprintln!();
            out(format_args!(
                "Rebuilt from {}. Not closed: {}. Firing: {}. Owed: {}.",
                counted(found.last_seq, "commit"),
                counted(state.incidents.len(), "incident"),
                counted(state.alerts.len(), "alert"),
                counted(state.owed_count(), "message")
            ))?;
            Ok(())
        }
    }
}

fn verify(global: &Global, dir: &std::path::Path, head: Option<&str>) -> Result<(), End> {
    let head = match head {
        None => None,
        Some(text) => {
            let is_hash = |hash: &&str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            let head = text.split_once(':');
            let head = head.and_then(|(seq, hash)| Some((seq.parse().ok()?, Some(hash).filter(is_hash)?)));
            Some(head.ok_or_else(|| {
                let form = "SEQ:HASH, like 41:9f2c… with all 64 digits; `journal verify` prints it";
                End::Failed(USAGE, anyhow!("`{text}` is not {form}"))
            })?)
        }
    };
    let report =
        journal::verify(&RealDisk, dir, head, &mut |_| {}).map_err(|damage| End::Failed(NO, anyhow!(damage)))?;
    if global.json {
        let report = serde_json::json!({
            "commits": report.commits,
            "events": report.events,
            "first_seq": report.first_seq,
            "last_seq": report.last_seq,
            "last_hash": report.last_hash,
            "segments": report.segments,
            "voided_bytes": report.voided_bytes,
            "torn": report.torn.len(),
        });
        out(&report)?;
        return Ok(());
    }
    out(format_args!(
        "The journal is whole: {}, {}, {}.",
        counted(report.commits, "commit"),
        counted(report.events, "event"),
        counted(report.segments, "file")
    ))?;
    if report.voided_bytes > 0 {
        let bytes = counted(report.voided_bytes, "byte");
        out(format_args!("Voided: {bytes} of failed writes, which were never acknowledged."))?;
    }
    for torn in &report.torn {
        out(format_args!(
            "{}:{}: not whole at the end, {} ({}): a torn write, unless a head noted elsewhere says otherwise.",
            torn.file.display(),
            torn.line,
            counted(torn.bytes, "byte"),
            torn.reason
        ))?;
    }
    out(format_args!("head {}:{}", report.last_seq, report.last_hash))?;
    let noted = "Note the head elsewhere; `opsbell journal verify --head SEQ:HASH` then notices a journal cut short.";
    out(Placed::of(global).hint(noted))
}
