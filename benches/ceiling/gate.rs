//! Asks Opsbell's gate over one kept connection, one question at a time: first for versions of which nothing is known, so
//! that each opens a change, then again for those that wait. One line for each kind tells how long the answers took.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::wire::{Wire, address};
use crate::{instant, percentiles};

#[derive(clap::Args)]
pub struct Options {
    /// The server, `http://127.0.0.1:8080`.
    #[arg(long)]
    target: String,
    /// The file with the administrator's token.
    #[arg(long)]
    token_file: PathBuf,
    /// For whom it is asked.
    #[arg(long)]
    person: String,
    /// Services, by turns; separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    services: Vec<String>,
    /// Changes that are opened.
    #[arg(long)]
    changes: u64,
    /// Of these, the last ones are measured, and as many questions about those that wait.
    #[arg(long, default_value_t = 1_000)]
    count: u64,
}

/// A prime, so that the questions wander over all changes.
const STRIDE: u64 = 7_919;

pub async fn run(options: Options) -> anyhow::Result<()> {
    ensure!(options.count > 0 && options.count <= options.changes, "there are fewer changes than questions");
    let token = std::fs::read_to_string(&options.token_file)
        .with_context(|| format!("{} cannot be read", options.token_file.display()))?;
    let host = address(&options.target)?;
    let stream = TcpStream::connect(host).await.with_context(|| format!("{host} cannot be reached"))?;
    let mut wire = Wire::new(stream)?;
    let common =
        format!("Host: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n", token.trim());
    for kind in ["open", "wait"] {
        let mut samples = Vec::new();
        for n in 0..if kind == "open" { options.changes } else { options.count } {
            let version = if kind == "open" { n } else { n * STRIDE % options.changes };
            let service = &options.services[usize::try_from(version)? % options.services.len()];
            let question =
                serde_json::json!({"service": service, "version": format!("v{version}"), "as": options.person});
            let body = question.to_string();
            let request = format!("POST /v1/gate HTTP/1.1\r\n{common}Content-Length: {}\r\n\r\n{body}", body.len());
            let asked = instant();
            wire.stream.write_all(request.as_bytes()).await?;
            let Some(answer) = wire.message().await? else { bail!("the connection was closed") };
            let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            let (head, body) = (wire.head(&answer), wire.body(&answer));
            let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            if head.get(9) != Some(&b'2') || said["decision"] != "wait" {
                bail!("{question}: {}{}", String::from_utf8_lossy(head), String::from_utf8_lossy(body));
            }
            if kind == "wait" || n >= options.changes - options.count {
                samples.push(took);
            }
        }
        println!("gate kind={kind} answers={} {}", samples.len(), percentiles(&mut samples, ""));
    }
    Ok(())
}
