//! What `[chat.discord]` says of rooms: whether an incident is worked on in a thread, in a channel of its own or in
//! neither, and who is let in without taking part.

use super::draft::{Draft, Kind};
use super::finding::Finding;
use super::read::{Table, Text};
use super::value::{self, Wrong, cut};
use super::{Rooms, Stakeholder};
use crate::domain::incident::Severity;

#[derive(Clone, Copy)]
enum Word {
    Threads,
    Channels,
    Off,
}

/// `rooms`, `rooms_category`, `rooms_archive`.
pub fn rooms(table: &mut Table<'_>) -> Rooms {
    let words = [("threads", Word::Threads), ("channels", Word::Channels), ("off", Word::Off)];
    let word = table.parse("rooms", |text| value::choice(text, "kind of room", &words));
    let category = table.parse("rooms_category", category);
    let archive = table.parse("rooms_archive", self::category);
    match (word, category) {
        (Some(Word::Channels), Some(category)) => return Rooms::Channels { category, archive },
        (Some(Word::Channels), None) if !table.has("rooms_category") => {
            let finding = Finding::error(&table.spot_of("rooms"), "rooms that are channels need a category")
                .hint("write rooms_category = \"NAME OR ID\": the category under which they are made");
            table.add(finding);
        }
        (Some(Word::Channels), None) => {}
        (word, _) => {
            for key in ["rooms_category", "rooms_archive"].into_iter().filter(|key| table.has(key)) {
                let finding = Finding::warning(&table.spot_of(key), format!("`{key}` counts only for channels"))
                    .hint("write rooms = \"channels\", or leave it out");
                table.add(finding);
            }
            return if matches!(word, Some(Word::Off)) { Rooms::Off } else { Rooms::Threads };
        }
    }
    Rooms::Threads
}

/// A category's name or id.
fn category(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 {
        return Err(Wrong::new(format!("`{}` is no category", cut(text))).hint("its name or id, as Discord shows it"));
    }
    Ok(text.to_owned())
}

/// `stakeholders = ["dewi", "eva for payments-api from sev2"]`.
pub fn stakeholders(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Vec<Stakeholder> {
    let texts = table.texts("stakeholders").unwrap_or_default();
    let mut all = Vec::new();
    for text in texts {
        let Some((person, service, from)) = table.settle_value(&text, stakeholder(&text.value)) else { continue };
        let mention = |name: &str| Text { value: name.to_owned(), spot: text.spot.clone() };
        draft.mention(Kind::Person, &mention(&person));
        if let Some(service) = &service {
            draft.mention(Kind::Service, &mention(service));
        }
        let service = service.map(|service| service.as_str().into());
        all.push(Stakeholder { person: person.as_str().into(), service, from });
    }
    all
}

fn stakeholder(text: &str) -> Result<(String, Option<String>, Severity), Wrong> {
    let wrong = || {
        Wrong::new(format!("`{}` is no stakeholder", cut(text)))
            .hint("write \"NAME\", \"NAME for SERVICE\", \"NAME from sev2\" or \"NAME for SERVICE from sev2\"")
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let (person, mut rest) = words.split_first().ok_or_else(wrong)?;
    let (mut service, mut from) = (None, Severity::Sev4);
    if let ["for", name, more @ ..] = rest {
        (service, rest) = (Some((*name).to_owned()), more);
    }
    if let ["from", severity, more @ ..] = rest {
        (from, rest) = (Severity::from_word(severity).ok_or_else(wrong)?, more);
    }
    if rest.is_empty() { Ok(((*person).to_owned(), service, from)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stakeholder_is_a_name_with_what_they_want_to_know_of() {
        let read = |text: &str| stakeholder(text).ok();
        assert_eq!(read("dewi"), Some(("dewi".to_owned(), None, Severity::Sev4)));
        assert_eq!(
            read("dewi for payments-api from sev2"),
            Some(("dewi".to_owned(), Some("payments-api".to_owned()), Severity::Sev2))
        );
        assert_eq!(read(" dewi  from  sev1 "), Some(("dewi".to_owned(), None, Severity::Sev1)));
        for odd in ["", "dewi for", "dewi from", "dewi from sev9", "dewi eva", "dewi from sev1 for x", "dewi for x y"] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
    }
}
