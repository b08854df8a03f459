//! `/openapi.json`: it says what the router does, no more and no less; it holds together as OpenAPI 3.1; and answers
//! look as it says.

use std::collections::BTreeSet;
use std::fs;

use axum::http::StatusCode;
use opsbell::http::document;
use serde_json::{Value, json};

use crate::changes::with_changes;
use crate::desk::{ADMIN, BAS, PROMETHEUS, house};
use crate::records::written_house;
use crate::reports::deployed_house;
use crate::runs::with_runs;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn described() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// Path, method and description of each operation.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, told)| (path.as_str(), method.as_str(), told))
        })
        .collect()
}

#[tokio::test]
async fn the_document_is_answered_to_anybody() {
    let seen = house().ask("GET /openapi.json", None, "").await;
    assert_eq!(seen.status, StatusCode::OK);
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.json(), described());
}

#[tokio::test]
async fn every_path_of_the_router_is_described_and_nothing_else_is() {
    let (house, document) = (house(), described());
    let operations = operations(&document);
    assert!(operations.len() > 20, "{}", operations.len());
    for path in document["paths"].as_object().unwrap().keys() {
        let filled = path.replace("{source}", "alertmanager").replace(['{', '}'], "");
        for method in METHODS {
            let line = format!("{} {filled}", method.to_uppercase());
            let seen = house.ask(&line, None, "").await;
            let known = operations.iter().any(|(p, m, _)| p == path && *m == method);
            assert_eq!(seen.status != StatusCode::METHOD_NOT_ALLOWED, known, "{line}: {}", seen.body);
            assert!(!seen.body.contains("there is nothing at"), "{line}: {}", seen.body);
        }
    }
    // A path is added by its annotation, and every annotated handler is added.
    let sources: String =
        fs::read_dir("src/http").unwrap().filter_map(|file| fs::read_to_string(file.unwrap().path()).ok()).collect();
    assert!(!sources.contains(".route("), "add paths by `.routes(routes!(…))`, so that they are described");
    assert_eq!(sources.matches("#[utoipa::path(").count(), operations.len(), "a described handler is not in `routes`");
}

#[test]
fn the_document_holds_together() {
    let document = described();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let schemes: BTreeSet<&String> = document["components"]["securitySchemes"].as_object().unwrap().keys().collect();
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().filter_map(|tag| tag["name"].as_str()).collect();
    let (mut names, mut used) = (BTreeSet::new(), BTreeSet::new());
    for (path, method, told) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(names.insert(told["operationId"].as_str().unwrap()), "{at}: its operationId is taken");
        assert!(!told["summary"].as_str().unwrap_or_default().is_empty(), "{at}: no summary");
        assert!(told["tags"].as_array().unwrap().iter().all(|tag| tags.contains(tag.as_str().unwrap())), "{at}: tags");
        for scheme in told["security"].as_array().into_iter().flatten().flat_map(|one| one.as_object().unwrap().keys())
        {
            assert!(schemes.contains(scheme), "{at}: {scheme}");
            used.insert(scheme);
        }
        // Who may ask is said, and so is what a stranger gets.
        // Paths of other tools refuse everything in that tool's one form.
        let answers = |status: &str| ["4XX", status].iter().any(|it| told["responses"][it].is_object());
        assert_eq!(told["security"].is_array(), answers("401"), "{at}: security");
        assert_eq!(told["requestBody"].is_object(), answers("413"), "{at}: bodies");
        let templated: BTreeSet<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let parameters = || told["parameters"].as_array().into_iter().flatten();
        let named = parameters().filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(templated, named, "{at}: path parameters");
        for parameter in parameters() {
            assert!(parameter["schema"].is_object(), "{at}: {parameter}");
        }
        for (status, response) in told["responses"].as_object().unwrap() {
            assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{at}: {status}");
            assert!(response["headers"]["x-request-id"].is_object(), "{at}: {status}");
            let bodiless = (path, status.as_str()) == ("/api/v2/alerts", "200");
            assert_eq!(response["content"].is_object(), !bodiless, "{at}: {status}'s body");
        }
    }
    assert_eq!(used, schemes, "a scheme that nobody uses");
    // Every reference leads somewhere.
    let mut led = BTreeSet::new();
    references(&document, &mut led);
    for reference in &led {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn references(value: &Value, led: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                led.insert(reference.clone());
            }
            object.values().for_each(|value| references(value, led));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, led)),
        _ => {}
    }
}

/// Where a value is not as a schema says. An object has all keys of the schema and no other: stricter than a client
/// may be, as the schema has to tell all there is.
fn differs(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return differs(document, document.pointer(&reference[1..]).unwrap(), value, at, found);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().filter(|choice| {
            let mut wrong = Vec::new();
            differs(document, choice, value, at, &mut wrong);
            wrong.is_empty()
        });
        if fits.count() != 1 {
            found.push(format!("{at}: {value} fits not just one of {choices:?}"));
        }
        return;
    }
    if schema["allOf"].is_array() || schema["properties"].is_object() {
        let mut properties = Vec::new();
        gather(document, schema, &mut properties);
        let Some(object) = value.as_object() else { return found.push(format!("{at}: no object")) };
        for (name, schema) in &properties {
            match object.get(*name) {
                Some(value) => differs(document, schema, value, &format!("{at}.{name}"), found),
                None if ["path", "hint", "chat", "config"].contains(name) => {}
                None => found.push(format!("{at}.{name} is missing")),
            }
        }
        let extra = object.keys().filter(|key| !properties.iter().any(|(name, _)| name == key));
        return found.extend(extra.map(|key| format!("{at}.{key} is not described")));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_u64() || n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = match &schema["type"] {
        Value::String(wanted) => wanted == kind,
        Value::Array(wanted) => wanted.iter().any(|wanted| wanted == kind),
        // Anything.
        _ => true,
    };
    if !fits || schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{at}: {value} is not {schema}"));
    }
    if schema["format"] == "date-time" && value.as_str().is_none_or(|time| time.len() != 24 || !time.ends_with('Z')) {
        found.push(format!("{at}: {value} is no time"));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        differs(document, &schema["items"], item, &format!("{at}[{n}]"), found);
    }
}

fn gather<'d>(document: &'d Value, schema: &'d Value, properties: &mut Vec<(&'d str, &'d Value)>) {
    let schema = schema["$ref"].as_str().map_or(schema, |reference| document.pointer(&reference[1..]).unwrap());
    for part in schema["allOf"].as_array().into_iter().flatten() {
        gather(document, part, properties);
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        // The later one wins, as where a whole record says more than its line in a list.
        properties.retain(|(known, _)| known != name);
        properties.push((name, schema));
    }
}

#[tokio::test]
async fn answers_look_as_the_document_says() {
    let (house, document) = (deployed_house(with_runs(with_changes(written_house()))), described());
    let say = r#"{"text":"/status","as":"bas"}"#;
    let asked = [
        ("GET /v1/incidents", "/v1/incidents", ADMIN, ""),
        ("GET /v1/incidents/INC-1", "/v1/incidents/{id}", ADMIN, ""),
        ("GET /v1/incidents/INC-9", "/v1/incidents/{id}", ADMIN, ""),
        ("GET /v1/alerts", "/v1/alerts", ADMIN, ""),
        ("GET /v1/alerts/ALR-2", "/v1/alerts/{id}", ADMIN, ""),
        ("GET /v1/pages", "/v1/pages", ADMIN, ""),
        ("GET /v1/pages/INC-1.p1", "/v1/pages/{id}", ADMIN, ""),
        ("GET /v1/problems", "/v1/problems", ADMIN, ""),
        ("GET /v1/problems/PRB-1", "/v1/problems/{id}", ADMIN, ""),
        ("GET /v1/problems/PRB-9", "/v1/problems/{id}", ADMIN, ""),
        ("GET /v1/incidents/INC-2/postmortem", "/v1/incidents/{id}/postmortem", ADMIN, ""),
        ("PUT /v1/incidents/INC-1/postmortem", "/v1/incidents/{id}/postmortem", ADMIN, "text"),
        ("GET /v1/services", "/v1/services", ADMIN, ""),
        ("GET /v1/services/ledger", "/v1/services/{id}", ADMIN, ""),
        ("GET /v1/changes", "/v1/changes", ADMIN, ""),
        ("GET /v1/changes/CHG-2", "/v1/changes/{id}", ADMIN, ""),
        ("GET /v1/changes/CHG-9", "/v1/changes/{id}", ADMIN, ""),
        ("GET /v1/runs", "/v1/runs", ADMIN, ""),
        ("GET /v1/runs/RUN-1", "/v1/runs/{id}", ADMIN, ""),
        ("GET /v1/runs/RUN-2", "/v1/runs/{id}", ADMIN, ""),
        ("GET /v1/runs/RUN-3", "/v1/runs/{id}", BAS, ""),
        ("GET /v1/runs/RUN-9", "/v1/runs/{id}", ADMIN, ""),
        ("GET /v1/changes/CHG-2/evidence?as=bas", "/v1/changes/{id}/evidence", ADMIN, ""),
        ("GET /v1/changes/CHG-9/evidence?as=bas", "/v1/changes/{id}/evidence", ADMIN, ""),
        ("GET /v1/reports/changes.csv", "/v1/reports/changes.csv", ADMIN, ""),
        ("GET /v1/reports/dora", "/v1/reports/dora", ADMIN, ""),
        ("GET /v1/reports/dora?days=0", "/v1/reports/dora", ADMIN, ""),
        ("GET /v1/reports/dora?team=x", "/v1/reports/dora", ADMIN, ""),
        ("POST /v1/gate", "/v1/gate", ADMIN, "{}"),
        ("GET /v1/requests", "/v1/requests", ADMIN, ""),
        ("GET /v1/requests?limit=0", "/v1/requests", ADMIN, ""),
        ("GET /v1/requests/REQ-1", "/v1/requests/{id}", ADMIN, ""),
        ("GET /v1/requests/REQ-2", "/v1/requests/{id}", ADMIN, ""),
        ("GET /v1/requests/REQ-9", "/v1/requests/{id}", ADMIN, ""),
        ("GET /v1/complete?text=%2Finc&as=bas", "/v1/complete", ADMIN, ""),
        ("GET /v1/complete?text=x&as=bob", "/v1/complete", ADMIN, ""),
        ("GET /v1/tokens", "/v1/tokens", ADMIN, ""),
        ("POST /v1/tokens", "/v1/tokens", ADMIN, r#"{"person":"bas"}"#),
        ("DELETE /v1/tokens/tok-1", "/v1/tokens/{token}", ADMIN, ""),
        ("GET /v1/factors", "/v1/factors", ADMIN, ""),
        ("POST /v1/factors", "/v1/factors", ADMIN, r#"{"person":"bas"}"#),
        ("DELETE /v1/factors/bas", "/v1/factors/{person}", ADMIN, ""),
        ("POST /v1/say", "/v1/say", ADMIN, say),
        ("POST /v1/say", "/v1/say", ADMIN, "{"),
        ("POST /v1/say", "/v1/say", "Bearer no", say),
        ("POST /v1/ingest/alertmanager", "/v1/ingest/{source}", PROMETHEUS, r#"{"signals":["a","ignore","reject"]}"#),
        ("POST /v1/ingest/alertmanager?dry_run=1", "/v1/ingest/{source}", PROMETHEUS, r#"{"signals":["a"]}"#),
        ("POST /v1/ingest/alertmanager", "/v1/ingest/{source}", PROMETHEUS, "{}"),
        ("GET /healthz", "/healthz", ADMIN, ""),
        ("GET /readyz", "/readyz", ADMIN, ""),
    ];
    let mut found = Vec::new();
    for (line, path, token, body) in asked {
        let seen = house.ask(line, Some(token), body).await;
        let method = line.split(' ').next().unwrap().to_lowercase();
        let response = &document["paths"][path][method]["responses"][seen.status.as_str()];
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{line}: {} is not described", seen.status);
        differs(&document, schema, &seen.json(), line, &mut found);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_comparison_with_the_document_can_fail() {
    let document = described();
    let schema = json!({"$ref": "#/components/schemas/Service"});
    let good = json!({"id": "a", "team": "b", "depends_on": ["c"], "runbook": null});
    let wrong = |value: &Value| {
        let mut found = Vec::new();
        differs(&document, &schema, value, "$", &mut found);
        found.len()
    };
    assert_eq!(wrong(&good), 0);
    for (name, value) in [("id", json!(3)), ("depends_on", json!([1])), ("runbook", json!({})), ("more", json!(1))] {
        let mut bad = good.clone();
        bad[name] = value;
        assert_eq!(wrong(&bad), 1, "{bad}");
    }
    assert_eq!((wrong(&json!({})), wrong(&json!([]))), (4, 1));
}
