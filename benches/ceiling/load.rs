//! The generator: keep-alive connections that send one alert at a time and wait for its answer.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::wire::{Wire, address};
use crate::{Kind, alert, instant, now_us, percentiles};

#[derive(clap::Args)]
pub struct Options {
    /// Who is measured, `http://127.0.0.1:8080`.
    #[arg(long)]
    target: String,
    /// Where it takes alerts; Opsbell at `/v1/ingest/alertmanager`.
    #[arg(long, default_value = "/ingest")]
    path: String,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// For how long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Ends after so many alerts, if that is earlier.
    #[arg(long)]
    count: Option<u64>,
    /// Which alerts.
    #[arg(long, value_enum, default_value = "unique")]
    kind: Kind,
    /// Spreads unique alerts over so many groups; without it each has its own.
    #[arg(long)]
    groups: Option<u64>,
    /// At most so many alerts a second over all connections; without it as fast as they are answered.
    #[arg(long)]
    rate: Option<f64>,
    /// The severity in the alerts' labels.
    #[arg(long, default_value = "critical")]
    severity: String,
    /// A `service` label.
    #[arg(long)]
    service: Option<String>,
    /// Keys for `Authorization: Bearer`, separated by commas: connections take turns, as several senders would.
    #[arg(long, value_delimiter = ',')]
    bearer: Vec<String>,
    /// The receiver, `http://127.0.0.1:9099`: waits for the pages of all accepted alerts and tells alert → page.
    #[arg(long)]
    receiver: Option<String>,
    /// How long to wait for those pages.
    #[arg(long, default_value_t = 60)]
    drain_seconds: u64,
}

#[derive(Default)]
struct Tally {
    /// Microseconds from the first byte sent to the answer.
    latencies: Vec<u64>,
    /// When each accepted alert was sent, in microseconds since 1970.
    sent: Vec<(u64, u64)>,
    /// Answers other than 2xx, and the first of them.
    refused: u64,
    first_refusal: Option<String>,
    /// Why the first connection that ended early did so.
    ended: Option<anyhow::Error>,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    ensure!(options.connections > 0, "--connections must be at least 1");
    let (run, begun, start) = ((now_us() / 1000) & 0xffff_ffff, now_us(), instant());
    let (options, next, tally) = (Rc::new(options), Rc::new(Cell::new(0)), Rc::new(RefCell::new(Tally::default())));
    let local = tokio::task::LocalSet::new();
    for place in 0..options.connections {
        let connection = connection(Rc::clone(&options), place, run, start, Rc::clone(&next), Rc::clone(&tally));
        let tally = Rc::clone(&tally);
        local.spawn_local(async move {
            if let Err(error) = connection.await {
                tally.borrow_mut().ended.get_or_insert(error);
            }
        });
    }
    local.await;
    let took = start.elapsed().as_secs_f64();
    let mut tally = tally.take();
    let accepted = tally.sent.len();
    let kind = options.kind.to_possible_value().map(|kind| kind.get_name().to_owned()).unwrap_or_default();
    let latencies = percentiles(&mut tally.latencies, "");
    println!(
        "load kind={kind} connections={} accepted={accepted} refused={} seconds={took:.2} per_second={:.0} {latencies}",
        options.connections,
        tally.refused,
        accepted as f64 / took,
    );
    if let Some(refusal) = tally.first_refusal {
        println!("first refusal: {refusal}");
    }
    if let Some(error) = tally.ended {
        // What was measured is not what was asked for.
        return Err(error.context("a connection ended early"));
    }
    match &options.receiver {
        Some(receiver) if options.kind == Kind::Unique => pages(receiver, run, begun, &tally.sent, &options).await,
        _ => Ok(()),
    }
}

async fn connection(
    options: Rc<Options>,
    place: usize,
    run: u64,
    start: std::time::Instant,
    next: Rc<Cell<u64>>,
    tally: Rc<RefCell<Tally>>,
) -> anyhow::Result<()> {
    let host = address(&options.target)?;
    let mut wire = connect(host).await?;
    let key = options.bearer.iter().cycle().nth(place);
    let bearer = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let head = format!("POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{bearer}", options.path);
    let (mut body, mut request) = (String::new(), Vec::new());
    let end = Duration::from_secs(options.seconds);
    loop {
        let n = next.get();
        if options.count.is_some_and(|count| n >= count) || start.elapsed() >= end {
            return Ok(());
        }
        next.set(n + 1);
        if let Some(rate) = options.rate {
            let due = Duration::from_secs_f64(n as f64 / rate);
            if due >= end {
                return Ok(());
            }
            tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
        }
        let number = if options.kind == Kind::Duplicate { 0 } else { n };
        let group = options.groups.map_or(number, |groups| number % groups.max(1));
        alert::body(&mut body, run, number, group, &options.severity, options.service.as_deref());
        let (sent, sending) = (now_us(), instant());
        let refusal = post(&mut wire, &head, &body, &mut request).await?;
        tally.borrow_mut().answered(number, sent, sending.elapsed(), refusal);
        if options.kind == Kind::Recovering {
            post(&mut wire, &head, &alert::recovered(&body), &mut request).await?;
        }
    }
}

/// Posts a body; gives what was said when the answer is not 2xx.
async fn post(wire: &mut Wire, head: &str, body: &str, request: &mut Vec<u8>) -> anyhow::Result<Option<String>> {
    request.clear();
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body.as_bytes());
    wire.stream.write_all(request).await?;
    let Some(answer) = wire.message().await? else { bail!("the connection was closed") };
    let status = wire.head(&answer);
    if status.get(9) == Some(&b'2') {
        return Ok(None);
    }
    let status = status.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(&[status, b" ", wire.body(&answer)].concat()).into_owned()))
}

impl Tally {
    fn answered(&mut self, number: u64, sent: u64, took: Duration, refusal: Option<String>) {
        match refusal {
            None => {
                self.latencies.push(took.as_micros() as u64);
                self.sent.push((number, sent));
            }
            Some(said) => {
                self.refused += 1;
                self.first_refusal.get_or_insert(said);
            }
        }
    }
}

async fn connect(host: &str) -> anyhow::Result<Wire> {
    Wire::new(TcpStream::connect(host).await.with_context(|| format!("{host} cannot be reached"))?)
}

async fn get(wire: &mut Wire, host: &str, path: &str) -> anyhow::Result<String> {
    wire.stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
    let Some(answer) = wire.message().await? else { bail!("closed by {host}") };
    Ok(String::from_utf8_lossy(wire.body(&answer)).into_owned())
}

/// Waits for the pages of all accepted alerts, and tells how long each took.
async fn pages(receiver: &str, run: u64, begun: u64, sent: &[(u64, u64)], options: &Options) -> anyhow::Result<()> {
    let host = address(receiver)?;
    let mut wire = connect(host).await?;
    let (start, prefix) = (instant(), format!("{}{run:08x}-", alert::MARK));
    loop {
        let stats = get(&mut wire, host, "/stats").await?;
        let arrived = stats.split_whitespace().find_map(|word| word.strip_prefix("alerts=")?.parse().ok());
        let enough = arrived.unwrap_or(0) >= sent.len();
        if enough || start.elapsed() > Duration::from_secs(options.drain_seconds) {
            let arrivals = get(&mut wire, host, "/arrivals").await?;
            let arrivals: HashMap<u64, u64> = arrivals
                .lines()
                .filter_map(|line| {
                    let mut words = line.strip_prefix(&prefix)?.split_whitespace();
                    Some((words.next()?.trim_end_matches('-').parse().ok()?, words.next()?.parse().ok()?))
                })
                .collect();
            let mut waits: Vec<u64> =
                sent.iter().filter_map(|(n, at)| Some(arrivals.get(n)?.saturating_sub(*at))).collect();
            let missing = sent.len() - waits.len();
            // A receiver that has seen other runs has enough too early.
            if missing > 0 && start.elapsed() <= Duration::from_secs(options.drain_seconds) {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
            let last = arrivals.values().max().map_or(0.0, |last| last.saturating_sub(begun) as f64 / 1e6);
            println!(
                "pages arrived={} missing={missing} last_after_seconds={last:.2} per_second={:.0} {}",
                waits.len(),
                waits.len() as f64 / last.max(1e-6),
                percentiles(&mut waits, "page_")
            );
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
