//! The data directory: `journal/ records/ config/ admin.token server.json lock`. Who holds it, and the small files in
//! it; the journal and the records are rooms of their own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A data directory that this process holds.
pub struct Data {
    dir: PathBuf,
    /// Held as long as the process lives.
    _lock: File,
}

/// Where a running server is: `server.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
}

impl Data {
    /// Takes the directory, making it when there is none.
    ///
    /// # Errors
    /// Another process holds it (named by its pid), or it cannot be written.
    pub fn take(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("{}: the data directory cannot be made", dir.display()))?;
        let path = dir.join("lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("{}: cannot be opened", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                let holder = holder.trim();
                bail!(
                    "{} is in use by process {}. Two must not write one journal: stop that one, or use another --data.",
                    dir.display(),
                    if holder.is_empty() { "(unknown)" } else { holder }
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{}: cannot be locked", path.display()));
            }
        }
        lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).context("the lock cannot be written")?;
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The administrator's token, made at the first start; readable by this user only.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn admin_token(&self) -> Result<String> {
        let path = self.dir.join("admin.token");
        match fs::read_to_string(&path) {
            Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{}: cannot be read", path.display())),
        }
        let token = format!("oba_{}", random_text::<32>()?);
        let made = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        made.and_then(|mut file| writeln!(file, "{token}").and_then(|()| file.sync_all()))
            .with_context(|| format!("{}: cannot be made", path.display()))?;
        Ok(token)
    }

    /// Says where the server is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn tell_address(&self, address: SocketAddr) -> Result<()> {
        let server = Server { address, pid: std::process::id() };
        let path = self.dir.join("server.json");
        let fresh = self.dir.join("server.json.new");
        // As a whole or not at all: a client may read it at this moment.
        fs::write(&fresh, serde_json::to_vec(&server)?)
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// The server is gone.
    pub fn forget_address(&self) {
        let _ = fs::remove_file(self.dir.join("server.json"));
    }

    /// Keeps a copy of a configuration under its hash; it holds names of secrets, never secrets.
    ///
    /// # Errors
    /// The copy cannot be written.
    pub fn keep_config(&self, hash: &str, files: &[(String, String)]) -> Result<()> {
        let kept = self.dir.join("config").join(hash);
        if kept.exists() {
            return Ok(());
        }
        // Under its own name only when all of it is there; what a kill left half is written anew.
        let dir = self.dir.join("config").join(format!("{hash}.new"));
        for (path, text) in files {
            let path = dir.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| format!("{}: cannot be made", parent.display()))?;
            }
            fs::write(&path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        fs::create_dir_all(&dir)
            .and_then(|()| fs::rename(&dir, &kept))
            .with_context(|| format!("{}: cannot be made", kept.display()))
    }
}

/// Where the server of a data directory is.
///
/// # Errors
/// There is none, or the file is not one of ours.
pub fn server_of(dir: &Path) -> Result<Server> {
    let path = dir.join("server.json");
    let bytes = fs::read(&path).with_context(|| {
        format!("no server runs on {} (no {}); start one with `opsbell serve`", dir.display(), path.display())
    })?;
    serde_json::from_slice(&bytes).with_context(|| format!("{}: not understood", path.display()))
}

/// The administrator's token of a data directory, for clients on the same machine.
///
/// # Errors
/// It cannot be read.
pub fn admin_token_of(dir: &Path) -> Result<String> {
    let path = dir.join("admin.token");
    let token = fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
    Ok(token.trim().to_owned())
}

/// `N` random bytes as text.
///
/// # Errors
/// The system gives no randomness.
pub fn random_text<const N: usize>() -> Result<String> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// A name for a new data directory: six characters of `[a-z0-9]`.
///
/// # Errors
/// The system gives no randomness.
pub fn random_install() -> Result<String> {
    let mut bytes = [0u8; 6];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(bytes.iter().map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::from(byte % 32)])).collect())
}

/// The key of an integration in the demo: stable per data directory, because it follows from its administrator's token.
pub fn demo_key(admin: &str, integration: &str) -> String {
    // A key of any length is taken, so this cannot fail; an empty text would be refused as a key.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(admin.as_bytes()) else { return String::new() };
    mac.update(b"ingest:");
    mac.update(integration.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..18])
}
