//! One step as a file says it: exactly one thing that it does, and how it is tried. Whether it may reach what it names is
//! judged when all files are read.

use compact_str::{CompactString, format_compact};
use toml::Spanned;
use toml::de::DeValue;

use super::{acts, program, told};
use crate::catalog::draft::Draft;
use crate::catalog::finding::{Finding, Spot};
use crate::catalog::read::{Table, Text, kind};
use crate::catalog::value::{self, Wrong};
use crate::domain::playbook::spec::{
    Does, Expected, Http, OnFailure, Part, Program, RETRIES_MAX, Step, TIMEOUT, TIMEOUT_MAX, WAIT_MAX,
};
use crate::domain::playbook::text::{Values, begins_with_name};
use crate::domain::time::Span;

/// What a step can do: the key that says so.
pub const DOES: [&str; 12] =
    ["say", "note", "wait", "ask", "page", "set-severity", "silence", "change", "request", "http", "run", "use"];
/// Those that cannot fail.
const SURE: [&str; 3] = ["say", "note", "use"];
/// How deep JSON in a step may be.
pub(super) const DEEPEST: usize = 16;
/// The longest text of a step, in characters.
pub(super) const TEXT_MAX: usize = 1_000;
/// The most arguments of a program.
pub(super) const ARGS_MAX: usize = 50;
/// Programs that read their arguments as a language of their own.
const SHELLS: [&str; 14] =
    ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox", "env", "python3", "perl", "awk", "xargs", "sudo"];

/// A line of a part: a step, or the steps of another playbook.
pub enum Line {
    /// A step.
    Step(Box<Step>, Spot),
    /// The steps of another playbook.
    Use {
        /// What its steps are called after.
        id: CompactString,
        /// Its name.
        playbook: Text,
        /// What its parameters are here.
        with: Values,
    },
}

/// Reads the `n`-th line of a part.
pub fn line<'a>(draft: &mut Draft<'_>, mut table: Table<'a>, part: Part, n: usize) -> Option<Line> {
    let said: Vec<&str> = DOES.into_iter().filter(|word| table.has(word)).collect();
    let [does] = said.as_slice() else {
        let message = if said.is_empty() { "this step does nothing" } else { "this step does more than one thing" };
        let hint = format!("write one of {} in each", DOES.join(", "));
        draft.sink.add(Finding::error(&table.spot(), message).hint(hint));
        return None;
    };
    let id = table.parse("id", |text| value::id(text).map(|()| CompactString::from(text)));
    let spot = table.spot_of(does);
    let mut id = id.unwrap_or_else(|| format_compact!("{does}-{}", n + 1));
    let mut step = Step {
        id: id.clone(),
        does: Does::Wait(Span::ZERO),
        timeout: TIMEOUT,
        retries: 0,
        backoff: Span::secs(5),
        on_failure: if part == Part::Verify { OnFailure::Rollback } else { OnFailure::Stop },
        idempotent: false,
    };
    let found = match *does {
        "say" => {
            let text = table.parse("say", words);
            let channel = draft.channel(&mut table);
            text.map(|text| Does::Say { text, channel })
        }
        "note" => table.parse("note", words).map(Does::Note),
        "wait" => acts::until(draft, &mut table),
        "page" => acts::page(draft, &mut table),
        "set-severity" => acts::severity(&mut table),
        "silence" => acts::silence(&mut table),
        "change" => acts::change(draft, &mut table),
        "request" => acts::request(draft, &mut table),
        "ask" => ask(draft, &mut table),
        "http" => http(&mut table, &mut step),
        "run" => run(&mut table),
        _ => {
            let playbook = table.text("use");
            let mut with = Values::new();
            if let Some(mut inner) = table.table("with", "`with` of a step") {
                for (key, value) in inner.entries() {
                    if let Some(text) = inner.as_text(&key.value, value) {
                        with.insert(key.value.into(), text.value.into());
                    }
                }
                inner.done();
            }
            table.done();
            let playbook = playbook?;
            if id.starts_with("use-") {
                id = playbook.value.as_str().into();
            }
            return Some(Line::Use { id, playbook, with });
        }
    };
    if matches!(*does, "http" | "run") {
        let longest = |text: &str| within(text, TIMEOUT_MAX);
        step.timeout = table.parse("timeout", longest).unwrap_or(step.timeout);
        step.retries = table.count("retries", 0..=RETRIES_MAX).unwrap_or(0);
        step.backoff = table.parse("backoff", longest).unwrap_or(step.backoff);
        step.idempotent = table.flag("idempotent").unwrap_or(step.idempotent);
    }
    if !SURE.contains(does) && !matches!(found, Some(Does::Wait(_))) {
        let said = table.parse("on_failure", |word| value::choice(word, "on_failure", &OnFailure::ALL));
        if said == Some(OnFailure::Rollback) && part == Part::Rollback {
            let finding = Finding::error(&table.spot_of("on_failure"), "what takes back is not taken back itself");
            table.add(finding.hint("write stop or continue"));
        }
        step.on_failure = said.unwrap_or(step.on_failure);
    }
    table.done();
    step.does = found?;
    Some(Line::Step(Box::new(step), spot))
}

pub(super) fn words(text: &str) -> Result<CompactString, Wrong> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > TEXT_MAX {
        return Err(Wrong::new(format!("a text here has 1 to {TEXT_MAX} characters")));
    }
    Ok(text.into())
}

pub(super) fn wait(text: &str) -> Result<Span, Wrong> {
    within(text, WAIT_MAX)
}

pub(super) fn within(text: &str, most: Span) -> Result<Span, Wrong> {
    match value::wait(text)? {
        span if span > most => {
            Err(Wrong::new(format!("`{}` is too long", value::cut(text))).hint(format!("at most {most}")))
        }
        span => Ok(span),
    }
}

fn ask(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Option<Does> {
    let question = table.parse("ask", words);
    let of = acts::whom(draft, table);
    let within = table.parse("within", wait).unwrap_or(Span::hours(1));
    Some(Does::Ask { question: question?, of, within })
}

fn http(table: &mut Table<'_>, step: &mut Step) -> Option<Does> {
    let asked = table.parse("http", request);
    let json = table.keys().find(|(key, _)| *key == "json").and_then(|(_, value)| json(table, value, 0));
    table.settle("json");
    let status = table.count("status", 100..=599).and_then(|status| u16::try_from(status).ok());
    let expect = table.table("expect", "`expect` of a step").and_then(|mut inner| {
        inner.require("path");
        inner.require("is");
        let path = inner.parse("path", |text| match serde_json_path::JsonPath::parse(text) {
            Ok(_) => Ok(CompactString::from(text)),
            Err(error) => {
                Err(Wrong::new(told(&format!("`path` is no JSONPath: {error}"))).hint("write it like $.status"))
            }
        });
        let is = inner.keys().find(|(key, _)| *key == "is").and_then(|(_, value)| self::json(&inner, value, 0));
        if inner.has("is") {
            inner.settle("is");
        }
        inner.done();
        Some(Expected { path: path?, is: is? })
    });
    let (method, url) = asked?;
    step.idempotent = method == "GET";
    Some(Does::Http(Http { method, url, json, status, expect }))
}

/// `POST https://deploy.ej.example/…`; `GET` where no method is said.
fn request(text: &str) -> Result<(CompactString, CompactString), Wrong> {
    let (method, url) = text.trim().split_once(' ').unwrap_or(("GET", text.trim()));
    let methods: Vec<(&str, &str)> = ["GET", "POST", "PUT", "PATCH", "DELETE"].map(|word| (word, word)).into();
    let method = value::choice(method, "method", &methods)?;
    let url = url.trim();
    let fits = url.len() <= 2_000 && !url.contains(['#', '\\', '\n', '"', '<', '>']);
    if !fits || super::whole::authority(url).is_none() {
        return Err(Wrong::new(format!("`{}` is not an address that a step can ask", value::cut(url)))
            .hint("write it like POST https://deploy.ej.example/v1/{{service}}: a host and no name in its place"));
    }
    Ok((method.into(), url.into()))
}

/// A value of TOML as JSON.
fn json(table: &Table<'_>, value: &Spanned<DeValue<'_>>, depth: usize) -> Option<serde_json::Value> {
    use serde_json::Value;
    let whole = match value.get_ref() {
        _ if depth > DEEPEST => None,
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Integer(number) => number.as_str().parse::<i64>().ok().map(Value::from),
        DeValue::Array(items) => items.iter().map(|item| json(table, item, depth + 1)).collect(),
        DeValue::Table(fields) => {
            let mut all = serde_json::Map::new();
            for (key, value) in fields {
                all.insert(key.get_ref().to_string(), json(table, value, depth + 1)?);
            }
            Some(Value::Object(all))
        }
        DeValue::Float(_) | DeValue::Datetime(_) => None,
    };
    if whole.is_none() && depth == 0 {
        let what = kind(value.get_ref());
        let finding = Finding::error(&table.spot_of("json"), format!("{what} cannot stand here, or is too deep"));
        table.add(finding.hint("texts, whole numbers, true and false, lists and tables can be sent"));
    }
    whole
}

fn run(table: &mut Table<'_>) -> Option<Does> {
    let path = table.parse("run", program);
    let at = table.spot_of("args");
    let args: Vec<CompactString> = table
        .parse_all("args", |text| {
            if text.chars().count() > TEXT_MAX || text.contains('\0') {
                return Err(Wrong::new(format!("an argument has at most {TEXT_MAX} characters")));
            }
            Ok(CompactString::from(text))
        })
        .unwrap_or_default()
        .into_iter()
        .map(|(arg, _)| arg)
        .collect();
    if args.len() > ARGS_MAX {
        table.add(Finding::error(&at, format!("there are more than {ARGS_MAX} arguments")));
    }
    let ends = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    if let Some(bare) = args.iter().take(ends).find(|arg| begins_with_name(arg)) {
        let message = format!("the value of `{}` could be taken for an option", value::cut(bare));
        table.add(Finding::error(&at, message).hint("put \"--\" before it, or write it as \"--name={{name}}\""));
    }
    let path = path?;
    let base = path.rsplit('/').next().unwrap_or_default();
    if SHELLS.contains(&base) && args.iter().any(|arg| arg.contains("{{")) {
        let message = format!("{base} reads its arguments as a language, and values would become part of it");
        table.add(Finding::error(&at, message).hint("write a program of your own that takes the values as arguments"));
    }
    Some(Does::Run(Program { path, args }))
}
