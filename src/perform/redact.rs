//! Hides secrets in what comes back from outside: those that are known, and what looks like one.

use std::sync::LazyLock;

use regex::Regex;

/// Shorter ones are left alone: they would hide half of any text.
const SHORTEST: usize = 4;
const HIDDEN: &str = "***";

/// Hides secrets.
#[derive(Clone, Default)]
pub struct Redact(Vec<String>);

impl std::fmt::Debug for Redact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redact({})", self.0.len())
    }
}

impl Redact {
    /// Hides these, longest first.
    pub fn new(secrets: impl Iterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.filter(|secret| secret.len() >= SHORTEST).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// A text without them.
    pub fn text(&self, text: &str) -> String {
        static LOOKS: LazyLock<Option<Regex>> = LazyLock::new(|| {
            let word = "(?i)((?:token|passwd|password|secret|passphrase|api[_-]?key|authorization|credential)s?";
            Regex::new(&format!(r#"{word}["']?\s*[:=]\s*["']?)(?:(?:bearer|basic|token)\s+)?[^\s"',;&]+"#)).ok()
        });
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        match &*LOOKS {
            Some(looks) => looks.replace_all(&text, format!("${{1}}{HIDDEN}")).into_owned(),
            None => text,
        }
    }
}
