//! Matchers: `label=value`, `!=`, `=~`, `!~`, as Alertmanager writes them. Reading them from text, and asking whether
//! an alert matches. Regular expressions are anchored on both sides and run in linear time.

use compact_str::CompactString;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::alert::{Alert, Labels};
use crate::domain::event::AlertOpened;
use crate::domain::id::ServiceId;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::signal::AlertSeverity;

/// Matchers of one silence, and characters of one value.
const MATCHERS_MAX: usize = 20;
const VALUE_MAX: usize = 300;
/// The largest a compiled expression may be, in bytes.
const COMPILED_MAX: usize = 1 << 18;

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Is,
    IsNot,
    Like,
    Unlike,
}

impl Op {
    /// All, the longer words first.
    const ALL: [Self; 4] = [Self::Like, Self::Unlike, Self::IsNot, Self::Is];

    fn as_str(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Like => "=~",
            Self::Unlike => "!~",
        }
    }
}

/// One condition. Written `alertname=~"Disk.*"`, in the journal too.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: CompactString,
    op: Op,
    value: CompactString,
    /// Only for `=~` and `!~`; `None` for an expression of another release that this one cannot read.
    regex: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl std::fmt::Display for Matcher {
    /// `service=payments-api`, `alertname=~"Disk .*"`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.name, self.op.as_str())?;
        let plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | ',' | '\\' | '{' | '}');
        if !self.value.is_empty() && self.value.chars().all(plain) && !self.value.starts_with(['=', '~']) {
            return f.write_str(&self.value);
        }
        write!(f, "\"{}\"", self.value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        let raw = split(&text).ok().and_then(|mut found| (found.len() == 1).then(|| found.remove(0)));
        let (name, op, value) = raw.ok_or_else(|| serde::de::Error::custom("not a matcher"))?;
        // What was once accepted is read back whatever this release's limits are.
        let regex = matches!(op, Op::Like | Op::Unlike).then(|| compile(&value).ok()).flatten();
        Ok(Self { name, op, value, regex })
    }
}

/// An alert as matchers see it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    service: &'a str,
    name: &'a str,
    key: &'a str,
    severity: AlertSeverity,
    environment: Option<&'a str>,
    integration: &'a str,
    labels: &'a Labels,
}

impl<'a> From<&'a AlertOpened> for Subject<'a> {
    fn from(alert: &'a AlertOpened) -> Self {
        Self {
            // An unrouted alert is of the service that it named: the maintenance of the default one is not its.
            service: alert.named_service.as_deref().unwrap_or(alert.service.as_str()),
            name: &alert.name,
            key: &alert.key,
            severity: alert.severity,
            environment: alert.environment.as_deref(),
            integration: alert.integration.as_str(),
            labels: &alert.labels,
        }
    }
}

impl<'a> From<&'a Alert> for Subject<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self {
            service: alert.named_service.as_deref().unwrap_or(alert.service.as_str()),
            name: &alert.name,
            key: &alert.key,
            severity: alert.severity,
            environment: alert.environment.as_deref(),
            integration: alert.integration.as_str(),
            labels: &alert.labels,
        }
    }
}

impl<'a> Subject<'a> {
    /// The same with another severity.
    #[must_use]
    pub fn with_severity(self, severity: AlertSeverity) -> Self {
        Self { severity, ..self }
    }

    fn value(&self, name: &str) -> &'a str {
        match name {
            "service" => self.service,
            "name" => self.name,
            "key" => self.key,
            "severity" => self.severity.as_str(),
            "integration" => self.integration,
            "environment" => self.environment.or_else(|| self.labels.get(name)).unwrap_or_default(),
            "alertname" => self.labels.get(name).unwrap_or(self.name),
            label => self.labels.get(label).unwrap_or_default(),
        }
    }
}

impl Matcher {
    /// `name=value`, for what a command says in words of its own.
    pub fn is(name: &str, value: &str) -> Self {
        Self { name: name.into(), op: Op::Is, value: value.into(), regex: None }
    }

    /// What it compares with.
    pub fn wanted(&self) -> &str {
        &self.value
    }

    /// Whether it compares with a text as it is, and no expression.
    pub fn plain(&self) -> bool {
        self.regex.is_none() && matches!(self.op, Op::Is | Op::IsNot)
    }

    /// The same with another text to compare with; an expression stays as it is.
    #[must_use]
    pub fn with(&self, value: &str) -> Self {
        let mut matcher = self.clone();
        if self.plain() {
            matcher.value = value.into();
        }
        matcher
    }

    /// Whether an alert matches; a label that it does not have is empty.
    pub fn matches(&self, alert: &Subject<'_>) -> bool {
        self.holds(alert.value(&self.name))
    }

    fn holds(&self, value: &str) -> bool {
        match self.op {
            Op::Is => value == self.value.as_str(),
            Op::IsNot => value != self.value.as_str(),
            // An expression that cannot be read mutes nothing.
            Op::Like => self.regex.as_ref().is_some_and(|regex| regex.is_match(value)),
            Op::Unlike => self.regex.as_ref().is_some_and(|regex| !regex.is_match(value)),
        }
    }

    /// The service, where it says exactly one.
    pub(super) fn service(&self) -> Option<ServiceId> {
        (self.op == Op::Is && self.name == "service").then(|| ServiceId(self.value.clone()))
    }
}

/// `name=~value`, for what Opsbell itself expects.
///
/// # Errors
/// The expression is too long, or none.
pub fn like(name: &str, value: &str) -> Result<Matcher, Reject> {
    matcher(name.into(), Op::Like, value.into())
}

/// Matchers in a row.
pub fn join(matchers: &[Matcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Reads `alertname=DiskFull instance=~"web.*"`: separated by blanks or commas, perhaps in braces.
///
/// # Errors
/// Which part is no matcher, and how one is written; an expression that cannot be read or is too large.
pub fn parse(text: &str) -> Result<Vec<Matcher>, Reject> {
    let raw = split(text).map_err(|part| {
        let part: String = part.chars().take(60).collect();
        bad(format!("`{part}` is not a matcher"))
    })?;
    if raw.len() > MATCHERS_MAX {
        return Err(bad(format!("These are {} matchers; at most {MATCHERS_MAX} are taken.", raw.len())));
    }
    raw.into_iter().map(|(name, op, value)| matcher(name, op, value)).collect()
}

/// A silence that would mute everything is refused: at least one matcher has to ask for something.
pub fn check(matchers: &[Matcher]) -> Result<(), Reject> {
    if matchers.is_empty() {
        return Err(Reject::new(RejectCode::Missing, "What is to be silenced? Say at least one matcher.").hint(HOW));
    }
    if matchers.iter().all(|matcher| matcher.holds("")) {
        let message = format!("`{}` would silence everything.", join(matchers));
        return Err(Reject::new(RejectCode::BadValue, message).hint(HOW));
    }
    Ok(())
}

const HOW: &str =
    "Write matchers like alertname=DiskFull or instance=~\"web.*\" (also != and !~), service:NAME or key:KEY";

fn bad(message: String) -> Reject {
    Reject::new(RejectCode::BadValue, message).hint(HOW)
}

fn matcher(name: CompactString, op: Op, value: CompactString) -> Result<Matcher, Reject> {
    if value.chars().count() > VALUE_MAX {
        return Err(bad(format!("The value of `{name}` is too long: at most {VALUE_MAX} characters.")));
    }
    let regex = match op {
        Op::Like | Op::Unlike => Some(compile(&value).map_err(|error| {
            // The last line says what is wrong; those before draw the expression.
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            bad(format!("The expression of `{name}` cannot be used: {why}"))
        })?),
        Op::Is | Op::IsNot => None,
    };
    Ok(Matcher { name, op, value, regex })
}

fn compile(value: &str) -> Result<Regex, regex::Error> {
    // By itself first: `a)|(b` is no expression, though it would be one within the brackets.
    RegexBuilder::new(value).size_limit(COMPILED_MAX).build()?;
    RegexBuilder::new(&format!("^(?:{value})$")).size_limit(COMPILED_MAX).dot_matches_new_line(true).build()
}

/// Takes text apart; the error is the part that is no matcher.
fn split(text: &str) -> Result<Vec<(CompactString, Op, CompactString)>, String> {
    let text = text.trim();
    let text = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches(between);
    while !rest.is_empty() {
        let name_end = rest.find(|c: char| !(c.is_alphanumeric() || "_-./".contains(c))).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(name_end);
        let op = Op::ALL.into_iter().find(|op| behind.starts_with(op.as_str()));
        let Some(op) = op.filter(|_| !name.is_empty()) else { return Err(rest.to_owned()) };
        let (value, behind) = value(&behind[op.as_str().len()..]).ok_or_else(|| rest.to_owned())?;
        found.push((name.into(), op, value));
        rest = behind.trim_start_matches(between);
    }
    Ok(found)
}

fn between(c: char) -> bool {
    c.is_whitespace() || c == ','
}

/// A value, quoted or up to the next blank or comma, and what stands behind it.
fn value(text: &str) -> Option<(CompactString, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(between).unwrap_or(text.len());
        // A value that begins like an operator is a slip: `a==b`.
        let slip = text.starts_with('=') || text.starts_with('~');
        return (!slip).then(|| (text[..end].into(), &text[end..]));
    };
    let mut value = CompactString::default();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let behind = &quoted[at + 1..];
                return (behind.is_empty() || behind.starts_with(between)).then_some((value, behind));
            }
            '\\' => match chars.next()? {
                (_, escaped @ ('"' | '\\')) => value.push(escaped),
                // `\d` of an expression stays as it is.
                (_, other) => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}
