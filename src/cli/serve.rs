//! `opsbell serve`: the server of an organisation, until SIGTERM or SIGINT.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::address::Address;
use super::{End, Global, LISTEN, LogFormat, USAGE, check, start_logging};
use crate::catalog::{self, Config, Finding, Severity, process_env};
use crate::notify::Notifiers;
use crate::runtime::clock::{Clock, SystemClock};
use crate::runtime::house::{House, Options};
use crate::runtime::kept::InForce;
use crate::runtime::reload::{self, Refused};
use crate::runtime::senders::try_senders;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How log lines look: text on a terminal and JSON elsewhere, unless said here
    #[arg(long, value_name = "FORMAT", env = "OPSBELL_LOG_FORMAT")]
    log_format: Option<LogFormat>,
    /// Cut off who does not read after so many milliseconds; tests do not wait for half a minute
    #[arg(long, hide = true, value_name = "MILLISECONDS")]
    write_timeout: Option<u64>,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    start_logging("info", args.log_format);
    let dir = std::path::absolute(global.config()).context("--config")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let before = InForce::of(&global.data()).filter(|before| before.from == dir);
    let (config, refused) = match servable(&dir, before.as_ref(), &clock, global.json) {
        Ok(config) => (config, None),
        // A mistake that somebody has made since must not keep a restart from sending what is owed (decision 0014).
        Err(Refusal { wrong, end }) => {
            let Some(before) = before else { return Err(end) };
            let config = match from_copy(&before, &global.data()) {
                Ok(config) => config,
                Err(why) => {
                    tracing::error!(why, hash = before.hash, "the copy of the one before is not taken");
                    return Err(end);
                }
            };
            let told = reload::not_in_force(&wrong);
            tracing::error!(config = %dir.display(), "{told}");
            (config, Some(Refused { hash: catalog::reload::hash_dir(&dir).ok(), told }))
        }
    };
    let listen = match (global.listen.as_ref().map(Address::socket).transpose()?, config.server.listen) {
        (Some(listen), _) | (None, Some(listen)) => listen,
        (None, None) => LISTEN.parse().context("the default address")?,
    };
    let mut options = Options::new(global.data(), listen, clock);
    options.watch = Some(dir);
    options.refused = refused;
    options.progress = progress();
    if let Some(millis) = args.write_timeout {
        options.write_timeout = Duration::from_millis(millis);
    }
    let house = House::start(config, options, Notifiers::default())?;
    wait_for_the_end(&house, || {
        // On a full disk it serves all the same.
        if let Err(error) = house.announce() {
            tracing::error!(error = format!("{error:#}"), "commands on this machine may not find this server");
        }
        tracing::info!(address = %house.addr(), data = %global.data().display(), "serving");
        Ok(())
    })?;
    tracing::info!("stopping");
    house.stop();
    Ok(())
}

/// Why a configuration is not served.
struct Refusal {
    /// What the operators are told, if another one is served instead.
    wrong: Vec<String>,
    /// How it ends, if none is.
    end: End,
}

/// What stands in the directory, if it can be served; else its findings are printed. One that is `before` has been
/// served, so whether it can be is not tried.
fn servable(dir: &Path, before: Option<&InForce>, clock: &Arc<dyn Clock>, json: bool) -> Result<Config, Refusal> {
    let refusal =
        |wrong: Vec<String>, why: &str| Refusal { wrong, end: End::Failed(USAGE, anyhow!("{}: {why}", dir.display())) };
    let print = |findings: &[Finding]| {
        check::print(findings, json).map_err(|end| Refusal { wrong: Vec::new(), end })?;
        Ok(findings.iter().filter(|finding| finding.severity == Severity::Error).map(Finding::brief).collect())
    };
    let loaded = catalog::load_dir(dir, &process_env)
        .map_err(|error| Refusal { wrong: vec![error.to_string()], end: check::unreadable(error) })?;
    let Some(config) = loaded.config else {
        return Err(refusal(print(&loaded.findings)?, "the configuration has errors"));
    };
    let refused = catalog::unservable(&config);
    if !refused.is_empty() {
        return Err(refusal(print(&refused)?, "this configuration cannot be served yet"));
    }
    if before.is_some_and(|before| before.hash != config.org.hash)
        && let Err(error) = try_senders(&config, clock)
    {
        let why = format!("{error:#}");
        return Err(refusal(vec![why.clone()], &why));
    }
    // What `check` warns of, where whoever starts the server sees it; a weak key above all.
    for finding in loaded.findings.iter().filter(|finding| finding.severity == Severity::Warning) {
        tracing::warn!(finding = finding.brief(), "the configuration");
    }
    Ok(config)
}

/// The configuration that was in force when the server ended, from its copy; else why that cannot be served either.
fn from_copy(before: &InForce, data: &Path) -> Result<Config, String> {
    let loaded =
        catalog::load_copy(&before.copy(data), &before.from, &process_env).map_err(|error| error.to_string())?;
    let config = loaded.config.ok_or("it has errors")?;
    if config.org.hash != before.hash {
        return Err("it is not what was in force: somebody has changed it".to_owned());
    }
    catalog::unservable(&config).first().map_or(Ok(()), |finding| Err(finding.brief()))?;
    Ok(config)
}

/// Shows progress where records are rebuilt.
fn progress() -> Box<dyn FnMut(u64, u64)> {
    if !std::io::stderr().is_terminal() {
        return Box::new(|done, total| tracing::info!(done, total, "rebuilding the records from the journal"));
    }
    let bar = indicatif::ProgressBar::no_length().with_message("rebuilding the records from the journal");
    if let Ok(style) = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} commits {eta}") {
        bar.set_style(style);
    }
    Box::new(move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if done >= total {
            bar.finish_and_clear();
        }
    })
}

/// Waits for SIGTERM or SIGINT; calls `heard` as soon as they are heard, so that whoever is told of the server may send
/// them.
fn wait_for_the_end(house: &House, heard: impl FnOnce() -> anyhow::Result<()>) -> Result<(), End> {
    let Some(tokio) = house.tokio() else { return Ok(()) };
    tokio.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
        let mut int = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
        heard()?;
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(())
}
