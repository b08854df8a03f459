//! Runs a program, once: an allowed path, its arguments as they are (no shell), a clean environment, in a process group
//! of its own that ends with it, within a timeout, and no more than a bounded part of what it writes is kept.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Notify;

use super::{READ_MAX, failed};
use crate::domain::playbook::spec::Program;
use crate::domain::playbook::{Allowed, Performed};

/// A program that writes more than this is ended: nobody reads it.
const WRITTEN_MAX: usize = 4 * 1024 * 1024;
/// How long what it wrote is still read after its end.
const DRAIN: Duration = Duration::from_millis(500);

/// A process group that ends when this is dropped, whoever is still in it.
struct Group(Option<Pid>);

impl Group {
    fn end(&mut self) {
        if let Some(group) = self.0.take() {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is read of a program, up to its bound.
#[derive(Default)]
struct Written {
    kept: Mutex<Vec<u8>>,
    read: std::sync::atomic::AtomicUsize,
    too_much: Notify,
}

impl Written {
    async fn listen(self: Arc<Self>, mut from: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 8 * 1024];
        while let Ok(n) = from.read(&mut buffer).await {
            if n == 0 {
                return;
            }
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let room = READ_MAX.saturating_sub(kept.len());
            kept.extend_from_slice(&buffer[..n.min(room)]);
            drop(kept);
            if self.read.fetch_add(n, std::sync::atomic::Ordering::Relaxed) + n > WRITTEN_MAX {
                self.too_much.notify_one();
                return;
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Runs a program.
pub async fn run(program: &Program, allowed: &Allowed, timeout: Duration) -> Performed {
    if !allowed.programs.contains(&program.path) {
        return failed(format!("{} is no program that steps may run", program.path));
    }
    let spawned = Command::new(program.path.as_str())
        .args(program.args.iter().map(|arg| arg.as_str()))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return failed(format!("{} does not start: {}", program.path, error.kind())),
    };
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut group = Group(pid);
    let written = Arc::new(Written::default());
    let out = child.stdout.take().map(|from| tokio::spawn(Arc::clone(&written).listen(from)));
    let err = child.stderr.take().map(|from| tokio::spawn(Arc::clone(&written).listen(from)));
    let ended = tokio::select! {
        ended = child.wait() => Ended::Itself(ended),
        () = written.too_much.notified() => Ended::TooMuch,
        () = tokio::time::sleep(timeout) => Ended::TooLong,
    };
    // What it left behind ends as well; then nobody holds its pipes.
    group.end();
    for reader in [out, err].into_iter().flatten() {
        let abort = reader.abort_handle();
        if tokio::time::timeout(DRAIN, reader).await.is_err() {
            abort.abort();
        }
    }
    let output = written.text();
    match ended {
        Ended::Itself(Ok(status)) if status.success() => Performed::Done { output },
        Ended::Itself(Ok(status)) => Performed::Failed { reason: how(status), output },
        Ended::Itself(Err(error)) => Performed::Unknown { reason: format!("its end was lost: {}", error.kind()) },
        Ended::TooLong => Performed::Failed {
            reason: format!("it did not end within {} s, and was killed", timeout.as_secs()),
            output,
        },
        Ended::TooMuch => {
            let reason = format!("it wrote more than {} MiB, and was killed", WRITTEN_MAX >> 20);
            Performed::Failed { reason, output }
        }
    }
}

enum Ended {
    Itself(std::io::Result<ExitStatus>),
    TooMuch,
    TooLong,
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended in an unknown way".to_owned(),
    }
}
