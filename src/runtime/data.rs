//! The data directory: `journal/ records/ config/ config.json admin.token server.json lock`. Who holds it, and the small
//! files in it; the journal, the records and the copies of configurations are rooms of their own.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The folder in which a restore works; one that is left says that it was interrupted.
pub const RESTORING: &str = "restoring";

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
        private_dir(dir).with_context(|| format!("{}: the data directory cannot be made", dir.display()))?;
        let path = dir.join("lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("{}: cannot be opened", path.display()))?;
        match patiently(&lock) {
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
        // It is held by now; what it says is for people, and a full disk must not stop whoever sends what is owed.
        if let Err(error) = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())) {
            tracing::warn!(%error, file = %path.display(), "the lock does not say who holds it");
        }
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
            Ok(token) if !token.trim().is_empty() => {
                // One that was copied here may be open to others; where that cannot be changed it still serves.
                let _ = fs::set_permissions(&path, Permissions::from_mode(0o600));
                return Ok(token.trim().to_owned());
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{}: cannot be read", path.display())),
        }
        let token = format!("oba_{}", random_text::<32>()?);
        let made = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        // The mode counts only for a file that was not there: an empty one is closed to others before it is filled.
        made.and_then(|mut file| {
            file.set_permissions(Permissions::from_mode(0o600))?;
            writeln!(file, "{token}")?;
            file.sync_all()
        })
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
}

/// Takes the lock. Clients look for an instant whether it is held (`server_of`), which must not stop a start.
fn patiently(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..10 {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            done => return done,
        }
    }
    lock.try_lock()
}

/// Makes a directory, and those above it, for this user only; one that is there stays as it is.
pub(super) fn private_dir(dir: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Where the server of a data directory is.
///
/// # Errors
/// There is none, or the file is not one of ours. A file that a killed server left counts for nothing: its address
/// may be somebody else's by now.
pub fn server_of(dir: &Path) -> Result<Server> {
    let path = dir.join("server.json");
    let none = |why: String| format!("no server runs on {} ({why}); start one with `opsbell serve`", dir.display());
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(none(format!("no {}", path.display()))),
        read => read.with_context(|| format!("{}: cannot be read", path.display()))?,
    };
    let lock = dir.join("lock");
    let held = match File::open(&lock).map(|lock| lock.try_lock_shared()) {
        Ok(Ok(())) => false,
        Ok(Err(TryLockError::WouldBlock)) => true,
        Ok(Err(TryLockError::Error(error))) => {
            return Err(error).with_context(|| format!("{}: cannot be looked at", lock.display()));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(error).with_context(|| format!("{}: cannot be opened", lock.display())),
    };
    if !held {
        bail!(none("the last one ended without a word".to_owned()));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_server_is_found_only_while_its_directory_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("data");
        let data = Data::take(&dir).unwrap();
        assert!(server_of(&dir).is_err(), "it does not listen yet");
        data.tell_address("127.0.0.1:4711".parse().unwrap()).unwrap();
        assert_eq!(server_of(&dir).unwrap().address.port(), 4711);
        // Killed: the file stays, the lock does not.
        drop(data);
        assert!(dir.join("server.json").exists());
        let error = format!("{:#}", server_of(&dir).unwrap_err());
        assert!(error.starts_with("no server runs on "), "{error}");
        fs::remove_file(dir.join("lock")).unwrap();
        assert!(server_of(&dir).is_err(), "a copied directory has no server");
    }

    #[test]
    fn what_is_written_is_for_this_user_only() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("data");
        let data = Data::take(&dir).unwrap();
        let token = dir.join("admin.token");
        // Somebody made the file beforehand, open to all.
        fs::write(&token, "").unwrap();
        fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
        let made = data.admin_token().unwrap();
        assert_eq!(mode(&token), 0o600);
        fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(data.admin_token().unwrap(), made);
        assert_eq!([mode(&dir), mode(&token)], [0o700, 0o600]);
    }
}
