//! `opsbell evidence CHG-7 [--out FILE]`: a zip with everything of a change that an auditor asks for, and how to verify it
//! without Opsbell.

use std::fs::File;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde_json::Value;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::client::Client;
use super::{End, Global, out};
use crate::catalog::process_env;
use crate::domain::counted::counted;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of which change, CHG-7
    change: String,
    /// Where to write it; CHG-7-evidence.zip when left out. An existing file is kept
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// For whom it is taken (with the administrator's token of the data directory)
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if args.change.is_empty() || !args.change.chars().all(plain) {
        return Err(anyhow!("a change is named like CHG-7").into());
    }
    let usual = || PathBuf::from(format!("{}-evidence.zip", args.change.to_ascii_uppercase()));
    let place = args.out.clone().unwrap_or_else(usual);
    // Before it is asked for: what is taken stands in the journal.
    if place.exists() {
        return Err(anyhow!("{}: is there already; name another file with --out", place.display()).into());
    }
    let token = process_env("OPSBELL_TOKEN").filter(|token| !token.is_empty());
    let client = Client::find(global, token)?;
    let person = args.person.as_deref().unwrap_or_default();
    if !person.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(anyhow!("`--as` takes the name of a person").into());
    }
    let asked = if person.is_empty() { String::new() } else { format!("?as={person}") };
    let path = format!("/v1/changes/{}/evidence{asked}", args.change);
    let told = client.ask(reqwest::Method::GET, &path, None)?;
    let id = told["change"]["id"].as_str().unwrap_or(&args.change).to_owned();
    let packed = pack(&files(&id, &told)?)?;
    let mut file = File::create_new(&place).with_context(|| format!("{}: cannot be made", place.display()))?;
    file.write_all(&packed).and_then(|()| file.sync_all()).with_context(|| format!("{}", place.display()))?;
    let lines = told["lines"].as_array().map_or(0, Vec::len);
    if global.json {
        return out(serde_json::json!({"change": id, "path": place, "lines": lines, "head": told["head"]}));
    }
    out(format!(
        "{}: {id}, {} of the journal. How to verify it: README.md in it",
        place.display(),
        counted(lines, "line")
    ))
}

/// The files of the archive, by name.
fn files(id: &str, told: &Value) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    let pretty = |value: &Value| serde_json::to_vec_pretty(value).context("JSON");
    let (mut journal, mut steps, mut hidden) = (Vec::new(), Vec::new(), 0);
    for line in told["lines"].as_array().into_iter().flatten() {
        let Some(text) = line["line"].as_str() else {
            hidden += 1;
            continue;
        };
        journal.extend_from_slice(text.as_bytes());
        journal.push(b'\n');
        let commit: Value = serde_json::from_str(text).unwrap_or_default();
        for event in commit["events"].as_array().into_iter().flatten() {
            if event["type"].as_str().is_some_and(|kind| kind.starts_with("playbook.")) {
                let step =
                    serde_json::json!({"seq": commit["seq"], "at": commit["at"], "by": commit["by"], "event": event});
                steps.extend_from_slice(step.to_string().as_bytes());
                steps.push(b'\n');
            }
        }
    }
    let readme = README
        .replace("{change}", id)
        .replace("{taken_at}", told["taken_at"].as_str().unwrap_or_default())
        .replace("{taken_by}", told["taken_by"].as_str().unwrap_or_default())
        .replace("{hidden}", &hidden.to_string())
        .replace("{complete}", if told["truncated"] == true { "no: there are more than are given" } else { "yes" })
        .replace("{head}", &format!("{}:{}", told["head"]["seq"], told["head"]["hash"].as_str().unwrap_or_default()));
    let mut files = vec![
        ("README.md", readme.into_bytes()),
        ("record.json", pretty(&told["change"])?),
        ("approvals.json", pretty(&told["change"]["approvals"])?),
        ("steps.jsonl", steps),
        ("journal.jsonl", journal),
        ("head.json", pretty(&told["head"])?),
    ];
    let sums: String = files.iter().map(|(name, bytes)| format!("{}  {name}\n", hex(bytes))).collect();
    files.push(("SHA256SUMS", sums.into_bytes()));
    Ok(files)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same files give the same archive.
fn pack(files: &[(&'static str, Vec<u8>)]) -> anyhow::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o644);
    for (name, bytes) in files {
        zip.start_file(*name, options).context("the archive")?;
        zip.write_all(bytes).context("the archive")?;
    }
    Ok(zip.finish().context("the archive")?.into_inner())
}

const README: &str = include_str!("evidence.md");
