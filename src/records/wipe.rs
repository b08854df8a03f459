//! Wiping: moving broken records out of the way. The last broken ones are kept for whoever wants to know why.

use std::fs;
use std::io;
use std::path::Path;

pub(super) fn wipe(dir: &Path) -> io::Result<()> {
    if fs::symlink_metadata(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name().and_then(|name| name.to_str())) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the directory of the records has no name"));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let broken = format!("{name}.broken-");
    let mut older = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if let Some(n) = entry.file_name().to_str().and_then(|name| name.strip_prefix(&broken)?.parse::<u64>().ok()) {
            older.push((n, entry.path()));
        }
    }
    let next = older.iter().map(|(n, _)| *n).max().map_or(1, |n| n.saturating_add(1));
    // Out of the way first: whether the older ones can be deleted must not decide over the start-up.
    fs::rename(dir, parent.join(format!("{broken}{next}")))?;
    for (_, path) in older {
        let deleted = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = deleted {
            tracing::warn!("{} could not be deleted: {error}", path.display());
        }
    }
    Ok(())
}
