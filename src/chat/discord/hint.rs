//! The words for commands in what is said: with a `command_prefix` the way to `/ack INC-1` is `/ops-ack INC-1` here, and
//! a hint that names the other bot's command is worse than none. Pure; only Discord has prefixes, so only it is here.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::command::spec::Lexicon;

/// The commands that a hint can name.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    prefix: String,
    /// First words, with the second ones of those that need one.
    words: BTreeMap<String, BTreeSet<String>>,
}

impl Hints {
    /// Of the words in force.
    pub fn of(lexicon: &Lexicon, prefix: &str) -> Self {
        let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        // Without a prefix nothing is looked for.
        for spec in lexicon.commands.iter().filter(|_| !prefix.is_empty()) {
            let (first, second) = spec.name.split_once(' ').unwrap_or((&spec.name, ""));
            let seconds = words.entry(first.to_owned()).or_default();
            if !second.is_empty() {
                seconds.insert(second.to_owned());
            }
        }
        Self { prefix: prefix.to_owned(), words }
    }

    /// A command as it is said here.
    pub fn command(&self, words: &str) -> String {
        format!("/{}{words}", self.prefix)
    }

    /// A text with its commands as they are said here. What is quoted for a shell stays: there is no prefix there.
    pub fn worded(&self, text: &str) -> String {
        if self.words.is_empty() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len() + 16);
        let mut rest = text;
        let mut before = None;
        while let Some(at) = rest.find('/') {
            let (head, tail) = rest.split_at(at + 1);
            out.push_str(head);
            before = head.chars().rev().nth(1).or(before.filter(|_| head.len() == 1));
            let begins = before.is_none_or(|c: char| c.is_whitespace() || "(`*\"“".contains(c));
            if begins && self.names(tail) {
                out.push_str(&self.prefix);
            }
            before = Some('/');
            rest = tail;
        }
        out.push_str(rest);
        out
    }

    /// Whether a text begins with a command's words.
    fn names(&self, text: &str) -> bool {
        let word = |text: &str| {
            let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(text.len());
            (text[..end].to_owned(), text[end..].to_owned())
        };
        let (first, behind) = word(text);
        let Some(seconds) = self.words.get(&first) else { return false };
        if behind.starts_with('/') {
            return false;
        }
        seconds.is_empty()
            || behind.strip_prefix(' ').is_some_and(|behind| seconds.contains(&word(behind).0))
            || !behind.starts_with(' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::words;

    #[test]
    fn hints_name_what_can_be_said_here_and_nothing_else_changes() {
        let hints = Hints::of(&words::builtin(), "ops-");
        for (text, shown) in [
            ("Take it: Acknowledge, or /ack INC-1", "Take it: Acknowledge, or /ops-ack INC-1"),
            ("/ack INC-1 or /incident update INC-1 \"…\"", "/ops-ack INC-1 or /ops-incident update INC-1 \"…\""),
            ("a\n/whoami and (/help).", "a\n/ops-whoami and (/ops-help)."),
            ("say it: opsbell say '/connect CODE'", "say it: opsbell say '/connect CODE'"),
            ("GET /api/status, /incident nothing", "GET /api/status, /incident nothing"),
            ("https://x/ack and /ack/x and //ack and /acks", "https://x/ack and /ack/x and //ack and /acks"),
            ("", ""),
            ("/", "/"),
        ] {
            assert_eq!(hints.worded(text), shown);
        }
        assert_eq!(hints.command("ack INC-1"), "/ops-ack INC-1");
        assert_eq!(Hints::of(&words::builtin(), "").worded("say /ack"), "say /ack");
    }
}
