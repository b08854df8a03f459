//! Reports: what State says at a glance. One file per report; each is a pure function to text.

pub mod changes;
pub mod cron;
pub mod dora;
pub mod status;
pub mod summary;
