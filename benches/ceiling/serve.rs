//! The skeleton: the least that anything with Opsbell's promise has to do. Nothing is remembered but the hash chain.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use crossbeam_channel::{Receiver, Sender};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc, oneshot};

#[derive(clap::Args)]
pub struct Options {
    /// Where; port 0 takes a free one, printed as `listening=…`.
    #[arg(long, default_value = "127.0.0.1:8099")]
    listen: SocketAddr,
    /// A directory for the journal.
    #[arg(long)]
    data: PathBuf,
    /// Where the page of each alert goes.
    #[arg(long)]
    webhook: String,
    /// Posts at the same time.
    #[arg(long, default_value_t = 32)]
    lanes: usize,
}

/// Alerts that wait for the disk; beyond them the answer is 503.
const QUEUE: usize = 8_192;

/// Alerts in one sync.
const BATCH: usize = 1_024;

#[derive(Deserialize)]
struct Body {
    alerts: Vec<Alert>,
}

#[derive(Deserialize, Serialize)]
struct Alert {
    status: String,
    labels: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
    #[serde(rename = "startsAt")]
    starts_at: String,
    fingerprint: String,
}

struct Waiting {
    alerts: Vec<Alert>,
    durable: oneshot::Sender<bool>,
}

struct Page {
    id: u64,
    body: Vec<u8>,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.data)?;
    let path = options.data.join("ceiling.jsonl");
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let file = file.with_context(|| format!("{} cannot be written", path.display()))?;
    let (queue, waiting) = crossbeam_channel::bounded::<Waiting>(QUEUE);
    let (pages, owed) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("writer".into()).spawn(move || write(file, &waiting, &pages))?;
    tokio::spawn(send(options.webhook, options.lanes, owed));
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    println!("listening={}", listener.local_addr()?);
    let app = Router::new().route("/ingest", post(ingest)).with_state(queue);
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), app).await?;
    Ok(())
}

async fn ingest(State(queue): State<Sender<Waiting>>, body: Bytes) -> (StatusCode, String) {
    let body: Body = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{{\"error\":\"{error}\"}}")),
    };
    let (accepted, (durable, synced)) = (body.alerts.len(), oneshot::channel());
    let full = queue.try_send(Waiting { alerts: body.alerts, durable }).is_err();
    if full || !synced.await.unwrap_or(false) {
        return (StatusCode::SERVICE_UNAVAILABLE, "{\"error\":\"not written\"}".into());
    }
    (StatusCode::ACCEPTED, format!("{{\"accepted\":{accepted}}}"))
}

/// The writer: one line an alert, chained by its hash; whatever waits goes into one write and one fdatasync.
fn write(mut file: File, waiting: &Receiver<Waiting>, pages: &mpsc::UnboundedSender<Page>) {
    let (mut hash, mut seq) = ("0".repeat(64), 0_u64);
    let (mut lines, mut durable, mut owed) = (Vec::new(), Vec::new(), Vec::new());
    while let Ok(first) = waiting.recv() {
        lines.clear();
        for one in std::iter::once(first).chain(waiting.try_iter().take(BATCH)) {
            for alert in &one.alerts {
                seq += 1;
                let from = lines.len();
                lines.extend_from_slice(format!("{{\"prev\":\"{hash}\",\"seq\":{seq},\"event\":").as_bytes());
                let _ = serde_json::to_writer(&mut lines, alert);
                hash = Sha256::digest(&lines[from..]).iter().map(|byte| format!("{byte:02x}")).collect();
                lines.extend_from_slice(format!(",\"hash\":\"{hash}\"}}\n").as_bytes());
                let body = serde_json::to_vec(&serde_json::json!({"id": seq, "title": alert.labels.get("alertname")}));
                owed.push(Page { id: seq, body: body.unwrap_or_default() });
            }
            durable.push(one.durable);
        }
        if let Err(error) = file.write_all(&lines).and_then(|()| file.sync_data()) {
            // Whoever waits or comes later gets 503.
            return eprintln!("the journal cannot be written: {error}");
        }
        for waiter in durable.drain(..) {
            let _ = waiter.send(true);
        }
        for page in owed.drain(..) {
            let _ = pages.send(page);
        }
    }
}

/// One post a page over kept connections, some at a time.
async fn send(url: String, lanes: usize, mut owed: mpsc::UnboundedReceiver<Page>) {
    let client = reqwest::Client::builder().pool_max_idle_per_host(lanes).tcp_nodelay(true).build().unwrap_or_default();
    let room = Arc::new(Semaphore::new(lanes));
    while let Some(page) = owed.recv().await {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let post = client
            .post(&url)
            .header("webhook-id", format!("ceiling-{}", page.id))
            .header("content-type", "application/json")
            .body(page.body);
        tokio::spawn(async move {
            match post.send().await {
                // The body is read so that the connection is kept.
                Ok(answer) if answer.status().is_success() => drop(answer.bytes().await),
                Ok(answer) => eprintln!("a page got {}", answer.status()),
                Err(error) => eprintln!("a page did not arrive: {error}"),
            }
            drop(permit);
        });
    }
}
