//! `opsbell serve`: the server of an organisation, until SIGTERM or SIGINT.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::address::Address;
use super::{End, Global, LISTEN, LogFormat, USAGE, check, start_logging};
use crate::catalog;
use crate::notify::Notifiers;
use crate::runtime::clock::SystemClock;
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
    let dir = global.config();
    let loaded = check::load(&dir)?;
    let Some(config) = loaded.config else {
        check::print(&loaded.findings, global.json)?;
        return Err(End::Failed(USAGE, anyhow!("{}: the configuration has errors", dir.display())));
    };
    let mut refused = catalog::not_built(&config);
    refused.extend(catalog::missing_secrets(&config).into_iter().chain(catalog::shared_keys(&config)));
    if !refused.is_empty() {
        check::print(&refused, global.json)?;
        return Err(End::Failed(USAGE, anyhow!("{}: this configuration cannot be served yet", dir.display())));
    }
    // What `check` warns of, where whoever starts the server sees it; a weak key above all.
    for finding in loaded.findings.iter().filter(|finding| finding.severity == catalog::Severity::Warning) {
        tracing::warn!(finding = finding.brief(), "the configuration");
    }
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
