//! HTTP: ingest, chat API, reads, health, metrics. It decides nothing.
