//! The words of other tools, answered with ours; and how a missing key is written. Data only.

/// Tables of other tools, and the one that is meant: a newcomer from PagerDuty, Opsgenie, GoAlert or Grafana OnCall
/// writes these first.
const TABLES: &[(&str, &str)] = &[
    ("user", "person"),
    ("users", "person"),
    ("people", "person"),
    ("member", "person"),
    ("responder", "person"),
    ("contact", "person"),
    ("group", "team"),
    ("squad", "team"),
    ("rota", "schedule"),
    ("roster", "schedule"),
    ("oncall", "schedule"),
    ("on_call", "schedule"),
    ("rotation", "schedule"),
    ("schedule_layer", "schedule"),
    ("policy", "escalation"),
    ("policies", "escalation"),
    ("escalation_policy", "escalation"),
    ("escalation_policies", "escalation"),
    ("escalation_chain", "escalation"),
    ("component", "service"),
    ("application", "service"),
    ("text_alert", "text-alert"),
    ("source", "integration"),
    ("integration_key", "integration"),
    ("receiver", "integration"),
    ("hook", "webhook"),
    ("outgoing_webhook", "webhook"),
    ("report", "summary"),
    ("smtp", "mail"),
    ("email", "mail"),
    ("default", "defaults"),
    ("http", "server"),
];

/// Keys of other tools: in which table (`*`: any), the word, ours, and what else to say.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("*", "name", "id", ": a short name in small letters"),
    ("*", "timezone", "zone", ""),
    ("*", "time_zone", "zone", ""),
    ("*", "tz", "zone", ""),
    ("[[team]]", "escalation_policy", "escalation", ""),
    ("[[team]]", "policy", "escalation", ""),
    ("[[team]]", "escalation_chain", "escalation", ""),
    ("[[team]]", "slack", "channel", ": channel = \"slack:…\""),
    ("[[team]]", "discord", "channel", ": channel = \"discord:…\""),
    ("[[person]]", "mail", "email", ""),
    ("[[person]]", "email_address", "email", ""),
    ("[[person]]", "discord_id", "discord", ""),
    ("[[person]]", "contact_methods", "notify", ": notify.high = [\"chat\", \"sms after 3m\"]"),
    ("[[person]]", "notification_rules", "notify", ": notify.high = [\"chat\", \"sms after 3m\"]"),
    ("[[person]]", "rules", "notify", ": notify.high = [\"chat\", \"sms after 3m\"]"),
    ("[[person]]", "high_urgency", "notify", ": notify.high = […]"),
    ("[[person]]", "low_urgency", "notify", ": notify.low = […]"),
    ("[[person]]", "permissions", "role", ""),
    ("[[schedule]]", "layer", "rotations", ""),
    ("[[schedule]]", "layers", "rotations", ""),
    ("[[schedule]]", "rotation", "rotations", ""),
    ("[[schedule]]", "schedule_layers", "rotations", ""),
    ("[[schedule]]", "shifts", "rotations", ""),
    ("[[schedule]]", "participants", "rotations", ": rotations = [{ …, members = [\"bas\"] }]"),
    ("[[schedule]]", "users", "rotations", ": rotations = [{ …, members = [\"bas\"] }]"),
    ("[[schedule]]", "members", "rotations", ": rotations = [{ …, members = [\"bas\"] }]"),
    ("a rotation", "participants", "members", ""),
    ("a rotation", "users", "members", ""),
    ("a rotation", "user_ids", "members", ""),
    ("a rotation", "people", "members", ""),
    ("a rotation", "rotation_type", "every", ": every = \"1 week\""),
    ("a rotation", "type", "every", ": every = \"1 week\""),
    ("a rotation", "length", "every", ": every = \"1 week\""),
    ("a rotation", "shift_length", "every", ": every = \"1 week\""),
    ("a rotation", "rotation_turn_length_seconds", "every", ": every = \"1 week\""),
    ("a rotation", "start_date", "start", ""),
    ("a rotation", "start_time", "handoff", ": handoff = \"Mon 09:00\""),
    ("a rotation", "handoff_time", "handoff", ": handoff = \"Mon 09:00\""),
    ("a rotation", "handover", "handoff", ": handoff = \"Mon 09:00\""),
    ("a rotation", "rotation_virtual_start", "start", ""),
    ("[[escalation]]", "num_loops", "repeat", ""),
    ("[[escalation]]", "loops", "repeat", ""),
    ("[[escalation]]", "repeat_count", "repeat", ""),
    ("[[escalation]]", "rule", "steps", ": steps = [{ page = […], escalate_after = \"5m\" }]"),
    ("[[escalation]]", "rules", "steps", ": steps = [{ page = […], escalate_after = \"5m\" }]"),
    ("[[escalation]]", "escalation_rules", "steps", ": steps = [{ page = […], escalate_after = \"5m\" }]"),
    ("[[escalation]]", "step", "steps", ": steps = [{ page = […], escalate_after = \"5m\" }]"),
    ("[[escalation]]", "ack_timeout", "ack_expires", ""),
    ("[[escalation]]", "acknowledgement_timeout", "ack_expires", ""),
    ("a step", "delay", "escalate_after", ""),
    ("a step", "timeout", "escalate_after", ""),
    ("a step", "wait", "escalate_after", ""),
    ("a step", "delay_minutes", "escalate_after", ": escalate_after = \"5m\""),
    ("a step", "escalation_delay_in_minutes", "escalate_after", ": escalate_after = \"5m\""),
    ("a step", "rule", "page", ""),
    ("a step", "rules", "page", ""),
    ("a step", "target", "page", ": page = [\"schedule:…\"]"),
    ("a step", "targets", "page", ": page = [\"schedule:…\"]"),
    ("a step", "notify", "page", ": page = [\"schedule:…\"]"),
    ("a step", "recipients", "page", ": page = [\"schedule:…\"]"),
    ("[[service]]", "owner", "team", ""),
    ("[[service]]", "dependencies", "depends_on", ""),
    ("[[service]]", "runbook_url", "runbook", ""),
    ("[[service]]", "escalation_policy", "team", ": a service is paged by its team's escalation"),
    ("[[service]]", "escalation", "team", ": a service is paged by its team's escalation"),
    ("[[integration]]", "type", "source", ""),
    ("[[integration]]", "kind", "source", ""),
    ("[[integration]]", "vendor", "source", ""),
    ("[[integration]]", "mapping", "map", ""),
    ("[[integration]]", "group_labels", "group_by", ""),
    ("[[text-alert]]", "pattern", "patterns", ": patterns = ['…']"),
    ("[[text-alert]]", "regex", "patterns", ": patterns = ['…']"),
    ("[[text-alert]]", "channel", "channels", ": channels = [\"…\"]"),
    ("[[text-alert]]", "author", "authors", ": authors = [\"…\"]"),
    ("[[text-alert]]", "set", "sets", ": sets = [\"…\"]"),
    ("[[text-alert]]", "builtin", "sets", ": sets = [\"…\"]"),
    ("[[webhook]]", "endpoint", "url", ""),
];

/// Our table for another tool's word.
pub fn table(word: &str) -> Option<&'static str> {
    TABLES.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours)
}

/// Our key for another tool's word in a table, and what else to say.
pub fn key(table: &str, word: &str) -> Option<(&'static str, &'static str)> {
    let of = |wanted: &str| KEYS.iter().find(|(table, theirs, ..)| *table == wanted && *theirs == word);
    // The words that fit any table are only ours where the table has such a key.
    let any = || of("*").filter(|(_, _, ours, _)| known_in(table, ours));
    of(table).or_else(any).map(|(_, _, ours, more)| (*ours, *more))
}

fn known_in(table: &str, key: &str) -> bool {
    match key {
        "id" => table.starts_with("[["),
        _ => matches!(table, "[[person]]" | "[[schedule]]" | "[[summary]]" | "[defaults]"),
    }
}

/// How a key is written, for one that is missing.
pub fn example(table: &str, key: &str) -> &'static str {
    match (table, key) {
        ("[[team]]", "escalation") => "write escalation = \"NAME\", the [[escalation]] that pages this team",
        ("[[schedule]]", "zone") => "write zone = \"Europe/Amsterdam\": the zone in which hand-offs are told",
        ("[[schedule]]", "rotations") => {
            "write rotations = [{ every = \"1 week\", handoff = \"Mon 09:00\", start = 2026-12-07, members = [\"bas\"] }]"
        }
        ("a rotation", "every") => "write every = \"1 week\"",
        ("a rotation", "handoff") => "write handoff = \"Mon 09:00\"",
        ("a rotation", "start") => "write start = 2026-12-07: the first turn begins at the first hand-off from then on",
        ("a rotation", "members") => "write members = [\"bas\", \"cleo\"]: who takes turns, in order",
        ("[[escalation]]", "steps") => "write steps = [{ page = [\"schedule:…\"], escalate_after = \"5m\" }]",
        ("a step", "page") => "write page = [\"schedule:…\", \"person:…\"]",
        ("a step", "escalate_after") => "write escalate_after = \"5m\": the wait before the next step",
        ("[[service]]", "team") => "write team = \"NAME\", the team that is paged for it",
        ("[[integration]]", "source") => "write source = \"alertmanager\", or \"generic\" for any JSON",
        ("[[integration]]", "key_env") => {
            "write key_env = \"OPSBELL_KEY_NAME\": the variable that holds the sender's key"
        }
        ("[[webhook]]", "url") => "write url = \"https://…\"",
        ("[defaults]", "service") => "write service = \"NAME\": where signals go that name no known service",
        ("[mail]", "host") => "write host = \"smtp.ej.example\"",
        ("[mail]", "from") => "write from = \"opsbell@ej.example\"",
        ("[[summary]]", "cron") => "write cron = \"0 9 * * 1-5\"",
        ("[[summary]]", "channel") => "write channel = \"channel:ops\"",
        ("[[approval]]", "approvers") => "write approvers = [\"team:payments\", \"role:admin\"]",
        ("[[freeze]]" | "[[change-window]]", "from") => "write from = \"Fri 16:00\", \"22:00\" or \"2026-12-18T18:00\"",
        ("[[freeze]]" | "[[change-window]]", "until") => {
            "write until = \"Mon 08:00\", \"06:00\" or \"2027-01-04T06:00\""
        }
        ("[[change-window]]", "services") => "write services = [\"payments-api\"]: what is changed in this window only",
        ("[[change-model]]", "summary") => "write summary = \"Restart a service\"",
        ("[[change-model]]", "plan") => "write plan = \"how it is done\"",
        ("[[change-model]]", "rollback") => "write rollback = \"how it is taken back\"",
        (_, "id") => "write id = \"a-short-name\"",
        _ => "",
    }
}
