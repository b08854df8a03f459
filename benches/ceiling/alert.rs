//! The alerts that are sent: real Alertmanager v4 webhook bodies. Each alert's name holds a mark, `CEIL-<run>-<n>-`, by which
//! the receiver knows its page again wherever the name stands.

use std::fmt::Write;

/// What every mark begins with.
pub const MARK: &str = "CEIL-";

/// The mark of alert `n` of a run.
pub fn mark(run: u64, n: u64) -> String {
    format!("{MARK}{run:08x}-{n}-")
}

/// The first mark in some bytes.
pub fn find(bytes: &[u8]) -> Option<&str> {
    let from = bytes.windows(MARK.len()).position(|window| window == MARK.as_bytes())?;
    let rest = &bytes[from + MARK.len()..];
    let mut dashes = rest.iter().take(32).enumerate().filter(|(_, byte)| **byte == b'-').map(|(at, _)| at);
    let (_, end) = (dashes.next()?, dashes.next()?);
    std::str::from_utf8(&bytes[from..=from + MARK.len() + end]).ok()
}

/// Writes the body of alert `n`, which belongs to group `group`, into `out`.
pub fn body(out: &mut String, run: u64, n: u64, group: u64, severity: &str, service: Option<&str>) {
    out.clear();
    let name = mark(run, n);
    let fingerprint = n.wrapping_add(run << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let service = service.map(|service| format!("\"service\":\"{service}\",")).unwrap_or_default();
    let labels = format!(
        "{{\"alertname\":\"{name}\",\"group\":\"g{group}\",\"instance\":\"10.0.{}.{}:9100\",\"job\":\"node\",{service}\"severity\":\"{severity}\"}}",
        n >> 8 & 255,
        n & 255
    );
    let annotations = "{\"description\":\"The replication lag is 900 s and growing.\",\"summary\":\"replication lag\"}";
    let written = write!(
        out,
        "{{\"receiver\":\"opsbell\",\"status\":\"firing\",\"alerts\":[{{\"status\":\"firing\",\"labels\":{labels},\
         \"annotations\":{annotations},\"startsAt\":\"2026-11-21T09:00:00.000Z\",\"endsAt\":\"0001-01-01T00:00:00Z\",\
         \"generatorURL\":\"http://prometheus.example:9090/graph?g0.expr=lag&g0.tab=1\",\"fingerprint\":\"{fingerprint:016x}\"}}],\
         \"groupLabels\":{{\"group\":\"g{group}\"}},\"commonLabels\":{labels},\"commonAnnotations\":{annotations},\
         \"externalURL\":\"http://alertmanager.example:9093\",\"version\":\"4\",\
         \"groupKey\":\"{{}}:{{group=\\\"g{group}\\\"}}\",\"truncatedAlerts\":0}}"
    );
    debug_assert!(written.is_ok());
}

/// The body that tells of the same alert's recovery.
pub fn recovered(body: &str) -> String {
    body.replace("\"status\":\"firing\"", "\"status\":\"resolved\"")
}
