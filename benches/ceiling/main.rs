//! The ceiling: what this machine can do at best for a durable alert and its page, without any of Opsbell's code.
//! `serve` is a minimal axum + group commit + webhook skeleton; `load`, `receive` and `sync` measure it, and Opsbell
//! as well, in the same run and by the same means. Results are lines of `name=value`.

mod alert;
mod ask;
mod gate;
mod load;
mod receive;
mod serve;
mod sync;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(name = "ceiling", about = "Measures what durable alerts and their pages cost on this machine at least")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// Given by `cargo bench`; means nothing here.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// The skeleton: POST /ingest → parse → chained hash → batch → fdatasync → 202, then one webhook per alert.
    Serve(serve::Options),
    /// Takes webhooks: GET /stats counts them by id, GET /arrivals tells when the page of each alert came first.
    Receive {
        /// Where; port 0 takes a free one, printed as `listening=…`.
        #[arg(long, default_value = "127.0.0.1:9099")]
        listen: SocketAddr,
    },
    /// Sends Alertmanager bodies with one alert each over keep-alive connections.
    Load(load::Options),
    /// Asks Opsbell for closed incidents: a list, one, its timeline, a draft of its postmortem.
    Ask(ask::Options),
    /// Asks Opsbell's gate: questions that open a change, and questions about changes that wait.
    Gate(gate::Options),
    /// Appends and syncs 600 bytes at a time: the disk's own fdatasync.
    Sync {
        /// A directory on the disk in question.
        #[arg(long)]
        dir: PathBuf,
        /// How often.
        #[arg(long, default_value_t = 2_000)]
        count: usize,
        /// So many a second instead of one after the other: the disk sleeps in between, and so does the machine.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,
    },
}

/// Which alerts are sent.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Each one new, by name, fingerprint and group.
    Unique,
    /// Always the same one.
    Duplicate,
    /// Each one new, and recovered by a second body as soon as the first is answered.
    Recovering,
}

fn main() -> anyhow::Result<()> {
    // The generator and the receiver take one thread each, to leave the rest of the machine to what is measured.
    let one = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    match Cli::parse().verb {
        Verb::Serve(options) => {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve::run(options))
        }
        Verb::Receive { listen } => one()?.block_on(receive::run(listen)),
        Verb::Load(options) => one()?.block_on(load::run(options)),
        Verb::Ask(options) => one()?.block_on(ask::run(options)),
        Verb::Gate(options) => one()?.block_on(gate::run(options)),
        Verb::Sync { dir, count, rate } => sync::run(&dir, count, rate),
    }
}

/// Microseconds since 1970; the generator and the receiver compare theirs, so they must run on one machine.
#[allow(clippy::disallowed_methods)] // It measures.
fn now_us() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_methods)] // It measures.
fn instant() -> std::time::Instant {
    std::time::Instant::now()
}

/// `p50_ms=… p99_ms=… max_ms=…` of some microseconds.
fn percentiles(samples: &mut [u64], prefix: &str) -> String {
    samples.sort_unstable();
    let at = |share: f64| {
        let rank = ((samples.len() as f64 * share).ceil() as usize).clamp(1, samples.len().max(1)) - 1;
        samples.get(rank).map_or(f64::NAN, |us| *us as f64 / 1000.0)
    };
    format!("{prefix}p50_ms={:.3} {prefix}p99_ms={:.3} {prefix}max_ms={:.3}", at(0.5), at(0.99), at(1.0))
}
