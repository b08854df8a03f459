//! The disk's own fdatasync: what every durable answer waits for at least.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::{instant, percentiles};

/// About one commit's line.
const LINE_BYTES: usize = 600;

pub fn run(dir: &Path, count: usize, rate: Option<u32>) -> anyhow::Result<()> {
    let path = dir.join("ceiling-sync.tmp");
    let mut file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(&path)
        .with_context(|| format!("{} cannot be made", path.display()))?;
    let line = [b'x'; LINE_BYTES];
    let mut samples = Vec::with_capacity(count);
    let began = instant();
    for n in 0..count {
        if let Some(rate) = rate {
            let due = Duration::from_secs_f64(n as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
        let start = instant();
        file.write_all(&line)?;
        file.sync_data()?;
        samples.push(start.elapsed().as_micros() as u64);
    }
    std::fs::remove_file(&path)?;
    println!("fdatasync bytes={LINE_BYTES} count={count} {}", percentiles(&mut samples, ""));
    Ok(())
}
