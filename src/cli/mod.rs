//! The command line: one file per verb. Exit status: 0 done; 1 the answer is no; 2 usage, syntax or unreadable
//! configuration; 3 unreachable or timed out.

mod address;
mod backup;
mod chat;
mod check;
mod client;
mod demo;
mod discord;
mod docs;
mod evidence;
mod factor;
mod gate;
mod health;
mod import;
mod init;
mod journal;
mod oncall;
mod placed;
mod read;
mod rehearse;
mod restore;
mod say;
mod serve;
mod token;

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Parser, Subcommand};

use address::Address;
use placed::Placed;

/// A chat-ops bot: alerts page whoever is on call, incidents and their records write themselves while people work.
#[derive(Debug, Parser)]
#[command(name = "opsbell", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb knows.
#[derive(Debug, clap::Args)]
struct Global {
    /// The configuration directory (holds opsbell.toml)
    #[arg(long, global = true, value_name = "DIR", env = "OPSBELL_CONFIG")]
    config: Option<PathBuf>,
    /// The data directory
    #[arg(long, global = true, value_name = "DIR", env = "OPSBELL_DATA")]
    data: Option<PathBuf>,
    /// Where to listen (serve, demo), or where the server is (others; an http or https address as well)
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<Address>,
    /// Print records as JSON
    #[arg(long, global = true)]
    json: bool,
}

/// Where a server listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8080";

impl Global {
    fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from("opsbell-data"))
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Try everything in a terminal, with an example organisation; nothing leaves this machine
    Demo(demo::Args),
    /// Run the server for an organisation
    Serve(serve::Args),
    /// Chat with a running server from a terminal: opsbell chat --as bas
    Chat(chat::Args),
    /// Say something as a person: opsbell say '/status' --as bas
    Say(say::Args),
    /// Write a small configuration to start from
    Init(init::Args),
    /// Check a configuration: all findings at once
    Check,
    /// Run stories, or ask who would be woken: --at TIME --source S --alert FILE
    Rehearse(rehearse::Args),
    /// Show how a payload is read
    Read(read::Args),
    /// Ask whether a version may be deployed now: --service S --version V [--wait]
    Gate(gate::Args),
    /// Write everything of a change into a zip, for an auditor: CHG-7 [--out FILE]
    Evidence(evidence::Args),
    /// Show who is on call
    Oncall(oncall::Args),
    /// Verify, export or rebuild from the journal
    #[command(subcommand)]
    Journal(journal::Verb),
    /// Back up a data directory, also while its server runs
    Backup(backup::Args),
    /// Take a backup back into a new data directory
    Restore(restore::Args),
    /// Print a page of the documentation that is made from the program
    #[command(hide = true)]
    Docs(docs::Args),
    /// Make a configuration of another tool's export: opsgenie, pagerduty, goalert
    Import(import::Args),
    /// Personal tokens for the API: add, list, revoke
    #[command(subcommand)]
    Token(token::Verb),
    /// Second factors of people, for risky approvals: add, list, remove
    #[command(subcommand)]
    Factor(factor::Verb),
    /// Ask whether the server is well
    Health,
    /// Ask Discord whether pages would arrive
    #[command(subcommand)]
    Discord(discord::Verb),
}

/// The answer was no: findings, a failed story, a refusal. Already said.
const NO: u8 = 1;
/// Usage, syntax or unreadable configuration.
const USAGE: u8 = 2;
/// Unreachable or timed out.
const UNREACHABLE: u8 = 3;

/// How a verb ends other than well.
#[derive(Debug)]
enum End {
    /// Already said; only the status is left.
    Status(u8),
    /// To be said.
    Failed(u8, anyhow::Error),
}

impl From<anyhow::Error> for End {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(USAGE, error)
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = &cli.global;
    let ended = match &cli.verb {
        Verb::Demo(args) => demo::run(global, args),
        Verb::Serve(args) => serve::run(global, args),
        Verb::Chat(args) => chat::run(global, args),
        Verb::Say(args) => say::run(global, args),
        Verb::Init(args) => init::run(args),
        Verb::Check => check::run(global),
        Verb::Rehearse(args) => rehearse::run(global, args),
        Verb::Read(args) => read::run(global, args),
        Verb::Gate(args) => gate::run(global, args),
        Verb::Evidence(args) => evidence::run(global, args),
        Verb::Oncall(args) => oncall::run(global, args),
        Verb::Journal(verb) => journal::run(global, verb),
        Verb::Backup(args) => backup::run(global, args),
        Verb::Restore(args) => restore::run(global, args),
        Verb::Docs(args) => docs::run(args),
        Verb::Import(args) => import::run(global, args),
        Verb::Token(verb) => token::run(global, verb),
        Verb::Factor(verb) => factor::run(global, verb),
        Verb::Health => health::run(global),
        Verb::Discord(verb) => discord::run(global, verb),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(End::Status(status)) => ExitCode::from(status),
        Err(End::Failed(status, error)) => {
            eprintln!("opsbell: {}", Placed::of(global).hint(&format!("{error:#}")));
            ExitCode::from(status)
        }
    }
}

/// Prints a text and a line's end. Whoever reads may have enough (`opsbell check | head -1`): then the verb ends, well
/// and without a word.
fn out(text: impl Display) -> Result<(), End> {
    said(writeln!(std::io::stdout(), "{text}"))
}

/// How a verb goes on after a write to standard output.
fn said(written: std::io::Result<()>) -> Result<(), End> {
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(End::Status(0)),
        Err(error) => Err(End::Failed(UNREACHABLE, anyhow!(error).context("standard output cannot be written"))),
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One object a line
    Json,
}

/// Logs to standard error: as asked for, else text on a terminal and JSON elsewhere. `OPSBELL_LOG` filters (`info` by
/// default).
fn start_logging(default: &str, format: Option<LogFormat>) {
    use std::io::IsTerminal as _;
    let filter = crate::catalog::process_env("OPSBELL_LOG").unwrap_or_else(|| default.to_owned());
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| default.into());
    // A log that cannot be written (a full disk, a closed pipe) ends nothing: without this it panics where it is said.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    // A second start (in a test) keeps the first one's log.
    let text = format.map_or_else(|| std::io::stderr().is_terminal(), |format| format == LogFormat::Text);
    let _ = if text { log.try_init() } else { log.json().try_init() };
}
