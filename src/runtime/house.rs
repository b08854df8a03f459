//! The house: puts the rooms together and takes them apart again in order. Everything it starts is stopped by `stop`,
//! within ten seconds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::clock::{Clock, stopwatch};
use super::core::Core;
use super::data::{self, Data};
use super::engine::{self, Parts};
use super::factors::Factors;
use super::handle::{Handle, Tell};
use super::kept::{self, InForce};
use super::lanes::TokioLanes;
use super::reload::{self, Looks, Refused};
use super::senders::{discord_of, senders};
use super::shelf::Shelf;
use super::writer::{Writer, Written};
use super::{recover, scrub, watch};
use crate::catalog::{Config, Finding, Secret, unservable};
use crate::chat::discord::{Discord, Sign, Signs, Stands};
use crate::domain::actor::By;
use crate::domain::delivery::Method;
use crate::domain::desk::Sender;
use crate::domain::id::{IntegrationId, PersonId};
use crate::domain::input::{Input, InputKind};
use crate::domain::oncall;
use crate::domain::org::Org;
use crate::domain::paging::look;
use crate::domain::time::{Span, Timestamp};
use crate::http::{self, Feed, Http, Keys, Limits, ReadError, ReadOutcome, Tally};
use crate::journal::{self, Disk, RealDisk};
use crate::notify::Notifiers;
use crate::perform::Performer;
use crate::source;

/// How long tasks may take to be dropped at the end.
const PARTING: Duration = Duration::from_millis(500);

/// How a house is started.
pub struct Options {
    /// The data directory.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The configuration directory to watch, absolute; `None` for an embedded one.
    pub watch: Option<PathBuf>,
    /// What stands in that directory, where it could not be taken and another one is served.
    pub refused: Option<Refused>,
    /// The demo: integrations get keys of their own, what is not built is simulated.
    pub demo: bool,
    /// A client who takes nothing of what is written to it is cut off after this long.
    pub write_timeout: Duration,
    /// The file layer under the journal; tests put a failing one here.
    pub disk: Arc<dyn Disk>,
    /// Told (commits done, in all) while records are rebuilt.
    pub progress: Box<dyn FnMut(u64, u64)>,
}

impl Options {
    /// The usual ones.
    pub fn new(data: PathBuf, listen: SocketAddr, clock: Arc<dyn Clock>) -> Self {
        Self {
            data,
            listen,
            clock,
            watch: None,
            refused: None,
            demo: false,
            write_timeout: http::WRITE_TIMEOUT,
            disk: Arc::new(RealDisk),
            progress: Box::new(|_, _| {}),
        }
    }
}

/// What a new configuration is wired to.
pub struct Wiring {
    /// The engine.
    pub engine: Handle,
    keys: Arc<Keys>,
    notifiers: Arc<RwLock<Arc<Notifiers>>>,
    performer: Arc<RwLock<Arc<Performer>>>,
    /// The organisation in force, for what is rendered outside the engine.
    org: Arc<RwLock<Arc<Org>>>,
    clock: Arc<dyn Clock>,
    data: Data,
    /// The configuration directory; `None` for an embedded one.
    from: Option<PathBuf>,
    /// What stays whatever the configuration says: chat, and the demo's simulation.
    own: Notifiers,
    /// Discord, where the configuration of the start names it.
    discord: Option<Arc<Discord>>,
    /// Second factors of people.
    factors: Factors,
    feed: Arc<Feed>,
    admin: String,
    demo: bool,
    /// Where the watchdog is and how often it wants to hear, if one is named.
    watchdog: RwLock<Option<(Secret, Span)>>,
}

impl Wiring {
    /// Puts a configuration in force, as a whole.
    ///
    /// # Errors
    /// It names what is not built or lacks a secret; the old one stays. One line for each finding.
    pub fn replace(&self, mut config: Config) -> Result<(), Vec<String>> {
        config.org.chat_connected = self.own.has(Method::Chat);
        if !self.demo {
            let refused: Vec<String> = unservable(&config).iter().map(Finding::brief).collect();
            if !refused.is_empty() {
                return Err(refused);
            }
            self.fits_discord(&config)?;
        }
        let notifiers = self.notifiers_of(&config).map_err(|error| vec![format!("{error:#}")])?;
        if let Err(error) = self.keep(&config) {
            tracing::error!(error = format!("{error:#}"), "the configuration could not be copied");
        }
        let watchdog = config.secrets.heartbeat.clone().map(|address| (address, config.server.heartbeat_every));
        *self.watchdog.write().unwrap_or_else(PoisonError::into_inner) = watchdog;
        self.keys.replace(&config.org, self.ingest_keys(&config));
        let org = Arc::new(config.org);
        if let (Some(discord), Some(settings)) = (&self.discord, config.chat.get("discord")) {
            discord.replace(settings, Arc::clone(&org));
        }
        *self.notifiers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(notifiers);
        let performer = Performer::new(config.secrets.hosts.clone());
        let performer = if self.demo { performer.only_here() } else { performer };
        *self.performer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(performer);
        *self.org.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&org);
        self.engine.tell(Tell::Reload(org));
        Ok(())
    }

    /// Keeps a copy, which the next start takes where the configuration has errors by then.
    fn keep(&self, config: &Config) -> Result<()> {
        let (data, hash) = (self.data.dir(), config.org.hash.clone());
        match self.from.clone() {
            Some(from) => InForce { hash, from }.keep(data, &config.files),
            None => kept::keep_copy(data, &hash, &config.files),
        }
    }

    /// Another connection to Discord needs another process: the one that is there carries pages.
    fn fits_discord(&self, config: &Config) -> Result<(), Vec<String>> {
        let told = config.chat.get("discord");
        let fits = match (&self.discord, told) {
            (Some(discord), Some(settings)) => discord.fits(settings, config.secrets.chat.get("discord"), &config.org),
            (None, None) => true,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let what = "[chat.discord] came, went, or names another server or token, or the first [[text-alert]] came, for which \
                    Discord has to be asked anew: restart Opsbell to have it";
        Err(vec![what.to_owned()])
    }

    /// Where the watchdog is and how often it wants to hear; never in the demo, from which nothing leaves.
    pub fn watchdog(&self) -> Option<(Secret, Span)> {
        self.watchdog.read().unwrap_or_else(PoisonError::into_inner).clone().filter(|_| !self.demo)
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.data.dir()
    }

    fn ingest_keys(&self, config: &Config) -> BTreeMap<IntegrationId, Vec<u8>> {
        let mut keys: BTreeMap<IntegrationId, Vec<u8>> = BTreeMap::new();
        if self.demo {
            for id in config.org.integrations.keys() {
                keys.insert(id.clone(), data::demo_key(&self.admin, id.as_str()).into_bytes());
            }
        }
        for (id, secret) in &config.secrets.ingest {
            keys.insert(id.clone(), secret.expose().as_bytes().to_vec());
        }
        keys
    }

    fn notifiers_of(&self, config: &Config) -> Result<Notifiers> {
        // In the demo nothing leaves the machine: what the demo has no stand-in for is reported as not configured.
        if self.demo { Ok(self.own.clone()) } else { senders(self.own.clone(), config, &self.clock) }
    }
}

/// A running house.
pub struct House {
    /// The engine.
    pub engine: Handle,
    wiring: Arc<Wiring>,
    address: SocketAddr,
    /// What comes in: HTTP, chats.
    tokio: Option<tokio::runtime::Runtime>,
    /// What goes out.
    sends: Option<tokio::runtime::Runtime>,
    stop_http: Option<tokio::sync::oneshot::Sender<()>>,
    http: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    engine_thread: Option<JoinHandle<()>>,
}

impl House {
    /// Opens the data, starts the threads, listens. `own` are the chats (and the demo's stand-ins).
    ///
    /// # Errors
    /// The configuration cannot be served, the data directory is in use or damaged, the address is taken.
    pub fn start(mut config: Config, mut options: Options, mut own: Notifiers) -> Result<Self> {
        let discord = if options.demo { None } else { discord_of(&config)? };
        if let Some(discord) = &discord {
            own = own.with(Method::Chat, Arc::clone(discord) as Arc<dyn Sender>);
        }
        config.org.chat_connected = own.has(Method::Chat);
        let data = Data::take(&options.data)?;
        if data.dir().join(data::RESTORING).exists() && !data.dir().join("journal").exists() {
            return Err(anyhow!(
                "a restore into {} was interrupted. Run `opsbell restore` again, or name another directory with --data.",
                data.dir().display()
            ));
        }
        // Before anything is written: a taken address must leave no trace.
        let listener = std::net::TcpListener::bind(options.listen).with_context(|| {
            format!("cannot listen on {}; is it taken? choose another with --listen", options.listen)
        })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let admin = data.admin_token()?;
        let install = data::random_install()?;
        let disk = Arc::clone(&options.disk);
        let opened = recover::open(options.disk, data.dir(), &install, &mut *options.progress)?;
        let (tokio, sends) = (share("faces")?, share("lanes")?);
        let (engine, queues) = engine::queues();

        let factors = Factors::open(&data.dir().join("factors")).context("the second factors cannot be read")?;
        let wiring = Arc::new(Wiring {
            factors,
            engine: engine.clone(),
            keys: Arc::new(Keys::new()),
            notifiers: Arc::new(RwLock::new(Arc::new(Notifiers::default()))),
            performer: Arc::new(RwLock::new(Arc::new(Performer::default()))),
            org: Arc::new(RwLock::new(Arc::new(Org::default()))),
            clock: Arc::clone(&options.clock),
            data,
            from: options.watch.clone(),
            own,
            discord: discord.clone(),
            feed: Arc::new(Feed::new(opened.found.last_seq)),
            admin: admin.clone(),
            demo: options.demo,
            watchdog: RwLock::new(None),
        });
        let (source_org, reader) = (config.org.clone(), opened.journal.reader());
        let hash = source_org.hash.clone();
        // The first thing that the engine takes: it compares the clock with the journal's last commit.
        let started = InputKind::Started { version: env!("CARGO_PKG_VERSION").into(), at: options.clock.now() };
        engine.tell(Tell::Input(Box::new(Input {
            by: By::timer("start"),
            idempotency: None,
            kind: started,
            closed: Vec::new(),
        })));
        // The configuration before the engine's first round: what is owed from before is sent by it.
        wiring.replace(config).map_err(|refused| anyhow!(refused.join("\n")))?;

        let durable = (opened.found.last_seq, opened.found.last_hash.clone());
        let records_dir = wiring.data.dir().join("records");
        let named = (opened.found.install.clone(), reader.clone());
        if let Err(why) = &opened.records {
            let text = format!(
                "Opsbell has started without its records ({why}). Pages and commands go on; closed records cannot be \
                 shown before they are rebuilt, which is tried all the time. Check the disk of the data directory."
            );
            watch::tell_operators(&engine, "records", text);
        }
        let tally = Tally::default();
        tally.config_in_force(options.refused.is_none());
        if let Some(refused) = &options.refused {
            watch::tell_operators(&engine, "config", refused.told.clone());
        }
        let shelf = Shelf::new(records_dir, named, opened.records, durable.0, engine.clone())?;
        let (tell, feed) = (engine.clone(), Arc::clone(&wiring.feed));
        let writer = Writer::start(opened.journal, tally.clone(), move |written| {
            let durable = if let Written::Durable { seq, .. } = &written { Some(*seq) } else { None };
            // The engine hears of it first: it is asked for what listeners are told.
            tell.tell(Tell::Written(written));
            durable.into_iter().for_each(|seq| feed.durable(seq));
        })?;
        let lanes = TokioLanes {
            tokio: sends.handle().clone(),
            notifiers: Arc::clone(&wiring.notifiers),
            performer: Arc::clone(&wiring.performer),
            engine: engine.clone(),
        };
        let parts = Parts {
            core: Core::new(opened.state, Arc::new(source_org)).with_factors(wiring.factors.clone()),
            durable,
            clock: Arc::clone(&options.clock),
            shelf,
            epoch: opened.found.epoch,
            tally: tally.clone(),
        };
        let engine_thread = engine::start(queues, parts, writer, Box::new(lanes))?;

        let router = http::router(face(&wiring, &admin, tally.clone()))?;
        let (stop_http, stopped) = tokio::sync::oneshot::channel();
        let write_timeout = options.write_timeout;
        let http = tokio.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            http::serve(listener, router, write_timeout, async move {
                let _ = stopped.await;
            })
            .await
        });
        if let Some(dir) = options.watch {
            // Heard from now on: unheard, a SIGHUP ends the process.
            let hangups = {
                let _tokio = tokio.enter();
                reload::hangups()
            };
            let looks = Looks::new(hash, options.refused);
            tokio.spawn(reload::watch(dir, looks, hangups, Arc::clone(&wiring), tally.clone()));
        }
        let counted = tally.clone();
        counted.connected(discord.is_none());
        tokio.spawn(watch::auditor(Arc::clone(&wiring), tally));
        tokio.spawn(scrub::daily(engine.clone(), disk, wiring.data.dir().join("journal")));
        if let Some(discord) = discord {
            let (desk, install) = (Arc::new(engine.clone()), opened.found.install.as_str().into());
            let signs: Signs = Arc::new(move |sign| match sign {
                Sign::Now(stands) => counted.connected(stands == Stands::Connected),
                Sign::Unread => counted.unread(),
            });
            tokio.spawn(discord.connect(desk, install, wiring.feed.watch(), signs));
        }
        Ok(Self {
            engine,
            wiring,
            address,
            tokio: Some(tokio),
            sends: Some(sends),
            stop_http: Some(stop_http),
            http: Some(http),
            engine_thread: Some(engine_thread),
        })
    }

    /// Writes where it listens to `server.json`, when it is ready for everything, signals too.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn announce(&self) -> Result<()> {
        self.wiring.data.tell_address(self.address)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The key of an integration in the demo.
    pub fn ingest_key(&self, integration: &IntegrationId) -> String {
        data::demo_key(&self.wiring.admin, integration.as_str())
    }

    /// Where faces run.
    pub fn tokio(&self) -> Option<&tokio::runtime::Handle> {
        self.tokio.as_ref().map(tokio::runtime::Runtime::handle)
    }

    /// Stops taking requests, lets what is under way end, closes the journal and the records.
    pub fn stop(mut self) {
        let over = Arc::new(AtomicBool::new(false));
        force_the_end(Arc::clone(&over));
        self.wiring.feed.close();
        if let Some(stop) = self.stop_http.take() {
            let _ = stop.send(());
        }
        if let (Some(tokio), Some(http)) = (&self.tokio, self.http.take()) {
            let _ = tokio.block_on(http);
        }
        let (stopped, when_stopped) = crossbeam_channel::bounded(1);
        self.engine.tell(Tell::Stop(Box::new(move || {
            let _ = stopped.send(());
        })));
        let _ = when_stopped.recv();
        if let Some(thread) = self.engine_thread.take() {
            let _ = thread.join();
        }
        self.wiring.data.forget_address();
        for tokio in [self.sends.take(), self.tokio.take()].into_iter().flatten() {
            // Long enough for what adapters hold to be let go: programs that steps have begun end with their tasks.
            tokio.shutdown_timeout(PARTING);
        }
        over.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

/// A runtime on half of the cores: what comes in and what goes out each have their own, so that neither waits for the
/// other, and less is handed from thread to thread.
fn share(name: &str) -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let threads = (cores / 2).max(1);
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().thread_name(name).build()
}

/// Ends the process when stopping takes longer than whoever asked for it waits. Nothing is lost by it: what is durable
/// is on the disk, and what is owed is sent at the next start.
fn force_the_end(over: Arc<AtomicBool>) {
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(9_500);
    let wait = move || {
        std::thread::sleep(PATIENCE);
        if !over.load(std::sync::atomic::Ordering::SeqCst) {
            tracing::warn!("something does not end; leaving it behind");
            std::process::exit(0);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("end".into()).spawn(wait) {
        tracing::warn!(%error, "nobody watches the end");
    }
}

/// What the HTTP face needs from the other rooms.
fn face(wiring: &Arc<Wiring>, admin: &str, tally: Tally) -> Http {
    let (engine, journal_dir) = (wiring.engine.clone(), wiring.data.dir().join("journal"));
    let (org, clock) = (Arc::clone(&wiring.org), Arc::clone(&wiring.clock));
    let discord = wiring.discord.clone();
    let render = Arc::new(move |text: &str, person: Option<&PersonId>| {
        let org = Arc::clone(&org.read().unwrap_or_else(PoisonError::into_inner));
        look::times(text, org.zone(person), clock.now())
    });
    Http {
        desk: Arc::new(wiring.engine.clone()),
        keys: Arc::clone(&wiring.keys),
        admin: http::Secret::of(admin.as_bytes()),
        sources: source::SOURCES.iter().map(|source| source.name).collect(),
        read: Arc::new(read),
        render,
        oncall: Arc::new(|org: &Org, now: Timestamp| oncall::show::json(org, now)),
        journal: Arc::new(move |after, limit| lines(&engine, &journal_dir, after, limit)),
        factors: keeper(wiring.factors.clone()),
        tally,
        stopwatch: Arc::new(stopwatch()),
        feed: Arc::clone(&wiring.feed),
        chat: Arc::new(move || Some(discord.as_ref()?.standing().as_str())),
        starting: Arc::new(AtomicBool::new(false)),
        limits: Limits::default(),
    }
}

/// Keeps the secrets of second factors for the HTTP face.
fn keeper(factors: Factors) -> http::KeepFactor {
    Arc::new(move |person: &PersonId, act| {
        let kept = match act {
            http::FactorAct::Make(bytes) => factors.make(person, bytes),
            http::FactorAct::Remove => factors.remove(person).map(|()| String::new()),
        };
        kept.map_err(|error| error.to_string())
    })
}

fn read(name: &str, body: &[u8], mapping: Option<&crate::domain::org::Mapping>) -> Result<ReadOutcome, ReadError> {
    let unknown = |error: source::UnknownSource| ReadError { path: None, message: error.to_string(), hint: None };
    let source = source::find(name).map_err(unknown)?;
    let none = crate::domain::org::Mapping::default();
    match (source.read)(body, mapping.unwrap_or(&none)) {
        Ok(reading) => Ok(ReadOutcome {
            signals: reading.signals,
            ignored: reading.ignored,
            rejected: reading.rejected.into_iter().map(|rejected| (rejected.path, rejected.reason)).collect(),
        }),
        Err(error) => Err(ReadError {
            path: error.path,
            message: error.message,
            hint: Some(error.hint).filter(|hint| !hint.is_empty()),
        }),
    }
}

/// Exact lines of the journal after a commit, as far as they are durable.
fn lines(engine: &Handle, dir: &Path, after: u64, limit: usize) -> Result<Vec<(u64, String)>, String> {
    // After the last number there can be, there is nothing.
    let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
    let durable = engine.look(|view| view.durable.0).map_err(|error| error.to_string())?;
    let to = after.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)).min(durable);
    let mut bytes = Vec::new();
    journal::export(&RealDisk, dir, first, to, &mut bytes).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    Ok((first..).zip(text.lines().map(str::to_owned)).collect())
}
