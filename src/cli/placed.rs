//! Commands that a hint names, as they have to be typed here: with the directories that this command was given. The
//! rooms that give hints know no directories.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::Global;

/// The directories that were given, by flag or by the environment.
#[derive(Debug, Clone, Default)]
pub struct Placed {
    config: Option<PathBuf>,
    data: Option<PathBuf>,
}

/// What a hint may tell to run. `restore` and `backup` take a directory that only a person can choose.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"\bopsbell (?:(?<both>serve)|(?<config>check|rehearse|oncall|read)|(?<data>say|chat|health|token (?:add|list|revoke)|journal (?:verify|export|rebuild)))\b",
    )
    .ok()
});

impl Placed {
    /// The directories of this command.
    pub fn of(global: &Global) -> Self {
        Self { config: global.config.clone(), data: global.data.clone() }
    }

    /// A text for people, with the directories in the commands that it names.
    pub fn hint(&self, text: &str) -> String {
        let Some(named) = &*NAMED else { return text.to_owned() };
        let place = |found: &Captures<'_>| {
            let mut command = found[0].to_owned();
            let (both, config, data) = (found.name("both"), found.name("config"), found.name("data"));
            if let (Some(dir), Some(_)) = (&self.config, both.or(config)) {
                command += &format!(" --config {}", word(dir));
            }
            if let (Some(dir), Some(_)) = (&self.data, both.or(data)) {
                command += &format!(" --data {}", word(dir));
            }
            command
        };
        named.replace_all(text, place).into_owned()
    }
}

/// A path as one word of a shell.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(config: Option<&str>, data: Option<&str>) -> Placed {
        Placed { config: config.map(PathBuf::from), data: data.map(PathBuf::from) }
    }

    #[test]
    fn commands_in_hints_get_the_directories_that_were_given() {
        let both = placed(Some("/etc/ops bell"), Some("it's"));
        for (hint, seen) in [
            (
                "start one with `opsbell serve`",
                r"start one with `opsbell serve --config '/etc/ops bell' --data 'it'\''s'`",
            ),
            ("run `opsbell check`", "run `opsbell check --config '/etc/ops bell'`"),
            ("opsbell token add PERSON", r"opsbell token add --data 'it'\''s' PERSON"),
            ("`opsbell journal verify --head SEQ:HASH`", r"`opsbell journal verify --data 'it'\''s' --head SEQ:HASH`"),
            (
                "opsbell init DIR, opsbell restore BACKUP, opsbells",
                "opsbell init DIR, opsbell restore BACKUP, opsbells",
            ),
        ] {
            assert_eq!(both.hint(hint), seen);
        }
    }

    #[test]
    fn hints_stay_as_they_are_where_nothing_was_given() {
        let hint = "`opsbell token list` shows those in force, `opsbell serve` starts one";
        assert_eq!(placed(None, None).hint(hint), hint);
        assert_eq!(
            placed(None, Some("data")).hint(hint),
            "`opsbell token list --data data` shows those in force, `opsbell serve --data data` starts one"
        );
    }
}
