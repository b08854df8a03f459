//! The built-in sets: the patterns of texts that tools post in one line. Those of several lines are in `shapes`.
//!
//! In them a group `words` holds words of which one may be a severity, as in Alertmanager's title; `host` and `monitor`
//! are labels that name what is affected.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::pattern::Pattern;
use super::{Found, plain};
use crate::domain::signal::AlertSeverity;

/// A tool whose texts are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Set {
    /// Prometheus Alertmanager: the default title and text of its chats, and a usual template of Slack.
    Alertmanager,
    /// Grafana's default message.
    Grafana,
    /// Nagios and Icinga: notifications of services and hosts.
    Nagios,
    /// Uptime Kuma's line.
    UptimeKuma,
    /// Gatus' sentence.
    Gatus,
    /// StatusCake's line.
    Statuscake,
    /// Zabbix' default message.
    Zabbix,
    /// The titles of Datadog's events.
    Datadog,
    /// The subject of a CloudWatch alarm.
    Cloudwatch,
}

impl Set {
    /// All sets, in the order in which they are tried.
    pub const ALL: [Self; 9] = [
        Self::Alertmanager,
        Self::Grafana,
        Self::Nagios,
        Self::UptimeKuma,
        Self::Gatus,
        Self::Statuscake,
        Self::Zabbix,
        Self::Datadog,
        Self::Cloudwatch,
    ];

    /// The word, as in `sets = ["alertmanager"]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
            Self::Nagios => "nagios",
            Self::UptimeKuma => "uptime-kuma",
            Self::Gatus => "gatus",
            Self::Statuscake => "statuscake",
            Self::Zabbix => "zabbix",
            Self::Datadog => "datadog",
            Self::Cloudwatch => "cloudwatch",
        }
    }

    /// The set a word names; Icinga speaks as Nagios does.
    pub fn from_word(word: &str) -> Option<Self> {
        let word = if word == "icinga" { "nagios" } else { word };
        Self::ALL.into_iter().find(|set| set.as_str() == word)
    }

    /// The patterns as text.
    pub(super) fn texts(self) -> &'static [&'static str] {
        match self {
            // The count stands only behind FIRING; group labels may be empty, then the name opens the parentheses.
            Self::Alertmanager => &[
                r"^\[(?<kind>(?:FIRING|RESOLVED)(?::\d+)?)\] +(?<key>(?<name>[^\s(\[]\S*)(?: .*?)??(?: \((?<words>[^()]*)\))?) *$",
                r"^\[(?<kind>(?:FIRING|RESOLVED)(?::\d+)?)\] +(?<key>\((?<name>[^\s()]+)(?<words>[^()]*)\)) *$",
            ],
            Self::Nagios => &[
                r"^\*\* (?<kind>[A-Z]{2,30}) Service Alert: (?<host>[^/]+)/(?<name>.+) is (?<severity>[A-Z]+) \*\*$",
                r"^\*\* (?<kind>[A-Z]{2,30}) Host Alert: (?<host>.+) is (?<severity>[A-Z]+) \*\*$",
                r"^\[(?<kind>PROBLEM|RECOVERY|ACKNOWLEDGEMENT|FLAPPING[A-Z]*|DOWNTIME[A-Z]*|CUSTOM)\] Host (?<host>.+) is (?<severity>[A-Z]+)!$",
                r"^\[(?<kind>PROBLEM|RECOVERY|ACKNOWLEDGEMENT|FLAPPING[A-Z]*|DOWNTIME[A-Z]*|CUSTOM)\] (?<name>.+) on (?<host>\S+) is (?<severity>[A-Z]+)!$",
            ],
            Self::UptimeKuma => &[r"^\[(?<monitor>[^\]]+)\] \[\W*(?<kind>Down|Up)\] ?(?<summary>.*)$"],
            Self::Gatus => &[
                r"^An alert for \*{0,2}(?<monitor>[^*]+?)\*{0,2} has been (?<kind>triggered|resolved) (?:due to|after) (?<summary>.+)$",
            ],
            Self::Statuscake => &[
                r"^Website \| Your site '(?<monitor>[^']+)' (?:went|came back|is back|is) (?<kind>[Dd]own|[Uu]p)\b ?(?<summary>.*)$",
            ],
            Self::Datadog => &[
                r"^(?:\[(?<severity>P[1-5])\] )?\[(?<kind>(?:Re-)?(?:Triggered|Warn|No Data)|Recovered)(?: on \{(?<tags>[^}]*)\})?\] (?<name>.+)$",
            ],
            // INSUFFICIENT_DATA is neither firing nor over.
            Self::Cloudwatch => &[r#"^(?<kind>ALARM|OK): "(?<name>[^"]+)" in (?<region>.+)$"#],
            Self::Grafana | Self::Zabbix => &[],
        }
    }
}

static PATTERNS: LazyLock<Vec<(Set, Vec<Pattern>)>> = LazyLock::new(|| {
    // A test compiles each, so none is left out here.
    let compiled = |set: Set| (set, set.texts().iter().filter_map(|text| Pattern::parse_own(text).ok()).collect());
    Set::ALL.into_iter().map(compiled).collect()
});

/// What the sets find, line by line.
pub(super) fn read(lines: &[Cow<'_, str>], sets: &[Set], work: &mut u64) -> Vec<Found> {
    let chosen: Vec<&Pattern> =
        PATTERNS.iter().filter(|(set, _)| sets.contains(set)).flat_map(|(_, patterns)| patterns).collect();
    let mut all = Vec::new();
    for line in lines {
        let title = plain::title(line);
        if let Some(found) = chosen.iter().find_map(|pattern| pattern.find(title, work)) {
            all.push(with_severity(found));
        }
    }
    all
}

/// Takes the severity out of `words`: the last of them that is one, as label values stand in the order of their names.
fn with_severity(mut found: Found) -> Found {
    if let Some(words) = found.labels.remove("words") {
        // `ok`, `none` and `high` are values of other labels more often than severities.
        let told = |word: &&str| {
            !matches!(word.to_ascii_lowercase().as_str(), "ok" | "none" | "debug" | "average" | "high")
                && AlertSeverity::from_word(word).is_some()
        };
        found.severity = found.severity.or(words.split_whitespace().rfind(told).map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles_and_every_set_has_its_word() {
        for set in Set::ALL {
            assert_eq!(Set::from_word(set.as_str()), Some(set));
            for text in set.texts() {
                Pattern::parse_own(text).unwrap_or_else(|refused| panic!("{}: {text}: {refused}", set.as_str()));
            }
        }
        assert_eq!(Set::from_word("icinga"), Some(Set::Nagios));
        assert_eq!(Set::from_word("Nagios"), None);
    }
}
