//! Catalogue: fills the domain's `org` types from an organisation's files: load, check (all findings at once), reload. It decides nothing.

pub mod words;
