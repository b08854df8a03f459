//! `opsbell docs commands` (hidden): the page about all words, made from the command files. `./dev docs` writes it; a
//! test compares it.

use std::fmt::Write as _;

use super::{End, out};
use crate::catalog::words::builtin;
use crate::domain::authorise::word;
use crate::domain::command::spec::{CommandSpec, OptionKind, OptionSpec};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which page
    page: Page,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Page {
    /// All words
    Commands,
}

pub fn run(args: &Args) -> Result<(), End> {
    match args.page {
        Page::Commands => out(commands().trim_end()),
    }
}

const HEAD: &str = "\
# The words

<!-- Made from commands/*.toml by `./dev docs`; change those. -->

What people say in chat, in the terminal, by `opsbell say` and by `POST /v1/say`. `/help` shows each person those that
they may say. Required options come first and may be given by position, as may an id; others by name,
`service:payments-api`. An incident may be left out where only one can be meant. Texts that stand last need no quotes.
An organisation lays its own words over these ([config.md](config.md)).
";

fn commands() -> String {
    let mut page = HEAD.to_owned();
    for command in &builtin().commands {
        // Writing into a text cannot fail.
        let _ = describe(&mut page, command);
    }
    page
}

fn describe(page: &mut String, command: &CommandSpec) -> std::fmt::Result {
    let CommandSpec { name, summary, permission, options, examples, synonyms, private, .. } = command;
    writeln!(page, "\n## `/{name}`\n\n{summary}. Asks for: {}.", word(*permission))?;
    if *private {
        writeln!(page, "The answer is for the asker only.")?;
    }
    if !synonyms.is_empty() {
        let all: Vec<String> = synonyms.iter().map(|synonym| format!("`{synonym}`")).collect();
        writeln!(page, "Also: {}.", all.join(", "))?;
    }
    if !options.is_empty() {
        writeln!(page, "\n| option | takes | |\n|---|---|---|")?;
        for OptionSpec { name, summary, kind, required, choices, .. } in options {
            let must = if *required { " (required)" } else { "" };
            writeln!(page, "| `{name}`{must} | {} | {} |", takes(*kind, choices), summary.replace('|', "\\|"))?;
        }
    }
    if !examples.is_empty() {
        writeln!(page, "\n```text\n{}\n```", examples.join("\n"))?;
    }
    Ok(())
}

/// What an option takes; a kind without words of its own is told by its name in the command files.
fn takes(kind: OptionKind, choices: &[compact_str::CompactString]) -> String {
    if !choices.is_empty() {
        let all: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        return all.join(", ");
    }
    serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}
