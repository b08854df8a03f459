//! What surrounds every request: its id, the mark on secrets, and the writing of errors. Nothing here looks at bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use compact_str::format_compact;

use super::{App, error};
use crate::domain::id::RequestId;

/// Gives out request ids: `r-` and 16 hex digits.
pub(crate) struct RequestIds {
    seed: u64,
    given: AtomicU64,
}

impl RequestIds {
    /// Starts at a random place.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { seed: getrandom::u64()?, given: AtomicU64::new(0) })
    }

    /// The next id. Each number is scrambled by a bijection (splitmix64), so ids never repeat within a process, and
    /// no system call is made per request. They are names, not secrets.
    pub fn next(&self) -> RequestId {
        let n = self.given.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed.wrapping_add(n);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        RequestId(format_compact!("r-{:016x}", z ^ (z >> 31)))
    }
}

pub(crate) async fn envelope(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = app.ids.next();
    if let Some(secret) = request.headers_mut().get_mut(AUTHORIZATION) {
        secret.set_sensitive(true);
    }
    request.extensions_mut().insert(id.clone());
    // The path only: a query can hold `?key=`.
    let told = tracing::enabled!(tracing::Level::DEBUG).then(|| (request.method().clone(), request.uri().clone()));
    let mut response = error::finish(next.run(request).await, &id);
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert("x-request-id", value);
    }
    if let Some((method, uri)) = told {
        tracing::debug!(%id, %method, path = uri.path(), status = response.status().as_u16(), "answered");
    }
    response
}
