//! The copies of configurations in the data directory, `config/HASH/`, and the word which of them is in force,
//! `config.json`. A start reads them where the configuration in its directory cannot be served.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::data::private_dir;
use crate::journal::{Disk as _, RealDisk};

/// Which configuration was put in force last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its hash.
    pub hash: String,
    /// The directory that it was read from, absolute.
    pub from: PathBuf,
}

impl InForce {
    /// What the last server on a data directory had in force; `None` where nothing says so.
    pub fn of(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data.join("config.json")).ok()?).ok()
    }

    /// Where its copy is.
    pub fn copy(&self, data: &Path) -> PathBuf {
        data.join("config").join(&self.hash)
    }

    /// Keeps a copy of this configuration and says that it is in force, both durably. Where that fails nothing says so,
    /// of this or of an older one: whoever was taken out of it must not come back by a copy.
    ///
    /// # Errors
    /// The copy cannot be written.
    pub fn keep(&self, data: &Path, files: &[(String, String)]) -> Result<()> {
        let path = data.join("config.json");
        let said = Self::of(data).as_ref() == Some(self);
        if !said {
            match fs::remove_file(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.with_context(|| format!("{}: still names an older one", path.display()))?,
            }
        }
        keep_copy(data, &self.hash, files)?;
        if said {
            return Ok(());
        }
        let fresh = data.join("config.json.new");
        write(&fresh, &serde_json::to_vec(self)?)
            .and_then(|()| fs::rename(&fresh, &path))
            .and_then(|()| RealDisk.sync_dir(data))
            .with_context(|| format!("{}: cannot be written", path.display()))
    }
}

/// Keeps a copy of a configuration under its hash; it holds names of secrets, never secrets. One that is there and
/// differs (somebody has edited it, the power failed) is written anew.
///
/// # Errors
/// The copy cannot be written.
pub fn keep_copy(data: &Path, hash: &str, files: &[(String, String)]) -> Result<()> {
    let copies = data.join("config");
    let kept = copies.join(hash);
    if files.iter().all(|(path, text)| fs::read(kept.join(path)).is_ok_and(|there| there == text.as_bytes())) {
        return Ok(());
    }
    // Under its own name only when all of it is there; what a kill left half is written anew.
    let fresh = copies.join(format!("{hash}.new"));
    for (path, text) in files {
        let path = fresh.join(path);
        if let Some(parent) = path.parent() {
            private_dir(parent).with_context(|| format!("{}: cannot be made", parent.display()))?;
        }
        write(&path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))?;
        for dir in path.ancestors().skip(1).take_while(|dir| *dir != copies) {
            RealDisk.sync_dir(dir).with_context(|| format!("{}: cannot be synced", dir.display()))?;
        }
    }
    match fs::remove_dir_all(&kept) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        removed => removed.with_context(|| format!("{}: cannot be replaced", kept.display()))?,
    }
    fs::rename(&fresh, &kept)
        .and_then(|()| RealDisk.sync_dir(&copies))
        .with_context(|| format!("{}: cannot be made", kept.display()))
}

/// Writes a file for this user only, durably but for its name.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn files(text: &str) -> Vec<(String, String)> {
        vec![("opsbell.toml".to_owned(), text.to_owned()), ("commands/own.toml".to_owned(), "x".to_owned())]
    }

    fn in_force(hash: &str) -> InForce {
        InForce { hash: hash.to_owned(), from: "/ops".into() }
    }

    #[test]
    fn a_copy_is_for_this_user_only_and_written_anew_where_it_differs() {
        let data = tempfile::tempdir().unwrap();
        let mode = |path: &str| fs::metadata(data.path().join(path)).unwrap().permissions().mode() & 0o777;
        in_force("h").keep(data.path(), &files("a")).unwrap();
        assert_eq!(InForce::of(data.path()), Some(in_force("h")));
        assert_eq!(["config/h/commands", "config/h/commands/own.toml", "config.json"].map(mode), [0o700, 0o600, 0o600]);
        // As a power cut may leave it.
        let copy = in_force("h").copy(data.path()).join("opsbell.toml");
        fs::write(&copy, "").unwrap();
        in_force("h").keep(data.path(), &files("a")).unwrap();
        assert_eq!(fs::read_to_string(&copy).unwrap(), "a");
    }

    #[test]
    fn where_the_newest_cannot_be_kept_no_older_one_is_said_to_be_in_force() {
        let data = tempfile::tempdir().unwrap();
        in_force("old").keep(data.path(), &files("a")).unwrap();
        // In the way of the copy.
        fs::write(data.path().join("config/new.new"), "").unwrap();
        assert!(in_force("new").keep(data.path(), &files("b")).is_err());
        assert_eq!(InForce::of(data.path()), None);
        fs::remove_file(data.path().join("config/new.new")).unwrap();
        in_force("new").keep(data.path(), &files("b")).unwrap();
        assert_eq!(InForce::of(data.path()), Some(in_force("new")));
    }
}
