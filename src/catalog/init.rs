//! A first configuration, small and commented, for `opsbell init`. What it says is checked by the same `check` as any
//! other; a test sees to it that nothing is found.

use std::io::Write;
use std::path::{Path, PathBuf};

/// What is written, by path in the new directory.
const FILES: [(&str, &str); 7] = [
    ("opsbell.toml", include_str!("init/opsbell.toml")),
    ("teams.toml", include_str!("init/teams.toml")),
    ("playbooks/restart.toml", include_str!("init/playbooks/restart.toml")),
    ("playbooks/website-down.toml", include_str!("init/playbooks/website-down.toml")),
    ("stories/first.txt", include_str!("init/first.txt")),
    ("stories/playbooks.txt", include_str!("init/playbooks.txt")),
    ("README.md", include_str!("init/README.md")),
];

/// Why no configuration was written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// There is something already.
    #[error("{} is not empty, and nothing in it is overwritten; name a new directory", .0.display())]
    NotEmpty(PathBuf),
    /// The directory or a file cannot be written.
    #[error("{} cannot be written: {why}", .path.display())]
    Failed {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: std::io::Error,
    },
}

/// Writes a first configuration into a new or empty directory and answers the paths of its files.
///
/// # Errors
/// When something is there already, or it cannot be written.
pub fn write_new(dir: &Path) -> Result<Vec<PathBuf>, NotWritten> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why| NotWritten::Failed { path, why }
    };
    std::fs::create_dir_all(dir).map_err(failed(dir))?;
    if std::fs::read_dir(dir).map_err(failed(dir))?.next().is_some() {
        return Err(NotWritten::NotEmpty(dir.to_owned()));
    }
    let mut written = Vec::new();
    for (name, text) in FILES {
        let path = dir.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        // Never over a file that came in between.
        let mut file = std::fs::File::create_new(&path).map_err(failed(&path))?;
        file.write_all(text.as_bytes()).map_err(failed(&path))?;
        written.push(path);
    }
    Ok(written)
}
