//! Taking a backup back: into a directory that holds nothing yet. All of it is read and checked in a folder of its own
//! before the journal gets its name, so an interrupted restore leaves no data that could be served.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::{Entry, FORMAT, MANIFEST, Manifest, hex, is_hash};
use crate::domain::actor::By;
use crate::domain::event::{Commit, Event};
use crate::domain::time::Timestamp;
use crate::journal::{self, Disk as _, Journal, RealDisk, VerifyReport};
use crate::runtime::data::{Data, RESTORING, random_install};

/// What a data directory holds that has been served or restored already.
const USED: [&str; 5] = ["journal", "records", "admin.token", "server.json", "config.json"];
/// More does not fit a list of files of one organisation.
const MANIFEST_BYTES: u64 = 64 * 1024 * 1024;

/// A backup that was taken back.
#[derive(Debug)]
pub struct Restored {
    /// What it said of itself.
    pub manifest: Manifest,
    /// What the check of its journal found.
    pub report: VerifyReport,
    /// The name of the installation from now on.
    pub install: String,
}

/// Takes a backup back into `data`, which must not be in use.
///
/// # Errors
/// The directory was used, the file is not a whole backup, or its journal is not what was written. Nothing that could
/// be served is there then.
pub fn restore(backup: &Path, data: &Path, now: Timestamp) -> Result<Restored> {
    for name in USED {
        if data.join(name).exists() {
            bail!(
                "{} holds {name}, so it is in use or was; nothing is overwritten. Name a new directory with --data, or \
                 move this one away.",
                data.display()
            );
        }
    }
    let file = File::open(backup).with_context(|| format!("{}: cannot be opened", backup.display()))?;
    let was_there = data.exists();
    let held = Data::take(data)?;
    let staging = held.dir().join(RESTORING);
    let restored = unpack(file, &staging)
        .with_context(|| format!("{} cannot be taken back", backup.display()))
        .and_then(|(manifest, found)| check(manifest, &found, &staging))
        .and_then(|(manifest, report)| {
            let install = begin_anew(&staging, &manifest, now)?;
            move_in(&staging, held.dir())?;
            Ok(Restored { manifest, report, install })
        });
    let _ = fs::remove_dir_all(&staging);
    if restored.is_err() && !was_there {
        // Only if nothing else came into it meanwhile.
        let _ = fs::remove_file(data.join("lock"));
        let _ = fs::remove_dir(data);
    }
    restored
}

/// Writes all entries below `staging` and reads the manifest.
fn unpack(file: File, staging: &Path) -> Result<(Manifest, BTreeMap<String, Entry>)> {
    match fs::remove_dir_all(staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => private_dir(&staging.join("journal")),
    }
    .with_context(|| format!("{}: cannot be made", staging.display()))?;
    let no_backup = "it is not a whole backup made by `opsbell backup`";
    let mut found = BTreeMap::new();
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries().context(no_backup)? {
        let mut entry = entry.context(no_backup)?;
        let path = entry.path().ok().and_then(|path| path.to_str().map(str::to_owned)).unwrap_or_default();
        let size = entry.size();
        if path == MANIFEST {
            let mut text = Vec::new();
            entry.by_ref().take(MANIFEST_BYTES).read_to_end(&mut text)?;
            let manifest: Manifest =
                serde_json::from_slice(&text).with_context(|| format!("{no_backup}: {MANIFEST} is not understood"))?;
            if manifest.format != FORMAT {
                bail!(
                    "it has format {}, and this release reads {FORMAT}; use the release that made it",
                    manifest.format
                );
            }
            return Ok((manifest, found));
        }
        let Some(to) = place(&path).filter(|_| entry.header().entry_type().is_file()) else {
            bail!("it holds `{}`, which no backup does", path.chars().take(100).collect::<String>());
        };
        let written = write(&mut entry, &staging.join(to)).with_context(|| format!("its entry {path}"))?;
        if written.bytes != size {
            bail!("{no_backup}: it is cut short in {path}");
        }
        found.insert(path.clone(), Entry { path, ..written });
    }
    bail!("{no_backup}: it is cut short, or its last entry, {MANIFEST}, is missing")
}

/// Where an entry goes below the data directory; `None` for anything that is not part of a backup.
fn place(path: &str) -> Option<PathBuf> {
    let mut parts = path.split('/');
    let fits = match parts.next()? {
        "journal" => parts.next()?.ends_with(".jsonl") && parts.next().is_none(),
        "config" => is_hash(parts.next()?) && parts.clone().next().is_some(),
        _ => false,
    };
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
    (fits && path.split('/').all(plain)).then(|| PathBuf::from(path))
}

fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn write(from: &mut impl Read, path: &Path) -> io::Result<Entry> {
    if let Some(folder) = path.parent() {
        private_dir(folder)?;
    }
    // Twice the same name is no backup of ours.
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    let (mut sum, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
        io::Write::write_all(&mut file, &buffer[..read])?;
        bytes += read as u64;
    }
    file.sync_all()?;
    Ok(Entry { path: String::new(), bytes, sha256: hex(sum.finalize()) })
}

/// All that the manifest names is there as it was, and the journal is whole up to the head.
fn check(manifest: Manifest, found: &BTreeMap<String, Entry>, staging: &Path) -> Result<(Manifest, VerifyReport)> {
    for named in &manifest.files {
        match found.get(&named.path) {
            None => bail!("the backup lacks {}, which it names; use another backup", named.path),
            Some(entry) if entry != named => {
                bail!("{} in the backup is not as it was when it was made; use another backup", named.path)
            }
            Some(_) => {}
        }
    }
    if let Some(path) = found.keys().find(|path| !manifest.files.iter().any(|named| named.path == **path)) {
        bail!("the backup holds {path}, which it does not name; use another backup");
    }
    let head = (manifest.head.seq, manifest.head.hash.as_str());
    let report = journal::verify(&RealDisk, &staging.join("journal"), Some(head), &mut |_| {})?;
    if report.last_seq != head.0 || !report.torn.is_empty() {
        bail!("the journal in the backup ends at commit {}, not at {}; use another backup", report.last_seq, head.0);
    }
    Ok((manifest, report))
}

/// Writes the commit that says where this journal comes from, under a new name.
fn begin_anew(staging: &Path, manifest: &Manifest, now: Timestamp) -> Result<String> {
    let mut install = random_install()?;
    while install == manifest.install {
        install = random_install()?;
    }
    let (mut journal, found) = Journal::open(Arc::new(RealDisk), &staging.join("journal"), &install, None)?;
    journal.renew_install(&install)?;
    let renewed =
        Event::InstallRenewed { install: install.as_str().into(), from: found.install.into(), after: found.last_seq };
    let commit = Commit { seq: found.last_seq + 1, at: now, by: By::timer("restore"), events: vec![renewed] };
    journal.append(commit.seq, found.epoch, &[commit])?;
    Ok(install)
}

/// Gives everything its name; the journal last, since it is what makes a directory one with data.
fn move_in(staging: &Path, data: &Path) -> Result<()> {
    let (from, to) = (staging.join("config"), data.join("config"));
    private_dir(&to).with_context(|| format!("{}: cannot be made", to.display()))?;
    if from.exists() {
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let to = to.join(entry.file_name());
            // Named by its content: one that an interrupted restore left is the same.
            if !to.exists() {
                fs::rename(entry.path(), &to).with_context(|| format!("{}: cannot be made", to.display()))?;
            }
        }
    }
    let journal = data.join("journal");
    fs::rename(staging.join("journal"), &journal).with_context(|| format!("{}: cannot be made", journal.display()))?;
    RealDisk.sync_dir(&to).and_then(|()| RealDisk.sync_dir(data)).context("the directory cannot be synced")
}
