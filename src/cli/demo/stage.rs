//! What the demo sets up and says: who is on call, where its data are, the texts at its beginning and end. Pure.

use std::path::{Path, PathBuf};

use chrono::Duration;

use crate::domain::id::PersonId;
use crate::domain::oncall::shift_at;
use crate::domain::org::Org;
use crate::domain::time::Timestamp;

/// Who sits at the terminal at first.
pub const YOU: &str = "bas";
/// The schedule that they hold.
pub const SCHEDULE: &str = "payments-primary";
/// Whose alerts the demo sends.
pub const INTEGRATION: &str = "prometheus";

/// Turns the members of a schedule's first rotation so that the turn of this moment is the person's; the others follow
/// as before. `false`: it was so already, or cannot be so.
pub fn put_on_call(org: &mut Org, schedule: &str, person: &PersonId, now: Timestamp) -> bool {
    let Some(schedule) = org.schedules.get_mut(schedule) else { return false };
    let zone = schedule.zone;
    let Some(rotation) = schedule.rotations.first_mut() else { return false };
    let mut changed = false;
    if shift_at(rotation, zone, now).is_none() {
        // Before its start: it has to have begun some turns ago.
        rotation.start = now.local(zone).date() - Duration::weeks(8);
        changed = true;
    }
    let at = |rotation: &crate::domain::org::Rotation| shift_at(rotation, zone, now).map(|shift| shift.person);
    if !rotation.members.contains(person) {
        return changed;
    }
    for _ in 0..rotation.members.len() {
        if at(rotation).as_ref() == Some(person) {
            return changed;
        }
        rotation.members.rotate_left(1);
        changed = true;
    }
    changed
}

/// Where the demo keeps its data: as told, else where programs of this user keep theirs.
pub fn data_dir(told: Option<PathBuf>, env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    told.or_else(|| absolute("XDG_DATA_HOME").map(|dir| dir.join("opsbell-demo")))
        .or_else(|| absolute("HOME").map(|dir| dir.join(".local/share/opsbell-demo")))
        .unwrap_or_else(|| PathBuf::from("opsbell-demo"))
}

/// What the introduction tells.
pub struct Start<'a> {
    pub data: &'a Path,
    pub url: &'a str,
    pub key: &'a str,
    /// Incidents that are open from the last time.
    pub open: usize,
    /// Whether somebody types here.
    pub interactive: bool,
    /// The demo's time.
    pub now: Timestamp,
}

/// The first words.
pub fn introduction(start: &Start<'_>) -> String {
    let again = match start.open {
        0 => String::new(),
        1 => " One incident is still open from last time: /status".to_owned(),
        n => format!(" {n} incidents are still open from last time: /status"),
    };
    let curl = curl(start.url, start.key, start.now);
    let data = start.data.display();
    let mut text = format!(
        "\
Opsbell demo. EJ Airways is a made-up airline, and you are {YOU}, on call for its payments.
All of it happens on this machine: mails, texts and calls are only shown.{again}
Data: {data} (delete it to start afresh)

Send an alert as Prometheus' Alertmanager does, from another terminal:

{curl}

"
    );
    text.push_str(if start.interactive {
        "\
or type here
  /demo alert              payments break, and you are paged
  /demo skip 5m            nobody reacts for five minutes: the next person is paged
  /ack                     it is yours; then /incident update …, /resolve, /status
Tab completes, /help shows all words, /demo help the demo's own, /quit ends.
"
    } else {
        "\
Nobody types here, so it serves until SIGTERM; lines on standard input are read as commands.
"
    });
    text
}

/// An alert as Alertmanager sends it, on one line for a shell. The fingerprint is the moment, so that every paste is
/// an alert of its own.
pub fn curl(url: &str, key: &str, now: Timestamp) -> String {
    let labels = r#"{"alertname":"CardPaymentsFail","service":"payments-api","severity":"critical"}"#;
    let summary = r#"{"summary":"1 in 8 card payments fails"}"#;
    format!(
        "curl -sS {url}/v1/ingest/alertmanager -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
         -d '{{\"version\":\"4\",\"groupKey\":\"{{}}:{{alertname=\\\"CardPaymentsFail\\\"}}\",\"truncatedAlerts\":0,\
         \"status\":\"firing\",\"receiver\":\"opsbell\",\"groupLabels\":{{\"alertname\":\"CardPaymentsFail\"}},\
         \"commonLabels\":{labels},\"commonAnnotations\":{summary},\"externalURL\":\"http://alertmanager.ej.example\",\
         \"alerts\":[{{\"status\":\"firing\",\"labels\":{labels},\"annotations\":{summary},\
         \"startsAt\":\"{now}\",\"endsAt\":\"0001-01-01T00:00:00Z\",\
         \"generatorURL\":\"http://prometheus.ej.example/graph\",\"fingerprint\":\"'\"$(date +%s)\"'\"}}]}}'"
    )
}

/// The last words.
pub fn farewell(data: &Path) -> String {
    format!(
        "\nBye. What happened stays in {}; `opsbell demo` goes on from there.\nYour own: opsbell init ./ops",
        data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::domain::oncall::{holders, next_shift};

    fn org() -> Org {
        catalog::load_files(&catalog::example(), &|_| None).config.expect("the example").org
    }

    fn holder(org: &Org, at: Timestamp) -> String {
        let shift = holders(&org.schedules[SCHEDULE], at).remove(0);
        shift.expect("somebody").person.to_string()
    }

    #[test]
    fn you_are_on_call_whatever_day_it_is_and_the_weeks_alternate() {
        for day in ["1999-03-01", "2025-12-31", "2026-01-05", "2026-03-29", "2026-10-26", "2027-02-28", "2090-07-04"] {
            for time in ["00:00:00Z", "07:59:59Z", "08:00:00Z", "23:59:59Z"] {
                let now: Timestamp = format!("{day}T{time}").parse().expect("a time");
                let mut org = org();
                put_on_call(&mut org, SCHEDULE, &YOU.into(), now);
                assert_eq!(holder(&org, now), "bas", "{day} {time}");
                let schedule = &org.schedules[SCHEDULE];
                let next = next_shift(&schedule.rotations[0], schedule.zone, now).expect("a next turn");
                assert_eq!(next.person.as_str(), "cleo", "{day} {time}");
                assert_eq!(holder(&org, next.until), "bas", "{day} {time}");
                // Once is enough.
                assert!(!put_on_call(&mut org, SCHEDULE, &YOU.into(), now));
            }
        }
    }

    #[test]
    fn nothing_happens_where_it_cannot() {
        let now: Timestamp = "2026-12-25T03:00:00Z".parse().expect("a time");
        let mut org = org();
        assert!(!put_on_call(&mut org, "no-such-schedule", &YOU.into(), now));
        assert!(!put_on_call(&mut org, SCHEDULE, &"nobody".into(), now));
        assert!(!put_on_call(&mut Org::default(), SCHEDULE, &YOU.into(), now));
    }

    #[test]
    fn data_are_where_programs_of_this_user_keep_theirs() {
        let dir = |env: &[(&str, &str)]| {
            let find = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            data_dir(None, &find).display().to_string()
        };
        assert_eq!(dir(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]), "/x/opsbell-demo");
        assert_eq!(dir(&[("HOME", "/h")]), "/h/.local/share/opsbell-demo");
        assert_eq!(dir(&[("XDG_DATA_HOME", "x"), ("HOME", "")]), "opsbell-demo");
        assert_eq!(data_dir(Some("d".into()), &|_| Some("/x".into())), PathBuf::from("d"));
    }

    #[test]
    fn the_curl_is_one_line_with_a_whole_alertmanager_body() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        let curl = curl("http://127.0.0.1:8080", "KEY", now);
        assert!(!curl.contains('\n'), "{curl}");
        assert!(curl.contains("-H 'Authorization: Bearer KEY'"), "{curl}");
        let body = curl.split_once("-d '").expect("a body").1.replace("'\"$(date +%s)\"'", "1798167600");
        let body = body.strip_suffix('\'').expect("its end");
        let reading =
            (crate::source::find("alertmanager").expect("the source").read)(body.as_bytes(), &Default::default());
        let reading = reading.expect("readable");
        assert!(reading.rejected.is_empty());
        let signal = &reading.signals[0];
        assert_eq!((signal.service.as_deref(), signal.key.as_str()), (Some("payments-api"), "1798167600"));
        assert_eq!(signal.started_at, Some(now));
        assert_eq!(signal.summary.as_deref(), Some("1 in 8 card payments fails"));
    }
}
