//! `opsbell serve`: the server of an organisation, until SIGTERM or SIGINT.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::address::Address;
use super::{End, Global, LISTEN, LogFormat, USAGE, check, start_logging};
use crate::catalog::{self, Config, Finding, Loaded, process_env};
use crate::notify::Notifiers;
use crate::runtime::clock::SystemClock;
use crate::runtime::data::InForce;
use crate::runtime::house::{House, Options};

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
    let loaded = check::load(&dir).and_then(|loaded| servable(loaded, &dir, global.json));
    let config = loaded.or_else(|end| in_force_before(&global.data(), &dir).ok_or(end))?;
    let listen = match (global.listen.as_ref().map(Address::socket).transpose()?, config.server.listen) {
        (Some(listen), _) | (None, Some(listen)) => listen,
        (None, None) => LISTEN.parse().context("the default address")?,
    };
    let mut options = Options::new(global.data(), listen, Arc::new(SystemClock::new()));
    options.watch = Some(dir);
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

/// What was read, if it can be served; else its findings are printed.
fn servable(loaded: Loaded, dir: &Path, json: bool) -> Result<Config, End> {
    let Some(config) = loaded.config else {
        check::print(&loaded.findings, json)?;
        return Err(End::Failed(USAGE, anyhow!("{}: the configuration has errors", dir.display())));
    };
    let refused = refused(&config);
    if !refused.is_empty() {
        check::print(&refused, json)?;
        return Err(End::Failed(USAGE, anyhow!("{}: this configuration cannot be served yet", dir.display())));
    }
    // What `check` warns of, where whoever starts the server sees it; a weak key above all.
    for finding in loaded.findings.iter().filter(|finding| finding.severity == catalog::Severity::Warning) {
        tracing::warn!(finding = finding.brief(), "the configuration");
    }
    Ok(config)
}

/// Why a configuration without errors cannot be served.
fn refused(config: &Config) -> Vec<Finding> {
    let secrets = catalog::missing_secrets(config).into_iter().chain(catalog::shared_keys(config));
    catalog::not_built(config).into_iter().chain(secrets).collect()
}

/// The configuration that was in force when the server ended, if it came from the same directory: somebody has made a
/// mistake since, which must not keep a restart from sending what is owed (docs/decisions/0014). The watch over the
/// directory tells the operators, and takes what is mended.
fn in_force_before(data: &Path, dir: &Path) -> Option<Config> {
    let before = InForce::of(data).filter(|before| before.from == dir)?;
    let config = catalog::load_copy(&before.copy(data), dir, &process_env).ok()?.config?;
    if config.org.hash != before.hash || !refused(&config).is_empty() {
        return None;
    }
    tracing::error!(
        config = %dir.display(),
        "this configuration is not in force, the one of before is; the server goes on with it until this one is mended"
    );
    Some(config)
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
