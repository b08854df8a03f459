//! Backups: one tar file that holds the journal up to a durable head, every configuration that was in force, and last
//! `backup.json`, which names them all with their sums. It holds no secret and no records: those are built from the
//! journal. Taking one back is `restore`.

mod restore;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use restore::{Restored, restore};

use crate::domain::time::Timestamp;
use crate::journal::{self, Disk as _, RealDisk};

/// The format of `backup.json` and of the names beside it.
const FORMAT: u32 = 1;
/// The last entry of a backup: a file without it is not a whole one.
const MANIFEST: &str = "backup.json";

/// What stands in `backup.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub format: u32,
    /// The release that made it.
    pub opsbell: String,
    /// When, UTC.
    pub taken_at: String,
    /// The installation that was backed up.
    pub install: String,
    /// The last commit that is in it.
    pub head: Head,
    /// The hash of the configuration that was in force; its copy is in `config/`.
    pub config: Option<String>,
    /// Every other entry, in order.
    pub files: Vec<Entry>,
}

/// A commit by its number and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// One entry of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path, `journal/00000000000000000001.jsonl`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its sum, hex.
    pub sha256: String,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its own sum, hex, as `sha256sum` prints it.
    pub sha256: String,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// Backs up a data directory to a file, or into a directory under a name of its own. `head` is the durable commit of a
/// running server; without it all whole lines are taken. Written under another name and renamed when it is durable, so
/// that an interrupted one is never taken for whole.
///
/// # Errors
/// The journal is damaged or empty, the target is there already, or it cannot be written.
pub fn save(data: &Path, head: Option<(u64, &str)>, target: &Path, now: Timestamp) -> Result<Saved> {
    let (dir, name) = if target.is_dir() { (target, None) } else { (parent(target), Some(target)) };
    if target.exists() && name.is_some() {
        bail!("{} is there already, and no backup is overwritten; name another file", target.display());
    }
    let partial = dir.join(format!(".opsbell-{}.partial", std::process::id()));
    let saved = write(data, head, &partial, now).and_then(|(manifest, bytes, sha256)| {
        let stamp: String = manifest.taken_at.chars().filter(|c| !matches!(c, '-' | ':')).take(15).collect();
        let own = || dir.join(format!("opsbell-{}-{}-{stamp}Z.tar", manifest.install, manifest.head.seq));
        let path = name.map_or_else(own, Path::to_owned);
        if path.exists() {
            bail!("{} is there already, and no backup is overwritten; name another file", path.display());
        }
        fs::rename(&partial, &path).with_context(|| format!("{}: cannot be renamed", partial.display()))?;
        RealDisk.sync_dir(dir).with_context(|| format!("{}: cannot be synced", dir.display()))?;
        Ok(Saved { path, bytes, sha256, manifest })
    });
    if saved.is_err() {
        let _ = fs::remove_file(&partial);
    }
    saved
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write(data: &Path, head: Option<(u64, &str)>, partial: &Path, now: Timestamp) -> Result<(Manifest, u64, String)> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(partial);
    let file = file.with_context(|| format!("{}: cannot be made", partial.display()))?;
    let mut tar = Tar { out: tar::Builder::new(Summed::new(BufWriter::new(file))), at: now, files: Vec::new() };
    let mut config = None;
    let copied = journal::copy(&RealDisk, &data.join("journal"), head, &mut |name, bytes| {
        config = last_config(bytes).or(config.take());
        tar.add(&format!("journal/{name}"), bytes)
    })?;
    if copied.seq == 0 {
        bail!("{}: the journal has no commit yet, so there is nothing to back up", data.display());
    }
    for (path, inner) in configurations(&data.join("config"))? {
        let bytes = fs::read(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        tar.add(&format!("config/{inner}"), &bytes).with_context(|| format!("{}: {inner}", partial.display()))?;
    }
    let manifest = Manifest {
        format: FORMAT,
        opsbell: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: now.to_string(),
        install: copied.install,
        head: Head { seq: copied.seq, hash: copied.hash },
        config,
        files: std::mem::take(&mut tar.files),
    };
    let mut text = serde_json::to_vec_pretty(&manifest)?;
    text.push(b'\n');
    let written = tar.add(MANIFEST, &text).and_then(|()| tar.out.into_inner()).and_then(Summed::finish);
    let (bytes, sha256) = written.with_context(|| format!("{}: cannot be written", partial.display()))?;
    Ok((manifest, bytes, sha256))
}

/// The hash in the last `config.loaded` of some lines. A quote within a text is escaped, so nothing that was said can
/// look like it.
fn last_config(lines: &[u8]) -> Option<String> {
    const MARK: &str = "{\"type\":\"config.loaded\",\"v\":1,\"hash\":\"";
    let text = std::str::from_utf8(lines).ok()?;
    let hash = text.rsplit_once(MARK)?.1.split('"').next()?;
    Some(hash.to_owned())
}

/// The kept configurations: each file, and its path within `config/`.
fn configurations(dir: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let mut open = vec![(dir.to_owned(), String::new())];
    while let Some((at, inner)) = open.pop() {
        let entries = match fs::read_dir(&at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("{}: cannot be read", at.display()))?,
        };
        for entry in entries {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            // One that is being copied just now is not whole.
            if inner.is_empty() && !is_hash(&name) {
                continue;
            }
            let path = if inner.is_empty() { name } else { format!("{inner}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push((entry.path(), path));
            } else if kind.is_file() {
                found.push((entry.path(), path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

fn hex(sum: impl AsRef<[u8]>) -> String {
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Tar {
    out: tar::Builder<Summed>,
    at: Timestamp,
    files: Vec<Entry>,
}

impl Tar {
    fn add(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.at.unix_secs()).unwrap_or(0));
        self.out.append_data(&mut header, path, bytes)?;
        let (bytes, sha256) = (bytes.len() as u64, hex(Sha256::digest(bytes)));
        self.files.push(Entry { path: path.to_owned(), bytes, sha256 });
        Ok(())
    }
}

/// A file that knows its sum.
struct Summed {
    file: BufWriter<File>,
    sum: Sha256,
    bytes: u64,
}

impl Summed {
    fn new(file: BufWriter<File>) -> Self {
        Self { file, sum: Sha256::new(), bytes: 0 }
    }

    /// Makes it durable.
    fn finish(mut self) -> io::Result<(u64, String)> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok((self.bytes, hex(self.sum.finalize())))
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests;
