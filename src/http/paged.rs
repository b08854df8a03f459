//! `?limit=&cursor=` of the lists: how much, and from where. A cursor is opaque to clients and good for its own list
//! only.

use std::str::FromStr;

use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::Failure;
use super::query;

/// Items in a list when nothing is said.
const LIMIT: usize = 50;

/// The most items in a list (DESIGN §7).
const LIMIT_MAX: usize = 200;

/// What a list's query may say, for `/openapi.json`.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `Part::parse` reads")]
pub(crate) struct Asked {
    /// At most so many; 50 if nothing is said.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next` of the answer before.
    cursor: Option<String>,
}

/// Which part of a list is asked for. `K` is what the list is ordered by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<K> {
    pub limit: usize,
    /// The last key of the part before.
    pub after: Option<K>,
}

impl<K: FromStr> Part<K> {
    /// Reads the query of the list called `list`.
    pub fn parse(list: &str, uri: &Uri) -> Result<Self, Failure> {
        let mut part = Self { limit: LIMIT, after: None };
        for (name, value) in query::pairs(uri)? {
            match name.as_str() {
                "limit" => match value.parse() {
                    Ok(limit @ 1..=LIMIT_MAX) => part.limit = limit,
                    _ => return Err(Failure::bad("limit", format!("limit is a number from 1 to {LIMIT_MAX}"))),
                },
                "cursor" => {
                    let key = opened(list, &value).and_then(|key| key.parse().ok());
                    part.after = Some(key.ok_or_else(|| {
                        Failure::bad("cursor", "this cursor was not given out by this list")
                            .hint("use `next` of an answer of the same path as it is, or leave it out to begin anew")
                    })?);
                }
                _ => return Err(query::unknown(&name, ["limit", "cursor"])),
            }
        }
        Ok(part)
    }
}

/// The cursor of what follows `key`.
pub(crate) fn cursor(list: &str, key: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}:{key}"))
}

fn opened(list: &str, cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(list)?.strip_prefix(':').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(query: &str) -> Option<Part<u64>> {
        Part::parse("incidents", &format!("/v1/incidents?{query}").parse().unwrap()).ok()
    }

    #[test]
    fn a_part_is_what_was_asked_for_or_an_error() {
        assert_eq!(Part::<u64>::parse("x", &"/v1/x".parse().unwrap()).ok(), Some(Part { limit: 50, after: None }));
        assert_eq!(part("limit=200"), Some(Part { limit: 200, after: None }));
        let cursor = cursor("incidents", 17);
        assert_eq!(part(&format!("cursor={cursor}&limit=1")), Some(Part { limit: 1, after: Some(17) }));
        for wrong in
            ["limit=0", "limit=201", "limit=-1", "limit=", "limit=x", "limt=1", "cursor=", "cursor=%FF", "cursor=MTc"]
        {
            assert_eq!(part(wrong), None, "{wrong}");
        }
        let of_another = super::cursor("alerts", 17);
        assert_eq!(part(&format!("cursor={of_another}")), None);
    }
}
