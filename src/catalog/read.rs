//! A typed reader over parsed TOML that goes on after an error: every key that is asked for is known, whatever is left
//! at the end is a finding. What the keys mean stands with the tables; what the values mean in `value`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::{Finding, Severity, Source, Spot};
use super::foreign;
use super::value::{self, Wrong, is_secret_key, number};

/// More findings than this are not collected: nobody reads them, and a file of garbage must not fill the memory.
const MOST_FINDINGS: usize = 500;

/// Where findings are collected.
#[derive(Debug, Default)]
pub struct Sink {
    list: RefCell<Vec<Finding>>,
    broken: RefCell<BTreeSet<usize>>,
}

impl Sink {
    /// Adds one.
    pub fn add(&self, finding: Finding) {
        let mut list = self.list.borrow_mut();
        if list.len() < MOST_FINDINGS && !self.broken.borrow().contains(&finding.line) {
            list.push(finding);
        }
    }

    /// Adds one although no more are collected.
    pub fn add_last(&self, finding: Finding) {
        self.list.borrow_mut().push(finding);
    }

    /// Whether no more are collected.
    pub fn is_full(&self) -> bool {
        self.list.borrow().len() >= MOST_FINDINGS
    }

    /// Adds an error at a place.
    pub fn error(&self, spot: &Spot, wrong: Wrong) {
        self.add(Finding::error(spot, wrong.message).maybe_hint(wrong.hint));
    }

    /// While a file with syntax errors is read: its lines on which nothing more is to be said. Nor is a key missing
    /// there, for it may stand on such a line.
    pub fn forgive(&self, broken: BTreeSet<usize>) {
        *self.broken.borrow_mut() = broken;
    }

    fn forgiving(&self) -> bool {
        !self.broken.borrow().is_empty()
    }

    /// Whether an error was collected.
    pub fn refuses(&self) -> bool {
        self.list.borrow().iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All that were collected.
    pub fn take(&self) -> Vec<Finding> {
        self.list.take()
    }
}

/// A text and where it stands.
#[derive(Debug, Clone)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Where it stands.
    pub spot: Spot,
}

/// One table while it is read.
pub struct Table<'a> {
    /// How it is called in messages: `[[person]]`.
    pub what: &'static str,
    source: &'a Arc<Source>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    sink: &'a Sink,
    known: Vec<&'static str>,
    missing: Vec<&'static str>,
    settled: Vec<&'a str>,
}

impl<'a> Table<'a> {
    /// Begins to read a table; `span` is where it is declared.
    pub fn new(
        what: &'static str,
        source: &'a Arc<Source>,
        table: &'a DeTable<'a>,
        span: Range<usize>,
        sink: &'a Sink,
    ) -> Self {
        Self { what, source, table, span, sink, known: Vec::new(), missing: Vec::new(), settled: Vec::new() }
    }

    /// Where it is declared.
    pub fn spot(&self) -> Spot {
        Spot::new(self.source, self.span.clone())
    }

    /// Where a key stands, else the table.
    pub fn spot_of(&self, key: &str) -> Spot {
        match self.table.get_key_value(key) {
            Some((key, _)) => Spot::new(self.source, key.span()),
            None => self.spot(),
        }
    }

    /// Reports something.
    pub fn add(&self, finding: Finding) {
        self.sink.add(finding);
    }

    /// All keys as they stand, for tables whose keys are the user's own words; each counts as known.
    pub fn entries(&mut self) -> Vec<(Text, &'a Spanned<DeValue<'a>>)> {
        let table = self.table;
        table
            .iter()
            .map(|(key, value)| {
                self.settled.push(key.get_ref().as_ref());
                (Text { value: key.get_ref().to_string(), spot: Spot::new(self.source, key.span()) }, value)
            })
            .collect()
    }

    /// The keys that stand there; reading them here makes none known.
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, &'a Spanned<DeValue<'a>>)> + use<'a> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), value))
    }

    /// Marks a key as dealt with, so that it is neither read nor reported again.
    pub fn settle(&mut self, key: &'a str) {
        self.settled.push(key);
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        if self.settled.contains(&key) { None } else { self.table.get(key) }
    }

    fn value_spot(&self, value: &Spanned<DeValue<'_>>) -> Spot {
        Spot::new(self.source, value.span())
    }

    /// Whether the key stands there, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Reports at the end that a key is missing, unless a misspelled one stands in its place.
    pub fn require(&mut self, key: &'static str) {
        if !self.has(key) && !self.sink.forgiving() {
            self.missing.push(key);
        }
    }

    fn mistyped(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!("`{key}` takes {wanted}, not {}", kind(value.get_ref()));
        self.add(Finding::error(&self.value_spot(value), message));
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<Text> {
        let value = self.get(key)?;
        self.as_text(key, value)
    }

    /// A value as a text.
    pub fn as_text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Text> {
        match value.get_ref() {
            DeValue::String(text) => Some(Text { value: text.to_string(), spot: self.value_spot(value) }),
            _ => {
                self.mistyped(key, value, "a text in quotes");
                None
            }
        }
    }

    /// A text with a meaning of its own.
    pub fn parse<T>(&mut self, key: &'static str, meaning: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let text = self.text(key)?;
        self.settle_value(&text, meaning(&text.value))
    }

    /// Reports what is wrong with a value, or gives its meaning.
    pub fn settle_value<T>(&self, text: &Text, meaning: Result<T, Wrong>) -> Option<T> {
        meaning.map_err(|wrong| self.sink.error(&text.spot, wrong)).ok()
    }

    /// A list of texts; a single text is a finding that shows the brackets.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<Text>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Array(items) => Some(items.iter().filter_map(|item| self.as_text(key, item)).collect()),
            DeValue::String(_) => {
                let finding = Finding::error(&self.value_spot(value), format!("`{key}` takes a list, not a text"))
                    .hint(format!("put brackets around it: {key} = [\"…\"]"));
                self.add(finding);
                None
            }
            _ => {
                self.mistyped(key, value, "a list of texts");
                None
            }
        }
    }

    /// A list of texts with a meaning of their own.
    pub fn parse_all<T>(
        &mut self,
        key: &'static str,
        mut meaning: impl FnMut(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<(T, Spot)>> {
        let texts = self.texts(key)?;
        let parsed = texts.into_iter().filter_map(|text| {
            let meaning = meaning(&text.value);
            Some((self.settle_value(&text, meaning)?, text.spot))
        });
        Some(parsed.collect())
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.mistyped(key, value, "true or false");
        None
    }

    /// A whole number within bounds.
    pub fn count(&mut self, key: &'static str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let value = self.get(key)?;
        let wanted = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let DeValue::Integer(integer) = value.get_ref() else {
            self.mistyped(key, value, &wanted);
            return None;
        };
        let count = number(integer.as_str(), integer.radix()).filter(|count| bounds.contains(count));
        if count.is_none() {
            let message = format!("`{key}` takes {wanted}, not {integer}");
            self.add(Finding::error(&self.value_spot(value), message));
        }
        count
    }

    /// A date; with or without quotes.
    pub fn date(&mut self, key: &'static str) -> Option<NaiveDate> {
        let value = self.get(key)?;
        let shown = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(at) => at.to_string(),
            _ => {
                self.mistyped(key, value, "a date such as 2026-12-07");
                return None;
            }
        };
        let text = Text { value: shown, spot: self.value_spot(value) };
        let date = value::date(&text.value);
        self.settle_value(&text, date)
    }

    /// A table in a table.
    pub fn table(&mut self, key: &'static str, what: &'static str) -> Option<Table<'a>> {
        let value = self.get(key)?;
        self.as_table(key, what, value)
    }

    /// A value as a table.
    pub fn as_table(&self, key: &str, what: &'static str, value: &'a Spanned<DeValue<'a>>) -> Option<Table<'a>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(self.inner(what, table, value.span())),
            _ => {
                self.mistyped(key, value, "a table { … }");
                None
            }
        }
    }

    /// A list of tables in a table.
    pub fn tables(&mut self, key: &'static str, what: &'static str) -> Option<Vec<Table<'a>>> {
        let value = self.get(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.mistyped(key, value, "a list of tables [{ … }]");
            return None;
        };
        let tables = items.iter().filter_map(|item| match item.get_ref() {
            DeValue::Table(table) => Some(self.inner(what, table, item.span())),
            _ => {
                self.mistyped(key, item, "a list of tables [{ … }]");
                None
            }
        });
        Some(tables.collect())
    }

    fn inner(&self, what: &'static str, table: &'a DeTable<'a>, span: Range<usize>) -> Table<'a> {
        Table::new(what, self.source, table, span, self.sink)
    }

    /// Ends the reading: reports keys that nobody asked for, and required ones that are missing.
    pub fn done(mut self) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) || self.settled.contains(&name) {
                continue;
            }
            let (wrong, meant) = self.unknown(name);
            self.missing.retain(|missing| Some(*missing) != meant.as_deref());
            self.sink.error(&Spot::new(self.source, key.span()), wrong);
        }
        for key in &self.missing {
            let wrong = Wrong::new(format!("{} has no `{key}`", self.what)).hint(foreign::example(self.what, key));
            self.sink.error(&self.spot(), wrong);
        }
    }

    /// What to say about a key that nobody asked for, and which known key was meant.
    fn unknown(&self, name: &str) -> (Wrong, Option<String>) {
        let shown = value::cut(name);
        if is_secret_key(name) {
            let wrong = Wrong::new(format!("`{shown}`: a secret never stands in the configuration"));
            let Some(stem) = self.known.iter().find_map(|key| key.strip_suffix("_env")) else {
                return (wrong.hint("leave it out, and replace the secret: it was written down"), None);
            };
            let hint = format!(
                "write {stem}_env = \"NAME_OF_A_VARIABLE\" or {stem}_file = \"/path/to/a/file\" instead, and replace the secret: it was written down"
            );
            return (wrong.hint(hint), Some(format!("{stem}_env")));
        }
        let wrong = Wrong::new(format!("unknown key `{shown}` in {}", self.what));
        if let Some((ours, why)) = foreign::key(self.what, name) {
            return (wrong.hint(format!("here it is called `{ours}`{why}")), Some(ours.to_owned()));
        }
        match value::meant(name, self.known.iter().copied()) {
            Some(meant) => (wrong.hint(format!("did you mean `{meant}`?")), Some(meant.to_owned())),
            None => (wrong.hint(format!("known keys: {}", self.known.join(", "))), None),
        }
    }
}

/// What kind of value it is, in words.
pub fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
