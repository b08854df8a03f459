//! Serving a router on a listener until told to stop: connections are bounded in number, and in the time they may
//! take to say what they want. Which address, and when to stop, is the runtime's business.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Connections at once; more wait in the listener's queue. Half of the 1,024 files that a process may usually open:
/// the journal and the senders need some too.
const CONNECTIONS: u32 = 512;

/// A connection is closed when it takes longer than this to send a request's head, or to send the next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Requests under way may take so long after the order to stop; SIGTERM allows ten seconds for everything.
const END_TIMEOUT: Duration = Duration::from_secs(6);

/// The wait after the system refused a connection for want of files or memory.
const REFUSED_WAIT: Duration = Duration::from_millis(200);

/// Serves HTTP/1.1 until `shutdown` is ready, then lets requests under way end, for at most six seconds.
///
/// # Errors
/// The listener is broken (it has no address any more).
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
    listener.local_addr()?;
    let places = Arc::new(Semaphore::new(CONNECTIONS as usize));
    let (stop, stopping) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            // The semaphore is never closed; without a place nothing is accepted.
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = next => accepted,
        };
        match accepted {
            Some((place, Ok((stream, _)))) => {
                tokio::spawn(connection(stream, router.clone(), stopping.clone(), place));
            }
            // The client has gone again before it was accepted.
            Some((_, Err(error))) if error.kind() == io::ErrorKind::ConnectionAborted => (),
            Some((_, Err(error))) => {
                tracing::error!(%error, "cannot accept connections just now");
                sleep(REFUSED_WAIT).await;
            }
            None => break,
        }
    }
    drop(listener);
    stop.send_replace(());
    if timeout(END_TIMEOUT, places.acquire_many(CONNECTIONS)).await.is_err() {
        tracing::warn!("some requests were still under way after {} s and are cut off", END_TIMEOUT.as_secs());
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    router: Router,
    mut stopping: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
) {
    // Answers are small and awaited: they must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}
