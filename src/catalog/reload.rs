//! Noticing that a configuration directory has changed. No thread and no clock: the runtime asks when it likes.

use std::path::Path;

use super::files::{self, Content, Unreadable};

/// Hex sha256 of a directory's configuration as it stands now. It equals `Org::hash` of what was loaded from it, as
/// long as nothing has changed.
///
/// # Errors
/// When the directory, or a file in it, cannot be read; an editor that is just saving looks like that, so ask again.
pub fn hash_dir(dir: &Path) -> Result<String, Unreadable> {
    let contents = files::read(dir)?;
    Ok(files::hash(contents.iter().map(|(path, content)| {
        let bytes: &[u8] = match content {
            Content::Text(text) | Content::NotText(text, _) => text.as_bytes(),
            Content::TooLarge => b"too large",
        };
        (path.as_path(), bytes)
    })))
}
