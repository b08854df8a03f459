//! `opsbell demo`: the whole house on an example organisation, with the terminal as its chat and a clock that can be
//! moved. Nothing leaves the machine: what would be sent by mail, phone or webhook is shown.

mod stage;
mod words;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::address::Address;
use super::{End, Global, LISTEN, USAGE, start_logging};
use crate::catalog::{self, Config, process_env};
use crate::chat::terminal::{self, Terminal};
use crate::chat::{Chat, Ended};
use crate::domain::delivery::Method;
use crate::domain::desk::Sender;
use crate::domain::org::Org;
use crate::domain::time::Timestamp;
use crate::notify::Notifiers;
use crate::runtime::clock::{Clock, SkippingClock};
use crate::runtime::handle::Tell;
use crate::runtime::house::{House, Options};
use stage::Start;
use words::DemoWords;

/// What the demo's words wait for at most.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the line editor may take to end.
const PARTING: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub struct Args {}

/// Makes sure that the directory is a demo's: `OPSBELL_DATA` may name the data of a real organisation, which an example
/// airline must not page from or resolve in.
fn claim(data: &Path) -> Result<(), End> {
    let mark = data.join("demo");
    if data.join("journal").exists() && !mark.exists() {
        let refused = anyhow!(
            "{} holds the data of a server, not of a demo. Name another directory with --data, or unset OPSBELL_DATA.",
            data.display()
        );
        return Err(End::Failed(USAGE, refused));
    }
    std::fs::create_dir_all(data).with_context(|| format!("{}: cannot be made", data.display()))?;
    std::fs::write(&mark, "opsbell demo\n").with_context(|| format!("{}: cannot be written", mark.display()))?;
    Ok(())
}

pub fn run(global: &Global, _: &Args) -> Result<(), End> {
    let interactive = terminal::interactive();
    // A log line in the middle of the screen would break the line being typed; what matters is told there anyway.
    start_logging(if interactive { "off" } else { "warn" }, None);
    let data = stage::data_dir(global.data.clone(), &process_env);
    claim(&data)?;
    let clock = Arc::new(SkippingClock::kept_in(data.join("skipped")));
    let config = example(clock.now())?;
    let org = Arc::new(config.org.clone());

    let words = Arc::new(DemoWords::new(org));
    let history = Some(data.join("history"));
    let terminal = Terminal::of_process(stage::YOU.into(), history, Box::new(Arc::clone(&words)))
        .context("the terminal cannot be opened")?;
    let terminal = Arc::new(terminal);
    let stage: Arc<dyn Sender> = terminal.clone();
    let own = Method::ALL.into_iter().fold(Notifiers::default(), |own, method| own.with(method, Arc::clone(&stage)));

    let mut options = Options::new(data.clone(), listen(global.listen.as_ref())?, clock.clone());
    options.demo = true;
    let house = House::start(config, options, own)?;
    house.announce()?;
    words.connect(house.engine.clone());
    catch_up(&house, &*clock)?;
    introduce(&terminal, &house, &data, interactive, clock.now())?;

    let talk = converse(&terminal, &house, interactive)?;
    wait(&house, talk.quit)?;
    terminal.stop();
    if interactive {
        // The line editor gives the terminal back as it was; a plain read may wait for ever.
        let _ = talk.over.recv_timeout(PARTING);
    }
    // A closed output cannot be told goodbye; that is no failure.
    let _ = terminal.print(&stage::farewell(&data));
    house.stop();
    Ok(())
}

/// The example organisation, with whoever sits here on call.
fn example(now: Timestamp) -> anyhow::Result<Config> {
    let loaded = catalog::load_files(&catalog::example(), &process_env);
    let mut config = loaded.config.ok_or_else(|| anyhow!("the built-in example has errors; this is a bug"))?;
    stage::put_on_call(&mut config.org, stage::SCHEDULE, &stage::YOU.into(), now);
    Ok(config)
}

/// Where to listen: where it is asked for, else the usual address, else any free one.
fn listen(asked: Option<&Address>) -> anyhow::Result<SocketAddr> {
    if let Some(asked) = asked {
        return asked.socket();
    }
    let usual: SocketAddr = LISTEN.parse().context("the default address")?;
    Ok(match std::net::TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::new(usual.ip(), 0),
    })
}

/// Time does not run backwards: what was skipped last time stays skipped, and you are on call then.
fn catch_up(house: &House, clock: &dyn Clock) -> anyhow::Result<()> {
    let (last, org) = house.engine.look(|view| (view.state.meta.at, Arc::clone(view.org)))?;
    clock.skip_to(last);
    let mut later = Org::clone(&org);
    if stage::put_on_call(&mut later, stage::SCHEDULE, &stage::YOU.into(), clock.now()) {
        house.engine.tell(Tell::Reload(Arc::new(later)));
    }
    Ok(())
}

fn introduce(terminal: &Terminal, house: &House, data: &Path, interactive: bool, now: Timestamp) -> anyhow::Result<()> {
    let open = house.engine.look(|view| view.state.all_open_incidents().count())?;
    let start = Start {
        data,
        url: &format!("http://{}", house.addr()),
        key: &house.ingest_key(&stage::INTEGRATION.into()),
        open,
        interactive,
        now,
    };
    terminal.print(&stage::introduction(&start)).context("the terminal cannot be written")
}

/// A conversation on a thread of its own.
struct Talk {
    /// Hears when somebody has had enough.
    quit: tokio::sync::oneshot::Receiver<()>,
    /// Hears (as disconnected) when nothing more is read.
    over: crossbeam_channel::Receiver<()>,
}

/// Starts the conversation. The end of a piped input is no wish to end.
fn converse(terminal: &Arc<Terminal>, house: &House, interactive: bool) -> anyhow::Result<Talk> {
    let (quit, quitted) = tokio::sync::oneshot::channel();
    let (running, over) = crossbeam_channel::bounded(0);
    let (terminal, engine) = (Arc::clone(terminal), house.engine.clone());
    std::thread::Builder::new().name("terminal".into()).spawn(move || {
        let _running = running;
        match terminal.converse(Arc::new(engine)) {
            Ok(Ended::Quit) => {}
            Ok(Ended::EndOfInput) if interactive => {}
            Ok(Ended::EndOfInput | Ended::Stopped) => return,
            Err(error) if interactive => tracing::error!(%error, "the terminal cannot be read"),
            Err(error) => return tracing::error!(%error, "standard input cannot be read; serving on"),
        }
        let _ = quit.send(());
    })?;
    Ok(Talk { quit: quitted, over })
}

/// Until somebody quits, or SIGTERM or SIGINT.
fn wait(house: &House, quit: tokio::sync::oneshot::Receiver<()>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let Some(tokio) = house.tokio() else { return Ok(()) };
    tokio.block_on(async {
        let mut term = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
        let mut int = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            // Dropped without a word (the end of a piped input): only signals are left.
            Ok(()) = quit => {}
        }
        Ok(())
    })
}
