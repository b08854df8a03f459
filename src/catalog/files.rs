//! Which files make a configuration, and reading them: `opsbell.toml` and any `*.toml` below it, those of `commands/`
//! for the words, of `playbooks/` the playbooks and templates, none of `stories/` or of a data directory. Nothing is
//! parsed here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The file that must be there.
pub const MAIN: &str = "opsbell.toml";
/// The folder of an organisation's own words.
pub const COMMANDS: &str = "commands";
/// Folders whose files are no tables of an organisation.
const OTHERS: [&str; 2] = [PLAYBOOKS, "stories"];
/// The folder of templates, at the top only.
const PLAYBOOKS: &str = "playbooks";
/// Nobody writes a larger one by hand; a program's output does not belong here.
pub const LARGEST_BYTES: u64 = 1024 * 1024;
/// More files than any organisation needs; a wrong directory (`/`) is noticed by it.
const MOST_FILES: usize = 1000;
/// Deeper folders are a loop of links.
const DEEPEST: usize = 16;

/// Why a configuration cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is no such directory.
    #[error("there is no directory {}", .0.display())]
    Absent(PathBuf),
    /// It is not a directory.
    #[error("{} is not a directory; name the directory that holds {MAIN}", .0.display())]
    NotADirectory(PathBuf),
    /// It holds no `opsbell.toml`.
    #[error("{} holds no {MAIN}", .0.display())]
    NoMain(PathBuf),
    /// Something in it cannot be read.
    #[error("{} cannot be read: {why}", .path.display())]
    Failed {
        /// What.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// There are too many files.
    #[error("{} holds more than {MOST_FILES} configuration files, or folders more than {DEEPEST} deep; is it the right directory?", .0.display())]
    TooMuch(PathBuf),
}

/// One file: its text, or what is wrong with it.
#[derive(Debug)]
pub enum Content {
    /// Its text.
    Text(String),
    /// It is larger than is read.
    TooLarge,
    /// It is not UTF-8; with the text up to the first byte that is not, and the byte's position.
    NotText(String, usize),
}

/// All files of a directory that make a configuration, by their path in it.
pub fn read(dir: &Path) -> Result<BTreeMap<PathBuf, Content>, Unreadable> {
    let failed = |path: &Path, why: &std::io::Error| Unreadable::Failed { path: path.to_owned(), why: why.to_string() };
    match std::fs::metadata(dir) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Err(Unreadable::Absent(dir.to_owned())),
        Err(why) => return Err(failed(dir, &why)),
        Ok(meta) if !meta.is_dir() => return Err(Unreadable::NotADirectory(dir.to_owned())),
        Ok(_) => {}
    }
    let mut files = BTreeMap::new();
    let mut open = vec![(PathBuf::new(), 0)];
    while let Some((inner, depth)) = open.pop() {
        let whole = dir.join(&inner);
        for entry in std::fs::read_dir(&whole).map_err(|why| failed(&whole, &why))? {
            let entry = entry.map_err(|why| failed(&whole, &why))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            // Hidden ones are an editor's, git's, or the inside of a mounted ConfigMap.
            if name.starts_with('.') {
                continue;
            }
            let (path, at) = (inner.join(&name), entry.path());
            // Links are followed: that is how configurations are mounted. One that leads nowhere is an error.
            let meta = std::fs::metadata(&at).map_err(|why| failed(&at, &why))?;
            if meta.is_dir() {
                // The data directory of a server keeps copies of configurations.
                if at.join("lock").is_file() && at.join("journal").is_dir() {
                    continue;
                }
                if !OTHERS.contains(&name.as_str()) || path == Path::new(PLAYBOOKS) {
                    if depth + 1 > DEEPEST {
                        return Err(Unreadable::TooMuch(dir.to_owned()));
                    }
                    open.push((path, depth + 1));
                }
            } else if meta.is_file() && counts(&path) {
                if files.len() == MOST_FILES {
                    return Err(Unreadable::TooMuch(dir.to_owned()));
                }
                files.insert(path, content(&at).map_err(|why| failed(&at, &why))?);
            }
        }
    }
    if !files.contains_key(Path::new(MAIN)) {
        return Err(Unreadable::NoMain(dir.to_owned()));
    }
    Ok(files)
}

fn content(path: &Path) -> std::io::Result<Content> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_BYTES {
        return Ok(Content::TooLarge);
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Content::Text(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Content::NotText(String::from_utf8_lossy(error.as_bytes()).into_owned(), at)
        }
    })
}

/// A small file's text, for secrets; the error says why not, without the path.
pub fn read_small(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|why| why.kind().to_string())?;
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err("it is not a file".to_owned());
    }
    file.take(64 * 1024).read_to_string(&mut text).map_err(|why| why.kind().to_string())?;
    Ok(text)
}

/// Whether a file is one of the organisation's own words.
pub fn is_words(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == COMMANDS)
}

/// Whether a file of a set given from elsewhere makes part of a configuration.
pub fn counts(path: &Path) -> bool {
    let other = path.components().any(|part| OTHERS.iter().any(|other| part.as_os_str() == *other));
    template(path).is_some()
        || playbook(path).is_some()
        || (path.extension().is_some_and(|end| end == "toml") && !other)
}

/// The name of a template, if the path is one's: `postmortem.md`, `postmortem/sev1.md`, `summaries/daily.md`.
pub fn template(path: &Path) -> Option<&str> {
    let name = path.strip_prefix(PLAYBOOKS).ok()?.to_str()?;
    let folder = |folder: &str| name.strip_prefix(folder)?.strip_suffix(".md");
    let own = folder("postmortem/").or_else(|| folder("summaries/"));
    (name == "postmortem.md" || own.is_some_and(|own| !own.is_empty() && !own.contains('/'))).then_some(name)
}

/// The name of a playbook, if the path is one's: `playbooks/deploy.toml`.
pub fn playbook(path: &Path) -> Option<&str> {
    let name = path.strip_prefix(PLAYBOOKS).ok()?.to_str()?.strip_suffix(".toml")?;
    (!name.contains('/')).then_some(name)
}

/// Hex sha256 over files in the order of their paths, each as path, length and bytes.
pub fn hash<'a>(files: impl IntoIterator<Item = (&'a Path, &'a [u8])>) -> String {
    let mut sha = Sha256::new();
    for (path, bytes) in files {
        sha.update(path.to_string_lossy().as_bytes());
        sha.update([0]);
        sha.update((bytes.len() as u64).to_be_bytes());
        sha.update(bytes);
    }
    let mut hex = String::with_capacity(64);
    for byte in sha.finalize() {
        use std::fmt::Write;
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
