//! Checks on the tree itself: the rules of ARCHITECTURE.md that a compiler does not know, and that what the documents
//! say is there. Nothing of Opsbell's behaviour is tested here, save that the configurations in the documents load.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use opsbell::catalog::{Severity, load_files, not_built};
use regex::Regex;

/// The longest file in `src/`, in lines.
const LINES_MAX: usize = 600;

fn walk(dir: &str, end: &str) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![PathBuf::from(dir)], Vec::new());
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
            let path = entry.expect("an entry of the tree").path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "nothing ends with {end} below {dir}");
    found
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Fails with all findings at once.
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

/// The lines of a file that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn documents() -> Vec<PathBuf> {
    let mut all = walk("docs", ".md");
    all.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(PathBuf::from));
    all
}

#[test]
fn every_source_file_says_what_lives_in_it() {
    let silent = walk("src", ".rs").into_iter().chain(walk("tests", ".rs")).chain(walk("benches", ".rs"));
    let silent = silent.filter(|path| !read(path).starts_with("//!"));
    none(&silent.map(|path| format!("{}: does not open with `//!`", path.display())).collect::<Vec<_>>());
}

#[test]
fn no_source_file_is_too_long() {
    let sized = walk("src", ".rs").into_iter().map(|path| (read(&path).lines().count(), path));
    let long = sized.filter(|(lines, _)| *lines > LINES_MAX);
    none(
        &long
            .map(|(lines, path)| format!("{}: {lines} lines, at most {LINES_MAX}", path.display()))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn files_are_named_after_what_they_hold() {
    let empty = ["util", "utils", "manager", "managers", "common", "helper", "helpers", "misc"];
    let found = walk("src", ".rs").into_iter().chain(walk("tests", ".rs")).filter(|path| {
        path.components().any(|part| {
            let stem = part.as_os_str().to_string_lossy();
            stem.trim_end_matches(".rs").split('_').any(|word| empty.contains(&word))
        })
    });
    none(&found.map(|path| format!("{}: the name says nothing", path.display())).collect::<Vec<_>>());
}

#[test]
fn rooms_import_only_what_they_may() {
    // The order of the house; `runtime`, `rehearsal` and `cli` put the others together and may see them all.
    let may: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("domain", &[][..]),
        ("journal", &["domain"][..]),
        ("records", &["domain"][..]),
        ("catalog", &["domain"][..]),
        ("picture", &["domain"][..]),
        ("chat", &["domain", "catalog", "picture"][..]),
        ("source", &["domain", "catalog"][..]),
        ("notify", &["domain", "catalog"][..]),
        ("perform", &["domain", "catalog"][..]),
        ("http", &["domain", "catalog", "picture"][..]),
    ]);
    let all = ["runtime", "rehearsal", "cli"];
    let named = Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let mut findings = Vec::new();
    for path in walk("src", ".rs") {
        let inner = path.strip_prefix("src").unwrap();
        let Some(room) = inner.components().next().and_then(|part| part.as_os_str().to_str()) else { continue };
        if room.ends_with(".rs") || all.contains(&room) {
            continue;
        }
        let Some(allowed) = may.get(room) else {
            findings.push(format!("{}: `{room}` is a room that this test does not know", path.display()));
            continue;
        };
        let text = read(&path);
        for (n, line) in code(&text) {
            let others = named.captures_iter(line).map(|found| found[1].to_owned());
            for other in others.filter(|other| other != room && !allowed.contains(&other.as_str())) {
                findings.push(format!("{}:{n}: {room} imports {other}", path.display()));
            }
            if line.contains("opsbell::") {
                findings.push(format!("{}:{n}: say `crate::`, so that this test sees it", path.display()));
            }
        }
        // `use crate::{…}` would hide what is imported.
        if text.contains("use crate::{") {
            findings.push(format!("{}: one `use crate::ROOM` for each room", path.display()));
        }
    }
    none(&findings);
}

#[test]
fn nothing_is_left_to_do_in_the_code() {
    let left = Regex::new(r"\b(todo|unimplemented|dbg)!|\b(TODO|FIXME|XXX)\b").unwrap();
    let mut findings = Vec::new();
    for path in walk("src", ".rs") {
        let text = read(&path);
        let lines = text.lines().enumerate().filter(|(_, line)| left.is_match(line));
        findings.extend(lines.map(|(n, line)| format!("{}:{}: {}", path.display(), n + 1, line.trim())));
    }
    none(&findings);
}

fn holds(dir: &Path, kind: &str) -> bool {
    let mut entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.any(|path| path.is_dir() && holds(&path, kind) || path.extension().is_some_and(|it| it == kind))
}

#[test]
fn data_files_are_toml() {
    let mut findings = Vec::new();
    // `playbooks/` holds templates as well, and at first nothing else.
    for dir in ["commands", "playbooks", "examples"].into_iter().filter(|dir| holds(Path::new(dir), "toml")) {
        for path in walk(dir, ".toml") {
            if let Err(error) = read(&path).parse::<toml::Table>() {
                findings.push(format!("{}: {error}", path.display()));
            }
        }
    }
    none(&findings);
}

#[test]
fn paths_that_the_documents_name_are_there() {
    let quoted = Regex::new(r"`([^`\s]+)`").unwrap();
    let linked = Regex::new(r"\]\(([^)\s#]+)(?:#[^)]*)?\)").unwrap();
    let plain = Regex::new(r"^[A-Za-z0-9_./-]+$").unwrap();
    let mut findings = Vec::new();
    for document in documents() {
        let (text, mut fenced) = (read(&document), false);
        let here = document.parent().unwrap();
        for (n, line) in text.lines().enumerate() {
            if line.starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            let at = || format!("{}:{}", document.display(), n + 1);
            for found in quoted.captures_iter(line) {
                let path = found[1].trim_end_matches(['.', ',']);
                let first = path.split('/').next().unwrap_or_default();
                let place = !first.is_empty() && (Path::new(first).is_dir() || Path::new("src").join(first).is_dir());
                let named = path.contains('/') && place && plain.is_match(path);
                if named && ![Path::new(""), Path::new("src")].iter().any(|base| base.join(path).exists()) {
                    findings.push(format!("{}: `{path}` is not there", at()));
                }
            }
            for found in linked.captures_iter(line) {
                if !found[1].contains("://") && !here.join(&found[1]).exists() {
                    findings.push(format!("{}: the link to {} leads nowhere", at(), &found[1]));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn the_readme_gives_two_commands_and_ci_runs_the_second() {
    let readme = read("README.md");
    let named = Regex::new(r"\./dev ([a-z]+)").unwrap();
    let verbs: BTreeSet<&str> = named.captures_iter(&readme).map(|found| found.get(1).unwrap().as_str()).collect();
    assert_eq!(verbs, BTreeSet::from(["demo", "test"]), "the README names ./dev demo and ./dev test, and no other");
    let ci = read(".ci/run");
    let run: Vec<&str> = ci.lines().filter(|line| line.contains("./dev")).collect();
    assert_eq!(run, ["exec ./dev test"]);
}

#[test]
fn changelog_lines_have_their_form() {
    let form = Regex::new(r"^\[(FEATURE|CHANGE|BUGFIX|REMOVAL)\] [a-z][a-z -]*: [A-Z`].*\.$").unwrap();
    let text = read("CHANGELOG.md");
    let entries = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let odd: Vec<String> =
        entries.filter(|line| !form.is_match(line)).map(|line| format!("CHANGELOG.md: {line}")).collect();
    none(&odd);
}

#[test]
fn decisions_say_what_they_cost() {
    let name = Regex::new(r"^(\d{4})-[a-z0-9-]+\.md$").unwrap();
    let (mut findings, mut numbers) = (Vec::new(), Vec::new());
    for path in walk("docs/decisions", ".md") {
        let (file, text) = (path.file_name().unwrap().to_string_lossy().into_owned(), read(&path));
        let Some(number) = name.captures(&file).map(|found| found[1].to_owned()) else {
            findings.push(format!("{}: call it NNNN-what-was-decided.md", path.display()));
            continue;
        };
        for needed in [&format!("# {number} "), "\nDate: 20", "\n## Why\n", "\n## What it costs\n"] {
            if !text.contains(needed) {
                findings.push(format!("{}: {:?} is missing", path.display(), needed.trim()));
            }
        }
        numbers.push(number.parse::<usize>().unwrap());
    }
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "decisions are numbered without gaps");
    none(&findings);
}

/// The fenced blocks of a document: line, what stands behind the fence, text.
fn fenced(text: &str) -> Vec<(usize, String, String)> {
    let (mut blocks, mut open): (Vec<_>, Option<(usize, String, String)>) = (Vec::new(), None);
    for (n, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(info), None) => open = Some((n + 1, info.trim().to_owned(), String::new())),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some((at, info, body))) => open = Some((at, info, body + line + "\n")),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn configurations_in_the_documents_load() {
    let (mut findings, mut whole) = (Vec::new(), 0);
    for document in documents() {
        for (line, info, body) in fenced(&read(&document)) {
            let at = format!("{}:{line}", document.display());
            if info.starts_with("toml")
                && let Err(error) = body.parse::<toml::Table>()
            {
                findings.push(format!("{at}: {error}"));
            }
            if info == "toml whole" {
                whole += 1;
                let files = BTreeMap::from([(PathBuf::from("opsbell.toml"), body)]);
                let loaded = load_files(&files, &|_| Some("a-secret".to_owned()));
                let wrong = loaded.findings.iter().filter(|finding| finding.severity == Severity::Error).cloned();
                let unserved = loaded.config.iter().flat_map(not_built);
                findings.extend(wrong.chain(unserved).map(|finding| format!("{at}: {}", finding.brief())));
            }
        }
    }
    assert!(whole > 0, "no block is marked ```toml whole");
    none(&findings);
}

#[test]
fn every_key_of_the_configuration_is_described() {
    let read_by = [
        r#"(?:table|inner)\s*\.(?:text|texts|parse|parse_all|flag|count|date|table|tables)\(\s*"([a-z_]+)""#,
        r#"refer(?:_all)?\(Kind::[A-Za-z]+, "([a-z_]+)""#,
        r#"draft\.link\("([a-z_]+)""#,
        r#"draft\.secret\(\("([a-z_]+)""#,
        r#"draft\.secret\(\("[a-z_]+", "([a-z_]+)""#,
    ]
    .map(|pattern| Regex::new(pattern).unwrap());
    let described = read("docs/config.md");
    let mut missing = BTreeSet::new();
    for file in ["settings", "tables", "senders", "text_alert", "changes", "draft"] {
        let text = read(format!("src/catalog/{file}.rs"));
        for pattern in &read_by {
            missing.extend(pattern.captures_iter(&text).map(|found| found[1].to_owned()));
        }
    }
    assert!(missing.len() > 40, "this test no longer sees the keys: {missing:?}");
    missing.retain(|key| !described.contains(&format!("`{key}`")) && !described.contains(&format!(".{key}`")));
    assert!(missing.is_empty(), "docs/config.md does not describe {missing:?}");
}

#[test]
fn every_key_of_a_playbook_is_described() {
    let read_by = Regex::new(
        r#"(?:table|inner)\s*\.(?:text|texts|parse|parse_all|flag|count|table|tables|settle)\(\s*"([a-z_]+)""#,
    )
    .unwrap();
    let does = Regex::new(r#"pub const DOES: \[&str; \d+\] =\s*\[([^\]]*)\]"#).unwrap();
    let described = read("docs/playbooks.md") + &read("docs/playbook-reference.md");
    let line = read("src/catalog/playbooks/line.rs");
    let words = does.captures(&line).expect("the things that a step can do")[1].to_owned();
    let mut keys: BTreeSet<String> = words.split(", ").map(|word| word.trim_matches('"').to_owned()).collect();
    for text in [
        read("src/catalog/playbooks.rs"),
        read("src/catalog/playbooks/acts.rs"),
        read("src/catalog/playbooks/models.rs"),
        line,
    ] {
        keys.extend(read_by.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    assert!(keys.len() > 35, "this test no longer sees the keys: {keys:?}");
    let said = |key: &String| described.contains(&format!("`{key}`")) || described.contains(&format!("{key} = "));
    let missing: Vec<&String> = keys.iter().filter(|key| !said(key)).collect();
    assert!(missing.is_empty(), "docs/playbooks.md does not describe {missing:?}");
}

#[test]
fn every_path_and_error_of_the_api_is_described() {
    let described = read("docs/http.md");
    let mut wanted: BTreeSet<String> = opsbell::http::document().paths.paths.into_keys().collect();
    assert!(wanted.len() > 15, "this test no longer sees the routes: {wanted:?}");
    let failed = Regex::new(r#"::new\(\s*(?:StatusCode::[A-Z_]+|status),\s*"([a-z-]+)""#).unwrap();
    let unavailable = Regex::new(r#"Unavailable::[A-Za-z_()]+ => \("([a-z-]+)""#).unwrap();
    for path in walk("src/http", ".rs") {
        let text = read(path);
        for pattern in [&failed, &unavailable] {
            wanted.extend(pattern.captures_iter(&text).map(|found| found[1].to_owned()));
        }
    }
    wanted.remove("refused");
    let missing: Vec<&String> = wanted.iter().filter(|word| !described.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "docs/http.md does not describe {missing:?}");
}
