//! From files to a configuration: parses each, reads its tables into the draft, lets `check` judge the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::draft::Draft;
use super::files::{self, Content, MAIN, Unreadable};
use super::finding::{Finding, Severity, Source, Spot};
use super::read::{Sink, Table, kind};
use super::{
    Config, Loaded, Secrets, Server, changes, check, foreign, playbooks, remedies, senders, settings, tables,
    templates, text_alert, value, words,
};
use crate::domain::command::playbook::RUNS;
use crate::domain::org::Org;

/// Reads a configuration directory. `env` answers an environment variable (`process_env` in the real program).
///
/// # Errors
/// When the directory, or a file in it, cannot be read; what is wrong *in* files is a finding.
pub fn load_dir(dir: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Unreadable> {
    Ok(build(files::read(dir)?, Some(dir), env))
}

/// Reads the copy of a configuration; relative `*_file` paths begin at the directory that it was copied from.
///
/// # Errors
/// As [`load_dir`].
pub fn load_copy(copy: &Path, from: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Unreadable> {
    Ok(build(files::read(copy)?, Some(from), env))
}

/// Reads a configuration from files in memory, by their path in the directory; others than configuration files are
/// left alone. Relative `*_file` paths begin at the working directory.
pub fn load_files(given: &BTreeMap<PathBuf, String>, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    let chosen = given.iter().filter(|(path, _)| files::counts(path)).map(|(path, text)| {
        let content =
            if text.len() as u64 > files::LARGEST_BYTES { Content::TooLarge } else { Content::Text(text.clone()) };
        (path.clone(), content)
    });
    build(chosen.collect(), None, env)
}

fn build(contents: BTreeMap<PathBuf, Content>, base: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    let sink = Sink::default();
    let mut draft = Draft {
        env,
        base,
        sink: &sink,
        org: Org { lexicon: words::builtin(), ..Org::default() },
        secrets: Secrets::default(),
        server: Server::default(),
        mail: None,
        chat: BTreeMap::new(),
        declared: BTreeMap::new(),
        settings: BTreeMap::new(),
        mentions: Vec::new(),
        uses: Vec::new(),
        unsaid: Vec::new(),
        links: Vec::new(),
        channels: Vec::new(),
        rotations: BTreeMap::new(),
        main_is_broken: false,
        not_built: Vec::new(),
        mailed: Vec::new(),
        key_names: BTreeMap::new(),
        unusable_secrets: Vec::new(),
        chat_only: Vec::new(),
        unread: Vec::new(),
        lost: BTreeSet::new(),
        templates: Vec::new(),
        summary_templates: Vec::new(),
        playbooks: BTreeMap::new(),
        remedies: Vec::new(),
        own_runs: Vec::new(),
    };
    let shown = |path: &Path| base.map_or_else(|| path.to_owned(), |base| base.join(path)).display().to_string();
    // The main file goes first: its `[defaults] zone` is what tables elsewhere fall back on.
    let (main, others): (Vec<_>, Vec<_>) = contents.iter().partition(|(path, _)| path.as_path() == Path::new(MAIN));
    for (path, content) in main.iter().chain(&others) {
        match content {
            Content::Text(text) if files::template(path).is_some() => {
                templates::read(&mut draft, &Source::new(shown(path), text), path, text);
            }
            Content::Text(text) if files::playbook(path).is_some() => {
                playbooks::read(&mut draft, &Source::new(shown(path), text), path, text);
            }
            Content::Text(text) if files::is_words(path) => {
                own_words(&mut draft, &Source::new(shown(path), text), text)
            }
            Content::Text(text) => file(&mut draft, &Source::new(shown(path), text), path, text),
            Content::TooLarge => {
                let spot = Spot::file(&Source::new(shown(path), ""));
                let message = format!("the file is larger than {} KiB", files::LARGEST_BYTES / 1024);
                sink.add(Finding::error(&spot, message).hint("split it into several files"));
            }
            Content::NotText(text, at) => {
                let spot = Spot::new(&Source::new(shown(path), text), *at..at + 1);
                sink.add(Finding::error(&spot, "the file is not UTF-8 text from here on").hint("save it as UTF-8"));
            }
        }
    }
    let main = Spot::file(&Source::new(shown(Path::new(MAIN)), ""));
    playbooks::whole(&mut draft);
    remedies::whole(&mut draft);
    check::whole(&mut draft, &main);
    templates::check(&mut draft);
    changes::gone(&draft);
    if sink.is_full() {
        let message = "there are more findings than are kept; these are the first";
        sink.add_last(Finding::error(&main, message));
    }
    finish(draft, contents)
}

/// Lays a file of the organisation's own words over those that Opsbell brings along.
fn own_words(draft: &mut Draft<'_>, source: &Arc<Source>, text: &str) {
    for problem in words::overlay(&mut draft.org.lexicon, source.path(), text).err().unwrap_or_default() {
        let spot = Spot::new(source, problem.at);
        draft.sink.add(Finding::error(&spot, problem.message).maybe_hint(problem.hint));
    }
    let own = words::read(source.path(), text).unwrap_or_default();
    for command in own.into_iter().filter(|command| command.run.starts_with(RUNS)) {
        let at = text.find(command.run.as_str()).unwrap_or(0);
        draft.own_runs.push((command.clone(), Spot::new(source, at..at + command.run.len())));
    }
}

fn finish(draft: Draft<'_>, contents: BTreeMap<PathBuf, Content>) -> Loaded {
    let Draft {
        sink, mut org, secrets, server, mail, chat, rotations, mut not_built, unread, unusable_secrets, ..
    } = draft;
    let mut findings = sink.take();
    findings.extend(unread.iter().cloned());
    findings.sort_by(Finding::in_order);
    not_built.sort_by(Finding::in_order);
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Loaded { config: None, findings };
    }
    let files: Vec<(String, String)> = contents
        .into_iter()
        .filter_map(|(path, content)| match content {
            Content::Text(text) => Some((path.to_string_lossy().into_owned(), text)),
            _ => None,
        })
        .collect();
    org.hash = files::hash(files.iter().map(|(path, text)| (Path::new(path), text.as_bytes())));
    let config = Config { org, secrets, server, chat, mail, files, rotations, not_built, unread, unusable_secrets };
    Loaded { config: Some(config), findings }
}

/// Reads the lists of `[[…]]` tables, in an order in which nothing depends on what follows.
type Reader = for<'d, 'e, 't> fn(&'d mut Draft<'e>, Table<'t>);
const LISTS: [(&str, &str, Reader); 15] = [
    ("team", "[[team]]", tables::team),
    ("person", "[[person]]", tables::person),
    ("schedule", "[[schedule]]", tables::schedule),
    ("escalation", "[[escalation]]", tables::escalation),
    ("service", "[[service]]", tables::service),
    ("integration", "[[integration]]", senders::integration),
    ("text-alert", "[[text-alert]]", text_alert::text_alert),
    ("webhook", "[[webhook]]", senders::webhook),
    ("summary", "[[summary]]", senders::summary),
    ("approval", "[[approval]]", changes::approval),
    ("freeze", "[[freeze]]", changes::freeze),
    ("change-window", "[[change-window]]", changes::change_window),
    ("change-model", "[[change-model]]", changes::change_model),
    ("http-host", "[[http-host]]", playbooks::http_host),
    ("remedy", "[[remedy]]", remedies::remedy),
];
/// The tables of settings; `[defaults]` first, because others fall back on its zone.
const SETTINGS: [(&str, &str, Reader); 8] = [
    ("defaults", "[defaults]", settings::defaults),
    ("server", "[server]", settings::server),
    ("operators", "[operators]", settings::operators),
    ("mail", "[mail]", settings::mail),
    ("severity", "[severity]", settings::severities),
    ("chat", "[chat]", settings::chats),
    ("change", "[change]", changes::change),
    ("perform", "[perform]", playbooks::perform),
];

fn file(draft: &mut Draft<'_>, source: &Arc<Source>, path: &Path, text: &str) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut broken = BTreeSet::new();
    for error in &errors {
        let spot = Spot::new(source, error.span().unwrap_or(0..0));
        // A parser that recovers may stumble over one mistake several times.
        if broken.insert(spot.line()) {
            draft.sink.add(Finding::error(&spot, format!("this is not TOML: {}", error.message())));
        }
    }
    // What the parser guessed on a broken line is not what was written there.
    let whole = broken.is_empty();
    draft.main_is_broken |= !whole && path == Path::new(MAIN);
    draft.sink.forgive(broken);
    let lost = draft.lost.clone();
    top(draft, source, path, document.get_ref());
    draft.sink.forgive(BTreeSet::new());
    if whole {
        draft.lost = lost;
    }
}

fn top<'a>(draft: &mut Draft<'_>, source: &'a Arc<Source>, path: &Path, document: &'a DeTable<'a>) {
    let sink = draft.sink;
    let known = || SETTINGS.iter().chain(&LISTS).map(|(name, ..)| *name);
    let mut found: Vec<(&'static str, &'a toml::Spanned<DeValue<'a>>)> = Vec::new();
    for (key, value) in document {
        let (name, spot) = (key.get_ref().as_ref(), Spot::new(source, key.span()));
        if let Some(name) = known().find(|known| *known == name) {
            found.push((name, value));
            continue;
        }
        let table = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let what = if table { "table" } else { "key" };
        let finding = Finding::error(&spot, format!("unknown {what} `{}`", value::cut(name)));
        let meant = foreign::table(name).or_else(|| value::meant(name, known()));
        let meant = meant.filter(|_| table).and_then(|meant| known().find(|known| *known == meant));
        sink.add(match meant {
            Some(meant) => finding.hint(format!("here it is called `{}`", header(meant))),
            None if table => finding.hint(format!("known tables: {}", known().collect::<Vec<_>>().join(", "))),
            None => finding.hint("every key stands in a table, such as [server] or [[team]]"),
        });
        // Read as what was meant, so that what it declares is known to others.
        found.extend(meant.map(|meant| (meant, value)));
    }
    for (name, what, reader) in SETTINGS {
        for (_, value) in found.iter().filter(|(found, _)| *found == name) {
            setting(draft, source, path, (what, reader), value);
        }
    }
    for (name, what, reader) in LISTS {
        for (_, value) in found.iter().filter(|(found, _)| *found == name) {
            list(draft, source, (what, reader), value);
        }
    }
}

fn header(name: &str) -> String {
    if LISTS.iter().any(|(list, ..)| *list == name) { format!("[[{name}]]") } else { format!("[{name}]") }
}

fn setting<'a>(
    draft: &mut Draft<'_>,
    source: &'a Arc<Source>,
    path: &Path,
    (what, reader): (&'static str, Reader),
    value: &'a toml::Spanned<DeValue<'a>>,
) {
    let spot = Spot::new(source, value.span());
    match value.get_ref() {
        DeValue::Table(_) if path != Path::new(MAIN) => {
            let hint = format!("move it to {MAIN}");
            draft.sink.add(Finding::error(&spot, format!("{what} stands in {MAIN} only")).hint(hint));
        }
        DeValue::Table(table) => reader(draft, Table::new(what, source, table, value.span(), draft.sink)),
        DeValue::Array(items) => {
            let finding = Finding::error(&spot, format!("{what} is no list"));
            draft.sink.add(finding.hint("write it once, with single brackets"));
            if let Some(DeValue::Table(table)) = items.iter().next().map(|item| item.get_ref()) {
                reader(draft, Table::new(what, source, table, value.span(), draft.sink));
            }
        }
        other => {
            draft.sink.add(Finding::error(&spot, format!("{what} is a table, not {}", kind(other))));
        }
    }
}

fn list<'a>(
    draft: &mut Draft<'_>,
    source: &'a Arc<Source>,
    (what, reader): (&'static str, Reader),
    value: &'a toml::Spanned<DeValue<'a>>,
) {
    let sink = draft.sink;
    let mut one = |table: &'a DeTable<'a>, span| reader(draft, Table::new(what, source, table, span, sink));
    match value.get_ref() {
        DeValue::Array(items) => {
            for item in items {
                match item.get_ref() {
                    DeValue::Table(table) => one(table, item.span()),
                    other => {
                        let message = format!("{what} is a table, not {}", kind(other));
                        sink.add(Finding::error(&Spot::new(source, item.span()), message));
                    }
                }
            }
        }
        DeValue::Table(table) => {
            let message = "this table is one of a list".to_owned();
            let finding = Finding::error(&Spot::new(source, value.span()), message);
            sink.add(finding.hint(format!("write {what}, with double brackets")));
            one(table, value.span());
        }
        other => {
            sink.add(Finding::error(
                &Spot::new(source, value.span()),
                format!("{what} is a table, not {}", kind(other)),
            ));
        }
    }
}
