//! The example organisation, EJ Airways, as it stands in `examples/ej-airways/`, inside the binary: `opsbell demo`
//! needs no file.

use std::collections::BTreeMap;
use std::path::PathBuf;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../examples/ej-airways/", $name)))),*]
    };
}

/// The example's configuration files, by their path in the directory.
pub fn example() -> BTreeMap<PathBuf, String> {
    let files = files![
        "changes.toml",
        "opsbell.toml",
        "people.toml",
        "remedies.toml",
        "services.toml",
        "teams.toml",
        "commands/deploy.toml",
        "playbooks/certificate.toml",
        "playbooks/clear-spool.toml",
        "playbooks/deploy.toml",
        "playbooks/drain-queue.toml",
        "playbooks/feature-flag.toml",
        "playbooks/partner-down.toml",
        "playbooks/pause-partner.toml",
        "playbooks/release.toml",
        "playbooks/report-a-leak.toml",
        "playbooks/restart-service.toml",
        "playbooks/restart-workers.toml",
        "playbooks/roster-access.toml",
        "playbooks/scale.toml",
        "playbooks/seat-map.toml",
        "playbooks/test-card.toml",
    ];
    files.into_iter().map(|(name, text)| (PathBuf::from(name), text.to_owned())).collect()
}
