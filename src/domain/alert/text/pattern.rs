//! A pattern: a regular expression of the `regex` crate (linear in what it reads, so no look-around and no back
//! references), tried once on each line, and what its named groups mean: `kind`, `service`, `name`, `severity`, `key`
//! and `summary`; any other named group is a label.

use regex::{Regex, RegexBuilder};

use super::Found;

/// The longest pattern, in characters.
const PATTERN_CHARS: usize = 1_000;
/// How large a compiled pattern may be: `(a{1000}){1000}` is refused, as its size is a factor of the work.
const COMPILED_BYTES: usize = 512 << 10;
/// How deep it may be nested.
const NEST: u32 = 50;

/// A pattern that was found good.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct Refused {
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is no regular expression, too large, names nothing, or fits an empty line.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let regex = compiled(text)?;
        if !regex.capture_names().flatten().any(|name| matches!(name, "name" | "service")) {
            let hint = "name what is wrong or affected: (?<name>…) or (?<service>…)";
            return Err(refused("it has neither a group `name` nor a group `service`", hint));
        }
        Ok(Self(regex))
    }

    /// The same for a built-in one, which may name what is affected by a label.
    pub(super) fn parse_own(text: &str) -> Result<Self, Refused> {
        compiled(text).map(Self)
    }

    /// What it finds in a line; `work` grows by the bytes it was tried on.
    pub(super) fn find(&self, line: &str, work: &mut u64) -> Option<Found> {
        *work += line.len() as u64;
        // Cheaper than captures, and most lines are no alert.
        if !self.0.is_match(line) {
            return None;
        }
        *work += line.len() as u64;
        let captures = self.0.captures(line)?;
        let mut found = Found::default();
        for name in self.0.capture_names().flatten() {
            let Some(text) = captures.name(name).map(|found| found.as_str().trim()).filter(|text| !text.is_empty())
            else {
                continue;
            };
            let field = match name {
                "kind" => &mut found.status,
                "service" => &mut found.service,
                "name" => &mut found.name,
                "severity" => &mut found.severity,
                "key" => &mut found.key,
                "summary" => &mut found.summary,
                label => {
                    found.labels.insert(label.to_owned(), text.to_owned());
                    continue;
                }
            };
            *field = Some(text.to_owned());
        }
        (found.name.is_some() || found.service.is_some() || !found.labels.is_empty()).then_some(found)
    }
}

fn refused(message: impl Into<String>, hint: &str) -> Refused {
    Refused { message: message.into(), hint: hint.to_owned() }
}

fn compiled(text: &str) -> Result<Regex, Refused> {
    if text.chars().count() > PATTERN_CHARS {
        return Err(refused(format!("it has more than {PATTERN_CHARS} characters"), "write several patterns"));
    }
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(COMPILED_BYTES).dfa_size_limit(COMPILED_BYTES).nest_limit(NEST);
    let regex = builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => refused("it is too large", "make the counts in its braces smaller"),
        error => {
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            refused(last, "the syntax is that of https://docs.rs/regex, without look-around")
        }
    })?;
    if regex.is_match("") {
        return Err(refused("it fits an empty line", "begin it with ^ and a word of the alert"));
    }
    Ok(regex)
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}
