//! `[[text-alert]]`: which messages of a chat are read as alerts, and how. It is an integration without a key: what it
//! finds is deduplicated, grouped and routed as the signals of any other.

use compact_str::CompactString;

use super::draft::{Draft, Kind};
use super::finding::Finding;
use super::read::Table;
use super::senders::{label, severities};
use super::value::{self, Wrong};
use crate::domain::alert::text::{Pattern, SOURCE, Set, TextRule};
use crate::domain::org::{Integration, Mapping};

/// More patterns than this in one table are refused: each is tried on every line that is said.
const PATTERNS_MAX: usize = 50;

/// `[[text-alert]]`
pub fn text_alert(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let id = draft.declare(Kind::Integration, &mut table);
    let patterns = table.parse_all("patterns", pattern);
    let sets = table.parse_all("sets", set);
    let channels = table.parse_all("channels", value::channel).unwrap_or_default();
    let authors = table.parse_all("authors", author).unwrap_or_default();
    let service = draft.refer(Kind::Service, "service", &mut table);
    let group_by = table.parse_all("group_by", label);
    let may_acknowledge = table.flag("may_acknowledge").unwrap_or(false);
    let severities = severities(&mut table);
    let resolved = table.parse_all("resolved", |word| Ok(word.to_lowercase())).unwrap_or_default();
    if patterns.is_none() && sets.is_none() && !table.has("patterns") && !table.has("sets") {
        let finding = Finding::error(&table.spot(), "this [[text-alert]] reads nothing");
        table.add(finding.hint("name built-in sets, such as sets = [\"alertmanager\"], or patterns of your own"));
    }
    let patterns: Vec<Pattern> = patterns.unwrap_or_default().into_iter().map(|(pattern, _)| pattern).collect();
    if patterns.len() > PATTERNS_MAX {
        let message = format!("more than {PATTERNS_MAX} patterns in one [[text-alert]]");
        table.add(Finding::error(&table.spot_of("patterns"), message).hint("write a second [[text-alert]]"));
    }
    table.done();
    draft.channels.extend(channels.iter().cloned());
    let Some(id) = id else { return };
    let rule = TextRule {
        patterns,
        sets: sets.unwrap_or_default().into_iter().map(|(set, _)| set).collect(),
        channels: channels.into_iter().map(|(channel, _)| channel).collect(),
        authors: authors.into_iter().map(|(author, _)| author).collect(),
    };
    let resolved = resolved.into_iter().map(|(word, _)| word).collect();
    // A storm of one host is one incident; what names no host is grouped by its name.
    let usual = || vec![CompactString::const_new("alertname"), CompactString::const_new("host")];
    let integration = Integration {
        id: id.as_str().into(),
        source: SOURCE.into(),
        service: service.map(Into::into),
        group_by: group_by.map_or_else(usual, |labels| labels.into_iter().map(|(label, _)| label).collect()),
        may_acknowledge,
        mapping: Some(Mapping { severities, resolved, text: Some(rule), ..Mapping::default() }),
        answers: None,
    };
    draft.org.integrations.insert(id.into(), integration);
}

fn pattern(text: &str) -> Result<Pattern, Wrong> {
    Pattern::parse(text).map_err(|refused| {
        Wrong::new(format!("`{}` is refused: {}", value::cut(text), refused.message)).hint(refused.hint)
    })
}

fn set(word: &str) -> Result<Set, Wrong> {
    if let Some(set) = Set::from_word(word) {
        return Ok(set);
    }
    let words = Set::ALL.map(Set::as_str);
    Err(Wrong::new(format!("unknown set `{}`", value::cut(word))).hint(match value::meant(word, words) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known: {}", words.join(", ")),
    }))
}

fn author(text: &str) -> Result<String, Wrong> {
    let text = text.strip_prefix("person:").unwrap_or(text);
    if !text.is_empty() && text.len() <= 100 && !text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{}` is not an author", value::cut(text)))
        .hint("write a person's id, or the id of an account, bot or webhook on its platform"))
}
