//! A finding: one thing that is wrong in a configuration, with the place and the line itself; and the texts, for a
//! terminal, for a pipe and as JSON, in which findings are shown. What is right or wrong is not decided here.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use regex::Regex;
use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is not taken.
    Error,
    /// It is taken, and somebody should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Error { "error" } else { "warning" })
    }
}

/// One file as it was read. Its text is kept as it may be shown: secrets and phone numbers in it are masked, byte for
/// byte, so that positions hold.
#[derive(Debug)]
pub struct Source {
    /// The path as it is shown.
    path: String,
    /// The masked text.
    shown: String,
    /// Where each line begins, in bytes.
    starts: Vec<usize>,
}

impl Source {
    /// Takes a file's path, as it should be shown, and its text.
    pub fn new(path: String, text: &str) -> Arc<Self> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Self { path, shown: mask(text), starts })
    }

    /// The path as it is shown.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The line, from 1, that holds a byte.
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).max(1)
    }

    /// The text of a line (from 1), without its end.
    fn text(&self, line: usize) -> &str {
        let Some(&start) = line.checked_sub(1).and_then(|n| self.starts.get(n)) else { return "" };
        let end = self.starts.get(line).copied().unwrap_or(self.shown.len());
        self.shown.get(start..end).unwrap_or("").trim_end_matches(['\r', '\n'])
    }
}

/// Hides what must not be shown again: the values of keys that hold a secret, and phone numbers. The text keeps its
/// length, every hidden byte becomes `*`.
fn mask(text: &str) -> String {
    // A key that ends in a word for a secret, then its value, quoted or the rest of the line; `_env` holds a name only,
    // unless what stands there is no name. `key = "$.id"` is a JSONPath expression.
    static SECRETS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let key = r#"(?i)(?:key|token|password|passwd|secret|passphrase|credential|auth)s?(_env)?["']?[ \t]*=[ \t]*"#;
        let long = r#""{3}(?s:.*?)(?:"{3}|\z)|'{3}(?s:.*?)(?:'{3}|\z)"#;
        let short = r#""(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?|[^"'\s][^\n]*"#;
        Regex::new(&format!("{key}({long}|{short})")).ok()
    });
    // Phone numbers, and what stands before the @ of an address on the web.
    static OTHERS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"\+[0-9][0-9 ().-]{5,}[0-9]|//[^/\s"']+@"#).ok());
    let mut hidden: Vec<Range<usize>> = Vec::new();
    for found in SECRETS.iter().flat_map(|regex| regex.captures_iter(text)) {
        let Some(value) = found.get(2) else { continue };
        let inner = value.as_str().trim_matches(['"', '\'']);
        let plain = inner.starts_with("$.") || inner.starts_with("$[");
        let named = found.get(1).is_some() && is_env_name(inner);
        if !plain && !named {
            hidden.push(value.range());
        }
    }
    hidden.extend(OTHERS.iter().flat_map(|regex| regex.find_iter(text)).map(|found| found.range()));
    let mut bytes = text.as_bytes().to_vec();
    for range in hidden {
        if let Some(part) = bytes.get_mut(range) {
            // A line end stays, so that lines keep their numbers.
            part.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether a text is the name of an environment variable as they are usually written: capitals, digits, `_`.
pub(super) fn is_env_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_uppercase() || b == b'_')
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// A place in a file.
#[derive(Debug, Clone)]
pub struct Spot {
    source: Arc<Source>,
    span: Range<usize>,
    whole: bool,
}

impl Spot {
    /// A range of bytes of a file; cut to what the file has.
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let start = span.start.min(source.shown.len());
        let end = span.end.clamp(start, source.shown.len());
        Self { source: source.clone(), span: start..end, whole: false }
    }

    /// A file as a whole, where no line is to blame.
    pub fn file(source: &Arc<Source>) -> Self {
        Self { source: source.clone(), span: 0..0, whole: true }
    }

    /// The line, from 1, in which it begins.
    pub fn line(&self) -> usize {
        self.source.line(self.span.start)
    }

    /// Whether it stands later in the same file.
    pub fn follows(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && self.span.start > other.span.start
    }

    /// `teams.toml:12`, or the file alone.
    pub fn place(&self) -> String {
        if self.whole {
            return self.source.path.clone();
        }
        format!("{}:{}", self.source.path, self.source.line(self.span.start))
    }
}

/// One thing that is wrong, or odd.
#[derive(Clone)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as shown.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 for the file as a whole.
    pub column: usize,
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
    source: Arc<Source>,
}

impl Finding {
    /// A finding that stops the configuration from being taken.
    pub fn error(spot: &Spot, message: impl Into<String>) -> Self {
        let (line, column) = if spot.whole {
            (0, 0)
        } else {
            let line = spot.source.line(spot.span.start);
            let start = spot.source.starts.get(line - 1).copied().unwrap_or(0);
            (line, spot.source.shown.get(start..spot.span.start).map_or(0, |before| before.chars().count()) + 1)
        };
        Self {
            severity: Severity::Error,
            file: spot.source.path.clone(),
            line,
            column,
            span: spot.span.clone(),
            message: message.into(),
            hint: None,
            source: spot.source.clone(),
        }
    }

    /// A finding that is told and changes nothing.
    pub fn warning(spot: &Spot, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(spot, message) }
    }

    /// The same with the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a next step where there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// The line it is about, secrets and phone numbers masked; empty for a file as a whole.
    pub fn text(&self) -> &str {
        self.source.text(self.line)
    }

    /// By file, then by place in it.
    pub fn in_order(&self, other: &Self) -> std::cmp::Ordering {
        let key = |f: &Self| (f.line, f.span.start, f.severity);
        (&self.file, key(self), &self.message).cmp(&(&other.file, key(other), &other.message))
    }

    /// `teams.toml:12: unknown person `basz``: without the line, so that it may be posted to a channel.
    pub fn brief(&self) -> String {
        match self.line {
            0 => format!("{}: {}", self.file, self.message),
            line => format!("{}:{line}: {}", self.file, self.message),
        }
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity, self.brief())
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::json!({
            "severity": self.severity, "file": self.file, "line": self.line, "column": self.column,
            "message": self.message, "hint": self.hint, "text": self.text(),
        })
        .serialize(serializer)
    }
}

/// Of longer lines (in bytes) only a part is shown.
const LONGEST_LINE: usize = 400;

/// In which form findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Boxes and arrows, for a terminal.
    Graphical {
        /// Whether colour may be used.
        colour: bool,
        /// Columns of the terminal.
        width: usize,
    },
    /// `FILE:LINE: error: MESSAGE`, the line, the hint; for pipes and logs.
    Plain,
}

/// All findings as one text, each with its file, its line's number and the line itself.
pub fn render(findings: &[Finding], form: Form) -> String {
    let mut out = String::new();
    for finding in findings {
        match form {
            Form::Plain => plain(finding, &mut out),
            Form::Graphical { .. } if finding.text().len() > LONGEST_LINE => plain(finding, &mut out),
            Form::Graphical { colour, width } => {
                let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
                let handler = GraphicalReportHandler::new_themed(theme).with_width(width.clamp(40, 400));
                let diagnostic = Diagnosed { finding, named: named(finding) };
                let before = out.len();
                if handler.render_report(&mut out, &diagnostic).is_err() {
                    out.truncate(before);
                    plain(finding, &mut out);
                }
            }
        }
    }
    out
}

fn plain(finding: &Finding, out: &mut String) {
    use fmt::Write;
    let place = if finding.line == 0 { finding.file.clone() } else { format!("{}:{}", finding.file, finding.line) };
    let _ = writeln!(out, "{place}: {}: {}", finding.severity, finding.message);
    if finding.line > 0 {
        let _ = writeln!(out, "  {:>4} | {}", finding.line, excerpt(finding));
    }
    if let Some(hint) = &finding.hint {
        let _ = writeln!(out, "  help: {hint}");
    }
}

/// The line, or of a very long one what stands around the place.
fn excerpt(finding: &Finding) -> String {
    let text = finding.text();
    if text.len() <= LONGEST_LINE {
        return text.to_owned();
    }
    let from = finding.column.saturating_sub(60);
    let part: String = text.chars().skip(from).take(160).collect();
    format!("{}{part}…", if from > 0 { "…" } else { "" })
}

fn named(finding: &Finding) -> NamedSource<String> {
    NamedSource::new(finding.file.clone(), finding.source.shown.clone())
}

/// A finding in the shape that miette draws.
struct Diagnosed<'a> {
    finding: &'a Finding,
    named: NamedSource<String>,
}

impl fmt::Debug for Diagnosed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finding.fmt(f)
    }
}

impl fmt::Display for Diagnosed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.finding.line {
            0 => write!(f, "{}: {}", self.finding.file, self.finding.message),
            _ => f.write_str(&self.finding.message),
        }
    }
}

impl std::error::Error for Diagnosed<'_> {}

impl miette::Diagnostic for Diagnosed<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (self.finding.line > 0).then_some(&self.named as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.finding.line == 0 {
            return None;
        }
        // One line is enough to see what is meant; a table of fifty lines is not.
        let start = self.finding.span.start;
        let end =
            self.finding.source.starts.get(self.finding.line).map_or(self.finding.source.shown.len(), |at| at - 1);
        let end = self.finding.span.end.min(end).max(start);
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, start..end))))
    }
}
