//! Reading a body, after its sender has been recognised: within the size (counted after decompression), the time and
//! the memory allowed. What the bytes mean is not known here.

use std::future::poll_fn;
use std::io::Read;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use flate2::read::MultiGzDecoder;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::App;
use super::error::Failure;

/// A body in the clear. Keep `place` while the bytes are in use: it counts them.
pub(crate) struct Held<'a> {
    pub bytes: Bytes,
    pub place: SemaphorePermit<'a>,
}

/// Reads the whole body, at most `max` bytes of it after decompression. The engine wakes meanwhile: whoever is known and
/// sends something asks it for something.
pub(crate) async fn read(app: &App, request: Request, max: usize) -> Result<Held<'_>, Failure> {
    app.http.desk.get_ready();
    read_within(app, &app.bodies, request, max).await
}

/// The same of a sender who shows its key in the body itself: strangers fill only places of their own.
pub(crate) async fn read_unknown(app: &App, request: Request, max: usize) -> Result<Held<'_>, Failure> {
    read_within(app, &app.unknown_bodies, request, max).await
}

async fn read_within<'a>(app: &App, places: &'a Semaphore, request: Request, max: usize) -> Result<Held<'a>, Failure> {
    let gzip = encoded(request.headers())?;
    if request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse().ok())
        .is_some_and(|n: u64| n > max as u64)
    {
        return Err(too_large(max));
    }
    let wait = app.http.limits.read_timeout;
    let place = match timeout(wait, places.acquire()).await {
        Ok(Ok(place)) => place,
        Ok(Err(_)) | Err(_) => {
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many bodies are being read")
                .retry_after(1)
                .close());
        }
    };
    let reading = async {
        let bytes = collect(request.into_body(), max).await?;
        if gzip { unpacked(bytes, max).await } else { Ok(bytes) }
    };
    match timeout(wait, reading).await {
        Ok(Ok(bytes)) => Ok(Held { bytes, place }),
        Ok(Err(Unread::TooLarge)) => Err(too_large(max)),
        Ok(Err(Unread::Broken)) => {
            let message = if gzip { "the body is not whole gzip" } else { "the body broke off" };
            Err(Failure::new(StatusCode::BAD_REQUEST, "bad-body", message).close())
        }
        Err(_) => {
            let secs = wait.as_secs();
            Err(Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                format!("the body did not arrive within {secs} s"),
            )
            .close())
        }
    }
}

/// Whether the body is gzip; other encodings are not read.
fn encoded(headers: &HeaderMap) -> Result<bool, Failure> {
    match headers.get(CONTENT_ENCODING).map(|v| v.as_bytes().trim_ascii()) {
        None | Some(b"" | b"identity") => Ok(false),
        Some(b"gzip") => Ok(true),
        Some(_) => Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-encoding",
            "this Content-Encoding is not understood",
        )
        .hint("send the body as it is, or with Content-Encoding: gzip")
        .close()),
    }
}

fn too_large(max: usize) -> Failure {
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("the body is larger than {max} bytes (unpacked)"))
        .hint("send less at once")
        .close()
}

/// The body unpacked, all members of it; stops beyond `max` bytes. Away from the serving threads, as a small body can
/// unpack to a large one.
async fn unpacked(packed: Bytes, max: usize) -> Result<Bytes, Unread> {
    let unpacking = tokio::task::spawn_blocking(move || {
        let mut clear = Vec::new();
        let mut some = MultiGzDecoder::new(&packed[..]).take(max as u64 + 1);
        some.read_to_end(&mut clear).map_err(|_| Unread::Broken)?;
        if clear.len() > max { Err(Unread::TooLarge) } else { Ok(clear.into()) }
    });
    unpacking.await.unwrap_or(Err(Unread::Broken))
}

enum Unread {
    TooLarge,
    Broken,
}

/// The bytes of a body. The usual body is one frame, which is handed on without copying.
async fn collect(mut body: Body, max: usize) -> Result<Bytes, Unread> {
    let mut only: Option<Bytes> = None;
    let mut all: Vec<u8> = Vec::new();
    let mut size = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // Trailers are no data.
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        size = size.saturating_add(data.len());
        if size > max {
            return Err(Unread::TooLarge);
        }
        match only.take() {
            None if all.is_empty() => only = Some(data),
            first => {
                all.extend_from_slice(first.as_deref().unwrap_or_default());
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(only.unwrap_or_else(|| all.into()))
}
