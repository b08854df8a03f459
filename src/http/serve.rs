//! Serving a router on a listener until told to stop: connections are bounded in number, and in the time they may
//! take to say what they want. Which address, and when to stop, is the runtime's business.

use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::patient::Patient;
use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Connections at once; more wait in the listener's queue. Half of the 1,024 files that a process may usually open:
/// the journal and the senders need some too.
const CONNECTIONS: u32 = 512;

/// A new connection is closed when it takes longer than this to send the head of its first request: whoever connects
/// and says nothing must not take the place of somebody who has something to say.
const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection is closed when the head of its next request is not there this long after the last answer.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection is closed when nothing that is written to it is taken for this long: a client that asks and does not
/// read must not keep its place for ever.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

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
                let waits = Waits { first_head: FIRST_HEAD_TIMEOUT, idle: IDLE_TIMEOUT, write: WRITE_TIMEOUT };
                tokio::spawn(connection(stream, router.clone(), stopping.clone(), place, waits));
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

/// How long a connection may do nothing.
#[derive(Debug, Clone, Copy)]
struct Waits {
    first_head: Duration,
    idle: Duration,
    write: Duration,
}

async fn connection(
    stream: TcpStream,
    router: Router,
    mut stopping: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
    waits: Waits,
) {
    // Answers are small and awaited: they must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(waits.idle);
    let asked = AtomicBool::new(false);
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        router.call(request)
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(Patient::new(stream, waits.write)), service));
    let silent = async {
        sleep(waits.first_head).await;
        if asked.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = silent => return,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const EVER: Duration = Duration::from_secs(3600);
    const PATIENT: Waits = Waits { first_head: EVER, idle: EVER, write: EVER };

    async fn pair() -> (TcpStream, TcpStream, OwnedSemaphorePermit) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (served, _) = listener.accept().await.unwrap();
        (client, served, Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap())
    }

    #[tokio::test]
    async fn who_never_finishes_a_first_head_is_closed_long_before_who_is_idle() {
        let (mut client, served, place) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        let (_stop, stopping) = watch::channel(());
        // Ends by itself, though the client stays and the time between requests is long.
        connection(served, Router::new(), stopping, place, Waits { first_head: Duration::from_millis(1), ..PATIENT })
            .await;
        assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn who_asks_and_does_not_read_is_closed() {
        let (mut client, served, place) = pair().await;
        // More than the buffers of the system hold between the two.
        let large = || async { "x".repeat(64 << 20) };
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let (_stop, stopping) = watch::channel(());
        let waits = Waits { write: Duration::from_millis(50), ..PATIENT };
        // Ends by itself, though the client stays and says nothing.
        connection(served, Router::new().fallback(large), stopping, place, waits).await;
        let mut read = 0;
        let mut piece = vec![0; 1 << 20];
        while let Ok(n @ 1..) = client.read(&mut piece).await {
            read += n;
        }
        assert!(read > 0 && read < 64 << 20, "{read}");
    }

    #[tokio::test]
    async fn who_reads_slowly_gets_all_of_it() {
        const SIZE: usize = 24 << 20;
        let (mut client, served, place) = pair().await;
        let large = || async { "x".repeat(SIZE) };
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let (_stop, stopping) = watch::channel(());
        let router = Router::new().fallback(large);
        let serving = tokio::spawn(connection(served, router, stopping, place, Waits { write: EVER, ..PATIENT }));
        let mut read = 0;
        let mut piece = vec![0; 1 << 20];
        while let Ok(n @ 1..) = client.read(&mut piece).await {
            read += n;
        }
        assert!(read > SIZE, "{read}");
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn who_has_asked_may_be_silent_for_the_time_between_requests() {
        let (mut client, served, place) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let (_stop, stopping) = watch::channel(());
        let first_head = Duration::from_millis(200);
        let serving = tokio::spawn(connection(served, Router::new(), stopping, place, Waits { first_head, ..PATIENT }));
        let mut piece = [0; 4096];
        let n = client.read(&mut piece).await.unwrap();
        assert!(piece[..n].starts_with(b"HTTP/1.1 404"), "{:?}", String::from_utf8_lossy(&piece[..n]));
        sleep(first_head * 2).await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(client.read(&mut piece).await.unwrap() > 0);
        serving.abort();
    }
}
