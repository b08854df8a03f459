//! `opsbell docs PAGE` (hidden): the pages that are made from the program itself, about all words (from the command
//! files) and about the command line. `./dev docs` writes them; a test compares them.

use std::fmt::Write as _;

use clap::{ArgAction, CommandFactory as _};

use super::{Cli, End, out};
use crate::catalog::playbooks::reference;
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
    /// The command line
    Cli,
    /// What a playbook can say
    PlaybookReference,
}

pub fn run(args: &Args) -> Result<(), End> {
    match args.page {
        Page::Commands => out(commands().trim_end()),
        Page::Cli => out(command_line().trim_end()),
        Page::PlaybookReference => out(reference::page().trim_end()),
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

const CLI_HEAD: &str = "\
# The command line

<!-- Made from src/cli/ by `./dev docs`; change that. -->

| exit status | means |
|---|---|
| 0 | done |
| 1 | the answer is no: findings, a failed story, a refusal |
| 2 | usage, syntax or an unreadable configuration |
| 3 | nobody answered, or too late |

Options that every verb takes:
";

fn command_line() -> String {
    let mut program = Cli::command();
    program.build();
    let mut page = CLI_HEAD.to_owned();
    let globals: Vec<&clap::Arg> = program.get_arguments().filter(|arg| arg.is_global_set()).collect();
    // Writing into a text cannot fail.
    let _ = arguments(&mut page, &globals);
    for verb in program.get_subcommands() {
        let _ = tell_verb(&mut page, "opsbell", verb);
    }
    page
}

/// A verb, or the verbs below it.
fn tell_verb(page: &mut String, before: &str, verb: &clap::Command) -> std::fmt::Result {
    let name = format!("{before} {}", verb.get_name());
    if verb.is_hide_set() || verb.get_name() == "help" {
        return Ok(());
    }
    if verb.has_subcommands() {
        return verb.get_subcommands().try_for_each(|below| tell_verb(page, &name, below));
    }
    let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
    writeln!(page, "\n## `{name}`\n\n{about}.")?;
    let own: Vec<&clap::Arg> = verb.get_arguments().filter(|arg| !arg.is_global_set()).collect();
    arguments(page, &own)
}

fn arguments(page: &mut String, all: &[&clap::Arg]) -> std::fmt::Result {
    // The program's own `--help` and `--version`; the gate has another one.
    let own = |arg: &clap::Arg| !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version);
    let shown = |arg: &&&clap::Arg| !arg.is_hide_set() && own(arg);
    let mut rows = all.iter().filter(shown).peekable();
    if rows.peek().is_some() {
        writeln!(page, "\n| | |\n|---|---|")?;
    }
    for arg in rows {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
        let or = arg.get_env().map(|env| format!(" (or `{}` in the environment)", env.to_string_lossy()));
        let must = if arg.is_required_set() && !arg.is_positional() { " (required)" } else { "" };
        // As in the help: `--data <DIR>`.
        let arg = arg.to_string().replace('|', "\\|");
        writeln!(page, "| `{arg}`{must} | {help}{} |", or.unwrap_or_default())?;
    }
    Ok(())
}
